"""Leave out the middle of a diff that needs too many tokens for one request."""

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

    ``room`` is the number of tokens that may be used. ``cost`` returns the tokens of a batch, its
    response included.

    Returns:
        The ids of the batches to leave out, in order; None if not even one batch fits.
    """
    place = {chunk.id: chunk.file for chunk in plan.chunks}
    batches = sorted(plan.batches, key=lambda batch: place[batch.chunks[0]])
    costs = [cost(batch) for batch in batches]
    first, last = 0, len(costs)  # batches before first and from last on are kept
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
    """Return ``run_batch``, except that ``batches`` fail without a model request."""
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
