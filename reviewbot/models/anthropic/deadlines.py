"""How long to wait for a server: until content, between events, and in all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from reviewbot.models.base import Fault, ModelFault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

T = TypeVar("T")


class Frame(Protocol):
    """One server-sent event, as the SDK reads it."""

    @property
    def event(self) -> str | None:
        """Its name, None if it has none."""
        ...

    @property
    def data(self) -> str:
        """Its data lines, joined."""
        ...


@dataclass(frozen=True, slots=True)
class ModelTimeouts:
    """When a request is given up, in seconds.

    Args:
        first_content_s: without a word of the report. Thinking may be silent for minutes; every
            event but a ping starts it anew.
        idle_s: without an event once the report is being written. Pings do not count.
        total_s: in all, waiting for the server alone: a slow reader of the answer does not count.
        connect_s: for a connection.
        follow_s: that a request waits for the first one with its prefix to be answered.
    """

    first_content_s: float = 300.0
    idle_s: float = 60.0
    total_s: float = 900.0
    connect_s: float = 10.0
    follow_s: float = 30.0


class ResponseDeadline:
    """Waits for one response, within the timeouts.

    Args:
        timeouts: the limits.
        server: for messages.
        piecewise: whether the report comes as it is written; a server that holds it back until it
            is whole is given ``first_content_s`` all along.
    """

    def __init__(self, timeouts: ModelTimeouts, server: str, *, piecewise: bool) -> None:
        self._timeouts, self._server, self._piecewise = timeouts, server, piecewise
        self._spent = self._silent = 0.0
        self._writing = False

    def report_begins(self) -> None:
        """The first word of the report is here: from now on silence is suspect sooner."""
        self._writing = True

    async def response(self, coming: Awaitable[T]) -> T:
        """Return the result of ``coming``, the response's head.

        Raises:
            ModelFault: it took too long.
        """
        return await self._limited(coming)

    def heard(self) -> None:
        """Something came that is no ping."""
        self._silent = 0.0

    async def frame(self, frames: AsyncIterator[Frame]) -> Frame | None:
        """Return the next frame; None at the end of the body.

        Raises:
            ModelFault: it took too long.
        """
        return await self._limited(anext(frames, None))

    async def _limited(self, coming: Awaitable[T]) -> T:
        loop = asyncio.get_running_loop()
        started = loop.time()
        quick = self._writing and self._piecewise
        quiet = self._timeouts.idle_s if quick else self._timeouts.first_content_s
        left, total = quiet - self._silent, self._timeouts.total_s - self._spent
        try:
            async with asyncio.timeout(min(left, total)):
                return await coming
        except TimeoutError:
            if total <= left:
                what = f"did not finish within {self._timeouts.total_s:g} seconds"
            else:
                what = f"was silent for {quiet:g} seconds"
            raise ModelFault(f"{self._server} {what}", fault=Fault.TRANSIENT) from None
        finally:
            waited = loop.time() - started
            self._spent += waited
            self._silent += waited
