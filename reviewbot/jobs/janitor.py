"""What nobody else does: queue again what broke off, wake what waits, say who is next, tidy up."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from reviewbot.core.wording import count
from reviewbot.jobs.engine import UNFINISHED, run_id
from reviewbot.jobs.model_backoff import longest_pause
from reviewbot.store import budgets, cache, nodes, reviews, turns
from reviewbot.store.checkpoints import last_progress
from reviewbot.store.database import StoreError, rows_changed
from reviewbot.store.eventlog import insert_events, stored
from reviewbot.store.tables import RATES, REVIEWS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from reviewbot.jobs.engine import Engine
    from reviewbot.jobs.runner import Runner
    from reviewbot.store.database import Database
    from reviewbot.store.eventlog import Stored
    from reviewbot.store.hub import Hub
    from reviewbot.store.reviews import ReviewRow

BEAT_EVERY_S: Final = 1.0
ROUND_EVERY_S: Final = 1.0
STOPS_EVERY_S: Final = 0.2
LOST_EVERY_S: Final = 5.0
LOST_AT_ONCE: Final = 500
"""Runs that the queue is asked about at once."""
QUEUED_FOR_MS: Final = 5_000
"""A review that is queued so long is looked for in the queue: it may never have got there."""
CLEAN_EVERY_S: Final = 60.0
"""How often it is looked whether it is time to clean up."""
CLEAN_AFTER_S: Final = 24 * 3600.0
DAY_MS: Final = 24 * 3600 * 1000

log = logging.getLogger(__name__)


class Janitor:
    """Keeps the reviews of all nodes going. Each node has one; they are not in each other's way.

    Args:
        database: the store.
        engine: the queue.
        runner: what runs here.
        hub: who follows here.
        retention_days: how long finished reviews are kept; 0 is for ever.
    """

    def __init__(
        self, database: Database, engine: Engine, runner: Runner, hub: Hub, *, retention_days: int
    ) -> None:
        self._database, self._engine, self._runner, self._hub = database, engine, runner, hub
        self._retention_days = retention_days
        self._longest_wait_ms = round(longest_pause(runner.kit.waits.first_s) * 1000)
        self._idle: set[str] = set()
        self._cleaned: float | None = None

    async def work(self) -> None:
        """Go on until cancelled. What takes long holds up nothing else: a node has to beat."""
        async with asyncio.TaskGroup() as group:
            for every_s, task in (
                (BEAT_EVERY_S, self.beat),
                (STOPS_EVERY_S, self.heed_stops),
                (ROUND_EVERY_S, self.round),
                (LOST_EVERY_S, self.find_lost),
                (CLEAN_EVERY_S, self.clean_up),
            ):
                group.create_task(self._again(every_s, task))

    async def _again(self, every_s: float, task: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await task()
            except StoreError:
                pass  # it was logged; the next round tries again
            except Exception:
                log.exception("the janitor failed; it goes on")
            await asyncio.sleep(every_s)

    async def beat(self) -> None:
        """Say that this node is alive."""
        await self._database.write(partial(nodes.beat, node=self._runner.node))

    async def round(self) -> None:
        """Go on with what broke off or waited long enough, and say who is next."""
        alive = await self._database.read(nodes.alive)
        for row in await self._database.read(turns.running):
            if row.node != self._runner.node:
                if row.node not in alive:
                    await self._broke_off(row)
            elif row.id not in self._runner.active and not self._runner.leaving:
                await self._broke_off(row)
        now = reviews.now_ms()
        for row in await self._database.read(
            partial(turns.due, at=now, longest_ms=self._longest_wait_ms)
        ):
            await self.requeue(row)
        queued = await self._database.read(turns.queued)
        for row in queued:
            if row.stop is not None:  # a stop was requested before the run started
                await self._runner.end_unstarted(row.id)
        await self._tell_positions([row for row in queued if row.stop is None])

    async def heed_stops(self) -> None:
        """End what runs here and was asked to stop, by whichever node."""
        active = list(self._runner.active)
        if active:
            wanted = await self._database.read(partial(turns.stops, ids=active))
            for review_id, outcome in wanted.items():
                self._runner.stop(review_id, outcome)

    async def requeue(self, row: ReviewRow) -> None:
        """Another run for a review whose last one is over."""
        run = await self._database.write(
            partial(turns.requeue, review_id=row.id, run=row.runs, breaks=0)
        )
        if run is not None:
            await self._engine.enqueue(row.id, run, row.tenant)

    async def _broke_off(self, row: ReviewRow) -> None:
        """Queue another run of a review that nobody runs any more."""
        run = await self._database.write(
            partial(turns.requeue, review_id=row.id, run=row.runs, breaks=1)
        )
        if run is None:
            return
        log.warning("the review broke off and will run again", extra={"review_id": row.id})
        await self._engine.drop([run_id(row.id, row.runs)])
        await self._engine.enqueue(row.id, run, row.tenant)

    async def find_lost(self) -> None:
        """Queue again what the queue lost, and free the places in it that nobody uses.

        A review may have been stored but not queued; its run may have been taken by a node that
        died, or failed to begin it. And a node may have died before it noted that a run is over.
        """
        held = await self._engine.held()
        alive = await self._database.read(nodes.alive)  # after them: a node may just have come
        dead = {one.id for one in held if one.executor not in alive}
        mine = {one.id for one in held if one.executor == self._runner.node}
        idle = mine - self._runner.runs
        await self._engine.drop(sorted(dead | (idle & self._idle)))  # twice: it may just begin
        self._idle = idle
        now = reviews.now_ms()
        rows = [
            row
            for row in await self._database.read(turns.queued)
            # The second for a clock that was set back.
            if row.created_at < now - QUEUED_FOR_MS or row.created_at > now + QUEUED_FOR_MS
        ]
        for start in range(0, len(rows), LOST_AT_ONCE):
            some = rows[start : start + LOST_AT_ONCE]
            known = await self._engine.known([run_id(row.id, row.runs) for row in some])
            for row in some:
                found = known.get(run_id(row.id, row.runs))
                if found is None:
                    await self._engine.enqueue(row.id, row.runs, row.tenant)
                elif found.status not in UNFINISHED:
                    await self.requeue(row)  # nobody had begun it

    async def _tell_positions(self, queued: list[ReviewRow]) -> None:
        """Say to those who follow a queued review how many are before it, when that changes."""
        for before, row in enumerate(queued):
            if row.queue_position != before and self._hub.followed(row.id):
                told = await self._database.write(partial(_tell_position, row=row, before=before))
                if told:
                    self._hub.publish(row.id, [told])

    async def clean_up(self) -> None:
        """Once a day delete what is older than it has to be kept."""
        now = asyncio.get_running_loop().time()
        if self._cleaned is not None and now - self._cleaned < CLEAN_AFTER_S:
            return
        await self._database.write(_old_rates)
        await self._database.write(budgets.forget_old_days)
        await cache.clean_up(self._database, days=self._retention_days)
        if self._retention_days:
            await self._delete_old(reviews.now_ms() - self._retention_days * DAY_MS)
        self._cleaned = now

    async def _delete_old(self, before: int) -> None:
        while old := await self._database.read(partial(reviews.finished_before, at=before)):
            runs = [run_id(one, run) for one, last in old.items() for run in range(1, last + 1)]
            await self._engine.forget(runs)  # first: what is not deleted yet is found again
            await self._database.write(partial(reviews.delete, ids=list(old)))
            log.info("deleted %s", count(len(old), "old review"))


def _old_rates(connection: sa.Connection) -> None:
    connection.execute(sa.delete(RATES).where(RATES.c.minute < reviews.now_ms() // 60_000 - 60))


def _tell_position(connection: sa.Connection, row: ReviewRow, before: int) -> Stored | None:
    """Note a queued review's position as an event; None if it left the queue meanwhile."""
    mine = rows_changed(
        connection.execute(
            sa.update(REVIEWS)
            .where(
                REVIEWS.c.id == row.id,
                REVIEWS.c.state == "queued",
                REVIEWS.c.epoch == row.epoch,
                REVIEWS.c.last_seq == row.last_seq,
            )
            .values(last_seq=row.last_seq + 1, queue_position=before)
        )
    )
    if not mine:
        return None
    others = f"{count(before, 'review')} before it" if before else "it is next"
    event = replace(last_progress(connection, row.id), activity=f"queued: {others}")
    told = stored(event, seq=row.last_seq + 1, review_id=row.id, at=reviews.now_ms())
    insert_events(connection, row.id, [told])
    return told
