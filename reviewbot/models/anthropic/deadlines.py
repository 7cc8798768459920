"""Deadlines for a server: for first content, between events, and in total."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from reviewbot.models.base import Fault, ModelFault

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")

_SLOW: Final = "; set a smaller batch_tokens, or a lower prefill_tokens_per_s of the model"


class Frame(Protocol):
    """A server-sent event of the SDK."""

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
    """Time limits of a request, in seconds.

    Args:
        first_content_s: limit without content of the report. Thinking may be silent for minutes.
            Every event but a ping restarts this limit.
        idle_s: limit without an event once the report has begun. Pings do not count.
        total_s: limit for all waiting for the server. The time of a slow reader does not count.
        connect_s: limit for a connection.
        follow_s: limit for waiting until the first request with the same prefix is answered.
    """

    first_content_s: float = 300.0
    idle_s: float = 60.0
    total_s: float = 900.0
    connect_s: float = 10.0
    follow_s: float = 30.0


class ResponseDeadline:
    """Deadlines of one response.

    Args:
        timeouts: the limits.
        server: name of the server, for messages.
        piecewise: whether the report arrives in pieces. For a server that sends the report as a
            whole, ``first_content_s`` applies throughout.
        prefill_s: seconds in which a slow server reads the request; added to ``first_content_s``
            and ``total_s``.
    """

    def __init__(
        self, timeouts: ModelTimeouts, server: str, *, piecewise: bool, prefill_s: float = 0.0
    ) -> None:
        self._server, self._piecewise = server, piecewise
        self._idle_s = timeouts.idle_s
        self._first_content_s = timeouts.first_content_s + prefill_s
        self._total_s = timeouts.total_s + prefill_s
        self._remedy = _SLOW if prefill_s else ""
        self._spent = self._silent = 0.0
        self._writing = False

    def report_begins(self) -> None:
        """Apply the shorter limit for silence, after the first content of the report."""
        self._writing = True

    def restart_silence(self) -> None:
        """Restart the limit for silence, after an event other than a ping."""
        self._silent = 0.0

    async def wait(self, coming: Awaitable[T]) -> T:
        """Return the result of ``coming``: the response's head, or the next frame of its body.

        Raises:
            ModelFault: the time limit was exceeded.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        quick = self._writing and self._piecewise
        quiet = self._idle_s if quick else self._first_content_s
        left, total = quiet - self._silent, self._total_s - self._spent
        try:
            async with asyncio.timeout(min(left, total)):
                return await coming
        except TimeoutError:
            if total <= left:
                what = f"did not finish within {self._total_s:g} seconds"
            else:
                what = f"was silent for {quiet:g} seconds"
            raise ModelFault(
                f"{self._server} {what}{self._remedy}", fault=Fault.TRANSIENT
            ) from None
        finally:
            waited = loop.time() - started
            self._spent += waited
            self._silent += waited
