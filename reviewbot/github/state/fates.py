"""Record what became of posted findings. Pure.

A finding gets its fate when it is first no longer open. It loses its fate if it is open again. At
the merge of the pull request, the findings that are left get theirs; then all fates are final.
"""

from __future__ import annotations

from dataclasses import replace
from posixpath import dirname
from typing import TYPE_CHECKING

from reviewbot.github.state.block import MOST_FOLDER, ClosedRecord

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from reviewbot.github.state.block import Fate, Record, StateBlock
    from reviewbot.github.state.reconcile import Reconciled


def after_review(new: StateBlock, before: StateBlock | None, done: Reconciled) -> StateBlock:
    """Return the new state of a review with its closed records.

    ``before`` is the trusted state before the review; None if there is none.
    """
    if before is not None and before.merged:  # the merge came first, and is counted
        return replace(new, closed=before.closed, dropped=before.dropped, merged=True)
    is_open = {record.id for record in done.records if record.state == "open" and record.is_posted}
    earlier = [record for record in before.closed if record.id not in is_open] if before else []
    states = {one.id: one.state for one in before.records} if before else {}
    ended: list[tuple[Record, Fate]] = [(record, "fixed") for record in done.resolved]
    ended += [
        (record, "refuted" if record.id in done.refuted else "dismissed")
        for record in done.dismissed
    ]
    # Only what was open: a closed record that was dropped for space must not come back.
    ended = [(one, fate) for one, fate in ended if states.get(one.id, "open") == "open"]
    dropped = before.dropped if before else {}
    return replace(new, closed=_with(earlier, ended), dropped=dropped)


def at_merge(before: StateBlock, dismissed: Container[str]) -> StateBlock:
    """Return the state after the merge of the pull request.

    ``dismissed`` has the ids of the findings that are dismissed now.
    """
    new: list[tuple[Record, Fate]] = [
        (one, "dismissed" if one.id in dismissed else "open_at_merge")
        for one in before.records
        if one.state == "open"
    ]
    undone = {
        one.id for one in before.records if one.state == "dismissed" and one.id not in dismissed
    }
    earlier = [
        replace(one, fate="open_at_merge") if one.id in undone else one for one in before.closed
    ]
    return replace(before, closed=_with(earlier, new), merged=True)


def _with(
    earlier: Iterable[ClosedRecord], new: Iterable[tuple[Record, Fate]]
) -> tuple[ClosedRecord, ...]:
    """Return the closed records with those of posted findings that have no fate yet."""
    found = {one.id: one for one in earlier}
    for record, fate in new:
        if record.is_posted:
            folder = dirname(record.path)
            closed = ClosedRecord(
                record.id,
                record.rule,
                record.model,
                record.prompt_version,
                fate,
                record.severity,
                folder if len(folder) <= MOST_FOLDER else None,
            )
            found.setdefault(record.id, closed)
    return tuple(found.values())
