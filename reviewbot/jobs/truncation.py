"""A diff above the tokens that a request may take: its middle is left out, and said to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.models.batch import BatchResult, ChunkOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from reviewbot.core.plan.chunks import Batch, Plan
    from reviewbot.models.batch import BatchTask, Emit, RunBatch

REASON: Final = "Left out: the whole diff is above the tokens that one request may take."


def middle_to_leave_out(
    plan: Plan, *, room: int, cost: Callable[[Batch], int]
) -> tuple[str, ...] | None:
    """Return the batches in the middle of ``plan`` without which the rest fits.

    Args:
        plan: all of it.
        room: tokens that may be used.
        cost: tokens that a batch takes, answer included.

    Returns:
        Their ids, in order; None if not even one batch fits.
    """
    place = {chunk.id: chunk.file for chunk in plan.chunks}
    batches = sorted(plan.batches, key=lambda batch: place[batch.chunks[0]])
    costs = [cost(batch) for batch in batches]
    first, last = 0, len(costs)  # what is kept: up to first, and from last on
    from_the_start = True
    while first < last:
        at = first if from_the_start else last - 1
        if costs[at] > room:
            break
        room -= costs[at]
        if from_the_start:
            first += 1
        else:
            last -= 1
        from_the_start = not from_the_start
    if first == 0:
        return None
    return tuple(batch.id for batch in batches[first:last])


def leaving_out(batches: Collection[str], run_batch: RunBatch) -> RunBatch:
    """``run_batch``, but for ``batches``: their chunks have failed, and nobody is asked."""
    if not batches:
        return run_batch

    async def run(task: BatchTask, emit: Emit) -> BatchResult:
        if task.id not in batches:
            return await run_batch(task, emit)
        ends = tuple(
            ChunkOutcome(chunk.id, "failed", "none", 0, REASON) for chunk in task.request.chunks
        )
        for end in ends:
            await emit(end)
        return BatchResult((), ends, ())

    return run
