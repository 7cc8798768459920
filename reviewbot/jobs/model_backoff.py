"""Backoff for batches that every model failed with a transient error.

The other batches of the review are completed first. Then the review frees its slot, and is
requeued at the time of its next attempt.
"""

from __future__ import annotations

import logging
import re
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final, TypeAlias

from reviewbot.config.settings import OFFLINE
from reviewbot.core.render.author import cause
from reviewbot.models.base import PASSING
from reviewbot.models.batch import Answered, ChunkOutcome, Spent
from reviewbot.pipeline.job import Postponed

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from reviewbot.models.batch import BatchEvent, BatchResult, BatchTask, Emit, RunBatch

log = logging.getLogger(__name__)

LONGEST_PAUSE_S: Final = 300
_REQUEST: Final = re.compile(r" \(request [A-Za-z0-9_-]{1,100}\)\Z")


Around: TypeAlias = "Callable[[BatchTask], AbstractContextManager[Callable[[BatchEvent], object]]]"
"""Function that returns a context for a batch; its value is called with each event."""


def longest_pause(first_s: float) -> float:
    """Return the most seconds that a review waits for its next attempt."""
    return max(LONGEST_PAUSE_S, first_s)


def pause_after(waited_s: float, first_s: float) -> float:
    """Return the backoff of a review that has waited for ``waited_s`` in total; it doubles."""
    return min(longest_pause(first_s), max(first_s, waited_s))


class Checkpoints:
    """A ``RunBatch`` that saves results and usage of another, and postpones failed batches.

    Args:
        save_result: saves the result of a batch, before its end is published.
        save_spent: saves the usage of a request.
        may_wait: whether the review may still wait for its models.
        around: returns a context that receives the events of a batch.
    """

    def __init__(
        self,
        inner: RunBatch,
        *,
        save_result: Callable[[str, BatchResult], None],
        save_spent: Callable[[str, Spent], None],
        may_wait: bool,
        around: Around = lambda _task: nullcontext(lambda _event: None),
    ) -> None:
        self._inner, self._may_wait, self._around = inner, may_wait, around
        self._save_result, self._save_spent = save_result, save_spent

    async def __call__(self, task: BatchTask, emit: Emit) -> BatchResult:
        """Run a batch.

        Raises:
            Postponed: the batch has to wait for its models.
        """
        ends: list[ChunkOutcome | Answered] = []
        with self._around(task) as observe:

            async def pass_on(event: BatchEvent) -> None:
                observe(event)
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
        failed = [end for end in ends if isinstance(end, ChunkOutcome) and end.fault is not None]
        # A reason may quote the request, so the log has only its kind and the id of the request.
        for what in dict.fromkeys(f"{one.fault}{_request_of(one)}" for one in failed):
            log.warning("a batch failed: %s", what)
        for one in failed if self._may_wait else ():
            # What the offline rules took over does not wait for its model.
            if one.fault in PASSING and one.model != OFFLINE:
                raise Postponed(cause(one.fault))
        self._save_result(task.id, result)
        for end in ends:
            await emit(end)
        return result


def _request_of(failed: ChunkOutcome) -> str:
    """Return the id of the request that failed, if the service named one."""
    found = _REQUEST.search(failed.reason or "")
    return found[0] if found else ""
