"""The deliveries of GitHub: stored before they are acknowledged, and each worked off to its end.

GitHub does not send a delivery again by itself, and waits for no work. So a delivery is taken by
storing it, and is done only once the work on it has succeeded; until then it is tried again, by
whichever node there is. A delivery may thus be worked on more than once: whoever handles it makes
sure that twice is the same as once.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from functools import partial
from typing import TYPE_CHECKING, Final

from reviewbot.github.app.poller import Poller
from reviewbot.github.app.retries import HOPELESS, pause_after, sentence
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
"""Places beyond those that any installation may have: for those that have none."""
LARGE: Final = 64 << 10
"""Bytes of a payload from which on it is read and compressed in a thread."""
KEPT_MS: Final = 7 * 24 * 3600 * 1000
"""How long finished ones are remembered; GitHub can send a delivery again for three days."""
CLEAN_EVERY_S: Final = 3600.0

log = logging.getLogger(__name__)


class Inbox:
    """Takes deliveries and works them off. One a node; they share what there is to do.

    Those of one subject, such as a pull request, are worked off one after the other, in the order
    in which they came; but one that waits for its next try lets other kinds of events go first. All
    others go side by side. One node at a time works for an installation.

    Args:
        database: the store.
        node: this node's name, under which it says that it is alive.
        app: the App that deliveries are for.
        handle: does what there is to do. What it raises has it called again later.
        acknowledge: shows whoever sent it that it came, at once, and at best once.
        give_up: tells whoever waits for it that it is not done, and why not.
        at_once: how many are at work on this node; beyond these, one of each installation that has
            none, so that those that wait for GitHub hold up no other.
        per_installation: how many are at work for one installation.
        grace_s: how long work may go on at the end.
        limit_s: how long the work on one may take; it is cancelled then, and tried again.
        clock: what time it is.
    """

    def __init__(
        self,
        database: Database,
        *,
        node: str,
        app: App,
        handle: Callable[[Task], Awaitable[None]],
        acknowledge: Callable[[Task], Awaitable[None]] | None = None,
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
            put_back=partial(pause_after, None),
            grace_s=grace_s,
            clock=clock,
        )
        self._cleaned: float | None = None
        self._asked_in: sa.RootTransaction | None = None
        self._time = 0

    async def take(self, delivery: str, event: str, body: bytes) -> None:
        """Store a delivery; when this returns, it is. A repeat does nothing.

        Args:
            delivery: its id, as GitHub's are.
            event: its name, likewise.
            body: its payload, proved to be GitHub's.

        Raises:
            StoreError: it is not known to be stored.
        """
        if len(body) < LARGE:
            new, task = self._read(delivery, event, body)
        else:
            new, task = await asyncio.to_thread(self._read, delivery, event, body)

        def insert(connection: sa.Connection) -> bool:
            return deliveries.insert(connection, new, self._now(connection))

        stored = await self._database.write(insert)
        if not stored:
            told = "ignored a repeated delivery"
        elif new.reason is not None:
            told = f"ignored a delivery: {new.reason}"
        else:
            told = "stored a delivery"
            self._poller.wake()
            self._show(task)
        log.info("%s", told, extra={"delivery_id": delivery})

    def _now(self, connection: sa.Connection) -> int:
        """The time, asked for once for all that is stored together: 200 deliveries may be."""
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
        """Acknowledge what may have to wait for its turn."""
        if self._acknowledge is not None and isinstance(task, Commented):
            showing = asyncio.ensure_future(self._acknowledge(task))
            self._acknowledging.add(showing)
            showing.add_done_callback(self._acknowledging.discard)

    async def work(self) -> None:
        """Work off deliveries until cancelled; then let what is at work go on for a moment.

        What is not done by then is left as it is, and is found again.
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
        """Work on a delivery once. If that is cancelled, it is left as it is."""
        task: Task | None = None
        try:
            task = await self._task_of(claimed)
            reason = task.reason if isinstance(task, IgnoredDelivery) else None
            if reason is None:
                async with asyncio.timeout(self._limit_s):
                    await self._handle(task)
        except Exception as error:  # noqa: BLE001 - whatever it is, the delivery is not done
            await self._tell(task, claimed, error)
            await self._poller.not_done(claimed, error, pause_after(error, claimed.tries))
        else:
            if await self._poller.done(claimed, reason):
                log.info("completed a delivery", extra={"delivery_id": claimed.id})

    async def _tell(self, task: Task | None, claimed: Claimed, error: Exception) -> None:
        """Tell that it is given up, if it is; what a person has to change was told at once."""
        last = pause_after(error, claimed.tries) is None and not isinstance(error, HOPELESS)
        if task is None or self._give_up is None or not last:
            return
        try:
            async with asyncio.timeout(self._limit_s):
                await self._give_up(task, sentence(error))
        except Exception as failed:  # noqa: BLE001 - the log has it, and it is settled all the same
            told = type(failed).__name__
            log.warning(
                "could not report the failed delivery: %s", told, extra={"delivery_id": claimed.id}
            )

    async def _task_of(self, claimed: Claimed) -> Task:
        event, packed = await self._database.read(partial(deliveries.read, delivery=claimed.id))

        def unpacked() -> Task:
            return read(event, claimed.id, zlib.decompress(packed), self._app)

        return unpacked() if len(packed) < LARGE // 8 else await asyncio.to_thread(unpacked)

    async def _clean_up(self) -> None:
        """Once in a while forget what is older than GitHub can send again."""
        now = asyncio.get_running_loop().time()
        if self._cleaned is not None and now - self._cleaned < CLEAN_EVERY_S:
            return

        def delete(connection: sa.Connection) -> int:
            return deliveries.delete_finished(connection, self._clock(connection) - KEPT_MS)

        if await self._database.write(delete) < deliveries.BATCH:
            self._cleaned = now
