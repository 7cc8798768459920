"""Reviews that are stopped, slowed down or resumed after a crash."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.core.events.events import (
    ChunkFinished,
    ChunkStarted,
    Event,
    FindingRaised,
    FindingWithdrawn,
    ReviewStarted,
    ReviewSummary,
    Usage,
)
from reviewbot.models.attempts import Attempts
from reviewbot.models.base import Fault, ModelFault, Stop, ToolInput
from reviewbot.models.batch import BatchResult, BatchTask, Emit, Spent
from reviewbot.pipeline.job import PriorRun, StopSignal
from reviewbot.pipeline.review import QUEUE_SIZE, review
from tests.models.scripted import Say, Scripted, item
from tests.support.reviews import Checkpoints, Seen, by_path, job, numbered, run
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.models.base import Model, ModelEvent


@in_virtual_time
async def test_no_more_than_the_allowed_requests_run_at_once() -> None:
    model = Scripted(Say(wait_s=10))
    peak = 0
    files = "".join(numbered(f"f{number}.py") for number in range(9))
    async for _ in review(job(files, jobs=3), Attempts([model])):
        peak = max(peak, model.open)
    assert peak == 3
    assert len(model.requests) == 9


@in_virtual_time
async def test_stopping_ends_the_requests_and_still_tells_how_far_it_came() -> None:
    model = Scripted(*[by_path(a=Say([item(1)]), b=Say(wait_s=9999))] * 2)
    stop = StopSignal()
    seen = Seen()
    async for event in review(
        job(numbered("a.py") + numbered("b.py")), Attempts([model]), stop=stop
    ):
        seen.events.append(event)
        if isinstance(event, ChunkFinished):
            stop.stop("cancelled")
            stop.stop("superseded")
    assert model.open == 0
    assert seen.end.outcome == "cancelled"
    assert [(one.path, one.status) for one in seen.end.coverage] == [
        ("a.py", "reviewed"),
        ("b.py", "failed"),
    ]
    assert seen.end.usage == Usage(input=100, output=10)
    assert asyncio.get_running_loop().time() < 9999


@in_virtual_time
async def test_stopping_while_the_summary_is_written_ends_it_too() -> None:
    ended = False
    stop = StopSignal()

    async def summarize(task: Any, book: Callable[[Spent], None]) -> ReviewSummary:
        nonlocal ended
        del task
        stop.stop("cancelled")
        try:
            await asyncio.sleep(9999)
        finally:
            ended = True
            book(Spent("m", Usage(output=5), 0.1))
        return ReviewSummary("Never.")

    seen = await run(job(numbered("a.py")), Scripted(Say()), summarize=summarize, stop=stop)
    assert ended
    assert seen.end.outcome == "cancelled"
    assert seen.end.usage.output == 15
    assert [event.source for event in seen.of(ReviewSummary)] == ["computed"]


@in_virtual_time
async def test_closing_the_stream_ends_the_requests_at_once() -> None:
    model = Scripted(Say(wait_s=9999))
    events = review(job(numbered("a.py") + numbered("b.py")), Attempts([model]))
    async for event in events:
        if isinstance(event, ChunkStarted) and model.open == 2:
            break
        await asyncio.sleep(1)
    await events.aclose()
    assert model.open == 0
    assert asyncio.get_running_loop().time() < 9999


@in_virtual_time
async def test_cancelling_the_reader_ends_the_requests_at_once() -> None:
    model = Scripted(Say(wait_s=9999))
    reader = asyncio.create_task(run(job(numbered("a.py")), model))
    await asyncio.sleep(5)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert model.open == 0


@in_virtual_time
async def test_a_slow_reader_holds_the_models_back() -> None:
    written = 0

    class Counting(Scripted):
        async def stream(
            self, request: ModelRequest, *, max_tokens: int
        ) -> AsyncGenerator[ModelEvent, None]:
            nonlocal written
            async for event in super().stream(request, max_tokens=max_tokens):
                written += len(event.text) if isinstance(event, ToolInput) else 0
                yield event

    say = Say([item(line) for line in range(1, 400)])
    async with aclosing(review(job(numbered("a.py", 400)), Attempts([Counting(say)]))) as events:
        async for event in events:
            if isinstance(event, FindingRaised):
                break
        await asyncio.sleep(60)
        assert written < (QUEUE_SIZE + 10) * len(say.json) / 400


@in_virtual_time
async def test_an_error_of_our_own_is_not_swallowed() -> None:
    async def broken(task: BatchTask, emit: Emit) -> BatchResult:
        del task, emit
        raise LookupError("a bug")

    with pytest.raises(ExceptionGroup) as caught:
        await run(job(numbered("a.py")), run_batch=broken)
    assert caught.group_contains(LookupError, match="a bug")


def story() -> tuple[Model, Model]:
    """Two models: one that is cut, merges with itself, and refuses; and one that takes over."""
    cut = ModelFault("Cut.", fault=Fault.TRANSIENT)
    first = {
        "a.py": Say([item(1, severity="note"), item(1), item(2)]),
        "b.py": Say([item(1, path="b.py"), item(2, path="b.py")], stop=Stop.REFUSED),
        "c.py": Say([item(3, path="c.py")], fault=cut),
    }
    second = {
        "b.py": Say([item(2, path="b.py"), item(3, path="b.py")]),
        "c.py": Say(text="", fault=cut),
    }
    return (
        Scripted(*[lambda request: first[request.chunks[0].path]] * 2),
        Scripted(*[lambda request: second[request.chunks[0].path]] * 2, name="claude-haiku-5-5"),
    )


FILES = numbered("a.py") + numbered("b.py") + numbered("c.py")


async def crash_after(count: int) -> tuple[list[Event], Checkpoints]:
    """Run the story and drop it after ``count`` events."""
    engine = Checkpoints(Attempts(story()))
    events: list[Event] = []
    generator = review(job(FILES, jobs=1), engine)
    async with aclosing(generator):
        async for event in generator:
            events.append(event)
            if len(events) == count:
                break
    return events, engine


@pytest.mark.slow
@in_virtual_time
async def test_after_a_crash_at_any_event_nothing_is_lost_doubled_or_paid_twice() -> None:
    whole, _ = await crash_after(10_000)
    expected = Seen(whole)
    assert expected.of(FindingWithdrawn)
    for count in range(1, len(whole)):
        before, engine = await crash_after(count)
        seen = Seen(before)
        left = PriorRun(
            finished=dict(engine.results),
            shown=tuple({one.id: one for one in seen.findings if one.id in seen.standing}.values()),
            ended=frozenset(event.chunk for event in seen.of(ChunkFinished)),
        )
        again = Checkpoints(Attempts(story()))
        after = Seen([event async for event in review(job(FILES, jobs=1), again, earlier=left)])
        both = Seen([*before, *after.events])
        assert not set(again.paid) & set(left.finished)
        assert len(both.of(ReviewStarted)) == 1
        assert sorted(event.chunk for event in both.of(ChunkFinished)) == ["c1", "c2", "c3"]
        assert both.standing == expected.standing, count
        assert after.end.outcome == expected.end.outcome == "incomplete"
        assert after.end.coverage == expected.end.coverage
        assert after.end.findings == expected.end.findings
        # An open finding is never raised a second time.
        raised = [one.id for one in after.findings]
        assert not set(raised) & {one.id for one in left.shown} - {
            event.id for event in after.of(FindingWithdrawn)
        }
