"""Run the linters beside the model of a batch, as a wrapper of its runner.

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
from reviewbot.models.batch import BatchResult, ChunkOutcome, Drafted
from reviewbot.models.linters.hits import MAX_LINES, LintHit, is_test_path
from reviewbot.models.linters.linters import Linted, Linters
from reviewbot.models.linters.overlap import ALIKE, BETTER, is_alike
from reviewbot.models.linters.whole_text import first_line, read_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk
    from reviewbot.models.batch import BatchEvent, BatchTask, Emit, RunBatch
    from reviewbot.models.linters.imported import ImportedHit

CONFIDENCE: Final = 0.9
NOTE_CONFIDENCE: Final = 0.5
QUOTE_CHARS: Final = 4000
ONLY_HUNKS: Final = "Only hunks of this file are known, and linters need the whole file."
LISTED: Final = 40
"""Results of a chunk that the request to a model lists."""


@dataclass(slots=True)
class _LintedBatch:
    """The results of the linters for one batch, by chunk."""

    found: dict[str, Linted] = field(default_factory=dict)
    drafts: list[Drafted] = field(default_factory=list)
    waiting: list[Drafted] = field(default_factory=list)
    """Drafts of the rules in :data:`ALIKE`, which are emitted if the own rules are silent."""
    reported: dict[str, list[str]] = field(default_factory=dict)
    """Descriptions of the reported lines, for the request to a model."""

    def ran_on(self, path: str, chunks: Iterable[str], paths: dict[str, str]) -> bool:
        """Return whether a linter read ``path``, which is one of ``chunks``."""
        return any(self.found[name].ran for name in chunks if paths.get(name) == path)


class LintedBatches:
    """A ``RunBatch`` around another one that also runs the linters on each chunk.

    A linter that fails makes a chunk ``partly`` reviewed only if no model read it. Beside a model,
    the own rules run where the linter needs the whole file and only hunks are known.

    Args:
        inner: the runner of the models.
        linters: the linters of this review; None runs no linter.
        imported: results of other tools, of which those on added lines are reported.
        whole_files: files that are known in full, by path. The chunks may show less of them.
        own_rules: runner of the own rules for the batches of models, by the id of the batch.
    """

    def __init__(
        self,
        inner: RunBatch,
        linters: Linters | None,
        imported: Iterable[ImportedHit] = (),
        whole_files: Mapping[str, FileDiff] = MappingProxyType({}),
        own_rules: Mapping[str, RunBatch] = MappingProxyType({}),
    ) -> None:
        self._inner, self._linters, self._whole_files = inner, linters, whole_files
        self._own_rules = own_rules
        self._imported: dict[str, list[ImportedHit]] = {}
        for hit in imported:
            self._imported.setdefault(hit.path, []).append(hit)

    async def __call__(self, task: BatchTask, emit: Emit) -> BatchResult:
        """Run one batch; a request about uses is for its model alone."""
        if task.request.uses:
            return await self._inner(task, emit)
        batch = _LintedBatch()
        chunks = task.request.chunks
        paths = {view.id: view.path for view in chunks}

        async def lint(view: ChunkView) -> None:
            found, own = await self._lint(view), tuple[Drafted, ...]()
            if found.problem == ONLY_HUNKS and task.id in self._own_rules:
                own, outcome = await _run_rules(self._own_rules[task.id], task, view)
                problem = outcome.reason or found.problem
                found = replace(found, problem=problem, instead=outcome.checks)
            batch.found[view.id] = found
            batch.reported[view.id] = _places(found, own)
            batch.drafts += own
            for drafted in own:
                await emit(drafted)
            hits = (*found.hits, *self._imported_into(view))
            texts = _texts(view) if hits else {}
            for hit in hits:
                drafted = _drafted(view, hit, texts)
                if hit.rule in ALIKE:
                    batch.waiting.append(drafted)
                else:
                    batch.drafts.append(drafted)
                    await emit(drafted)

        async with asyncio.TaskGroup() as group:
            for view in chunks:
                group.create_task(lint(view))

        async def pass_on(event: BatchEvent) -> None:
            match event:
                case Drafted() if self._is_covered(event, batch, paths):
                    pass
                case ChunkOutcome():
                    await emit(_linted_outcome(event, batch.found[event.chunk]))
                case _:
                    await emit(event)

        shown = tuple(_with_reported(view, batch.reported[view.id]) for view in chunks)
        request = replace(task.request, chunks=shown)
        result = await self._inner(replace(task, request=request), pass_on)
        for drafted in batch.waiting:
            batch.drafts.append(drafted)
            await emit(drafted)
        return replace(
            result,
            drafts=(
                *batch.drafts,
                *(one for one in result.drafts if not self._is_covered(one, batch, paths)),
            ),
            outcomes=tuple(_linted_outcome(one, batch.found[one.chunk]) for one in result.outcomes),
        )

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

    def _is_covered(self, drafted: Drafted, batch: _LintedBatch, paths: dict[str, str]) -> bool:
        """Return whether a linter reports the finding of an own rule, or decided against it."""
        draft = drafted.draft
        if draft.rule is None:
            return False
        if draft.rule in BETTER and batch.ran_on(draft.path, drafted.chunks, paths):
            return not is_test_path(draft.path)
        batch.waiting = [one for one in batch.waiting if not is_alike(one.draft, draft)]
        return False


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


def _linted_outcome(outcome: ChunkOutcome, linted: Linted) -> ChunkOutcome:
    """Return the end of a chunk with what the linters add to it."""
    checks = tuple(dict.fromkeys((*outcome.checks, *linted.ran, *linted.instead)))
    is_told = outcome.model == OFFLINE or linted.problem != ONLY_HUNKS
    outcome = replace(outcome, checks=checks, unlinted=linted.problem if is_told else None)
    if linted.ran and outcome.status == "unread":
        outcome = replace(outcome, status="reviewed", reason=None)
    if linted.failed and outcome.model == OFFLINE and outcome.status in ("reviewed", "unread"):
        outcome = replace(outcome, status="partly", reason=linted.problem)
    return outcome


async def _run_rules(
    rules: RunBatch, task: BatchTask, view: ChunkView
) -> tuple[tuple[Drafted, ...], ChunkOutcome]:
    """Return the findings of the own rules in a chunk, and their outcome."""

    async def ignore(_: BatchEvent) -> None:
        """Drop an event: the result has all that counts."""

    request = replace(task.request, chunks=(view,))
    result = await rules(replace(task, request=request), ignore)
    (outcome,) = result.outcomes
    return result.drafts, outcome


def _places(linted: Linted, own: Iterable[Drafted]) -> list[str]:
    """Return the lines that were reported, each with its rule.

    Messages are left out, because those of linters can quote the code.
    """
    reported = [(hit.line, hit.rule) for hit in linted.hits]
    reported += [(one.draft.line, one.draft.rule or "") for one in own]
    return [f"line {line} ({rule})" for line, rule in reported]


def _with_reported(view: ChunkView, places: Sequence[str]) -> ChunkView:
    """Return the chunk with a list of reported lines, so that a model does not repeat them."""
    if not places:
        return view
    text = "Linters have reported these lines, so do not report the same problems: "
    return replace(view, instructions=(*view.instructions, f"{text}{', '.join(places[:LISTED])}."))


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
