"""Handle Ctrl-C and SIGTERM during a review."""

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
    """Handle signals: the first stops the review with a report, the second at once.

    The signals are Ctrl-C and SIGTERM.

    Args:
        stop: signal that the first signal sets.
        then: function that the second signal calls; None ends the process.

    Returns:
        A function that removes the signal handlers.
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
