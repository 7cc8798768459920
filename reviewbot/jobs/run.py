"""One run of a review: from what is stored, to the end or as far as it comes.

A run may be the first one or the one after a crash: it takes the plan, the results of finished
batches and what was already told from the store, and goes on from there. Where it stops without an
end, the next run does the same.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

import sqlalchemy as sa

from reviewbot.core.events.coverage import NOT_REACHED
from reviewbot.core.events.events import ReviewFinished
from reviewbot.core.plan.stored import plan_from_json
from reviewbot.core.wording import count, listed
from reviewbot.errors import ReviewbotError
from reviewbot.jobs.model_backoff import Checkpoints, pause_after, unheard
from reviewbot.jobs.options import settings_for
from reviewbot.jobs.review_cache import cached
from reviewbot.jobs.truncation import leaving_out
from reviewbot.pipeline.explain import explainers, prepare_explanation
from reviewbot.pipeline.job import Postponed, StopSignal
from reviewbot.pipeline.prepare import prepare, workers
from reviewbot.pipeline.review import review
from reviewbot.store import budgets, checkpoints, reviews, turns
from reviewbot.store.eventlog import EventLog, rfc3339
from reviewbot.store.tables import REVIEWS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from reviewbot.config.settings import Settings
    from reviewbot.core.events.events import Event, ReviewSummary, Usage
    from reviewbot.models.batch import BatchEvent, BatchResult, BatchTask, RunBatch, Spent
    from reviewbot.models.cached import CacheUse
    from reviewbot.models.offline.parser import ParserPool
    from reviewbot.pipeline.job import Summarize, SummaryTask
    from reviewbot.pipeline.prepare import Prepared, Workers
    from reviewbot.store.database import Database
    from reviewbot.store.hub import Hub
    from reviewbot.store.reviews import ReviewInput, ReviewRow

MOST_BREAKS: Final = 3
"""Runs of a review that break off in a row, with no batch finished in between, before it ends."""
MOST_NAMED: Final = 5
"""Files that a sentence names."""

RunEnd = Literal["finished", "waiting", "left", "gone"]
"""How a run ended: for good; for a pause; to be taken up again; someone else has the review."""
ToldEnd = RunEnd | Literal["broke"]
"""The same for whoever is told: a run that is left because something went wrong broke."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Who is told what happens, once it did; nobody by default. None of them may raise.

    Attributes:
        event: an event of a review.
        spent: what a request has used.
        run: entered for as long as a run lasts, in its task.
        ended: how that run ended, just before it is left.
        batch: likewise entered for a batch that is asked about; what it gives is told each of its
            events.
    """

    event: Callable[[ReviewRow, Event], object] = lambda _row, _event: None
    spent: Callable[[Spent], object] = lambda _spent: None
    run: Callable[[ReviewRow], AbstractContextManager[object]] = lambda _row: nullcontext()
    ended: Callable[[ReviewRow, ToldEnd], object] = lambda _row, _end: None
    batch: Callable[
        [ReviewRow, BatchTask], AbstractContextManager[Callable[[BatchEvent], object]]
    ] = lambda _row, task: unheard(task)


@dataclass(frozen=True, slots=True)
class ModelRetryPolicy:
    """How long a review waits for models that are down, in seconds.

    ``first_s`` before its first other try, twice as long each time; after ``limit_s`` in all, what
    was not reviewed has failed.
    """

    first_s: float = 30.0
    limit_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class RunDependencies:
    """What a node gives to each of its runs.

    Args:
        database: the store.
        hub: who follows reviews here.
        load: makes settings of the options of a request.
        preparing: bounds how many diffs are parsed and planned at once.
        parsers: parse source code.
        waits: how long reviews wait for their models.
        cache_bytes: the most that the cache keeps for each tenant; 0 is no cache.
        cache_use: counts what the cache was good for.
        hooks: who else is told.
    """

    database: Database
    hub: Hub
    load: Callable[[Mapping[str, object]], Settings]
    preparing: asyncio.Semaphore
    parsers: ParserPool
    waits: ModelRetryPolicy
    cache_bytes: int
    cache_use: CacheUse
    hooks: Hooks


class Run:
    """One run.

    Args:
        row: the review, claimed for this run.
        kit: what the node gives to each run.
    """

    def __init__(self, row: ReviewRow, kit: RunDependencies) -> None:
        self.row, self._kit = row, kit
        self._database, self._hooks, self._waits = kit.database, kit.hooks, kit.waits
        self._log = EventLog(kit.database, kit.hub, row)
        self.signal = StopSignal()
        self.interrupt = asyncio.Event()
        """Set to leave the review as it is, for the next run."""
        self.ended = asyncio.Event()
        self.got_on = False
        """Whether a batch was finished in this run."""

    async def to_its_end(self) -> RunEnd:
        """Go on with the review until it ends or has to be left.

        Raises:
            FencedError: another node has it now.
            StoreError: the database is away.
        """
        row = self.row
        if row.breaks >= MOST_BREAKS:
            files = await self._database.read(partial(checkpoints.in_flight, review_id=row.id))
            return await self._give_up(_broke_off(row.breaks, files), files)
        if self.signal.outcome is not None:  # before it began: not even its diff is needed
            return await self._give_up(NOT_REACHED)
        work = await self._database.read(partial(reviews.work_of, review_id=row.id))
        try:
            async with self._kit.preparing:
                prepared, settings = await asyncio.to_thread(self._prepare, work)
        except (ReviewbotError, ValueError) as error:
            # The configuration, or reviewbot itself, is another than when it was planned.
            return await self._give_up(f"It cannot go on: {error}")
        earlier = await self._database.read(partial(checkpoints.earlier_of, review_id=row.id))
        _, spent_usd = await self._spent()
        async with self._workers(prepared, settings, work, spent_usd or 0.0) as able:
            steps = Checkpoints(
                leaving_out(work.left_out, self._cached(able, prepared, settings, work)),
                save_result=self._save_result,
                save_spent=self._save_spent,
                may_wait=self._may_wait(),
                around=partial(self._hooks.batch, row),
            )
            # One batch at a time, so that the one that breaks its node off is known.
            job = replace(prepared.job, jobs=1) if row.breaks else prepared.job
            events = review(
                job,
                steps,
                summarize=self._counted(able.summarize),
                keeps_syntax=able.keeps_syntax,
                earlier=earlier,
                stop=self.signal,
            )
            try:
                async with aclosing(events):
                    end = await self._pass_on(events)
            except Postponed as wait:
                await self._to_wait(str(wait), got_on=steps.finished > 0)
                end = "waiting"
        with suppress(OSError):  # what was learned about tokens is a convenience
            await asyncio.to_thread(prepared.calibration.save)
        await self._log.flush()
        return end

    def _prepare(self, work: ReviewInput) -> tuple[Prepared, Settings]:
        settings = settings_for(self._kit.load, work.options)
        stored = plan_from_json(work.plan)
        if work.inquiry is None:
            prepared = prepare(work.diff, settings, attributes=work.attributes, stored=stored)
        else:
            prepared = prepare_explanation(work.diff, settings, work.inquiry, stored=stored)
        return prepared, settings

    def _workers(
        self, prepared: Prepared, settings: Settings, work: ReviewInput, spent_usd: float
    ) -> AbstractAsyncContextManager[Workers]:
        if work.inquiry is not None:
            return explainers(prepared, settings, work.inquiry, spent_usd=spent_usd)
        is_whole = work.options.get("whole", True)
        return workers(
            prepared,
            settings,
            title=self.row.title if is_whole else "",
            description=work.description if is_whole else "",
            spent_usd=spent_usd,
            parser=self._kit.parsers.for_tenant(self.row.tenant),
        )

    def _cached(
        self, able: Workers, prepared: Prepared, settings: Settings, work: ReviewInput
    ) -> RunBatch:
        if work.inquiry is not None or not work.options.get("cache", True):
            return able.run_batch
        return cached(
            self.row,
            able,
            prepared,
            settings,
            database=self._database,
            limit=self._kit.cache_bytes,
            use=self._kit.cache_use,
        )

    async def _spent(self) -> tuple[Usage, float | None]:
        return await self._database.read(partial(checkpoints.spent_of, review_id=self.row.id))

    async def _pass_on(self, events: AsyncGenerator[Event, None]) -> RunEnd:
        """Store every event as it comes, until the last one or until the review is to be left.

        Raises:
            Postponed: what is left has to wait.
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
                await self._tell(event)
                if isinstance(event, ReviewFinished):
                    return "finished"
        finally:
            for task in (coming, interrupted):
                if task is not None:
                    task.cancel()
                    with suppress(asyncio.CancelledError, StopAsyncIteration, Exception):
                        await task

    async def _tell(self, event: Event) -> None:
        if isinstance(event, ReviewFinished):
            entry = await self._entry(event)
            self._log.change(partial(self._finish, finished=event, entry=entry))
        await self._log.put(event)
        self._hooks.event(self.row, event)

    async def _entry(self, finished: ReviewFinished) -> str:
        """What lists show of the review from its end on: made before the write that ends it."""
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

    def _save_result(self, batch: str, result: BatchResult) -> None:
        def change(connection: sa.Connection) -> None:
            checkpoints.save_result(connection, self.row.id, batch, result)
            if self.row.breaks:
                turns.got_on(connection, self.row.id)

        self.got_on = True
        self._log.change(change)

    def _save_spent(self, batch: str | None, spent: Spent) -> None:
        def change(connection: sa.Connection) -> None:
            checkpoints.save_spent(connection, self.row.id, batch, spent)
            budgets.spend(connection, self.row.id, spent)

        self._log.change(change)
        self._hooks.spent(spent)

    def _counted(self, summarize: Summarize | None) -> Summarize | None:
        """``summarize``, what it spends noted."""
        if summarize is None:
            return None

        async def counting(task: SummaryTask, book: Callable[[Spent], None]) -> ReviewSummary:
            def both(spent: Spent) -> None:
                self._save_spent(None, spent)
                book(spent)

            return await summarize(task, both)

        return counting

    def _may_wait(self) -> bool:
        since = self.row.waiting_since
        return since is None or reviews.now_ms() - since < self._waits.limit_s * 1000

    async def _to_wait(self, reason: str, *, got_on: bool) -> None:
        """Leave the place to others until the next try.

        Args:
            reason: why, in a sentence.
            got_on: whether a batch was done in this run.
        """
        await self._log.flush()
        last = await self._database.read(partial(checkpoints.last_progress, review_id=self.row.id))
        now = reviews.now_ms()
        since = now if got_on else (self.row.waiting_since or now)
        again = now + round(pause_after((now - since) / 1000, self._waits.first_s) * 1000)
        # Both at once: whoever sees that it waits sees why.
        self._log.change(
            lambda connection: connection.execute(
                sa.update(REVIEWS)
                .where(REVIEWS.c.id == self.row.id)
                .values(state="waiting", node=None, waiting_since=since, next_try_at=again)
            )
        )
        why = f"waiting until {rfc3339(again)} for a model: {reason}"
        await self._log.put(replace(last, activity=why))

    async def _give_up(self, reason: str, files: Sequence[str] = ()) -> RunEnd:
        """End the review without asking anyone: what was not reviewed yet has failed.

        Args:
            reason: why, in a sentence.
            files: the files that the reason is about; all that are left if there are none.
        """
        review_id = self.row.id
        coverage, findings = await self._database.read(
            partial(checkpoints.given_up, review_id=review_id, reason=reason, files=files)
        )
        usage, cost_usd = await self._spent()
        await self._tell(
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
    """Return the reason for the end of a review whose runs broke off."""
    names = [*files[:MOST_NAMED]]
    if len(files) > MOST_NAMED:
        names.append(count(len(files) - MOST_NAMED, "more file"))
    doing = f"it reviewed {listed(names)}" if names else "no file was being reviewed"
    return f"The review stopped unexpectedly {count(times, 'time')} while {doing}."
