"""Answers that are late, silent or never end, and connections that are closed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from reviewbot.models.anthropic.claude import ModelTimeouts
from reviewbot.models.base import Fault, Thinking, ToolInput
from tests.fake_anthropic import (
    Answer,
    FakeAnthropic,
    Hang,
    Pause,
    Script,
    StatusError,
    Step,
    finding,
    frame,
)
from tests.models.asking import REPORT, Seen, ask, claude, request
from tests.virtual_time import in_virtual_time

LIMITS = ModelTimeouts(first_content_s=300, idle_s=60, total_s=900, connect_s=10, follow_s=30)


def _frames(answer: Answer, characters: int) -> bytes:
    """The first whole frames of its wire, within so many bytes."""
    wire = answer.wire()
    return wire[: wire.rindex(b"\n\n", 0, characters) + 2]


HALF = _frames(Answer(findings=[finding()]), 900)


async def _timed(fake: FakeAnthropic, reply: Answer | Script | StatusError) -> tuple[Seen, float]:
    loop = asyncio.get_running_loop()
    async with claude(fake, timeouts=LIMITS) as model:
        fake.enqueue(reply)
        started = loop.time()
        return await ask(model), loop.time() - started


@pytest.mark.parametrize("ping_every", [None, 7.0])
@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        (Answer(delay=10_000), 300),
        (Script([Hang()]), 300),
        (Script([_frames(Answer(), 350), Hang()]), 300),
        (Script([HALF, Hang()]), 60),
        (Answer(findings=[finding()], before=[Pause(299)]), None),
    ],
    ids=["no head", "no event", "no content", "half a report", "slow but in time"],
)
@in_virtual_time
async def test_silence_is_a_fault_and_pings_do_not_count_as_life(
    reply: Answer | Script, seconds: float | None, ping_every: float | None
) -> None:
    if ping_every and isinstance(reply, Script):
        steps = [Hang(ping_every) if isinstance(step, Hang) else step for step in reply.steps]
        reply = Script(steps)
    async with FakeAnthropic() as fake:
        seen, took = await _timed(fake, reply)
        await asyncio.sleep(0.1)
        if seconds is None:
            assert seen.fault is None
            return
        assert seen.fault is not None
        assert seen.fault.fault is Fault.TRANSIENT
        assert took == pytest.approx(seconds)
        assert fake.requests[0].ended == "client closed"


@in_virtual_time
async def test_pings_without_an_event_name_are_pings_all_the_same() -> None:
    ping = b'data: {"type": "ping"}\n\n'
    pings: list[Step] = [Pause(5), ping]
    async with FakeAnthropic() as fake:
        seen, took = await _timed(fake, Script([HALF, *pings * 100, Hang()]))
    assert seen.fault is not None
    assert took == pytest.approx(60)


@in_virtual_time
async def test_thinking_may_take_long_as_long_as_it_is_heard() -> None:
    thoughts: list[Step] = [
        frame("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "Hm. "}),
        Pause(250),
    ]
    async with FakeAnthropic() as fake:
        seen, took = await _timed(fake, Answer(findings=[finding()], before=thoughts * 3))
    assert seen.fault is None
    assert took == pytest.approx(750)
    assert seen.count(Thinking) >= 3


@in_virtual_time
async def test_an_answer_that_never_ends_is_given_up_at_the_total_deadline() -> None:
    async with FakeAnthropic() as fake:
        seen, took = await _timed(fake, Answer(findings=[finding()], delta_size=1, pace=50))
    assert seen.fault is not None
    assert seen.fault.fault is Fault.TRANSIENT
    assert "900 seconds" in str(seen.fault)
    assert took == pytest.approx(900)


@in_virtual_time
async def test_a_server_that_holds_the_report_back_is_given_the_longer_deadline() -> None:
    wire = Answer(findings=[finding()]).wire()
    slow = Script([HALF, Pause(200), wire[len(HALF) :]])
    async with (
        FakeAnthropic() as fake,
        claude(fake, overrides={"eager_input": False}, timeouts=LIMITS) as model,
    ):
        fake.enqueue(slow)
        assert (await ask(model)).fault is None


@in_virtual_time
async def test_a_slow_reader_of_the_answer_is_not_the_servers_fault() -> None:
    async with FakeAnthropic() as fake, claude(fake, timeouts=LIMITS) as model:
        fake.enqueue(Answer(findings=[finding()], delta_size=200, pace=1))
        events = []
        async for event in model.stream(request(), max_tokens=4000):
            events.append(event)
            await asyncio.sleep(2_000)
    assert Seen(events).stopped is not None


@in_virtual_time
async def test_a_refused_connection_is_transient_and_names_the_server() -> None:
    async with FakeAnthropic() as fake:
        pass
    async with claude(fake) as model:
        seen = await ask(model)
    assert seen.fault is not None
    assert seen.fault.fault is Fault.TRANSIENT
    assert f"127.0.0.1:{fake.port}" in str(seen.fault)


@in_virtual_time
async def test_closing_the_generator_closes_the_connection_at_once() -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Answer(findings=[finding()], pace=1), REPORT)
        async with aclosing(model.stream(request(), max_tokens=4000)) as events:
            async for event in events:
                if isinstance(event, ToolInput):
                    break
        await asyncio.sleep(0.01)
        assert fake.requests[0].ended == "client closed"
        assert (await ask(model)).fault is None


@pytest.mark.parametrize("reply", [Answer(delay=1000), Answer(findings=[finding()], pace=40)])
@in_virtual_time
async def test_cancelling_closes_the_connection_at_once(reply: Answer) -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(reply, REPORT)
        task = asyncio.create_task(ask(model))
        await asyncio.sleep(150)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.01)
        assert fake.requests[0].ended == "client closed"
        assert (await ask(model)).fault is None
