from __future__ import annotations

import asyncio

import pytest

from reviewbot.models.anthropic.claude import ModelTimeouts
from reviewbot.models.base import ModelEvent, ToolInput
from tests.fake_anthropic import Answer, FakeAnthropic, Hang, Recorded, Script, StatusError, finding
from tests.models.asking import ask, claude, request
from tests.virtual_time import in_virtual_time

SLOW = Answer(findings=[finding()], delay=5, pace=1)
LIMITS = ModelTimeouts(follow_s=30)


def _written(fake: FakeAnthropic) -> int:
    return sum(sent.usage.get("cache_creation_input_tokens", 0) > 0 for sent in fake.requests)


@in_virtual_time
async def test_the_first_request_goes_ahead_and_the_others_read_its_prefix() -> None:
    async with FakeAnthropic(lambda _: SLOW) as fake, claude(fake) as model:
        started = asyncio.get_running_loop().time()
        seen = await asyncio.gather(*(ask(model, request(f"{n}.py")) for n in range(8)))
    assert all(one.fault is None for one in seen)
    assert [round(sent.at - started, 1) for sent in fake.requests] == [0.0] + [5.0] * 7
    assert _written(fake) == 1
    assert sum(sent.usage["cache_read_input_tokens"] > 0 for sent in fake.requests) == 7


@in_virtual_time
async def test_other_prefixes_do_not_wait() -> None:
    async with FakeAnthropic(lambda _: SLOW) as fake, claude(fake) as model:
        started = asyncio.get_running_loop().time()
        await asyncio.gather(*(ask(model, request(instructions=f"Rule {n}.")) for n in range(3)))
    assert {sent.at - started for sent in fake.requests} == {0.0}


@pytest.mark.parametrize("minimum", [None, 1_000_000])
@in_virtual_time
async def test_nobody_waits_for_a_prefix_that_is_not_cached(minimum: int | None) -> None:
    async with (
        FakeAnthropic(lambda _: SLOW) as fake,
        claude(fake, overrides={"cache_minimum": minimum}) as model,
    ):
        started = asyncio.get_running_loop().time()
        await asyncio.gather(*(ask(model) for _ in range(3)))
    assert {sent.at - started for sent in fake.requests} == {0.0}


@in_virtual_time
async def test_when_the_first_fails_the_next_goes_ahead() -> None:
    async with FakeAnthropic(lambda _: SLOW) as fake, claude(fake) as model:
        fake.enqueue(StatusError(529, delay=2))
        started = asyncio.get_running_loop().time()
        seen = await asyncio.gather(*(ask(model) for _ in range(4)))
    assert [one.fault is not None for one in seen] == [True, False, False, False]
    assert [sent.at - started for sent in fake.requests] == [0, 2, 7, 7]


@in_virtual_time
async def test_a_silent_first_request_does_not_hold_up_the_others_for_long() -> None:
    def respond(sent: Recorded) -> Answer | Script:
        return Script([Hang()]) if sent.request_id == "req_1" else Answer(findings=[finding()])

    async with FakeAnthropic(respond) as fake, claude(fake, timeouts=LIMITS) as model:
        started = asyncio.get_running_loop().time()
        silent = asyncio.create_task(ask(model))
        await asyncio.sleep(1)
        seen = await asyncio.gather(*(ask(model) for _ in range(3)))
        assert all(one.fault is None for one in seen)
        assert {round(sent.at - started) for sent in fake.requests[1:]} == {31}
        silent.cancel()


@in_virtual_time
async def test_a_cancelled_first_request_lets_the_next_go() -> None:
    async with FakeAnthropic(lambda _: SLOW) as fake, claude(fake) as model:
        first = asyncio.create_task(ask(model))
        await asyncio.sleep(1)
        second = asyncio.create_task(ask(model))
        await asyncio.sleep(1)
        first.cancel()
        assert (await second).fault is None
    assert fake.requests[0].ended == "client closed"


@in_virtual_time
async def test_a_cancelled_follower_does_not_disturb_the_first() -> None:
    async with FakeAnthropic(lambda _: SLOW) as fake, claude(fake) as model:
        first = asyncio.create_task(ask(model))
        await asyncio.sleep(1)
        follower = asyncio.create_task(ask(model))
        await asyncio.sleep(1)
        follower.cancel()
        assert (await first).fault is None
    assert len(fake.requests) == 1


@in_virtual_time
async def test_a_prefix_that_was_not_used_for_minutes_is_written_anew_by_one() -> None:
    async with FakeAnthropic(lambda _: SLOW) as fake, claude(fake) as model:
        await ask(model)
        started = asyncio.get_running_loop().time()
        await asyncio.gather(ask(model), ask(model))
        assert {sent.at - started for sent in fake.requests[1:]} == {0.0}
        await asyncio.sleep(400)
        started = asyncio.get_running_loop().time()
        await asyncio.gather(ask(model), ask(model))
        assert [sent.at - started for sent in fake.requests[3:]] == [0, 5]


@in_virtual_time
async def test_a_reader_that_stops_early_releases_the_others() -> None:
    async with FakeAnthropic(lambda _: SLOW) as fake, claude(fake) as model:
        events = model.stream(request(), max_tokens=4000)
        seen: list[ModelEvent] = []
        async for event in events:
            seen.append(event)
            if isinstance(event, ToolInput):
                break
        other = asyncio.create_task(ask(model))
        await asyncio.sleep(0.1)
        assert len(fake.requests) == 2
        await events.aclose()
        assert (await other).fault is None
