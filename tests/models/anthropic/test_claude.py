from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import aclosing

import pytest

from reviewbot.core.events.events import Usage
from reviewbot.core.findings.report_tool import REPORT_TOOL
from reviewbot.core.prompt.request import render
from reviewbot.errors import ConfigError
from reviewbot.models.anthropic.claude import Claude, ModelTimeouts
from reviewbot.models.base import (
    Answering,
    Fault,
    InputRestarted,
    ModelFault,
    Stop,
    Thinking,
    ToolInput,
)
from reviewbot.models.catalog import known_models, lookup
from tests.fake_anthropic import (
    Answer,
    Cut,
    FakeAnthropic,
    Hang,
    Pause,
    Script,
    StatusError,
    Step,
    StreamError,
    finding,
    frame,
)
from tests.models.asking import MODEL, Seen, ask, claude, request
from tests.support.cuts import cuts
from tests.virtual_time import in_virtual_time

READ = "cache_read_input_tokens"
REPORT = Answer(findings=[finding(title="Größe ≠ 0"), finding(line=7, end_line=9)])
ALL_NAMES = [name for name in known_models() if name != "offline"]


# What is asked


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
    assert json.loads(seen.report) == json.loads(REPORT.text())
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
    body, prompt = fake.requests[0].body, render(request())
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
    with pytest.raises(ConfigError, match="characters that no key has") as caught:
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


# What is heard


@pytest.mark.parametrize("size", [1, 2, 7, 1000, None])
@in_virtual_time
async def test_the_report_arrives_whole_whatever_the_size_of_its_pieces(size: int | None) -> None:
    answer = Answer(findings=[finding(title="Größe ≠ 0 🐍")], delta_size=size, thinking="Hm.")
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(answer)
        seen = await ask(model)
    assert seen.report == answer.text()
    assert seen.count(InputRestarted) == 0
    assert isinstance(seen.events[0], Answering)
    assert seen.count(Answering) == 1
    assert "".join(e.text for e in seen.events if isinstance(e, Thinking)) == "Hm."


@pytest.mark.parametrize(
    "answer",
    [
        Answer(findings=[finding()], omit_input=True),
        Answer(findings=[finding()], input_in_start=True),
        Answer(findings=[finding()], block_stop=False),
        Answer(findings=[finding()], input_in_start=True, block_stop=False),
        Answer(findings=[finding()], preamble="I will look at each hunk."),
        Answer(findings=[finding()], thinking="First, the loop."),
        Answer(findings=[finding()], thinking=""),
        Answer(findings=[finding()], usage={}),
        Answer(findings=[finding()], usage_at_end=True),
        Answer(findings=[finding()], stop_reason="end_turn"),
        Answer(findings=[finding()], stop_reason="stop_sequence"),
        Answer(findings=[finding()], delta_size=None, omit_input=True, close=True),
        Answer(findings=[finding()], before=[frame("ping"), Pause(200, ping_every=10)]),
        Answer(findings=[finding()], before=[frame("message_note", note="new"), b": comment\n\n"]),
        Answer(
            findings=[finding()], before=[b"data: [DONE]\n\n", b"event: odd\n\n", b"retry: 1\n\n"]
        ),
    ],
)
@in_virtual_time
async def test_a_report_is_read_from_whatever_form_a_server_gives_it(answer: Answer) -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(answer)
        seen = await ask(model)
    assert seen.fault is None
    assert seen.stopped is not None
    assert seen.stopped.stop is Stop.COMPLETE
    assert json.loads(seen.report) == json.loads(answer.text())


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("block_stop", [False, True])
@in_virtual_time
async def test_several_report_blocks_are_told_apart(*, overlap: bool, block_stop: bool) -> None:
    answer = Answer(findings=[finding()], blocks=3, overlap=overlap, block_stop=block_stop)
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(answer)
        seen = await ask(model)
    texts = [""]
    for event in seen.events:
        if isinstance(event, InputRestarted):
            texts.append("")
        elif isinstance(event, ToolInput):
            texts[-1] += event.text
    assert texts == [answer.text()] * 3


@in_virtual_time
async def test_frames_without_an_event_name_and_blocks_without_numbers_are_read() -> None:
    wire = Answer(findings=[finding()]).wire().decode()
    plain = "".join(line + "\n" for line in wire.split("\n") if not line.startswith("event:"))
    plain = plain.replace('"index":0,', "")
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Script([plain.encode()]))
        seen = await ask(model)
    assert json.loads(seen.report) == json.loads(Answer(findings=[finding()]).text())
    assert seen.stopped is not None


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        (Answer(usage={"input_tokens": 5, "output_tokens": 2}, report="x" * 40), Usage(5, 10)),
        (Answer(usage={"input_tokens": 5}, report="x" * 40, usage_at_end=True), Usage(5, 10)),
        (Answer(usage={}), Usage()),
        (
            Answer(usage={"input_tokens": None, "cache_read_input_tokens": 7}, report=""),
            Usage(0, 1, 7),
        ),
        (
            Answer(usage={"input_tokens": -5, "cache_read_input_tokens": "9"}, report=""),
            Usage(0, 1),
        ),
        (Answer(usage={"input_tokens": 10**30, "x": 1}, report=""), Usage(0, 1)),
    ],
)
@in_virtual_time
async def test_usage_is_what_the_server_said_last(answer: Answer, usage: Usage) -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(answer)
        seen = await ask(model)
    assert seen.usage == usage


@in_virtual_time
async def test_usage_known_before_a_failure_was_reported() -> None:
    usage = {"input_tokens": 50, "cache_read_input_tokens": 900}
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Answer(findings=[finding()], usage=usage, error=StreamError()))
        seen = await ask(model)
    assert seen.fault is not None
    assert (seen.usage.input, seen.usage.cache_read) == (50, 900)


# How it ends


@pytest.mark.parametrize(
    ("answer", "stop", "detail"),
    [
        (Answer(findings=[finding()], truncate_at=100), Stop.TRUNCATED, "max_tokens"),
        (Answer(findings=[finding()], truncate_at=100, block_stop=False), Stop.TRUNCATED, "cut"),
        (Answer(call=False, stop_reason="max_tokens"), Stop.TRUNCATED, "max_tokens"),
        (
            Answer(findings=[finding()], stop_reason="model_context_window_exceeded"),
            Stop.TRUNCATED,
            "model_context_window_exceeded",
        ),
        (Answer(call=False, stop_reason="refusal"), Stop.REFUSED, "the model declined to answer"),
        (
            Answer(
                findings=[finding()],
                stop_reason="refusal",
                stop_details={"type": "refusal", "category": "cyber", "explanation": "No\x1b[2J."},
            ),
            Stop.REFUSED,
            "the model declined to answer (cyber): No [2J.",
        ),
    ],
)
@in_virtual_time
async def test_an_end_that_is_no_success_is_told_as_it_is(
    answer: Answer, stop: Stop, detail: str
) -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(answer)
        seen = await ask(model)
    assert seen.stopped is not None
    assert seen.stopped.stop is stop
    assert detail in seen.stopped.detail
    assert len(fake.requests) == 1


@in_virtual_time
async def test_the_requests_own_max_tokens_truncates() -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Answer(findings=[finding()] * 5))
        seen = await ask(model, max_tokens=100)
    assert seen.stopped is not None
    assert seen.stopped.stop is Stop.TRUNCATED
    assert 0 < len(seen.report) <= 400


@pytest.mark.parametrize("reason", ["", "pause_turn", "compaction", "Bad\nreason" * 100])
@in_virtual_time
async def test_an_unknown_stop_reason_is_a_fault_and_never_complete(reason: str) -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Answer(findings=[finding()], stop_reason=reason))
        seen = await ask(model)
    assert seen.stopped is None
    assert seen.fault is not None
    assert seen.fault.fault is Fault.UNUSABLE
    assert len(str(seen.fault)) < 400
    assert "\n" not in str(seen.fault)


@in_virtual_time
async def test_an_end_without_message_stop_is_a_cut_and_never_complete() -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Answer(findings=[finding()], message_stop=False))
        seen = await ask(model)
    assert seen.stopped is None
    assert seen.fault is not None
    assert seen.fault.fault is Fault.TRANSIENT
    assert json.loads(seen.report)  # what had arrived stays


@pytest.mark.parametrize(
    "how",
    [
        "close",
        pytest.param("reset", marks=pytest.mark.slow),
        pytest.param("eof", marks=pytest.mark.slow),
    ],
)
@in_virtual_time
async def test_a_stream_cut_at_any_byte_ends_as_a_fault_or_whole(how: str) -> None:
    answer = Answer(report='{"findings":[{"t":"≠"}],"outcome":"complete"}', delta_size=30)
    wire = answer.wire()
    end = wire.rindex(b"event: message_stop")
    async with FakeAnthropic() as fake, claude(fake) as model:
        for at in cuts(wire):
            cut = Cut(how)  # type: ignore[arg-type]  # parametrised by its literals
            fake.enqueue(Script([wire[:at], cut]))
            seen = await ask(model)
            whole = at == len(wire)
            assert (seen.stopped is not None) == whole, at
            assert (seen.fault is None) == whole, at
            assert answer.text().startswith(seen.report), at
            if seen.fault:
                assert seen.fault.fault in (Fault.TRANSIENT, Fault.UNUSABLE), at
            if at >= end:
                assert seen.report == answer.text()


# When nothing comes


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


# Without a report


@in_virtual_time
async def test_an_answer_without_a_call_is_asked_for_once_more_as_json_text() -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Answer(call=False, preamble="All good."), REPORT)
        seen = await ask(model)
    first, second = fake.requests
    assert fake.rejected == []
    assert not first.structured
    assert second.structured
    assert second.body["output_config"]["format"]["schema"] == REPORT_TOOL["input_schema"]
    assert "tools" not in second.body
    assert "tool_choice" not in second.body
    assert json.loads(seen.report) == json.loads(REPORT.text())
    assert seen.stopped is not None
    assert seen.stopped.stop is Stop.COMPLETE
    assert seen.count(Answering) == 1
    assert seen.count(InputRestarted) == 0
    assert seen.usage.input == sum(sent.usage["input_tokens"] for sent in fake.requests)


@in_virtual_time
async def test_another_tool_is_no_report() -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Answer(findings=[finding()], tool="read_file"), REPORT)
        seen = await ask(model)
    assert len(fake.requests) == 2
    assert json.loads(seen.report) == json.loads(REPORT.text())


@in_virtual_time
async def test_the_second_request_may_fail_and_what_both_cost_is_known() -> None:
    usage = {"input_tokens": 100}
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(
            Answer(call=False, preamble="x" * 40, usage=usage),
            Answer(findings=[finding()], usage=usage, cut_at=800),
        )
        seen = await ask(model)
    assert seen.fault is not None
    assert seen.usage == Usage(input=200, output=11)


@pytest.mark.parametrize("second", [Answer(call=False), Answer(report="")])
@in_virtual_time
async def test_still_no_report_is_said_and_never_clean(second: Answer) -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Answer(call=False), second)
        seen = await ask(model)
    assert seen.stopped is not None
    assert seen.stopped.stop is Stop.NO_REPORT
    assert seen.report == ""


@in_virtual_time
async def test_a_server_without_structured_output_is_not_asked_twice() -> None:
    async with FakeAnthropic(models={"qwen"}) as fake, claude(fake, "qwen") as model:
        fake.enqueue(Answer(call=False))
        seen = await ask(model)
    assert seen.stopped is not None
    assert seen.stopped.stop is Stop.NO_REPORT


@in_virtual_time
async def test_a_call_and_a_refused_second_form_leave_no_half_truth() -> None:
    """A truncated JSON text of the second form is truncated, not complete."""
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Answer(call=False), Answer(findings=[finding()], truncate_at=50))
        seen = await ask(model)
    assert seen.stopped is not None
    assert seen.stopped.stop is Stop.TRUNCATED


# JSON answers and the probe

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["what"],
    "properties": {"what": {"type": "string"}},
}


@in_virtual_time
async def test_a_json_answer_is_asked_for_by_its_schema() -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Answer(report='{"what": "Adds a rate."}', usage={"input_tokens": 9}))
        answer = await model.answer_json("Summarise.", "The diff.", SCHEMA, max_tokens=500)
    assert answer.value == {"what": "Adds a rate."}
    assert answer.usage == Usage(input=9, output=6)
    assert fake.requests[0].body["output_config"]["format"]["schema"] == SCHEMA
    assert fake.requests[0].text.startswith("The diff.")


@pytest.mark.parametrize(
    "text", ['{"what": "x"}', '```json\n{"what": "x"}\n```', 'Here it is: {"what": "x"} Bye {']
)
@in_virtual_time
async def test_a_json_answer_is_found_in_text_where_nothing_enforces_it(text: str) -> None:
    async with FakeAnthropic(models={"qwen"}) as fake, claude(fake, "qwen") as model:
        fake.enqueue(Answer(call=False, preamble=text))
        answer = await model.answer_json("Summarise.", "The diff.", SCHEMA, max_tokens=500)
    assert answer.value == {"what": "x"}
    assert '"what"' in fake.requests[0].text


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Answer(report="no object"), Fault.UNUSABLE),
        (Answer(report='["what"]'), Fault.UNUSABLE),
        (Answer(report='{"what": '), Fault.UNUSABLE),
        (Answer(report='{"a":' * 100_000, max_tokens=False, delta_size=None), Fault.UNUSABLE),
        (Answer(report='{"what": "x"}', truncate_at=5), Fault.UNUSABLE),
        (Answer(report='{"what": "x"}', stop_reason="refusal"), Fault.REFUSED),
        (Answer(report='{"what": "x"}', message_stop=False), Fault.TRANSIENT),
        (Answer(report=""), Fault.UNUSABLE),
    ],
)
@in_virtual_time
async def test_a_json_answer_that_is_none_is_a_fault_with_its_cost(
    answer: Answer, fault: Fault
) -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(answer)
        with pytest.raises(ModelFault) as caught:
            await model.answer_json("Summarise.", "The diff.", SCHEMA, max_tokens=500)
    assert caught.value.fault is fault
    assert caught.value.usage is not None
    assert caught.value.usage.input > 0


@in_virtual_time
async def test_a_probe_tells_what_a_review_would_meet() -> None:
    async with FakeAnthropic(refuses={"eager_input_streaming"}) as fake, claude(fake) as model:
        fake.enqueue(Answer())
        probe = await model.probe()
    assert probe.stop is Stop.COMPLETE
    assert probe.refused == ("eager_input_streaming",)
    assert probe.usage.input > 0
    assert fake.requests[0].max_tokens <= 2000


@in_virtual_time
async def test_a_probe_with_a_wrong_key_says_so() -> None:
    async with FakeAnthropic() as fake, claude(fake, key="wrong") as model:
        with pytest.raises(ModelFault, match="check the API key") as caught:
            await model.probe()
    assert caught.value.fault is Fault.AUTH
