"""Ctrl-C and SIGTERM, for whoever runs a review."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from reviewbot.job import StopSignal


def stop_on_interrupt(stop: StopSignal) -> Callable[[], None]:
    """The first Ctrl-C (or SIGTERM) ends the review properly, a second one at once.

    Returns:
        What puts the signals back as they were.
    """
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def restore() -> None:
        for number in numbers:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)

    def interrupt() -> None:
        restore()
        stop.stop("cancelled")

    for number in numbers:
        with suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt there
            loop.add_signal_handler(number, interrupt)
    return restore
