"""The processor time of a call: measured, and limited, whatever else the machine does."""

from __future__ import annotations

import gc
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOMINAL_S: Final = 0.1


@contextmanager
def cpu_at_most(units: float) -> Iterator[None]:
    """Fail if the block takes more CPU time than `units` times a fixed piece of work.

    The fixed work takes 0.1 s on the usual machine. Where the block takes longer than so many
    tenths of a second, the work is measured beside it, and the slower of both figures counts.
    """
    started = time.process_time()
    yield
    spent = time.process_time() - started
    if spent > units * NOMINAL_S:
        unit = max(NOMINAL_S, least_time(_fixed_work))
        assert spent <= units * unit, f"{spent / unit:.0f} units of work instead of {units:g}"


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


def _fixed_work() -> None:
    table: dict[int, str] = {}
    for number in range(400_000):
        table[number % 1_000] = str(number)
