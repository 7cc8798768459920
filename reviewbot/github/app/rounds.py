"""Work that a node looks for again and again, and what of it is under way."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from reviewbot.store.database import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

POLL_S: Final = 1.0
"""How often it is looked for what another node took, broke off, or let wait."""
CANCELLED_S: Final = 1.0
"""How long work that was cancelled may take to end."""

log = logging.getLogger(__name__)


class Rounds:
    """Looks for work in rounds: when it is woken, when some has ended, and every second.

    Args:
        name: who this is, in the log.
        look: one round; it calls :meth:`begin` for what there is room for.
        grace_s: how long work may go on at the end, in seconds.

    Attributes:
        working: what is under way, by its id.
    """

    def __init__(
        self, name: str, look: Callable[[], Awaitable[None]], *, grace_s: float = 0.0
    ) -> None:
        self._name, self._look, self._grace_s = name, look, grace_s
        self.working: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There is something new."""
        self._wake.set()

    def begin(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        """Begin work that does not raise."""
        working = asyncio.create_task(work)
        self.working[key] = working

        def over(_: asyncio.Task[None]) -> None:
            del self.working[key]
            self._wake.set()  # there is room for another, perhaps of the same subject

        working.add_done_callback(over)

    async def run(self) -> None:
        """Go on until cancelled; then let what is under way go on for a moment.

        What is not done by then is cancelled, and whoever looks next finds it.
        """
        try:
            while True:
                self._wake.clear()
                try:
                    await self._look()
                except StoreError:
                    pass  # it was logged; the next round tries again
                except Exception:
                    log.exception("the %s failed; it goes on", self._name)
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
            log.info("the %s leaves %d at work for another node", self._name, len(late))
            await asyncio.wait(late, timeout=CANCELLED_S)
