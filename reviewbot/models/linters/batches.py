"""Run the own rules and the linters beside the model of a batch, as a wrapper of its runner.

The results are drafts like those of a model, so they pass the same filters, and a finished batch
stores them. Text is redacted before a linter sees it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from reviewbot.core.events.tally import OFFLINE
from reviewbot.core.findings.draft import Draft
from reviewbot.core.safety.escape import show_line
from reviewbot.errors import ReviewbotError
from reviewbot.models.batch import BatchResult, Drafted
from reviewbot.models.linters.hits import MAX_LINES, LintHit
from reviewbot.models.linters.linted_batch import (
    ONLY_HUNKS,
    LintedBatch,
    is_better,
    linted_outcome,
)
from reviewbot.models.linters.linters import Linted, Linters
from reviewbot.models.linters.overlap import ALIKE, is_alike
from reviewbot.models.linters.rules_beside import run_rules
from reviewbot.models.linters.whole_text import first_line, read_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk
    from reviewbot.models.batch import BatchTask, Emit, RunBatch
    from reviewbot.models.linters.imported import ImportedHit

CONFIDENCE: Final = 0.9
NOTE_CONFIDENCE: Final = 0.5
QUOTE_CHARS: Final = 4000
REQUEST_WAIT_S: Final = 2.0
"""Seconds that the request to a model waits for rules and linters."""
LISTED: Final = 40
"""Results of a chunk that the request to a model lists."""


@dataclass(frozen=True, slots=True)
class RequestCheckpoints:
    """Store of the results of rules and linters that a request to a model lists.

    A run that sends the request of an interrupted run again lists the same results.

    Attributes:
        earlier: results that earlier runs stored, by name.
        save: function that stores a result under a name.
    """

    earlier: Mapping[str, BatchResult] = field(default_factory=dict)
    save: Callable[[str, BatchResult], object] = lambda _name, _result: None


class LintedBatches:
    """A ``RunBatch`` around another one that also runs the own rules and the linters on each chunk.

    A rule or linter that fails makes a chunk ``partly`` reviewed only if no model read it.

    Args:
        inner: the runner of the models.
        linters: the linters of this review; None runs no linter.
        imported: results of other tools, of which those on added lines are reported.
        whole_files: files that are known in full, by path. The chunks may show less of them.
        own_rules: runner of the own rules for the batches of models, by the id of the batch.
        wait_s: seconds that the request to a model waits for the rules and linters of its chunks;
            None waits for all. The batch ends when they have ended, too.
        checkpoints: store of the results that the requests list.
    """

    def __init__(
        self,
        inner: RunBatch,
        linters: Linters | None,
        imported: Iterable[ImportedHit] = (),
        whole_files: Mapping[str, FileDiff] = MappingProxyType({}),
        own_rules: Mapping[str, RunBatch] = MappingProxyType({}),
        *,
        wait_s: float | None = REQUEST_WAIT_S,
        checkpoints: RequestCheckpoints | None = None,
    ) -> None:
        self._inner, self._linters, self._whole_files = inner, linters, whole_files
        self._own_rules, self._wait_s = own_rules, wait_s
        self._checkpoints = checkpoints or RequestCheckpoints()
        self._imported: dict[str, list[ImportedHit]] = {}
        for hit in imported:
            self._imported.setdefault(hit.path, []).append(hit)

    async def __call__(self, task: BatchTask, emit: Emit) -> BatchResult:
        """Run one batch; a request about uses is for its model alone."""
        if task.request.uses:
            return await self._inner(task, emit)
        chunks = task.request.chunks
        batch = LintedBatch({view.id: view.path for view in chunks}, emit)
        async with asyncio.TaskGroup() as group:
            for view in chunks:
                batch.tasks[view.id] = group.create_task(self._lint_chunk(task, view, batch))
            reported = await self._reported(task, batch)
            shown = tuple(_with_reported(view, reported) for view in chunks)
            request = replace(task.request, chunks=shown)
            result = await self._inner(replace(task, request=request), batch.pass_on)
        for drafted in batch.waiting:
            await batch.add(drafted)
        own = (drafted for drafted in result.drafts if not batch.is_covered(drafted))
        return replace(
            result,
            drafts=(*batch.drafts, *own),
            outcomes=tuple(
                linted_outcome(outcome, batch.linted[outcome.chunk]) for outcome in result.outcomes
            ),
        )

    async def _reported(self, task: BatchTask, batch: LintedBatch) -> tuple[Drafted, ...]:
        """Return the results that the request lists.

        Only the request to a model has a time limit: own rules are compared with all results.
        """
        is_for_model, name = task.id in self._own_rules, f"{task.id}/linters"
        if is_for_model and name in self._checkpoints.earlier:
            return self._checkpoints.earlier[name].drafts
        await asyncio.wait(batch.tasks.values(), timeout=self._wait_s if is_for_model else None)
        reported = tuple(
            drafted
            for view in task.request.chunks
            for drafted in batch.reported.get(view.id, ())[:LISTED]
        )
        if is_for_model:
            self._checkpoints.save(name, BatchResult(reported, (), ()))
        return reported

    async def _lint_chunk(self, task: BatchTask, view: ChunkView, batch: LintedBatch) -> None:
        linted, own = await self._lint_beside_rules(task, view)
        hits = (*linted.hits, *self._imported_into(view))
        texts = _texts(view) if hits else {}
        drafts = [_drafted(view, hit, texts) for hit in hits]
        if own is not None:
            own = [rule for rule in own if not is_better(rule.draft, linted)]
            drafts = [
                hit for hit in drafts if not any(is_alike(hit.draft, rule.draft) for rule in own)
            ]
            batch.own_drafts.update(rule.draft for rule in own)
        linter_rules = {hit.rule for hit in linted.hits}
        listed = [hit for hit in drafts if hit.draft.rule in linter_rules]
        batch.reported[view.id] = [*listed, *(own or ())]
        for drafted in (*(own or ()), *drafts):
            if own is None and drafted.draft.rule in ALIKE:
                batch.waiting.append(drafted)
            else:
                await batch.add(drafted)
        await batch.end_linters(view.id, linted)

    async def _lint_beside_rules(
        self, task: BatchTask, view: ChunkView
    ) -> tuple[Linted, list[Drafted] | None]:
        """Return the results of the linters for a chunk, and those of the own rules.

        The latter are None if the runner of the models is that of the own rules.
        """
        rules = self._own_rules.get(task.id)
        if rules is None:
            return await self._lint(view), None
        linted, (own, outcome) = await asyncio.gather(
            self._lint(view), run_rules(rules, task, view, self._whole_files.get(view.path))
        )
        if outcome.status not in ("partly", "failed"):
            return replace(linted, own_checks=outcome.checks), own
        has_problem = linted.problem not in (None, ONLY_HUNKS)
        return replace(linted, problem=linted.problem if has_problem else outcome.reason), own

    async def _lint(self, view: ChunkView) -> Linted:
        if self._linters is None or view.is_link:
            return Linted()
        if view.is_whole:
            (hunk,) = view.hunks
            return await self._lint_hunk(self._linters, view, hunk, whole=True)
        if view.path in self._whole_files:
            with suppress(ReviewbotError):  # not searched for secrets: only the hunks are known
                return await self._lint_file(self._linters, view, self._whole_files[view.path])
        if self._linters.needs_whole(view.path):
            return Linted(problem=ONLY_HUNKS)
        parts = [
            await self._lint_hunk(self._linters, view, hunk, whole=False) for hunk in view.hunks
        ]
        return _together(parts)

    async def _lint_file(self, linters: Linters, view: ChunkView, file: FileDiff) -> Linted:
        """Return the results for a file that is known in full, on the lines of one chunk.

        Raises:
            ReviewbotError: the file could not be searched for secrets.
        """
        reported = _added_lines(view.hunks)
        if not reported:
            return _nothing_to_report(linters, view.path)
        if linters.linter_of(view.path, first_line(file)) is None:
            return Linted()
        text, added = await asyncio.to_thread(read_whole, file)
        linted = await linters.lint(view.path, text, added, reported=reported)
        shown = _texts(view)
        return replace(linted, hits=tuple(_within(hit, shown) for hit in linted.hits))

    async def _lint_hunk(
        self, linters: Linters, view: ChunkView, hunk: ShownHunk, *, whole: bool
    ) -> Linted:
        new = [line for line in hunk.lines if line.new_no]
        added = sorted(_added_lines([hunk]))
        if not added:
            return _nothing_to_report(linters, view.path)
        text = "\n".join(line.text for line in new) + "\n"
        first = new[0].new_no or 1
        return await linters.lint(view.path, text, added, whole=whole, first=first)

    def _imported_into(self, view: ChunkView) -> list[ImportedHit]:
        hits = self._imported.get(view.path, ())
        if not hits:
            return []
        added = _added_lines(view.hunks)
        last = max(line.new_no or 0 for hunk in view.hunks for line in hunk.lines)
        return [
            replace(one, end_line=min(one.end_line, last, one.line + MAX_LINES - 1))
            for one in hits
            if one.line in added
        ]


def _nothing_to_report(linters: Linters, path: str) -> Linted:
    """Return the result for a chunk without added lines: its linter counts as run."""
    name = linters.linter_of(path)
    return Linted(ran=(name,) if name else ())


def _within(hit: LintHit, shown: Mapping[int, str]) -> LintHit:
    """Return a hit up to the last line that its chunk shows without a gap."""
    last = hit.line
    while last < hit.end_line and last + 1 in shown:
        last += 1
    return hit if last == hit.end_line else replace(hit, end_line=last, suggestion=None)


def _added_lines(hunks: Iterable[ShownHunk]) -> set[int]:
    """Return the numbers of the added lines that a chunk owns."""
    return {
        line.new_no
        for hunk in hunks
        for line, owned in zip(hunk.lines, hunk.owned, strict=True)
        if owned and line.kind == "added" and line.new_no
    }


def _together(parts: Sequence[Linted]) -> Linted:
    """Return the results of the hunks of one file as one result."""
    return Linted(
        hits=tuple(hit for one in parts for hit in one.hits),
        ran=()
        if any(one.problem for one in parts)
        else tuple(dict.fromkeys(name for one in parts for name in one.ran)),
        problem=next((one.problem for one in parts if one.problem), None),
        failed=any(one.failed for one in parts),
        added_suppressions=tuple(line for one in parts for line in one.added_suppressions),
    )


def _with_reported(view: ChunkView, reported: Iterable[Drafted]) -> ChunkView:
    """Return the chunk with a list of its reported lines, so that a model does not repeat them.

    Titles and messages are left out, because they can quote the code.
    """
    places = [
        f"line {drafted.draft.line} ({drafted.draft.rule})"
        for drafted in reported
        if view.id in drafted.chunks
    ]
    if not places:
        return view
    text = "Rules and linters have reported these lines, so do not report the same problems: "
    return replace(view, instructions=(*view.instructions, f"{text}{', '.join(places)}."))


def _texts(view: ChunkView) -> dict[int, str]:
    """Return the lines of the new side, by number."""
    return {line.new_no: line.text for hunk in view.hunks for line in hunk.lines if line.new_no}


def _drafted(view: ChunkView, hit: LintHit, texts: Mapping[int, str]) -> Drafted:
    shown = (show_line(texts.get(number, "")) for number in range(hit.line, hit.end_line + 1))
    draft = Draft(
        path=view.path,
        quote="\n".join(shown)[:QUOTE_CHARS],
        side="RIGHT",
        line=hit.line,
        end_line=hit.end_line,
        scenario="",
        category=hit.category,
        severity=hit.severity,
        confidence=NOTE_CONFIDENCE if hit.severity == "note" else CONFIDENCE,
        title=hit.title,
        message=hit.message,
        suggestion=hit.suggestion,
        rule=hit.rule,
    )
    return Drafted(draft, OFFLINE, 1, f"lint/{view.id}", (view.id,))
