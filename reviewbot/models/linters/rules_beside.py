"""Run the own rules on a chunk beside the model that reads it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from reviewbot.core.events.tally import OFFLINE
from reviewbot.core.plan.chunk_view import ShownHunk
from reviewbot.core.safety.escape import show_line
from reviewbot.core.safety.redact import redact_file
from reviewbot.errors import ReviewbotError
from reviewbot.models.batch import ChunkOutcome

if TYPE_CHECKING:
    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.findings.draft import Draft
    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.models.batch import BatchEvent, BatchTask, Drafted, RunBatch


async def run_rules(
    rules: RunBatch, task: BatchTask, view: ChunkView, whole: FileDiff | None
) -> tuple[list[Drafted], ChunkOutcome]:
    """Return the findings of the own rules in a chunk, and their outcome.

    The rules see the whole file, as in a review without a model. A failure of the rules is an
    outcome: the model reads the chunk nevertheless.

    Args:
        rules: runner of the own rules.
        task: the batch of the chunk.
        view: the chunk as the model sees it.
        whole: its file in full; None if only the chunk is known.
    """

    async def ignore(_: BatchEvent) -> None:
        """Drop an event: the result has all that counts."""

    try:
        wide = view
        if whole is not None and view.parts == 1 and not view.is_whole:
            wide = await asyncio.to_thread(_in_full, view, whole)
        request = replace(task.request, chunks=(wide,))
        result = await rules(replace(task, request=request), ignore)
    except ReviewbotError as error:
        reason = f"The offline rules did not read this file: {error}"
        return [], ChunkOutcome(view.id, "failed", OFFLINE, 1, reason)
    (outcome,) = result.outcomes
    return [
        replace(drafted, draft=_within(drafted.draft, view)) for drafted in result.drafts
    ], outcome


def _in_full(view: ChunkView, whole: FileDiff) -> ChunkView:
    """Return the chunk with all lines of its file, of which it owns the same as before.

    Raises:
        ReviewbotError: the file could not be searched for secrets.
    """
    owned = {
        line.new_no
        for hunk in view.hunks
        for line, is_own in zip(hunk.lines, hunk.owned, strict=True)
        if is_own and line.new_no
    }
    replaced = redact_file(whole).replacements
    (hunk,) = whole.hunks
    lines = tuple(
        line._replace(text=replaced[0, at]) if (0, at) in replaced else line
        for at, line in enumerate(hunk.iter_lines())
    )
    full = ShownHunk(
        old_start=hunk.old_start,
        new_start=hunk.new_start,
        section="",
        lines=lines,
        owned=tuple(line.new_no in owned for line in lines),
    )
    return replace(view, hunks=(full,))


def _within(draft: Draft, view: ChunkView) -> Draft:
    """Return the finding on those of its lines that the chunk shows around its first added line.

    Only lines without a gap can be found in the diff.
    """
    shown = {line.new_no: line.text for hunk in view.hunks for line in hunk.lines if line.new_no}
    if all(number in shown for number in range(draft.line, draft.end_line + 1)):
        return draft
    first = last = min(
        line.new_no
        for hunk in view.hunks
        for line in hunk.lines
        if line.kind == "added" and line.new_no and draft.line <= line.new_no <= draft.end_line
    )
    while first - 1 in shown and first > draft.line:
        first -= 1
    while last + 1 in shown and last < draft.end_line:
        last += 1
    quote = "\n".join(show_line(shown[number]) for number in range(first, last + 1))
    return replace(draft, line=first, end_line=last, quote=quote, suggestion=None)
