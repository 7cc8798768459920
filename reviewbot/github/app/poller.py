"""Poller of a queue: claims work for a node, starts it and records the result."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from reviewbot.core.wording import count
from reviewbot.errors import ReviewbotError
from reviewbot.github.app.retries import WaitError, for_log, sentence
from reviewbot.store import nodes
from reviewbot.store.database import StoreError
from reviewbot.store.queue import CLAIMS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import sqlalchemy as sa

    from reviewbot.store.database import Database
    from reviewbot.store.queue import Claimed, Queue

POLL_S: Final = 1.0
"""Seconds between polls."""
CANCELLED_S: Final = 1.0
"""Maximum seconds for cancelled tasks to end."""

log = logging.getLogger(__name__)


class Poller:
    """Poller that looks for work when it is woken, when a task has ended, and every second.

    Unsettled work of a node is abandoned when the node's heartbeat expires. Any node then
    requeues the work.

    Args:
        name: name of the poller, in the log.
        database: the store.
        queue: the queue.
        work: processes and settles a claimed task. It does not raise.
        node: the name of this node.
        log_as: log message for failed work, and the field for its id.
        requeue: returns the seconds until abandoned work is claimed again, by its attempts; None
            if the work has failed permanently.
        grace_s: seconds for unfinished tasks at shutdown.
        clock: returns the time, in Unix milliseconds.

    Attributes:
        working: running tasks by id.
    """

    def __init__(
        self,
        name: str,
        database: Database,
        queue: Queue,
        work: Callable[[Claimed], Awaitable[None]],
        *,
        node: str,
        log_as: tuple[str, str],
        requeue: Callable[[int], float | None],
        grace_s: float = 0.0,
        clock: Callable[[sa.Connection], int] = nodes.clock,
    ) -> None:
        self._name, self._database, self._queue, self._work = name, database, queue, work
        self._node, self._log_as, self._requeue = node, log_as, requeue
        self._grace_s, self._clock = grace_s, clock
        self.working: dict[str, asyncio.Future[None]] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Start the next round now."""
        self._wake.set()

    async def claim(self, *, at_once: int, per_installation: int, spare: int = 0) -> None:
        """Requeue abandoned work, claim work up to the limits, and start it.

        ``at_once`` limits the tasks of this node, and ``per_installation`` those of one
        installation. ``spare`` is the number of additional slots for installations without a
        running task.
        """
        busy = frozenset(self.working)
        room = at_once - len(busy)

        def look(connection: sa.Connection) -> tuple[bool, list[Claimed]]:
            alive = nodes.alive(connection)
            abandoned = self._queue.abandoned(connection, self._node, alive, busy)
            return self._queue.is_any_due(connection, self._clock(connection)), abandoned

        def claim(connection: sa.Connection) -> list[Claimed]:
            return self._queue.claim(
                connection,
                self._node,
                nodes.alive(connection),
                self._clock(connection),
                most=room if room > 0 else room + spare,
                per_installation=per_installation if room > 0 else 1,
                busy=busy,
            )

        due, abandoned = await self._database.read(look)
        for one in abandoned:
            pause = self._requeue(one.tries)
            await self.not_done(one, None, pause)
            due = due or pause == 0
        if due and room + spare > 0:
            for claimed in await self._database.write(claim, tenant=CLAIMS):
                self._begin(claimed)

    def _begin(self, claimed: Claimed) -> None:
        self.working[claimed.id] = asyncio.ensure_future(self._work(claimed))

        def over(_: asyncio.Future[None]) -> None:
            del self.working[claimed.id]
            self._wake.set()  # there is room for another, perhaps of the same subject

        self.working[claimed.id].add_done_callback(over)

    async def done(self, claimed: Claimed, reason: str | None = None) -> bool:
        """Complete the work, and return whether it was still ours."""
        return await self._settle(
            lambda connection, at: self._queue.complete(connection, claimed, at, reason)
        )

    async def not_done(
        self, claimed: Claimed, error: Exception | None, pause: float | None
    ) -> None:
        """Retry the work after a pause in seconds, or fail it.

        ``error`` is None if the node of the attempt ended, and ``pause`` is None for no retry.
        """
        reason, tries = sentence(error), count(claimed.tries, "attempt")

        def change(connection: sa.Connection, at: int) -> bool:
            if pause is None:
                given_up = f"failed permanently after {tries}: {reason}"
                return self._queue.fail(connection, claimed, at, given_up)
            until = at + round(pause * 1000)
            return self._queue.retry(connection, claimed, at, reason, until=until)

        if not await self._settle(change):
            return
        if isinstance(error, WaitError) and pause is not None:
            log.info("waiting for %d s: %s", pause, error, extra={self._log_as[1]: claimed.id})
        else:
            message, field = self._log_as
            log.log(
                logging.ERROR if pause is None else logging.WARNING,
                "%s after attempt %d (%s); %s",
                message,
                claimed.tries,
                "node ended" if error is None else for_log(error),
                "failed permanently" if pause is None else f"retrying in {pause:.0f} s",
                extra={field: claimed.id},
                exc_info=None if isinstance(error, ReviewbotError) else error,
            )

    async def _settle(self, change: Callable[[sa.Connection, int], bool]) -> bool:
        with suppress(StoreError):  # already logged; the next round requeues the work
            return await self._database.write(
                lambda connection: change(connection, self._clock(connection))
            )
        return False

    async def run(self, look: Callable[[], Awaitable[None]]) -> None:
        """Poll until cancelled; then give unfinished tasks ``grace_s`` to end.

        Tasks that take longer are cancelled. Another node finds them.

        ``look`` is one poll, which calls :meth:`claim`.
        """
        try:
            while True:
                self._wake.clear()
                try:
                    await look()
                except StoreError:
                    pass  # the store logged the error; the next poll retries
                except Exception:
                    log.exception("%s: a poll failed; retrying", self._name)
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._wake.wait()
        finally:
            await self._end()

    async def _end(self) -> None:
        late = set(self.working.values())
        try:
            if late:
                _, late = await asyncio.wait(late, timeout=self._grace_s)
        finally:
            for one in late:
                one.cancel()
        if late:
            log.info("%s: left %d unfinished tasks to another node", self._name, len(late))
            await asyncio.wait(late, timeout=CANCELLED_S)
