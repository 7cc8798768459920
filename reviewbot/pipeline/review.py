"""The pipeline: turn a planned diff into a stream of events. No other module composes the stages.

The caller passes a callable that runs a batch (``models.batch.RunBatch``). The caller may also pass
the state of earlier runs of the same review (:class:`PriorRun`): the results of finished batches,
and the published events. So a durable engine can checkpoint batches and continue after a crash.
The pipeline itself knows nothing about checkpoints.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from reviewbot.core.events.events import (
    ChunkFinished,
    FindingRaised,
    ReviewAnswer,
    ReviewFinished,
    ReviewProgress,
)
from reviewbot.core.events.ledger import Ledger
from reviewbot.core.events.tally import Tally
from reviewbot.core.findings.file_changes import joined_changes
from reviewbot.core.findings.intake import Intake
from reviewbot.core.findings.suggestions import can_be_offered
from reviewbot.core.plan.routing import SECRETS_ONLY, UNREAD
from reviewbot.core.wording import count
from reviewbot.models.batch import (
    Answered,
    AnswerRecalled,
    BatchTask,
    ChunkOutcome,
    Drafted,
    LookedUp,
    Reading,
    RequestSent,
    Retrying,
    Spent,
    Working,
)
from reviewbot.pipeline.batch_requests import BatchRequests
from reviewbot.pipeline.chunk_events import (
    announced,
    chunk_finished,
    final_outcome,
    of_unread_file,
)
from reviewbot.pipeline.cross_file import CrossFile
from reviewbot.pipeline.ending import finished, summary
from reviewbot.pipeline.follow_up import OpenFindings
from reviewbot.pipeline.job import (
    Postponed,
    PriorRun,
    StopSignal,
    SummaryTask,
    opening,
    planned_files,
)
from reviewbot.pipeline.verify import Verification

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable

    from reviewbot.core.events.events import (
        Event,
        FindingVerified,
        FindingWithdrawn,
        Outcome,
    )
    from reviewbot.core.findings.file_changes import FileChange
    from reviewbot.core.findings.suggestions import Edit, SyntaxCheck
    from reviewbot.core.plan.chunks import Batch, FilePlan
    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.models.batch import BatchEvent, Emit, RunBatch, Verify
    from reviewbot.pipeline.cross_file import FindUses
    from reviewbot.pipeline.job import Job, Summarize
    from reviewbot.pipeline.lookups import CheckQuotes

QUEUE_SIZE: Final = 64
"""Maximum number of events that wait for the consumer; a slow consumer slows down the models'
readers."""

PROGRESS_EVERY_S: Final = 1.0


async def _unchecked(_edit: Edit) -> bool:
    return False


async def review(
    job: Job,
    run_batch: RunBatch,
    *,
    summarize: Summarize | None = None,
    verify: Verify | None = None,
    find_uses: FindUses | None = None,
    check_quotes: CheckQuotes | None = None,
    keeps_syntax: SyntaxCheck = _unchecked,
    earlier: PriorRun | None = None,
    stop: StopSignal | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[Event, None]:
    """Review ``job``; yields ``review.started`` first and ``review.finished`` last.

    Closing the generator, or cancelling the task that reads it, ends the model calls at once and
    yields nothing more. A :class:`StopSignal` ends them and still yields the last event.

    Args:
        job: the diff and its plan.
        run_batch: function that runs one batch.
        summarize: function that requests the summary; None computes the summary.
        verify: function that verifies the findings of models; None leaves them as they are.
        find_uses: function that finds uses of changed definitions, about which one more request
            asks after the batches; None asks nothing.
        check_quotes: function that checks the quotes that findings rest on; None drops them.
        keeps_syntax: function that checks suggestions. By default, suggestions that need a check
            are shown as code that cannot be applied.
        earlier: state that interrupted runs of this review left, with the same plan.
        stop: signal that ends the review early.
        clock: function that returns seconds, for durations only.

    Raises:
        Postponed: batches have to wait, and all other batches are finished. A later run with the
            state of this run continues with the waiting batches.
    """
    stop = stop or StopSignal()
    run = _ReviewRun(
        job,
        run_batch,
        keeps_syntax,
        earlier or PriorRun(),
        verify=verify,
        find_uses=find_uses,
        check_quotes=check_quotes,
        clock=clock,
    )
    if earlier is None:
        for event in opening(job):
            yield event
    batches = asyncio.create_task(run.all_batches(stop))
    try:
        while (happened := await run.events.get()) is not None:
            yield happened
        await batches  # a bug in a batch surfaces here
    finally:
        batches.cancel()
        with suppress(asyncio.CancelledError, Exception):  # raised above if necessary
            await batches
    if run.postponed and stop.outcome is None:
        raise run.postponed
    for event in run.verification.ended():
        yield event
    task = run.summary_task()
    if not job.plan.reviewed_batches:
        summarize = None  # nothing was reviewed, so request no summary
    has_summary = job.question is not None or (earlier and earlier.summarized)
    if stop.outcome is None and not has_summary:
        if summarize:
            yield run.progress("writing the summary")
        yield await summary(task, summarize, stop, run.book)
    yield run.finished(task, stop.outcome)


class _ReviewRun:
    """The state of one run of :func:`review`."""

    def __init__(
        self,
        job: Job,
        run_batch: RunBatch,
        keeps_syntax: SyntaxCheck,
        earlier: PriorRun,
        *,
        verify: Verify | None,
        find_uses: FindUses | None,
        check_quotes: CheckQuotes | None,
        clock: Callable[[], float],
    ) -> None:
        self.job, self._run_batch, self._earlier = job, run_batch, earlier
        self._keeps_syntax, self._check_quotes = keeps_syntax, check_quotes
        self._clock, self._begun = clock, clock()
        self.events: asyncio.Queue[Event | None] = asyncio.Queue(QUEUE_SIZE)
        self._ledger = Ledger(
            shown=earlier.shown,
            file_of={chunk.id: chunk.file for chunk in job.plan.chunks},
        )
        self._tally = Tally(job.plan)
        self.verification = Verification(verify, job, self._ledger, self._tally, earlier)
        self._requests = BatchRequests(job)
        self._chunks = job.plan.by_id
        self._first_finding: float | None = None
        self._last_progress = 0.0
        self._changes: dict[str, tuple[FileChange, ...]] = {}
        self._cross_file = CrossFile(job, find_uses)
        self._open_findings = OpenFindings(verify, job, self._ledger, self._tally, earlier)
        self.postponed: Postponed | None = None
        for spent in earlier.spent:
            self.book(spent)

    async def all_batches(self, stop: StopSignal) -> None:
        """Run every batch, ``jobs`` at once, until all are done or ``stop`` is called."""
        try:
            await stop.unless_stopped(self._work())
        except Exception:
            await self.events.put(None)
            raise
        await self.events.put(None)  # not after a cancellation: there is no reader

    async def _work(self) -> None:
        for finding in self.job.config_findings:
            await self._put_all(self._ledger.accept(finding, answer=finding.rule))
        slots = asyncio.Semaphore(self.job.jobs)

        async def one(batch: Batch) -> None:
            async with slots:
                try:
                    await self._batch(batch)
                except Postponed as wait:
                    self.postponed = wait

        async with asyncio.TaskGroup() as group:
            for batch in self.job.plan.batches:
                group.create_task(one(batch))
        if self.postponed is None:
            try:
                await self._ask_across()
            except Postponed as wait:
                self.postponed = wait
        if self.postponed is None:
            await self._ask_about_open_findings()

    async def _batch(self, batch: Batch) -> None:
        request, unread = await self._requests.request(batch)
        intake = Intake(request.chunks, self.job.gates, self.job.guidelines.rules)

        async def emit(event: BatchEvent) -> None:
            await self._on(event, batch, intake)

        for chunk, reason in unread.items():
            await emit(ChunkOutcome(chunk, "failed", self.job.model_of(batch), 1, reason))
        if not request.chunks:
            return
        if self.job.question is None:
            for view in request.chunks:
                for finding in self._requests.secrets(view):
                    await self._put_all(self._ledger.accept(finding, answer=f"secrets/{view.id}"))
        if batch.chain == SECRETS_ONLY:
            for view in request.chunks:
                await emit(ChunkOutcome(view.id, "unread", self.job.model_of(batch), 1))
            return
        if batch.chain != UNREAD:
            await self._cross_file.add(request.chunks)
        await self._run(batch, request, emit)

    async def _ask_across(self) -> None:
        """Ask about the uses of changed definitions, if there are any."""
        found = await self._cross_file.request(self._requests.manifest)
        if found is None:
            return
        batch, request = found
        intake = Intake(request.chunks, self.job.gates, self.job.guidelines.rules)

        async def emit(event: BatchEvent) -> None:
            await self._on(event, batch, intake)

        await self.events.put(self.progress("checking uses of changed definitions", batch.id))
        await self._run(batch, request, self._cross_file.passing_on(emit))

    async def _ask_about_open_findings(self) -> None:
        """Ask whether open findings of earlier reviews are fixed, if code near them changed."""
        if waiting := self._open_findings.waiting:
            activity = f"checking {count(waiting, 'finding')} of earlier reviews"
            await self.events.put(self.progress(activity))
        await self._put_all(await self._open_findings.verdicts(self._heard))

    async def _run(self, batch: Batch, request: ModelRequest, emit: Emit) -> None:
        """Run a batch, or repeat its stored result, and verify its findings."""
        result = self._earlier.finished.get(batch.id)
        if result is None:
            result = await self._run_batch(BatchTask(batch.id, request), emit)
        else:
            answer = () if result.answer is None else (result.answer,)
            said = (*result.spent, *result.lookups, *result.drafts, *answer, *result.outcomes)
            for event in said:
                await emit(event)
            # A finding that was shown but is not in the result was recalled before the batch ended.
            reason = "The answer that it came from was withdrawn."
            await self._put_all(self._ledger.unvouched(batch.chunks, reason))
        self._changes[batch.id] = result.files
        if waiting := self.verification.waiting(batch):
            activity = f"verifying {count(len(waiting), 'finding')}"
            await self.events.put(self.progress(activity, batch.id))
        await self._put_all(await self.verification.of_batch(batch, request, emit))

    async def _on(self, event: BatchEvent, batch: Batch, intake: Intake) -> None:
        """Publish one event of a batch as events of the review."""
        match event:
            case Drafted():
                await self._put_all(await self._found(event, batch, intake))
            case Answered():
                if not (event.complete and self._earlier.answered):
                    answer = ReviewAnswer(event.text, event.model, event.complete, event.reply)
                    await self.events.put(answer)
            case AnswerRecalled(answer=answer, reason=reason):
                await self._put_all(self._ledger.recall(answer, reason))
            case ChunkOutcome():
                is_reported = event.chunk in self._earlier.ended
                await self._put_all(self._chunk_finished(event)[1 if is_reported else 0 :])
            case RequestSent() | Retrying():
                await self._put_all(announced(event, batch.id, self._chunks))
            case _:
                await self._heard(event, batch.id)

    async def _heard(self, event: BatchEvent, batch: str | None = None) -> None:
        """Publish the usage, a look-up or the activity of a model, perhaps that of a batch."""
        match event:
            case Spent():
                self.book(event)
            case LookedUp(activity=activity):
                self._tally.look_up(activity)
                await self.events.put(self.progress(activity, batch))
            case Working(model=model):
                if self._clock() - self._last_progress >= PROGRESS_EVERY_S:
                    await self.events.put(self.progress(f"{model} is thinking", batch))
            case Reading(model=model, tokens=tokens):
                activity = f"{model} reads {count(tokens, 'token')}"
                await self.events.put(self.progress(activity, batch))
            case _:  # belongs to a batch
                pass

    async def _found(
        self, drafted: Drafted, batch: Batch, intake: Intake
    ) -> list[FindingRaised | FindingVerified | FindingWithdrawn]:
        admitted = await asyncio.to_thread(  # it searches the model output for secrets
            intake.admit,
            drafted.draft,
            model=drafted.model,
            attempt=drafted.attempt,
            cached=drafted.cached,
        )
        if admitted is None:
            return []
        finding, edit = admitted
        applies = await can_be_offered(edit, self._keeps_syntax)
        finding = replace(finding, suggestion_applies=applies)
        if self._check_quotes is not None and (quotes := drafted.draft.rests_on):
            finding = replace(finding, rests_on=await self._check_quotes(quotes))
        file = self._file_of(finding.chunk)
        if file.is_unread:
            held = of_unread_file(finding, file, self.job.accepts_unread)
            if held is None:
                return []
            finding = held
        finding = self.verification.begun(finding)
        events = self._ledger.accept(finding, answer=drafted.answer)
        return list(self.verification.raised(batch, drafted, events))

    def _chunk_finished(self, outcome: ChunkOutcome) -> tuple[ChunkFinished, ReviewProgress]:
        chunk = self._chunks[outcome.chunk]
        outcome = final_outcome(outcome, chunk, self._file_of(chunk.id), self.job.accepts_unread)
        self._tally.finish(
            outcome.chunk,
            outcome.status,
            outcome.reason,
            model=outcome.model,
            fault=outcome.fault,
            checks=outcome.checks,
            unlinted=outcome.unlinted,
        )
        return (chunk_finished(outcome, chunk.path), self.progress())

    def _file_of(self, chunk: str) -> FilePlan:
        """Return the plan of the file of the chunk with this id."""
        return self.job.plan.files[self._chunks[chunk].file]

    async def _put_all(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, FindingRaised) and self._first_finding is None:
                self._first_finding = self._clock() - self._begun
            await self.events.put(event)

    def book(self, spent: Spent) -> None:
        """Add the usage of a request. Never waits, as it is called while requests are cancelled."""
        verifies = spent.purpose == "verification"
        self._tally.book(spent.usage, spent.cost_usd, model=spent.model, verifies=verifies)

    def progress(self, activity: str | None = None, batch: str | None = None) -> ReviewProgress:
        """Return the current progress of the review. ``batch`` is that of the activity."""
        self._last_progress = self._clock()
        findings = len(self._ledger)
        return self._tally.progress(findings=findings, activity=activity, batch=batch)

    def summary_task(self) -> SummaryTask:
        parts = (self._changes.get(batch.id, ()) for batch in self.job.plan.batches)
        return SummaryTask(
            files=planned_files(self.job.plan),
            manifest=self._requests.manifest,
            findings=tuple(self._ledger.findings),
            coverage=self._tally.coverage(),
            changes=joined_changes(chain.from_iterable(parts)),
        )

    def finished(self, task: SummaryTask, stopped: Outcome | None) -> ReviewFinished:
        """Return the last event."""
        first = self._first_finding
        return finished(
            self.job,
            self._tally,
            task,
            stopped=stopped,
            duration_s=round(self._clock() - self._begun, 3),
            time_to_first_finding_s=None if first is None else round(first, 3),
            reasons=self._cross_file.reasons,
        )
