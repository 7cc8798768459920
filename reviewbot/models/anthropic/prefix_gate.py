"""Let the first request of a shared prefix go ahead, so that the others find it in the cache.

An entry of the prompt cache can be read once the response that wrote it began (Anthropic
documentation, "Prompt caching"); eight requests at once would each pay for writing it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_LIFETIME_S: Final = 240.0
"""Assumed lifetime of a cache entry in seconds. Servers keep it for five minutes after its last
use."""


class PrefixGate:
    """Gate that orders the requests of one model.

    Args:
        patience_s: longest wait for the request ahead; a silent one must not hold up the rest.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._warm: dict[bytes, float] = {}
        self._ahead: dict[bytes, asyncio.Event] = {}

    @asynccontextmanager
    async def slot(self, key: bytes | None) -> AsyncGenerator[None, None]:
        """Wait for the slot of a request. ``key`` identifies its prefix; None if not cached."""
        if key is None:
            yield
            return
        mine = await self._first(key)
        try:
            yield
        finally:
            if mine is not None and self._ahead.get(key) is mine:
                self._release(key)

    def warm(self, key: bytes) -> None:
        """Record that the prefix of ``key`` is cached now, and release the waiting requests."""
        now = asyncio.get_running_loop().time()
        self._warm = {one: until for one, until in self._warm.items() if until > now}
        self._warm[key] = now + _LIFETIME_S
        self._release(key)

    def _release(self, key: bytes) -> None:
        ahead = self._ahead.pop(key, None)
        if ahead is not None:
            ahead.set()

    async def _first(self, key: bytes) -> asyncio.Event | None:
        """Wait until the prefix of ``key`` is cached or the patience ends; return None.

        Without a request ahead, return an event at once: the caller goes first, and must release
        the requests that wait for this event.
        """
        loop = asyncio.get_running_loop()
        patience = loop.time() + self._patience_s
        while self._warm.get(key, 0.0) <= loop.time():
            ahead = self._ahead.get(key)
            if ahead is None:
                self._ahead[key] = mine = asyncio.Event()
                return mine
            try:
                async with asyncio.timeout_at(patience):
                    await ahead.wait()
            except TimeoutError:
                return None
        return None
