"""Inbox of GitHub's deliveries. Deliveries are stored before they are acknowledged.

GitHub does not repeat a failed delivery by itself, and does not wait for processing. So a delivery
is stored first, and is done only once its task has succeeded. Until then any node may retry the
task. A task may thus run more than once, so handlers must be idempotent.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from functools import partial
from typing import TYPE_CHECKING, Final

from reviewbot.github.app.poller import Poller
from reviewbot.github.app.retries import HOPELESS, for_author, pause_after
from reviewbot.github.app.subjects import installation_of, subject_of
from reviewbot.github.webhook.parse import read
from reviewbot.github.webhook.tasks import Commented, IgnoredDelivery
from reviewbot.store import deliveries, nodes
from reviewbot.store.deliveries import NewDelivery

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import sqlalchemy as sa

    from reviewbot.github.webhook.payload import App
    from reviewbot.github.webhook.tasks import Task
    from reviewbot.store.database import Database
    from reviewbot.store.queue import Claimed

SPARE: Final = 96
"""Additional slots, for installations without a running task."""
LARGE: Final = 64 << 10
"""Bytes from which a payload is parsed and compressed in a thread."""
KEPT_MS: Final = 7 * 24 * 3600 * 1000
"""Retention of finished deliveries. GitHub can redeliver for three days."""
CLEAN_EVERY_S: Final = 3600.0

log = logging.getLogger(__name__)


class Inbox:
    """Inbox that stores and processes deliveries. Each node has one inbox; the inboxes share tasks.

    Deliveries with the same ordering key, such as a pull request, are processed in order of
    arrival. A delivery that waits for a retry lets other kinds of events go first. Deliveries
    with different keys are processed in parallel. One node at a time works for an installation.

    Args:
        database: the store.
        node: name of this node, as in its heartbeats.
        app: the App that receives the deliveries.
        handle: processes a task. If it raises, the task may be retried later.
        acknowledge: called at once with a newly stored comment, to react to it; never retried.
        give_up: reports a permanently failed task, with the reason.
        at_once: maximum number of tasks on this node. Each idle installation may have one more,
            so that tasks waiting for GitHub do not block other installations.
        per_installation: maximum number of tasks of one installation.
        grace_s: seconds for unfinished tasks at shutdown.
        limit_s: maximum seconds for one task; a longer task is cancelled and retried.
        clock: returns the current time.
    """

    def __init__(
        self,
        database: Database,
        *,
        node: str,
        app: App,
        handle: Callable[[Task], Awaitable[None]],
        acknowledge: Callable[[Commented], Awaitable[None]] | None = None,
        give_up: Callable[[Task, str], Awaitable[None]] | None = None,
        at_once: int = 32,
        per_installation: int = 4,
        grace_s: float = 5.0,
        limit_s: float = 900.0,
        clock: Callable[[sa.Connection], int] = nodes.clock,
    ) -> None:
        self._database, self._app, self._handle = database, app, handle
        self._acknowledge, self._give_up = acknowledge, give_up
        self._acknowledging: set[asyncio.Task[None]] = set()
        self._at_once, self._per_installation = at_once, per_installation
        self._limit_s, self._clock = limit_s, clock
        self._poller = Poller(
            "inbox",
            database,
            deliveries.QUEUE,
            self._work_off,
            node=node,
            log_as=("delivery failed", "delivery_id"),
            requeue=partial(pause_after, None),
            grace_s=grace_s,
            clock=clock,
        )
        self._cleaned: float | None = None
        self._asked_in: sa.RootTransaction | None = None
        self._time = 0

    async def take(self, delivery: str, event: str, body: bytes) -> None:
        """Store a delivery. A repeated delivery changes nothing.

        ``delivery`` is the id and ``event`` the name that GitHub sent. The signature of ``body`` is
        verified already.

        Raises:
            StoreError: the delivery may not be stored.
        """
        if len(body) < LARGE:
            new, task = self._read(delivery, event, body)
        else:
            new, task = await asyncio.to_thread(self._read, delivery, event, body)

        def insert(connection: sa.Connection) -> bool:
            return deliveries.insert(connection, new, self._now(connection))

        stored = await self._database.write(insert)
        if not stored:
            message = "ignored a repeated delivery"
        elif new.reason is not None:
            message = f"ignored a delivery: {new.reason}"
        else:
            message = "stored a delivery"
            self._poller.wake()
            self._show(task)
        log.info("%s", message, extra={"delivery_id": delivery})

    def _now(self, connection: sa.Connection) -> int:
        """Return the time, read once per transaction, which may store 200 deliveries."""
        transaction = connection.get_transaction()
        if transaction is not self._asked_in:
            self._asked_in, self._time = transaction, self._clock(connection)
        return self._time

    def _read(self, delivery: str, event: str, body: bytes) -> tuple[NewDelivery, Task]:
        task = read(event, delivery, body, self._app)
        if isinstance(task, IgnoredDelivery):
            return NewDelivery(delivery, event, None, None, b"", task.reason), task
        packed = zlib.compress(body, 1)
        return NewDelivery(delivery, event, installation_of(task), subject_of(task), packed), task

    def _show(self, task: Task) -> None:
        """Start to acknowledge a comment, as its task may have to wait for earlier ones."""
        if self._acknowledge is not None and isinstance(task, Commented):
            showing = asyncio.ensure_future(self._acknowledge(task))
            self._acknowledging.add(showing)
            showing.add_done_callback(self._acknowledging.discard)

    async def work(self) -> None:
        """Process deliveries until cancelled; then give unfinished tasks ``grace_s`` to end.

        Tasks that take longer are cancelled. Another node finds them.
        """
        try:
            await self._poller.run(self._round)
        finally:
            for showing in self._acknowledging:
                showing.cancel()

    async def _round(self) -> None:
        await self._poller.claim(
            at_once=self._at_once, per_installation=self._per_installation, spare=SPARE
        )
        await self._clean_up()

    async def _work_off(self, claimed: Claimed) -> None:
        """Make one attempt to process a delivery. A cancelled attempt stores nothing."""
        task: Task | None = None
        try:
            task = await self._task_of(claimed)
            reason = task.reason if isinstance(task, IgnoredDelivery) else None
            if reason is None:
                async with asyncio.timeout(self._limit_s):
                    await self._handle(task)
        except Exception as error:  # noqa: BLE001 - after any error the delivery is not done
            await self._report_failure(task, claimed, error)
            await self._poller.not_done(claimed, error, pause_after(error, claimed.tries))
        else:
            if await self._poller.done(claimed, reason):
                log.info("completed a delivery", extra={"delivery_id": claimed.id})

    async def _report_failure(self, task: Task | None, claimed: Claimed, error: Exception) -> None:
        """Report a permanently failed task. Errors that a user must fix were reported before."""
        last = pause_after(error, claimed.tries) is None and not isinstance(error, HOPELESS)
        if task is None or self._give_up is None or not last:
            return
        try:
            async with asyncio.timeout(self._limit_s):
                await self._give_up(task, for_author(error))
        except Exception as failed:  # noqa: BLE001 - it is logged, and the task is settled
            kind = type(failed).__name__
            log.warning(
                "could not report the failed delivery: %s", kind, extra={"delivery_id": claimed.id}
            )

    async def _task_of(self, claimed: Claimed) -> Task:
        event, packed = await self._database.read(partial(deliveries.read, delivery=claimed.id))

        def unpacked() -> Task:
            return read(event, claimed.id, zlib.decompress(packed), self._app)

        return unpacked() if len(packed) < LARGE // 8 else await asyncio.to_thread(unpacked)

    async def _clean_up(self) -> None:
        """Delete finished deliveries, from time to time, that GitHub can no longer redeliver."""
        now = asyncio.get_running_loop().time()
        if self._cleaned is not None and now - self._cleaned < CLEAN_EVERY_S:
            return

        def delete(connection: sa.Connection) -> int:
            return deliveries.delete_finished(connection, self._clock(connection) - KEPT_MS)

        if await self._database.write(delete) < deliveries.BATCH:
            self._cleaned = now
