"""The processor time of a call, measured so that other work on the machine does not count."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def least_time(call: Callable[[], object], runs: int = 3) -> float:
    """Return the least processor time of several calls, in seconds, without collecting garbage."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return min(_time(call) for _ in range(runs))
    finally:
        if was_enabled:
            gc.enable()


def _time(call: Callable[[], object]) -> float:
    started = time.thread_time()
    call()
    return time.thread_time() - started
