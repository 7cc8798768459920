"""Ctrl-C and SIGTERM, for whoever runs a review."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from reviewbot.pipeline.job import StopSignal


def stop_on_interrupt(
    stop: StopSignal, then: Callable[[], object] | None = None
) -> Callable[[], None]:
    """Return the first Ctrl-C (or SIGTERM) ends the review properly, a second one at once.

    Args:
        stop: is called by the first.
        then: is called by the second; without it, it ends the process.

    Returns:
        What puts the signals back as they were.
    """
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def restore() -> None:
        for number in numbers:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)

    def heed(interrupt: Callable[[], None]) -> None:
        for number in numbers:
            with suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt there
                loop.add_signal_handler(number, interrupt)

    def first() -> None:
        restore()
        if then is not None:
            heed(second)
        stop.stop("cancelled")

    def second() -> None:
        restore()
        if then is not None:
            then()

    heed(first)
    return restore
