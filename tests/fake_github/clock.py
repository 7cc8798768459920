"""GitHub's clock: the wall's, and what a loop in virtual time or a test has moved it on."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Clock:
    """Seconds since 1970, and their text.

    ``source`` replaces all of it, for tests whose client has a clock of its own.
    """

    def __init__(self, source: Callable[[], float] | None = None) -> None:
        self._source = source
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lead = 0.0
        self.ahead = 0.0

    def follow(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on the jumps of this loop count."""
        self._loop = loop
        self._lead = loop.time() - time.monotonic()

    def now(self) -> float:
        if self._source is not None:
            return self._source() + self.ahead
        jumped = 0.0 if self._loop is None else self._loop.time() - time.monotonic() - self._lead
        return time.time() + jumped + self.ahead

    def stamp(self, at: float | None = None) -> str:
        """As GitHub writes it: whole seconds, Z."""
        moment = datetime.fromtimestamp(self.now() if at is None else at, UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
