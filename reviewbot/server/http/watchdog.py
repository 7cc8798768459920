"""End a server process whose event loop hangs.

A thread of Python cannot do this: code that holds the interpreter's lock, such as a regular
expression, keeps all threads waiting. The timer of :mod:`faulthandler` runs without the lock. When
it expires, it writes the stacks of all threads to standard error and ends the process with exit
code 1. The stacks name files, lines and functions, never values. To read the stack of a thread that
runs meanwhile can crash the process (signal 11). Threads that wait for the lock are safe to read.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import sys
from contextlib import suppress
from typing import Final

HANG_S: Final = 30.0
"""Seconds for which the event loop may run nothing else before the process ends."""
REARM_S: Final = 3.0
"""Seconds between two starts of the timer."""
SHUTDOWN_S: Final = 15.0
"""Seconds that a shutdown may take in addition to the grace period of reviews."""

log = logging.getLogger(__name__)


class Watchdog:
    """The timer of one process. While the event loop runs, it starts again and again."""

    def __init__(self) -> None:
        self._file: int | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the timer, and a task that restarts it. Must be called in the event loop."""
        self._file = _stack_file()
        self._task = asyncio.get_running_loop().create_task(self._rearm())

    async def _rearm(self) -> None:
        while True:
            self._arm(HANG_S)
            await asyncio.sleep(REARM_S)

    def limit_shutdown(self, grace_s: float) -> None:
        """Start the timer for the last time.

        Args:
            grace_s: seconds that running reviews may continue.
        """
        if self._task is not None and self._task.cancel():
            self._arm(grace_s + SHUTDOWN_S)

    def _arm(self, seconds: float) -> None:
        assert self._file is not None  # noqa: S101 - `start` has set it
        faulthandler.dump_traceback_later(seconds, exit=True, file=self._file)

    def close(self) -> None:
        """Stop the timer: the process has come to a clean end."""
        if self._file is None:
            return
        faulthandler.cancel_dump_traceback_later()
        os.close(self._file)
        self._file = None


def _stack_file() -> int:
    """Return a new descriptor of standard error; of the null device if it is not a file."""
    with suppress(AttributeError, OSError, ValueError):  # None, closed, or without a descriptor
        return os.dup(sys.stderr.fileno())
    log.warning("standard error is not a file: if the server hangs, it ends without a stack")
    return os.open(os.devnull, os.O_WRONLY)
