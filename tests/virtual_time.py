"""An event loop whose clock jumps over every wait, while sockets and threads stay real.

``asyncio.sleep``, ``asyncio.timeout`` and every other timer take no real time: when no socket is
ready and no worker thread is busy, the loop's clock jumps to the next timer. A backoff of ten
minutes is over in milliseconds, and ``loop.time()`` tells exactly how long it would have taken.
The clock stands still while code runs, so durations in tests are exact::

    @in_virtual_time
    async def test_waits_before_the_second_attempt() -> None:
        started = asyncio.get_running_loop().time()
        await asyncio.sleep(600)
        assert asyncio.get_running_loop().time() - started == 600

Client and server must live in the same loop (as ``tests.fake_anthropic`` does): the clock cannot
know that another process is still at work, and a thread of an executor must not wait for a timer of
the loop. Code that asks ``time.monotonic()`` is not fooled.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Executor

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_SETTLE_S = 0.003
"""Real seconds in which bytes on loopback arrive; only then may the clock jump."""
_STUCK_S = 120.0
"""Real seconds without a timer, a byte or a thread after which a test is called stuck."""


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for real input and output, and jumps the loop's clock instead of waiting for timers."""

    loop: VirtualTimeLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        if timeout is None or self.loop.busy_threads:
            ready = super().select(_STUCK_S)
            if not ready:
                message = "the test is stuck: no timer, no byte and no thread is on its way"
                raise RuntimeError(message)
            return ready
        ready = super().select(_SETTLE_S)
        if not ready:
            self.loop.jump(timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The loop described above; usable as ``loop_factory`` of :class:`asyncio.Runner`."""

    def __init__(self) -> None:
        self._now = 1000.0
        self.busy_threads = 0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        self._now += seconds

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self.busy_threads += 1
        future.add_done_callback(self._thread_done)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's signature
        """Waits for the threads for real: from Python 3.12 on, the loop sets a timer of 300 s."""
        del timeout
        self.busy_threads += 1  # the thread that joins the others
        try:
            await super().shutdown_default_executor()
        finally:
            self.busy_threads -= 1

    def _thread_done(self, _future: asyncio.Future[Any]) -> None:
        self.busy_threads -= 1


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs ``main`` to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Decorates an async test so that it runs in virtual time; fixtures keep working."""

    @functools.wraps(test)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(test(*args, **kwargs))

    return wrapper
