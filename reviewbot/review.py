"""The pipeline: a planned diff in, events out, one by one. Nothing else composes the stages.

It runs each batch through a callable that it is given (``models.batch.RunBatch``), and can be given
what an earlier run of the same review left behind: the plan, the results of finished batches
and the findings that were already shown. So a durable engine can checkpoint batches and go on
after a crash, and the pipeline knows nothing of it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from reviewbot import __version__
from reviewbot.core.chunks import view
from reviewbot.core.coverage import coverage_of, outcome_of, reasons_of
from reviewbot.core.events import (
    ChunkFinished,
    ChunkRetrying,
    ChunkStarted,
    Estimate,
    FileSkipped,
    FindingRaised,
    PlannedChunk,
    PlannedFile,
    ReviewFinished,
    ReviewProgress,
    ReviewStarted,
    Usage,
)
from reviewbot.core.intake import Gates, Intake
from reviewbot.core.ledger import Ledger
from reviewbot.core.overview import computed_summary
from reviewbot.core.prompt import ManifestEntry, ModelRequest
from reviewbot.core.redact import redact_file
from reviewbot.core.secret_findings import secret_findings
from reviewbot.models.batch import (
    Asked,
    BatchResult,
    BatchTask,
    ChunkOutcome,
    Drafted,
    Recalled,
    Retrying,
    Spent,
    Working,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator

    from reviewbot.core.chunks import Batch, Chunk, ChunkView, Plan
    from reviewbot.core.diff import FileDiff
    from reviewbot.core.events import (
        Event,
        FileCoverage,
        FindingWithdrawn,
        Outcome,
        ReviewSummary,
    )
    from reviewbot.core.findings import Finding
    from reviewbot.core.redact import FileRedaction
    from reviewbot.models.batch import BatchEvent, RunBatch

QUEUE_SIZE: Final = 64
"""Events that may wait for the consumer; a slow one slows the readers of the models down."""

PROGRESS_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """What to review. ``estimate`` and ``notices`` are shown as they are.

    ``path_instructions`` gives the repository's instructions for one path. ``prefix_tokens`` is
    what each request costs beside its chunks.
    ``prompt_version`` names the templates that models are asked with.
    """

    files: tuple[FileDiff, ...]
    plan: Plan
    models: tuple[str, ...]
    estimate: Estimate
    gates: Gates = field(default_factory=Gates)
    instructions: str = ""
    path_instructions: Callable[[str], tuple[str, ...]] = lambda _path: ()
    prefix_tokens: int = 0
    jobs: int = 8
    notices: tuple[str, ...] = ()
    prompt_version: str | None = None


@dataclass(frozen=True, slots=True)
class SummaryTask:
    """What a summary may be written from. ``views`` shows the chunks again, batch by batch."""

    files: tuple[PlannedFile, ...]
    manifest: tuple[ManifestEntry, ...]
    findings: tuple[Finding, ...]
    coverage: tuple[FileCoverage, ...]
    views: Callable[[], Iterator[list[ChunkView]]]


Summarize: TypeAlias = Callable[
    [SummaryTask, Callable[[Spent], None]], Awaitable["ReviewSummary | None"]
]
"""Asks for a summary; books what it spent; None if there is none to be had."""


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


async def review(
    job: Job,
    run_batch: RunBatch,
    *,
    summarize: Summarize | None = None,
    finished: Mapping[str, BatchResult] | None = None,
    shown: Iterable[Finding] = (),
    stop: StopSignal | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[Event, None]:
    """Review ``job``; yields ``review.started`` first and ``review.finished`` last.

    Closing the generator, or cancelling the task that reads it, ends the model calls at once and
    yields nothing more; a :class:`StopSignal` ends them and still tells how far it came.

    Args:
        job: the diff and its plan.
        run_batch: runs one batch.
        summarize: asks for the summary; without it, it is computed.
        finished: results of batches, by id, that an earlier run of this review has finished.
        shown: findings that it has already shown; they are not shown again.
        stop: ends the review early.
        clock: seconds, for durations alone.
    """
    run = _Run(job, run_batch, finished or {}, tuple(shown), clock)
    stop = stop or StopSignal()
    yield started(job)
    for entry in job.plan.skipped:
        yield FileSkipped(entry.path, entry.reason or "")
    batches = asyncio.create_task(run.all_batches(stop))
    try:
        while (event := await run.events.get()) is not None:
            yield event
        await batches  # a bug in a batch surfaces here
    finally:
        batches.cancel()
        with suppress(asyncio.CancelledError, Exception):  # raised above, if it is to be
            await batches
    coverage = run.coverage()
    if stop.outcome is None:
        task = run.summary_task(coverage)
        summary = await summarize(task, run.book) if summarize else None
        yield summary or computed_summary(task.files, task.findings, coverage)
    yield run.finished(coverage, stop.outcome)


def started(job: Job) -> ReviewStarted:
    """The plan of ``job`` as the event that opens its review."""
    plan = job.plan
    batch_of = {chunk: batch.id for batch in plan.batches for chunk in batch.chunks}
    return ReviewStarted(
        models=job.models,
        files=planned_files(plan),
        chunks=tuple(
            PlannedChunk(
                chunk.id, chunk.path, chunk.part, chunk.parts, batch_of[chunk.id], chunk.tokens
            )
            for chunk in plan.chunks
        ),
        batches=len(plan.batches),
        estimate=job.estimate,
        notices=job.notices,
        version=__version__,
        prompt_version=job.prompt_version,
    )


def planned_files(plan: Plan) -> tuple[PlannedFile, ...]:
    """The files of ``plan`` as events name them."""
    return tuple(
        PlannedFile(file.path, file.status, file.added, file.removed, file.chunks)
        for file in plan.files
    )


class _Run:
    """The state of one run of :func:`review`."""

    def __init__(
        self,
        job: Job,
        run_batch: RunBatch,
        finished: Mapping[str, BatchResult],
        shown: tuple[Finding, ...],
        clock: Callable[[], float],
    ) -> None:
        self.job, self._run_batch, self._finished = job, run_batch, finished
        self._clock, self._begun = clock, clock()
        self.events: asyncio.Queue[Event | None] = asyncio.Queue(QUEUE_SIZE)
        self.ledger = Ledger(max_notes=job.gates.max_notes, shown=shown)
        self._chunks = {chunk.id: chunk for chunk in job.plan.chunks}
        self._outcomes: dict[str, ChunkOutcome] = {}
        self._open = Counter(chunk.path for chunk in job.plan.chunks)
        self._files = len(self._open)
        self._redactions: dict[int, FileRedaction] = {}
        self._usage = Usage()
        self._cost: float | None = 0.0
        self._first_finding: float | None = None
        self._last_progress = 0.0
        self.planned_files = planned_files(job.plan)
        self._manifest = tuple(
            ManifestEntry(file.path, file.status, file.added, file.removed, file.reason is None)
            for file in job.plan.files
        )

    async def all_batches(self, stop: StopSignal) -> None:
        """Run every batch, ``jobs`` at once, until all are done or ``stop`` is called."""
        work = asyncio.create_task(self._work())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if stop.outcome is not None:
                work.cancel()
            await asyncio.wait({work})
        except asyncio.CancelledError:  # nobody reads any more
            work.cancel()
            await asyncio.wait({work})
            raise
        finally:
            stopped.cancel()
        await self.events.put(None)
        if not work.cancelled():
            work.result()

    async def _work(self) -> None:
        slots = asyncio.Semaphore(self.job.jobs)

        async def one(batch: Batch) -> None:
            async with slots:
                await self._batch(batch)

        async with asyncio.TaskGroup() as group:
            for batch in self.job.plan.batches:
                group.create_task(one(batch))

    async def _batch(self, batch: Batch) -> None:
        chunks = [self._chunks[chunk] for chunk in batch.chunks]
        views = await asyncio.to_thread(self._views, chunks)
        intake = Intake(views, self.job.gates)
        gates = self.job.gates
        for chunk, shown in zip(chunks, views, strict=True):
            for finding in secret_findings(
                chunk,
                shown,
                self._redactions[chunk.file],
                rules=gates.rules,
                threshold=gates.confidence,
            ):
                await self._put_all(self.ledger.accept(finding, answer=f"secrets/{chunk.id}"))

        async def emit(event: BatchEvent) -> None:
            await self._on(event, batch, intake)

        result = self._finished.get(batch.id)
        if result is None:
            request = ModelRequest(
                chunks=tuple(views),
                manifest=self._manifest,
                instructions=self.job.instructions,
                tokens=batch.tokens + self.job.prefix_tokens,
            )
            await self._run_batch(BatchTask(batch.id, request), emit)
        else:
            events: tuple[BatchEvent, ...] = (*result.spent, *result.drafts, *result.outcomes)
            for event in events:
                await emit(event)

    def _views(self, chunks: Iterable[Chunk]) -> list[ChunkView]:
        """What a reviewer gets to see of the chunks: parsed, redacted. CPU work, in a thread."""
        views = []
        for chunk in chunks:
            file = self.job.files[chunk.file]
            redaction = self._redactions.get(chunk.file)
            if redaction is None:
                redaction = self._redactions[chunk.file] = redact_file(file)
            views.append(
                view(
                    file,
                    chunk,
                    replacements=redaction.replacements,
                    sections=redaction.sections,
                    instructions=self.job.path_instructions(chunk.path),
                )
            )
        return views

    async def _on(self, event: BatchEvent, batch: Batch, intake: Intake) -> None:
        """One event of a batch, as events of the review."""
        match event:
            case Drafted():
                await self._put_all(self._found(event, intake))
            case Recalled(answer=answer, reason=reason):
                await self._put_all(self.ledger.recall(answer, reason))
            case Spent():
                self.book(event)
            case ChunkOutcome():
                await self._put_all(self._chunk_finished(event))
            case Asked() | Retrying():
                await self._put_all(self._announced(event, batch))
            case Working(model=model):
                if self._clock() - self._last_progress >= PROGRESS_EVERY_S:
                    await self.events.put(self._progress(f"{model} is thinking"))

    def _found(self, drafted: Drafted, intake: Intake) -> list[FindingRaised | FindingWithdrawn]:
        if intake.switched_off(drafted.draft):
            return []
        finding = intake.admit(drafted.draft, model=drafted.model, attempt=drafted.attempt)
        return self.ledger.accept(finding, answer=drafted.answer)

    def _announced(self, event: Asked | Retrying, batch: Batch) -> Iterator[Event]:
        for chunk in event.chunks:
            path = self._chunks[chunk].path
            if isinstance(event, Asked):
                yield ChunkStarted(chunk, path, batch.id, event.model, event.attempt)
            else:
                yield ChunkRetrying(
                    chunk=chunk,
                    path=path,
                    model=event.model,
                    attempt=event.attempt,
                    reason=event.reason,
                    next_model=event.next_model,
                    delay_s=round(event.delay_s, 3),
                )

    def _chunk_finished(self, outcome: ChunkOutcome) -> tuple[ChunkFinished, ReviewProgress]:
        outcome = self._outcomes[outcome.chunk] = self._cut(outcome)
        path = self._chunks[outcome.chunk].path
        self._open[path] -= 1
        if not self._open[path]:
            del self._open[path]
        return (
            ChunkFinished(
                outcome.chunk, path, outcome.status, outcome.model, outcome.attempt, outcome.reason
            ),
            self._progress(None),
        )

    def _cut(self, outcome: ChunkOutcome) -> ChunkOutcome:
        """A chunk that shows a line cut was reviewed in part, whatever the model says."""
        if outcome.status != "reviewed" or not self._chunks[outcome.chunk].cut:
            return outcome
        reason = "A line is too long to be shown whole."
        return ChunkOutcome(outcome.chunk, "partly", outcome.model, outcome.attempt, reason)

    async def _put_all(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, FindingRaised) and self._first_finding is None:
                self._first_finding = self._clock() - self._begun
            await self.events.put(event)

    def book(self, spent: Spent) -> None:
        """Add what a request used. Does not wait: it is called while requests are torn down."""
        self._usage += spent.usage
        if self._cost is not None:
            self._cost = None if spent.cost_usd is None else self._cost + spent.cost_usd

    def _progress(self, activity: str | None) -> ReviewProgress:
        self._last_progress = self._clock()
        return ReviewProgress(
            files_done=self._files - len(self._open),
            files_total=self._files,
            chunks_done=len(self._outcomes),
            chunks_total=len(self._chunks),
            findings=len(self.ledger),
            usage=self._usage,
            cost_usd=self._cost,
            activity=activity,
        )

    def summary_task(self, coverage: tuple[FileCoverage, ...]) -> SummaryTask:
        def views() -> Iterator[list[ChunkView]]:
            for batch in self.job.plan.batches:
                yield self._views(self._chunks[name] for name in batch.chunks)

        return SummaryTask(
            self.planned_files, self._manifest, tuple(self.ledger.findings), coverage, views
        )

    def coverage(self) -> tuple[FileCoverage, ...]:
        outcomes = {
            name: (outcome.status, outcome.reason) for name, outcome in self._outcomes.items()
        }
        return coverage_of(self.job.plan, outcomes)

    def finished(
        self, coverage: tuple[FileCoverage, ...], stopped: Outcome | None
    ) -> ReviewFinished:
        findings = self.ledger.findings
        return ReviewFinished(
            outcome=stopped or outcome_of(coverage, findings),
            coverage=coverage,
            usage=self._usage,
            cost_usd=self._cost,
            duration_s=round(self._clock() - self._begun, 3),
            time_to_first_finding_s=(
                None if self._first_finding is None else round(self._first_finding, 3)
            ),
            findings=dict(Counter(finding.severity for finding in findings)),
            reasons=reasons_of(coverage),
        )
