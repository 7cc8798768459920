"""Batches that every model failed for a reason that passes: they wait instead of failing.

A waiting batch lets the others of its review come to their end; then the review leaves its place
to others, and comes back at the time of its next try.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Final, TypeAlias

from reviewbot.models.base import Fault
from reviewbot.models.batch import Answered, ChunkOutcome, Spent
from reviewbot.pipeline.job import Postponed

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from reviewbot.models.batch import BatchEvent, BatchResult, BatchTask, Emit, RunBatch

PASSING: Final = frozenset({Fault.TRANSIENT.value, Fault.RATE_LIMITED.value})
LONGEST_PAUSE_S: Final = 300


Around: TypeAlias = "Callable[[BatchTask], AbstractContextManager[Callable[[BatchEvent], object]]]"
"""Entered for as long as a batch runs; what it gives is told each of its events."""


def unheard(_task: BatchTask) -> AbstractContextManager[Callable[[BatchEvent], object]]:
    """Nobody is told."""
    return nullcontext(lambda _event: None)


def longest_pause(first_s: float) -> float:
    """Seconds that a review waits at most for its next try."""
    return max(LONGEST_PAUSE_S, first_s)


def pause_after(waited_s: float, first_s: float) -> float:
    """Seconds until the next try of a review that has waited for ``waited_s``: they double."""
    return min(longest_pause(first_s), max(first_s, waited_s))


class Checkpoints:
    """A ``RunBatch`` around another: it notes what is spent, keeps results, and lets batches wait.

    Args:
        inner: runs the batch.
        save_result: notes that a batch is done, before its end is told to anyone.
        save_spent: notes what a request has used.
        may_wait: whether the review has not waited too long yet.
        around: who is told what a batch says.
    """

    def __init__(
        self,
        inner: RunBatch,
        *,
        save_result: Callable[[str, BatchResult], None],
        save_spent: Callable[[str, Spent], None],
        may_wait: bool,
        around: Around = unheard,
    ) -> None:
        self._inner, self._may_wait, self._around = inner, may_wait, around
        self._save_result, self._save_spent = save_result, save_spent
        self.finished = 0
        """How many batches came to their end."""

    async def __call__(self, task: BatchTask, emit: Emit) -> BatchResult:
        """Run a batch.

        Raises:
            Postponed: it has to wait for its models.
        """
        ends: list[ChunkOutcome | Answered] = []
        with self._around(task) as hear:

            async def pass_on(event: BatchEvent) -> None:
                hear(event)
                match event:
                    case ChunkOutcome() | Answered(complete=True):
                        ends.append(event)
                        return
                    case Spent():
                        self._save_spent(task.id, event)
                    case _:
                        pass
                await emit(event)

            result = await self._inner(task, pass_on)
        passing = [end for end in ends if isinstance(end, ChunkOutcome) and end.fault in PASSING]
        if passing and self._may_wait:
            raise Postponed(passing[0].reason or "the model is down")
        self._save_result(task.id, result)
        self.finished += 1
        for end in ends:
            await emit(end)
        return result
