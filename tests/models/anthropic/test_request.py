"""What is asked of Claude: the form of the request."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import aclosing
from dataclasses import replace

import pytest

from reviewbot.core.findings.report_tool import REPORT_TOOL
from reviewbot.core.prompt.request import render
from reviewbot.errors import ConfigError
from reviewbot.models.anthropic.claude import Claude
from reviewbot.models.base import Fault, ModelFault, Stop
from reviewbot.models.catalog import known_models, lookup
from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.fake_anthropic.replies import CHARS_PER_TOKEN
from tests.models.asking import MODEL, REPORT, SHOWN, ask, claude, request
from tests.virtual_time import in_virtual_time

ALL_NAMES = [name for name in known_models() if name != "offline"]


@pytest.mark.parametrize("name", ALL_NAMES)
@pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")
@in_virtual_time
async def test_every_model_is_asked_in_a_form_that_it_accepts(name: str) -> None:
    async with FakeAnthropic() as fake, claude(fake, name) as model:
        fake.enqueue(REPORT)
        seen = await ask(model, max_tokens=200_000)
    assert fake.rejected == []
    assert seen.stopped is not None
    assert seen.stopped.stop is Stop.COMPLETE
    assert json.loads(seen.report) == json.loads(REPORT.text(SHOWN))
    assert model.refused == ()


@in_virtual_time
async def test_the_request_is_the_prompt_with_two_breakpoints_and_the_report_tool() -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(REPORT)
        await ask(model)
    body, prompt = fake.requests[0].body, render(request())
    mark = {"cache_control": {"type": "ephemeral"}}
    assert body == {
        "model": MODEL,
        "max_tokens": 4000,
        "stream": True,
        "system": [{"type": "text", "text": prompt.system, **mark}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": prompt.shared, **mark},
                    {"type": "text", "text": prompt.body},
                ],
            }
        ],
        "tools": [{**REPORT_TOOL, "strict": True, "eager_input_streaming": True}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "thinking": {"type": "adaptive", "display": "summarized"},
    }


@in_virtual_time
async def test_the_shared_part_is_byte_identical_between_requests_and_instances() -> None:
    heads = set()
    async with FakeAnthropic(lambda _: REPORT) as fake:
        for path in ("a.py", "b.py"):
            async with claude(fake) as model:
                await ask(model, request(path))
                await ask(model, request(path))
        for sent in fake.requests:
            body = sent.raw.partition(b'"messages"')
            shared = sent.body["messages"][0]["content"][0]
            heads.add(json.dumps([sent.body["tools"], sent.body["system"], shared]))
            assert body[1]
    assert len(heads) == 1


@in_virtual_time
async def test_forced_where_the_model_takes_it_and_effort_where_configured() -> None:
    async with FakeAnthropic(lambda _: REPORT) as fake:
        async with claude(fake, "claude-haiku-5-5", overrides={"effort": "low"}) as model:
            await ask(model)
        async with claude(fake, "claude-haiku-4-5") as model:
            await ask(model)
    forced = {"type": "tool", "name": "report_findings", "disable_parallel_tool_use": True}
    assert [sent.tool_choice for sent in fake.requests] == [forced, forced]
    assert fake.requests[0].body["output_config"] == {"effort": "low"}
    assert "thinking" not in fake.requests[1].body


@in_virtual_time
async def test_a_budget_for_thinking_is_asked_for_only_where_nothing_is_forced() -> None:
    async with (
        FakeAnthropic(lambda _: REPORT) as fake,
        claude(fake, "claude-haiku-4-5", overrides={"forced_tools": False}) as model,
    ):
        await ask(model, max_tokens=10_000)
        await ask(model, max_tokens=2_000)
    assert fake.rejected == []
    assert fake.requests[0].body["thinking"] == {"type": "enabled", "budget_tokens": 5_000}
    assert "thinking" not in fake.requests[1].body


@in_virtual_time
async def test_an_unknown_server_is_asked_for_nothing_special() -> None:
    async with (
        FakeAnthropic(lambda _: REPORT, models={"qwen"}) as fake,
        claude(fake, "qwen") as model,
    ):
        seen = await ask(model)
    body, prompt = fake.requests[0].body, render(request(), profile="compact")
    assert seen.stopped is not None
    assert set(body) == {
        "model", "max_tokens", "stream", "system", "messages", "tools", "tool_choice"
    }  # fmt: skip
    assert body["system"] == prompt.system
    assert body["tools"] == [REPORT_TOOL]
    assert "cache_control" not in json.dumps(body)


@in_virtual_time
async def test_sampling_is_set_only_where_the_endpoint_is_said_to_take_it() -> None:
    def respond(_: object) -> Answer:
        return REPORT

    async with (
        FakeAnthropic(respond, models={"qwen"}) as fake,
        claude(fake, "qwen", overrides={"sampling": True}) as model,
    ):
        seen = await ask(model)
    assert fake.requests[0].body["temperature"] == 0
    assert "temperature" not in fake.requests[1].body  # the fake, like Anthropic, refuses it
    assert model.refused == ("temperature",)
    assert seen.stopped is not None


@in_virtual_time
async def test_the_configured_temperature_is_sent() -> None:
    overrides: dict[str, object] = {"sampling": True, "temperature": 0.5}
    async with (
        FakeAnthropic(models={"qwen"}, accepts={"sampling"}) as fake,
        claude(fake, "qwen", overrides=overrides) as model,
    ):
        fake.enqueue(REPORT)
        await ask(model)
    assert fake.requests[0].body["temperature"] == 0.5
    assert model.refused == ()


@in_virtual_time
async def test_the_server_counts_the_tokens_of_a_review_request() -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        counted = await model.count_tokens(request())
        fake.enqueue(REPORT)
        await ask(model)
    body = fake.counted[0].body
    assert counted == len(json.dumps(body)) // CHARS_PER_TOKEN
    assert body == {name: fake.requests[0].body[name] for name in body}
    assert {"system", "messages", "tools"} <= set(body)


@in_virtual_time
async def test_a_server_that_refuses_to_count_is_a_fault() -> None:
    async with FakeAnthropic(key="sk-ant-" + "other") as fake:
        model = Claude(lookup(MODEL), api_key="sk-ant-" + "wrong", base_url=fake.base_url)
        async with aclosing(model):
            with pytest.raises(ModelFault) as raised:
                await model.count_tokens(request())
    assert raised.value.fault is Fault.AUTH


@in_virtual_time
async def test_an_observer_sees_every_frame_of_an_answer() -> None:
    seen: list[str | None] = []
    async with FakeAnthropic() as fake:
        fake.enqueue(REPORT)
        model = Claude(
            lookup(MODEL),
            api_key=fake.key,
            base_url=fake.base_url,
            on_frame=lambda frame: seen.append(frame.event),
        )
        async with aclosing(model):
            await ask(model)
    assert seen[0] == "message_start"
    assert seen[-1] == "message_stop"
    assert seen.count("content_block_delta") > 1


@in_virtual_time
async def test_no_part_of_the_environment_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "sk-ant-" + "from-the-environment"
    for name in ("API_KEY", "AUTH_TOKEN"):
        monkeypatch.setenv(f"ANTHROPIC_{name}", secret)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", f"x-gateway: {secret}")
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(REPORT)
        await ask(model)
    assert secret not in str(fake.requests[0].headers)


def test_a_key_or_an_address_that_cannot_be_is_refused_without_showing_it() -> None:
    key = "sk-ant-" + "two\nlines"
    with pytest.raises(ConfigError, match="the API key has invalid characters") as caught:
        Claude(lookup(MODEL), api_key=key)
    assert key not in str(caught.value)
    for url in ("example.com", "ftp://example.com", "http://", "http://host:port", "file:///x"):
        with pytest.raises(ConfigError, match="base URL must be"):
            Claude(lookup(MODEL), api_key="k", base_url=url)


def test_importing_claude_does_not_import_the_sdk() -> None:
    code = "import sys, reviewbot.models.anthropic.claude; print('anthropic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@in_virtual_time
async def test_one_connection_serves_requests_in_turn_and_aclose_ends_it() -> None:
    async with FakeAnthropic(lambda _: REPORT) as fake:
        async with claude(fake) as model:
            for _ in range(3):
                await ask(model)
            assert {sent.connection for sent in fake.requests} == {1}
            assert fake.open_connections == 1
        await asyncio.sleep(0.1)
        assert fake.open_connections == 0
        seen = await ask(model)  # still usable
        assert seen.stopped is not None
        await model.aclose()


@in_virtual_time
async def test_a_server_that_closes_after_each_answer_is_fine() -> None:
    answer = Answer(findings=[finding()], close=True)
    async with FakeAnthropic(lambda _: answer) as fake, claude(fake) as model:
        for _ in range(3):
            seen = await ask(model)
            assert seen.fault is None
    assert {sent.connection for sent in fake.requests} == {1, 2, 3}


@in_virtual_time
async def test_a_shared_part_that_nobody_reads_again_has_no_breakpoint() -> None:
    async with FakeAnthropic(lambda _: REPORT) as fake, claude(fake) as model:
        for reads in (0.0, 1.0):
            await ask(model, replace(request(), shared_reads=reads))
    alone, together = (one.body for one in fake.requests)
    mark = {"cache_control": {"type": "ephemeral"}}
    assert alone["system"] == together["system"]
    assert "cache_control" in alone["system"][0]
    first, *rest = alone["messages"][0]["content"]
    assert together["messages"][0]["content"] == [first | mark, *rest]
    assert "cache_control" not in first
