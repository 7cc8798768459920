"""Servers of local models: asked in a form that they take, and given the time that they need."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.findings.report_tool import REPORT_TOOL
from reviewbot.core.prompt.request import render
from reviewbot.models.anthropic.claude import ModelTimeouts
from reviewbot.models.base import Fault, Prefill, Stop
from tests.fake_anthropic import Answer, FakeAnthropic, Hang, Script, finding
from tests.fake_anthropic.local_servers import gateway, llama_server, ollama, reading_s
from tests.models.asking import Seen, ask, claude, request
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from tests.fake_anthropic.replies import Reply, Responder

LIMITS = ModelTimeouts()
FOUND = [finding()]
LARGE = request(instructions="x" * 4_000)


def whole(seen: Seen) -> bool:
    """Whether the answer is complete, with the finding."""
    assert seen.fault is None, seen.fault
    assert seen.stopped is not None
    return seen.stopped.stop is Stop.COMPLETE and len(json.loads(seen.report)["findings"]) == 1


@pytest.mark.parametrize("respond", [llama_server(FOUND), ollama(FOUND)], ids=["llama", "ollama"])
@in_virtual_time
async def test_an_unknown_model_is_asked_for_a_forced_call_and_for_nothing_that_is_ignored(
    respond: Responder,
) -> None:
    async with FakeAnthropic(respond, models={"qwen"}) as fake, claude(fake, "qwen") as model:
        assert whole(await ask(model))
    [sent] = fake.requests
    assert sent.tool_choice == {
        "type": "tool",
        "name": REPORT_TOOL["name"],
        "disable_parallel_tool_use": True,
    }
    assert sent.body["tools"] == [REPORT_TOOL]
    assert not {"cache_control", "strict", "output_config", "thinking"} & set(_keys(sent.body))


def _keys(value: object) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for inner in value.values() for key in _keys(inner))]
    return [key for inner in value for key in _keys(inner)] if isinstance(value, list) else []


@in_virtual_time
async def test_a_forced_call_makes_a_model_report_that_prefers_prose() -> None:
    respond = llama_server(FOUND, prose="The change looks fine to me.")
    async with FakeAnthropic(respond, models={"qwen"}) as fake:
        async with claude(fake, "qwen") as model:
            assert whole(await ask(model))
        async with claude(fake, "qwen", overrides={"forced_tools": False}) as model:
            seen = await ask(model)
    assert seen.stopped is not None
    assert (seen.stopped.stop, seen.stopped.answered) == (Stop.NO_REPORT, "prose")


@in_virtual_time
async def test_a_server_that_refuses_to_force_is_asked_without() -> None:
    async with (
        FakeAnthropic(llama_server(FOUND), models={"qwen"}, refuses={"forced"}) as fake,
        claude(fake, "qwen") as model,
    ):
        assert whole(await ask(model))
        assert whole(await ask(model))
    assert [sent.forced for sent in fake.requests] == [True, False, False]
    assert model.refused == ("forced tool_choice",)


@in_virtual_time
async def test_an_unknown_model_gets_the_compact_prompt_unless_the_settings_say_otherwise() -> None:
    async with FakeAnthropic(llama_server(FOUND), models={"qwen"}) as fake:
        for overrides in ({}, {"prompt": "full"}):
            async with claude(fake, "qwen", overrides=dict(overrides)) as model:
                await ask(model)
    compact, full = fake.requests
    assert compact.system == render(request(), profile="compact").system
    assert full.system == render(request(), profile="full").system
    assert len(compact.system) < len(full.system) / 2
    assert len(compact.raw) < len(full.raw) * 0.6


# Time to read


SLOW = 5.0
"""Tokens in a second, with which the requests of this module take 300 to 600 seconds."""


@pytest.mark.parametrize(
    "respond",
    [
        llama_server(FOUND, tokens_per_s=SLOW),
        ollama(FOUND, tokens_per_s=SLOW),
        gateway(FOUND, tokens_per_s=SLOW, ping_every=5),
        gateway(FOUND, tokens_per_s=SLOW, ping_every=None),
    ],
    ids=["llama-server", "Ollama", "pings", "silence after the start"],
)
@in_virtual_time
async def test_a_slow_server_has_the_time_to_read_that_the_catalogue_gives_it(
    respond: Responder,
) -> None:
    async with FakeAnthropic(respond, models={"qwen"}) as fake:
        slow = {"prefill_tokens_per_s": SLOW}
        async with claude(fake, "qwen", overrides=dict(slow), timeouts=LIMITS) as model:
            assert whole(await ask(model, LARGE))
        assert reading_s(fake.requests[0], SLOW) > LIMITS.first_content_s + 60
        fast = {"prefill_tokens_per_s": None}
        async with claude(fake, "qwen", overrides=dict(fast), timeouts=LIMITS) as model:
            seen = await ask(model, LARGE)
    assert "was silent for 300 seconds" in str(seen.fault)


@pytest.mark.parametrize("reply", [Answer(delay=10_000), Script([Hang()]), Script([Hang(5)])])
@in_virtual_time
async def test_the_time_to_read_is_bounded_by_the_size_of_the_request(reply: Reply) -> None:
    loop = asyncio.get_running_loop()
    async with (
        FakeAnthropic(lambda _: reply, models={"qwen"}) as fake,
        claude(fake, "qwen", timeouts=LIMITS) as model,
    ):
        started = loop.time()
        seen = await ask(model, LARGE)
        took = loop.time() - started
    [prefill] = [event for event in seen.events if isinstance(event, Prefill)]
    assert took == pytest.approx(LIMITS.first_content_s + prefill.tokens / 20, abs=1)
    assert seen.fault is not None
    assert seen.fault.fault is Fault.TRANSIENT
    assert f"was silent for {took:g} seconds; set a smaller batch_tokens" in str(seen.fault)


@pytest.mark.slow
@in_virtual_time
async def test_the_total_time_grows_with_the_time_to_read() -> None:
    answer = Answer(FOUND, delay=250, delta_size=1, pace=3)
    async with FakeAnthropic(lambda _: answer, models={"qwen"}) as fake:
        slow = {"prefill_tokens_per_s": 1}
        async with claude(fake, "qwen", overrides=dict(slow), timeouts=LIMITS) as model:
            assert whole(await ask(model, LARGE))
        fast = {"prefill_tokens_per_s": None}
        async with claude(fake, "qwen", overrides=dict(fast), timeouts=LIMITS) as model:
            seen = await ask(model, LARGE)
    assert "did not finish within 900 seconds" in str(seen.fault)


@in_virtual_time
async def test_the_tokens_to_read_are_those_of_the_plan_else_two_characters_a_token() -> None:
    async with FakeAnthropic(ollama(FOUND), models={"qwen"}) as fake, claude(fake, "qwen") as model:
        planned = await ask(model, replace(LARGE, tokens=12_000))
        unplanned = await ask(model, LARGE)
        words = [event async for event in model.answer_words("s" * 6, "u" * 4, max_tokens=100)]
    assert planned.events[0] == Prefill(12_000)
    prompt = render(LARGE, profile="compact")
    size = len(prompt.system + prompt.shared + prompt.body)
    assert unplanned.events[0] == Prefill(size // 2)
    assert words[0] == Prefill(5)


@in_virtual_time
async def test_a_fast_server_is_not_said_to_read() -> None:
    async with FakeAnthropic(lambda _: Answer(FOUND)) as fake, claude(fake) as model:
        seen = await ask(model)
    assert seen.count(Prefill) == 0


# One request at a time


@pytest.mark.parametrize(("parallel", "starts"), [(1, [0, 100, 200]), (2, [0, 0, 100])])
@in_virtual_time
async def test_requests_beyond_those_that_the_server_takes_wait_without_a_time_limit(
    parallel: int, starts: list[float]
) -> None:
    answer = Answer(FOUND, delay=100)
    impatient = ModelTimeouts(first_content_s=110, total_s=110)
    limits: dict[str, object] = {"parallel": parallel, "prefill_tokens_per_s": None}
    async with (
        FakeAnthropic(lambda _: answer, models={"qwen"}) as fake,
        claude(fake, "qwen", overrides=limits, timeouts=impatient) as model,
    ):
        answers = await asyncio.gather(*(ask(model) for _ in range(3)))
    assert all(whole(seen) for seen in answers)
    first = fake.requests[0].at
    assert [sent.at - first for sent in fake.requests] == pytest.approx(starts, abs=1)


@in_virtual_time
async def test_a_failed_request_lets_the_next_one_go() -> None:
    async with FakeAnthropic(models={"qwen"}) as fake, claude(fake, "qwen") as model:
        fake.enqueue(Answer(FOUND, cut_at=400), Answer(FOUND))
        failed, fine = await asyncio.gather(ask(model), ask(model))
    assert failed.fault is not None
    assert whole(fine)
