"""The process of a server: print the address, handle signals, and requeue reviews at shutdown."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import uvicorn

from reviewbot import __version__
from reviewbot.core.wording import count
from reviewbot.errors import EXIT_INTERRUPTED
from reviewbot.server.http.sockets import BACKLOG
from reviewbot.server.http.watchdog import Watchdog

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from reviewbot.jobs.service import ReviewService

M_MMAP_THRESHOLD: Final = -3  # malloc.h
LARGE: Final = 1 << 20
"""Bytes from which a freed block returns to the system: the default grows up to 32 MiB."""
SWITCH_S: Final = 0.0005
AT_ONCE_S: Final = 0.7
"""Seconds that a server that is interrupted twice may take to requeue its reviews."""

log = logging.getLogger(__name__)


class HttpServer(uvicorn.Server):
    """A server that prints its address once it listens, and ends reviews before connections.

    Args:
        config: configuration of uvicorn.
        service: the review service.
        about: description of the model, for the terminal.
        invite: function that returns a second line for the terminal, given the address, or None.
        report: function that receives a sentence about what the shutdown waits for.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        service: ReviewService,
        *,
        about: str,
        report: Callable[[str], object],
        invite: Callable[[str], str | None] = lambda _address: None,
    ) -> None:
        super().__init__(config)
        self._service, self._about, self._report, self._invite = service, about, report, invite
        self._winding_down: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._watchdog = Watchdog()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal arrives. A hung process ends with exit code 1."""
        try:
            super().run(sockets)
        finally:
            self._watchdog.close()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Shut down at the first signal, and immediately at a later SIGINT."""
        super().handle_exit(sig, frame)
        self._watchdog.limit_shutdown(self._service.config.grace_s)
        if self.force_exit and self._ending is None:
            if self._winding_down is not None:
                self._winding_down.cancel()
            self._ending = asyncio.get_running_loop().create_task(_end_at_once(self._service))

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Shut down at a signal without raising the signal again, as uvicorn would."""
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)
        try:
            for number in numbers:
                loop.add_signal_handler(number, self.handle_exit, number, None)
        except NotImplementedError:  # Windows
            with super().capture_signals():
                yield
            return
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and print the address."""
        await super().startup(sockets)
        self._watchdog.start()
        if self.should_exit:  # a signal arrived during the start
            self._watchdog.limit_shutdown(self._service.config.grace_s)
        if self.started and sockets:
            _tell_where(sockets, self._about, self._invite)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End reviews, then streams, then connections."""
        _report_wait(self._service, self._report)
        # uvicorn waits for streams to end before it tells the application to end them.
        self._winding_down = asyncio.create_task(self._service.wind_down())
        await asyncio.wait({self._winding_down})
        if self._ending is None:
            await super().shutdown(sockets)
        if self._ending is not None:  # set meanwhile, perhaps: the task ends the process
            await self._ending


async def _end_at_once(service: ReviewService) -> None:
    """End the process without waiting for its threads, as Python would."""
    log.warning("interrupted again: stopping now; unfinished reviews continue later")
    asyncio.get_running_loop().call_later(AT_ONCE_S, os._exit, EXIT_INTERRUPTED)
    with suppress(Exception):  # reviews not requeued here are recovered later
        await service.wind_down(grace_s=0)
    os._exit(EXIT_INTERRUPTED)


def shorten_switch_interval() -> None:
    """Make a thread wait for the interpreter a tenth as long while the event loop is busy.

    The writer of the database waits for the interpreter after each row. At the default of 5 ms,
    that can be a second for 200 simultaneous deliveries (docs.python.org,
    ``sys.setswitchinterval``).
    """
    sys.setswitchinterval(SWITCH_S)


def give_memory_back() -> None:
    """Return large freed blocks to the system, which glibc would keep between smaller blocks."""
    import ctypes

    with suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE)


def _tell_where(
    sockets: Sequence[socket.socket], about: str, invite: Callable[[str], str | None]
) -> None:
    """Print the address of the server. Not in the log: the link of the set-up is a secret."""
    for one in sockets:
        one.listen(BACKLOG)  # asyncio has set the backlog to the number accepted at once
    host, port = sockets[0].getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{port}"
    print(f"reviewbot {__version__} at {address} ({about})", flush=True)  # noqa: T201  for people
    if invitation := invite(address):
        print(invitation, flush=True)  # noqa: T201  for people


def _report_wait(service: ReviewService, report: Callable[[str], object]) -> None:
    running, grace_s = len(service.runner.active), service.config.grace_s
    if running and grace_s > 0:
        wait = f"waiting up to {grace_s:g} s for {count(running, 'review')}"
        report(f"{wait}; press Ctrl-C again to stop now")


def say(sentence: str) -> None:
    """Print ``sentence`` for people, on standard error."""
    print(f"reviewbot: {sentence}", file=sys.stderr, flush=True)  # noqa: T201  for people
