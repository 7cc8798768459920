"""What the pipeline is given and hands on: the job, what an earlier run left, how to stop it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from reviewbot import __version__
from reviewbot.core.events.events import (
    Estimate,
    FileSkipped,
    PlannedChunk,
    PlannedFile,
    ReviewStarted,
)
from reviewbot.core.findings.intake import FindingFilters
from reviewbot.core.prompt.request import ManifestEntry
from reviewbot.models.batch import BatchResult, Spent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.events.events import (
        Event,
        FileCoverage,
        Outcome,
        ReviewSummary,
    )
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.plan.chunks import Batch, ChunkView, Plan

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """What to review. ``estimate`` and ``notices`` are shown as they are.

    ``path_instructions`` gives the repository's instructions for one path. ``prefix_tokens`` is
    what each request costs beside its chunks; ``prefix_by_model`` says it for single models.
    ``prompt_version`` names the templates that models are asked with. ``question`` is what is
    asked about the diff, whose one batch is then answered and not reviewed.
    """

    files: tuple[FileDiff, ...]
    plan: Plan
    models: tuple[str, ...]
    estimate: Estimate
    gates: FindingFilters = field(default_factory=FindingFilters)
    instructions: str = ""
    path_instructions: Callable[[str], tuple[str, ...]] = lambda _path: ()
    prefix_tokens: int = 0
    prefix_by_model: Mapping[str, int] = field(default_factory=dict)
    jobs: int = 8
    notices: tuple[str, ...] = ()
    prompt_version: str | None = None
    question: str | None = None

    def model_of(self, batch: Batch) -> str:
        """Return the model that ``batch`` goes to first."""
        return (*batch.chain.models, *self.models)[0]

    def request_tokens(self, batch: Batch) -> int:
        """The estimate for a request for ``batch``, without instructions for single paths."""
        prefix = self.prefix_by_model.get(self.model_of(batch), self.prefix_tokens)
        return batch.tokens + prefix


@dataclass(frozen=True, slots=True)
class SummaryTask:
    """What a summary may be written from. ``views`` shows the chunks again, batch by batch."""

    files: tuple[PlannedFile, ...]
    manifest: tuple[ManifestEntry, ...]
    findings: tuple[Finding, ...]
    coverage: tuple[FileCoverage, ...]
    views: Callable[[], Iterator[list[ChunkView]]]


Summarize: TypeAlias = Callable[
    [SummaryTask, Callable[[Spent], None]], Coroutine[Any, Any, "ReviewSummary"]
]
"""Asks for a summary and books what it spent; raises ModelFault if there is none to be had."""


@dataclass(frozen=True, slots=True)
class PriorRun:
    """What a run of the same review that broke off has left; what it told is not told again.

    ``finished`` has the results of its batches by id; ``shown`` the findings that it raised and did
    not withdraw; ``ended`` the chunks whose end it told; ``spent`` what requests used whose batch
    did not come to its end; ``summarized`` whether it told its summary; ``answered`` likewise.
    """

    finished: Mapping[str, BatchResult] = field(default_factory=dict)
    shown: tuple[Finding, ...] = ()
    ended: frozenset[str] = frozenset()
    spent: tuple[Spent, ...] = ()
    summarized: bool = False
    answered: bool = False


class Postponed(Exception):
    """Raised by a ``RunBatch``: this batch has to wait, for a reason that is a sentence.

    The others go on; then :func:`reviewbot.pipeline.review.review` raises it instead of an end.
    """


class StopSignal:
    """Ends a review early, but properly: ``review.finished`` still comes, with this outcome."""

    def __init__(self) -> None:
        self.outcome: Outcome | None = None
        self._set = asyncio.Event()

    def stop(self, outcome: Outcome) -> None:
        """Ask for the end: ``cancelled`` or ``superseded``. The first call decides."""
        self.outcome = self.outcome or outcome
        self._set.set()

    async def wait(self) -> None:
        """Return once :meth:`stop` was called."""
        await self._set.wait()

    async def unless_stopped(self, work: Coroutine[Any, Any, T]) -> T | None:
        """The result of ``work``, or None if it was stopped first: then ``work`` is cancelled."""
        working = asyncio.create_task(work)
        stopped = asyncio.create_task(self.wait())
        try:
            await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else None
        finally:
            for task in (working, stopped):
                task.cancel()
            await asyncio.wait({working, stopped})


def opening(job: Job) -> Iterator[Event]:
    """Yield the plan of ``job`` as the events that open its review."""
    yield started(job)
    for file in job.plan.skipped:
        yield FileSkipped(file.path, file.reason or "")


def started(job: Job) -> ReviewStarted:
    """Return the plan of ``job`` as an event."""
    plan = job.plan
    batch_of = {chunk: batch for batch in plan.batches for chunk in batch.chunks}
    model_of = {name: job.model_of(batch) for name, batch in batch_of.items()}
    return ReviewStarted(
        models=job.models,
        files=tuple(
            replace(file, model=model_of[file.chunks[0]] if file.chunks else None)
            for file in planned_files(plan)
        ),
        chunks=tuple(
            PlannedChunk(
                id=chunk.id,
                path=chunk.path,
                part=chunk.part,
                parts=chunk.parts,
                batch=batch_of[chunk.id].id,
                tokens=chunk.tokens,
                model=model_of[chunk.id],
            )
            for chunk in plan.chunks
        ),
        batches=len(plan.batches),
        estimate=job.estimate,
        notices=job.notices,
        version=__version__,
        prompt_version=job.prompt_version,
        beside=plan.beside,
        question=job.question,
    )


def planned_files(plan: Plan) -> tuple[PlannedFile, ...]:
    """Return the files of ``plan`` as events name them; who reviews them is the job's to say."""
    return tuple(
        PlannedFile(
            file.path,
            file.status,
            file.added,
            file.removed,
            file.chunks,
            routed_by=file.routed_by,
        )
        for file in plan.files
    )


def manifest_of(plan: Plan) -> tuple[ManifestEntry, ...]:
    """Return every changed file, for the prompt; those that policy skips are named, not shown."""
    return tuple(
        ManifestEntry(file.path, file.status, file.added, file.removed, file.reason is None)
        for file in plan.files
    )
