"""One run of a review: continue from the stored state until the end or an interruption.

A run may be the first run or follow a crash. It reads the plan, the results of finished batches and
the published events from the store, and continues from there. If the run is interrupted, the next
run does the same.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from reviewbot.core.events.coverage import NOT_REACHED
from reviewbot.core.events.events import ReviewFinished
from reviewbot.core.plan.stored import plan_from_json
from reviewbot.core.prompt.purpose import Purpose
from reviewbot.core.render.waiting import next_attempt
from reviewbot.core.wording import count, listed
from reviewbot.errors import ReviewbotError
from reviewbot.jobs.model_backoff import Checkpoints, pause_after
from reviewbot.jobs.options import issues_from_json, settings_for
from reviewbot.jobs.review_cache import cached
from reviewbot.jobs.truncation import leaving_out
from reviewbot.models.base import ModelFault
from reviewbot.models.batch import Spent
from reviewbot.models.exchange import TurnCheckpoints
from reviewbot.models.linters.batches import RequestCheckpoints
from reviewbot.pipeline.explain import prepare_explanation
from reviewbot.pipeline.job import Postponed, StopSignal
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.run import RunDescription, run_review
from reviewbot.pipeline.run_context import context_from_json
from reviewbot.store import budgets, checkpoints, reviews, turns
from reviewbot.store.database import StoreError
from reviewbot.store.eventlog import EventLog, FencedError, rfc3339
from reviewbot.store.tables import REVIEWS

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from reviewbot.code.at_commit import CodeAtCommit
    from reviewbot.config.settings import Settings
    from reviewbot.core.events.events import Event, ReviewSummary, Usage
    from reviewbot.jobs.run_dependencies import RunDependencies, RunEnd
    from reviewbot.models.batch import (
        BatchEvent,
        BatchResult,
        Emit,
        RunBatch,
        Verify,
        VerifyTask,
    )
    from reviewbot.pipeline.job import Summarize, SummaryTask
    from reviewbot.pipeline.prepare import Prepared
    from reviewbot.pipeline.workers import Workers
    from reviewbot.store.reviews import ReviewInput, ReviewRow

MOST_BREAKS: Final = 3
"""Maximum number of consecutive interrupted runs without a finished batch; then the review ends."""
MOST_NAMED: Final = 5
"""Maximum number of files that a sentence names."""


class Run:
    """One run of a review, whose ``row`` is claimed for this run."""

    def __init__(self, row: ReviewRow, kit: RunDependencies) -> None:
        self.row, self._kit = row, kit
        self._database, self._hooks, self._waits = kit.database, kit.hooks, kit.waits
        self._log = EventLog(kit.database, kit.hub, row)
        self.signal = StopSignal()
        self.interrupt = asyncio.Event()
        """Event to set to end this run and leave the review to the next run."""
        self.ended = asyncio.Event()
        self.got_on = False
        """True once a batch was finished in this run."""

    async def to_its_end(self) -> RunEnd:
        """Continue the review until it ends or the run is interrupted.

        Raises:
            FencedError: another node has taken the review over.
            StoreError: the database is unavailable.
        """
        row = self.row
        if row.breaks >= MOST_BREAKS:
            files = await self._database.read(partial(checkpoints.in_flight, review_id=row.id))
            return await self._give_up(_broke_off(row.breaks, files), files)
        if self.signal.outcome is not None:  # stopped before the start: not even the diff is needed
            return await self._give_up(NOT_REACHED)
        try:
            work = await self._database.read(partial(reviews.work_of, review_id=row.id))
            async with self._kit.preparing:
                prepared, settings = await asyncio.to_thread(self._prepare, work)
            earlier = await self._database.read(partial(checkpoints.earlier_of, review_id=row.id))
        except (ReviewbotError, ValueError) as error:
            # The configuration, the key, or reviewbot itself, has changed since the review was
            # planned.
            return await self._give_up(f"It cannot continue: {error}")
        _, spent_usd = await self._spent()
        if row.breaks:  # one batch at a time, so that the batch that crashes its node is known
            prepared = replace(prepared, job=replace(prepared.job, jobs=1))
        run = RunDescription(
            prepared=prepared,
            settings=settings,
            purpose=Purpose(row.title, work.description, issues_from_json(work.options)),
            inquiry=work.inquiry,
            code=await self._code() if prepared.job.needs_verifier or settings.lookups else None,
            spent_usd=spent_usd or 0.0,
            earlier=earlier,
            parser=self._kit.parsers.for_tenant(row.tenant),
            lint_slots=self._kit.lint_slots.for_review(row.tenant),
            listed=RequestCheckpoints(earlier.finished, self._save_request),
            turns=TurnCheckpoints(earlier.finished, self._save_turn),
            wrap_models=partial(self._wrap_models, prepared, settings, work),
            wrap_batches=partial(self._checkpoints, work),
        )
        try:
            async with aclosing(run_review(run, stop=self.signal)) as events:
                end = await self._pass_on(events)
        except Postponed as wait:
            await self._to_wait(str(wait), got_on=self.got_on)
            end = "waiting"
        with suppress(OSError):  # the calibration of tokens is optional
            await asyncio.to_thread(prepared.calibration.save)
        await self._log.flush()
        return end

    def _prepare(self, work: ReviewInput) -> tuple[Prepared, Settings]:
        settings = settings_for(self._kit.load, work.options)
        stored = plan_from_json(work.plan)
        if work.inquiry is None:
            prepared = prepare(
                work.diff,
                settings,
                attributes=work.attributes,
                stored=stored,
                whole_files=work.whole_files,
                is_part=not work.options.get("whole", True),
                context=context_from_json(work.options),
            )
        else:
            prepared = prepare_explanation(work.diff, settings, work.inquiry, stored=stored)
        return prepared, settings

    async def _code(self) -> CodeAtCommit | None:
        """Return the code at the reviewed commit; None without it: a review does not need it."""
        try:
            return await self._kit.find_code(self.row)
        except Exception as error:  # noqa: BLE001 - of GitHub, or of the database
            log.warning("no evidence for a review: %s", type(error).__name__)
            return None

    def _wrap_models(
        self, prepared: Prepared, settings: Settings, work: ReviewInput, able: Workers
    ) -> Workers:
        """Return the workers with the cache, and with their usage and verdicts saved."""
        run_batch, verify = able.run_batch, able.verify
        if work.inquiry is None and work.options.get("cache", True):
            run_batch, verify = cached(self.row, able, prepared, settings, self._kit)
        return replace(
            able,
            run_batch=run_batch,
            summarize=self._counted(able.summarize),
            verify=self._checkpointed(verify),
        )

    def _checkpoints(self, work: ReviewInput, run_batch: RunBatch) -> RunBatch:
        """Return the runner of batches with its results saved."""
        return Checkpoints(
            leaving_out(work.left_out, run_batch),
            save_result=self._save_result,
            save_spent=self._save_spent,
            may_wait=self._may_wait(),
            around=partial(self._hooks.batch, self.row),
        )

    async def _spent(self) -> tuple[Usage, float | None]:
        return await self._database.read(partial(checkpoints.spent_of, review_id=self.row.id))

    async def _pass_on(self, events: AsyncGenerator[Event, None]) -> RunEnd:
        """Store every event at once, until the last event or an interruption.

        Raises:
            Postponed: the remaining batches have to wait.
        """
        interrupted = asyncio.create_task(self.interrupt.wait())
        coming: asyncio.Task[Event] | None = None
        try:
            while True:
                coming = asyncio.ensure_future(anext(events))
                await asyncio.wait({coming, interrupted}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    return "left"
                event = coming.result()
                await self._publish(event)
                if isinstance(event, ReviewFinished):
                    return "finished"
        finally:
            for task in (coming, interrupted):
                if task is not None:
                    task.cancel()
                    with suppress(asyncio.CancelledError, StopAsyncIteration, Exception):
                        await task

    async def _publish(self, event: Event) -> None:
        if isinstance(event, ReviewFinished):
            entry = await self._entry(event)
            self._log.change(partial(self._finish, finished=event, entry=entry))
        await self._log.put(event)
        self._hooks.event(self.row, event)

    async def _entry(self, finished: ReviewFinished) -> str:
        """Return the entry of the finished review in lists, before the write that ends it."""
        await self._log.flush()
        entry_of = partial(checkpoints.entry_of, review_id=self.row.id, end=finished)
        return json.dumps(await self._database.read(entry_of))

    def _finish(self, connection: sa.Connection, finished: ReviewFinished, entry: str) -> None:
        connection.execute(
            sa.update(REVIEWS)
            .where(REVIEWS.c.id == self.row.id)
            .values(
                state="finished",
                outcome=finished.outcome,
                entry=entry,
                finished_at=reviews.now_ms(),
                node=None,
                next_try_at=None,
                waiting_since=None,
            )
        )
        budgets.release(connection, self.row.id)
        checkpoints.drop_turns(connection, self.row.id)

    def _save_result(self, batch: str, result: BatchResult) -> None:
        def change(connection: sa.Connection) -> None:
            checkpoints.save_result(connection, self.row.id, batch, result)
            if self.row.breaks:
                turns.got_on(connection, self.row.id)

        self.got_on = True
        self._log.change(change)

    async def _save_turn(self, name: str, turn: BatchResult) -> None:
        """Store a turn, and return when it is stored. If it cannot be stored, end this run."""
        self._save_request(name, turn)
        try:
            await self._log.flush()
        except (FencedError, StoreError):  # raised again at the end of the run
            self.interrupt.set()
            await self.ended.wait()  # until it is cancelled: no further turn may be paid

    def _save_request(self, name: str, listed: BatchResult) -> None:
        """Store what a request lists, or a turn. A review without a batch makes no progress."""
        self._log.change(
            partial(checkpoints.save_result, review_id=self.row.id, batch=name, result=listed)
        )

    def _save_spent(self, batch: str | None, spent: Spent) -> None:
        def change(connection: sa.Connection) -> None:
            checkpoints.save_spent(connection, self.row.id, batch, spent)
            budgets.spend(connection, self.row.id, spent)

        self._log.change(change)
        self._hooks.spent(spent)

    def _counted(self, summarize: Summarize | None) -> Summarize | None:
        """Return ``summarize`` with its usage saved."""
        if summarize is None:
            return None

        async def counting(task: SummaryTask, book: Callable[[Spent], None]) -> ReviewSummary:
            def both(spent: Spent) -> None:
                self._save_spent(None, spent)
                book(spent)

            try:
                return await summarize(task, both)
            except ModelFault as fault:  # the summary is computed then
                log.warning("no model wrote the summary: %s", fault.fault)
                raise

        return counting

    def _checkpointed(self, verify: Verify | None) -> Verify | None:
        """Return ``verify`` with its usage and its results saved."""
        if verify is None:
            return None

        async def saving(task: VerifyTask, emit: Emit) -> BatchResult:
            async def pass_on(event: BatchEvent) -> None:
                if isinstance(event, Spent):
                    self._save_spent(task.id, event)
                await emit(event)

            result = await verify(task, pass_on)
            self._save_result(task.id, result)
            return result

        return saving

    def _may_wait(self) -> bool:
        since = self.row.waiting_since
        return since is None or reviews.now_ms() - since < self._waits.limit_s * 1000

    async def _to_wait(self, reason: str, *, got_on: bool) -> None:
        """Free the slot of the review until its next attempt.

        ``reason`` has no full stop. ``got_on`` says whether a batch was finished in this run.
        """
        await self._log.flush()
        last = await self._database.read(partial(checkpoints.last_progress, review_id=self.row.id))
        now = reviews.now_ms()
        since = now if got_on else (self.row.waiting_since or now)
        again = now + round(pause_after((now - since) / 1000, self._waits.first_s) * 1000)
        # In one write, so that the state and its reason become visible together.
        self._log.change(
            lambda connection: connection.execute(
                sa.update(REVIEWS)
                .where(REVIEWS.c.id == self.row.id)
                .values(state="waiting", node=None, waiting_since=since, next_try_at=again)
            )
        )
        why = next_attempt(reason, rfc3339(again)[11:16])
        await self._log.put(replace(last, activity=why, batch=None))

    async def _give_up(self, reason: str, files: Sequence[str] = ()) -> RunEnd:
        """End the review without a model request: files not reviewed yet have failed.

        ``reason`` is a sentence about ``files``; if empty, about all remaining files.
        """
        review_id = self.row.id
        coverage, findings = await self._database.read(
            partial(checkpoints.given_up, review_id=review_id, reason=reason, files=files)
        )
        usage, cost_usd = await self._spent()
        await self._publish(
            ReviewFinished(
                outcome=self.signal.outcome or "incomplete",
                coverage=coverage,
                usage=usage,
                cost_usd=cost_usd,
                duration_s=0.0,
                time_to_first_finding_s=None,
                findings=findings,
                reasons=(reason,),
            )
        )
        await self._log.flush()
        return "finished"


def _broke_off(times: int, files: Sequence[str]) -> str:
    """Return the reason for the end of a review whose runs were interrupted."""
    names = [*files[:MOST_NAMED]]
    if len(files) > MOST_NAMED:
        names.append(count(len(files) - MOST_NAMED, "more file"))
    doing = f"it reviewed {listed(names)}" if names else "no file was being reviewed"
    return f"The review stopped unexpectedly {count(times, 'time')} while {doing}."
