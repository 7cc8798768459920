"""Limit the request rate of an installation.

Several reads run at once. Writes run one by one, with a second between two, the most urgent first.
Writes that create content are also counted, because GitHub limits their number per hour. A limit
blocks all requests in its scope. Each installation has its own :class:`RateLimiter`, so that
installations do not wait for each other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reviewbot.github.client.errors import RateLimitedError
from reviewbot.github.client.limits import SHORTEST_S, unnamed_wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from reviewbot.github.client.exchange import Request
    from reviewbot.github.client.limits import Limit, Scope

HOUR_S: Final = 3600.0
MINUTE_S: Final = 61.0
"""Seconds in which points are counted, and limit for one request in progress."""
READ_POINTS: Final = 1
WRITE_POINTS: Final = 5
FOREVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Pace:
    """Request limits of one installation.

    Attributes:
        readers: maximum number of concurrent reads.
        gap_s: seconds from the end of a write to the next; GitHub allows 80 writes a minute.
        created_an_hour: POSTs per hour that create content; GitHub's limit is 500.
        points_a_minute: points per minute: a read costs one and a write five. GitHub's limit is
            900 for REST alone.
        patience_s: maximum seconds that a request waits for a limit. The longest limit lasts an
            hour.
    """

    readers: int = 4
    gap_s: float = 1.0
    created_an_hour: int = 480
    points_a_minute: int = 850
    patience_s: float = HOUR_S + 120.0


@dataclass(order=True, slots=True)
class _Waiting:
    urgency: int
    order: int
    request: Request = field(compare=False)
    slot: asyncio.Future[Callable[[], None]] = field(compare=False)


class RateLimiter:
    """Rate limiter of one installation. Its times are those of the running loop."""

    def __init__(self, pace: Pace | None = None) -> None:
        self._pace = pace or Pace()
        self._waiting: list[_Waiting] = []
        self._order = self._reading = self._unnamed = 0
        self._writing = False
        self._write_at = 0.0
        self._created: deque[float] = deque(maxlen=max(1, self._pace.created_an_hour))
        self._points: deque[tuple[float, int]] = deque()
        self._spent = 0
        self._closed_until: dict[Scope, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def acquire(self, request: Request) -> Callable[[], None]:
        """Wait until ``request`` may be sent. Return the function to call once it is over.

        Raises:
            RateLimitedError: GitHub's limit, or our hourly limit, exceeds ``patience_s``.
        """
        slot: asyncio.Future[Callable[[], None]] = asyncio.get_running_loop().create_future()
        self._order += 1
        self._waiting.append(_Waiting(request.urgency, self._order, request, slot))
        self._let_go()
        try:
            return await slot
        except asyncio.CancelledError:
            if slot.done() and not slot.cancelled() and slot.exception() is None:
                slot.result()()
            raise

    def close(self, limit: Limit) -> float:
        """Block the requests in the scope of ``limit``, and return the seconds until its end.

        Requests in progress continue.
        """
        now = asyncio.get_running_loop().time()
        seconds = limit.seconds
        if seconds is None:
            # Several concurrent requests report the same limit, one after the other.
            self._unnamed += now >= self._closed_until.get(limit.scope, 0.0)
            seconds = unnamed_wait(self._unnamed)
        until = max(now + max(seconds, SHORTEST_S), self._closed_until.get(limit.scope, 0.0))
        self._closed_until[limit.scope] = until
        self._let_go()
        return until - now

    def served(self) -> None:
        """Record a success, so that the next limit without a stated time starts a new sequence."""
        if max(self._closed_until.values(), default=0.0) <= asyncio.get_running_loop().time():
            self._unnamed = 0

    def refuse(self, request: Request, since: float) -> None:
        """Raise if the wait of ``request`` for rate limits since ``since`` would be too long.

        Raises:
            RateLimitedError: the wait would exceed ``patience_s``.
        """
        waited = self._opens_at(graphql=request.graphql) - since
        if waited > self._pace.patience_s:
            raise _limited(waited)

    def _opens_at(self, *, graphql: bool) -> float:
        own: Scope = "graphql" if graphql else "core"
        return max(self._closed_until.get(own, 0.0), self._closed_until.get("all", 0.0))

    def _let_go(self) -> None:
        """Grant all available slots, and schedule the next call."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        next_at = FOREVER
        for waiting in sorted(one for one in self._waiting if not one.slot.done()):
            closed = self._open_to(waiting) - loop.time()
            at = self._earliest(waiting)
            if closed > self._pace.patience_s:
                waiting.slot.set_exception(_limited(closed))
            elif at <= loop.time():
                self._grant(waiting)
            else:
                next_at = min(next_at, at)
        self._waiting = [one for one in self._waiting if not one.slot.done()]
        if next_at < FOREVER:
            self._timer = loop.call_at(next_at, self._let_go)

    def _earliest(self, waiting: _Waiting) -> float:
        """Return the earliest start of a request; infinity until another slot is released."""
        points = WRITE_POINTS if waiting.request.writes else READ_POINTS
        at = max(self._open_to(waiting), self._room_at(points))
        if not waiting.request.writes:
            return at if self._reading < self._pace.readers else FOREVER
        return FOREVER if self._writing else max(at, self._write_at)

    def _open_to(self, waiting: _Waiting) -> float:
        """Return when the long limits allow a request: GitHub's limits and our hourly limit."""
        at = self._opens_at(graphql=waiting.request.graphql)
        if waiting.request.creates and len(self._created) == self._created.maxlen:
            at = max(at, self._created[0] + HOUR_S)
        return at

    def _room_at(self, points: int) -> float:
        """Return when the minute has room for ``points``; 0 for now."""
        now = asyncio.get_running_loop().time()
        while self._points and self._points[0][0] + MINUTE_S <= now:
            self._spent -= self._points.popleft()[1]
        left, at = self._spent, 0.0
        for then, cost in self._points:
            if left + points <= self._pace.points_a_minute:
                break
            left, at = left - cost, then + MINUTE_S
        return at

    def _grant(self, waiting: _Waiting) -> None:
        request = waiting.request
        points = WRITE_POINTS if request.writes else READ_POINTS
        self._points.append((asyncio.get_running_loop().time(), points))
        self._spent += points
        if request.writes:
            self._writing = True
            if request.creates:
                self._created.append(asyncio.get_running_loop().time())
            waiting.slot.set_result(self._wrote)
        else:
            self._reading += 1
            waiting.slot.set_result(self._was_read)

    def _was_read(self) -> None:
        self._reading -= 1
        self._let_go()

    def _wrote(self) -> None:
        self._writing = False
        self._write_at = asyncio.get_running_loop().time() + self._pace.gap_s
        self._let_go()


def _limited(seconds: float) -> RateLimitedError:
    return RateLimitedError(
        f"GitHub's rate limit is used up: it would take another {seconds:,.0f} seconds",
        seconds=seconds,
    )
