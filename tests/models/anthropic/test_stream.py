"""What is read from the stream of an answer, and how it may end."""

from __future__ import annotations

import json

import pytest

from reviewbot.core.events.events import Usage
from reviewbot.models.base import Answering, Fault, InputRestarted, Stop, Thinking, ToolInput
from tests.fake_anthropic import (
    Answer,
    Cut,
    FakeAnthropic,
    Pause,
    Script,
    StreamError,
    finding,
    frame,
)
from tests.models.asking import SHOWN, ask, claude
from tests.support.cuts import cuts
from tests.virtual_time import in_virtual_time

# What is heard


@pytest.mark.parametrize("size", [1, 2, 7, 1000, None])
@in_virtual_time
async def test_the_report_arrives_whole_whatever_the_size_of_its_pieces(size: int | None) -> None:
    answer = Answer(findings=[finding(title="Größe ≠ 0 🐍")], delta_size=size, thinking="Hm.")
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(answer)
        seen = await ask(model)
    assert seen.report == answer.text(SHOWN)
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
    assert json.loads(seen.report) == json.loads(answer.text(SHOWN))


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
    assert texts == [answer.text(SHOWN)] * 3


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
        (
            Answer(findings=[finding()], truncate_at=100, block_stop=False),
            Stop.TRUNCATED,
            "truncated",
        ),
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
@pytest.mark.slow
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
