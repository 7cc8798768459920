"""Requeue interrupted and waiting reviews, update queue positions, and delete old rows."""

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
from reviewbot.store.tables import REVIEWS

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
"""Maximum number of runs in one query to the queue."""
QUEUED_FOR_MS: Final = 5_000
"""Milliseconds after which a queued review is looked up in DBOS: it may be missing there."""
CLEAN_EVERY_S: Final = 60.0
"""Seconds between checks whether a clean-up is due."""
CLEAN_AFTER_S: Final = 24 * 3600.0
DAY_MS: Final = 24 * 3600 * 1000

log = logging.getLogger(__name__)


class Janitor:
    """Maintenance of the reviews of all nodes. Each node runs a janitor; janitors do not conflict.

    With ``retention_days`` of 0, finished reviews are kept forever.
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
        """Run all tasks until cancelled, concurrently: a slow task must not delay the heartbeat."""
        async with asyncio.TaskGroup() as group:
            for every_s, task in (
                (BEAT_EVERY_S, self.heartbeat),
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
                pass  # the database logged it; the next round retries
            except Exception:
                log.exception("the janitor failed; retrying")
            await asyncio.sleep(every_s)

    async def heartbeat(self) -> None:
        """Store a heartbeat of this node."""
        await self._database.write(partial(nodes.heartbeat, node=self._runner.node))

    async def round(self) -> None:
        """Requeue interrupted and due reviews, end stopped ones, and update queue positions."""
        alive = await self._database.read(nodes.alive)
        for row in await self._database.read(turns.running):
            if row.node != self._runner.node:
                if row.node not in alive:
                    await self.requeue(row, breaks=1)
            elif row.id not in self._runner.active and not self._runner.leaving:
                await self.requeue(row, breaks=1)
        now = reviews.now_ms()
        for row in await self._database.read(
            partial(turns.due, at=now, longest_ms=self._longest_wait_ms)
        ):
            await self.requeue(row)
        queued = await self._database.read(turns.queued)
        for row in queued:
            if row.stop is not None:  # a stop was requested before the run started
                await self._runner.end_unstarted(row.id)
        await self._publish_positions([row for row in queued if row.stop is None])

    async def heed_stops(self) -> None:
        """Stop reviews that run here and whose stop was requested on any node."""
        active = list(self._runner.active)
        if active:
            wanted = await self._database.read(partial(turns.stops, ids=active))
            for review_id, outcome in wanted.items():
                self._runner.stop(review_id, outcome)

    async def requeue(self, row: ReviewRow, *, breaks: int = 0) -> None:
        """Queue another run of a review; ``breaks`` is 1 if its last run was interrupted."""
        run = await self._database.write(
            partial(turns.requeue, review_id=row.id, run=row.runs, breaks=breaks)
        )
        if run is None:
            return
        if breaks:
            extra = {"review_id": row.id}
            log.warning("the review was interrupted and will run again", extra=extra)
            await self._engine.drop([run_id(row.id, row.runs)])
        await self._engine.enqueue(row.id, run, row.tenant)

    async def find_lost(self) -> None:
        """Requeue reviews that are missing in the queue, and free slots of inactive runs.

        A review may have been stored but not queued. A node may have claimed its run and died, or
        failed to begin the run. A node may also have died before it recorded the end of a run.
        """
        held = await self._engine.held()
        alive = await self._database.read(nodes.alive)  # after held(): a node may have just started
        dead = {one.id for one in held if one.executor not in alive}
        mine = {one.id for one in held if one.executor == self._runner.node}
        idle = mine - self._runner.runs
        await self._engine.drop(sorted(dead | (idle & self._idle)))  # twice: a run may just begin
        self._idle = idle
        now = reviews.now_ms()
        rows = [
            row
            for row in await self._database.read(turns.queued)
            # The second condition is for a clock that was set back.
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
                    await self.requeue(row)  # no node had begun the run

    async def _publish_positions(self, queued: list[ReviewRow]) -> None:
        """Publish changed positions of queued reviews that have readers here."""
        for before, row in enumerate(queued):
            if row.queue_position != before and self._hub.followed(row.id):
                progress = await self._database.write(
                    partial(_store_position, row=row, before=before)
                )
                if progress:
                    self._hub.publish(row.id, [progress])

    async def clean_up(self) -> None:
        """Delete expired rows and reviews, once a day."""
        now = asyncio.get_running_loop().time()
        if self._cleaned is not None and now - self._cleaned < CLEAN_AFTER_S:
            return
        await self._database.write(budgets.forget_old)
        await cache.clean_up(self._database, days=self._retention_days)
        if self._retention_days:
            await self._delete_old(reviews.now_ms() - self._retention_days * DAY_MS)
        self._cleaned = now

    async def _delete_old(self, before: int) -> None:
        while old := await self._database.read(partial(reviews.finished_before, at=before)):
            runs = [run_id(one, run) for one, last in old.items() for run in range(1, last + 1)]
            await self._engine.forget(runs)  # first: the next query finds the reviews again
            await self._database.write(partial(reviews.delete, ids=list(old)))
            log.info("deleted %s", count(len(old), "old review"))


def _store_position(connection: sa.Connection, row: ReviewRow, before: int) -> Stored | None:
    """Store the position of a queued review as an event; None if it has left the queue."""
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
    event = replace(last_progress(connection, row.id), activity=f"queued: {others}", batch=None)
    progress = stored(event, seq=row.last_seq + 1, review_id=row.id, at=reviews.now_ms())
    insert_events(connection, row.id, [progress])
    return progress
