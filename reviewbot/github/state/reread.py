"""Choose the prior findings that a review verifies again. Pure.

A model's finding of an earlier review is resolved if its code is gone, or if the verifier refutes
it. So an open finding whose code is in the hunks of this review is shown to the verifier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.core.findings.prior import MOST, PriorFinding
from reviewbot.core.safety.redact import redact_text
from reviewbot.core.safety.shown_text import shown_line
from reviewbot.github.state.matching import places_of
from reviewbot.github.state.relocate import HeadCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.github.state.block import Record
    from reviewbot.github.state.matching import Reread


def reread_findings(
    files: Sequence[FileDiff], records: Iterable[Record], is_read: Reread
) -> tuple[PriorFinding, ...]:
    """Return the open findings of models whose code is read again, at most :data:`.MOST`.

    ``files`` is the whole diff: a copy of the code in the part to review is not the finding's code.
    ``is_read`` says whether lines are in that part. ``records`` are those of a trusted state block.
    """
    wanted = [
        one
        for one in records
        if one.state == "open" and not one.is_of_a_rule and not one.held and one.title.strip()
    ]
    code = HeadCode(files, {})
    places = places_of(wanted, code)
    found = (
        PriorFinding(
            id=one.id,
            path=redact_text(code.path_of(one)),
            side=one.side,
            line=place[0],
            end_line=place[-1],
            category=one.category,
            severity=one.severity,
            title=shown_line(one.title),
        )
        for one in wanted
        if (place := places.get(one.id)) is not None and is_read(code.path_of(one), one.side, place)
    )
    return tuple(found)[:MOST]
