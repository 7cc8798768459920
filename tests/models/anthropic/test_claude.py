"""Answers without a report, answers in JSON, and the probe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.core.events.events import Usage
from reviewbot.core.findings.report_tool import REPORT_TOOL
from reviewbot.models.base import Answering, Fault, InputRestarted, ModelFault, Stop
from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.models.asking import REPORT, SHOWN, ask, claude
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from reviewbot.models.anthropic.claude import Claude

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
    assert json.loads(seen.report) == json.loads(REPORT.text(SHOWN))
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
    assert json.loads(seen.report) == json.loads(REPORT.text(SHOWN))


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


async def summarise(model: Claude, used: list[Usage]) -> dict[str, Any]:
    return await model.answer_json(
        "Summarise.", "The diff.", SCHEMA, max_tokens=500, used=used.append
    )


@in_virtual_time
async def test_a_json_answer_is_asked_for_by_its_schema() -> None:
    used: list[Usage] = []
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Answer(report='{"what": "Adds a rate."}', usage={"input_tokens": 9}))
        answer = await summarise(model, used)
    assert answer == {"what": "Adds a rate."}
    assert used[-1] == Usage(input=9, output=6)
    assert fake.requests[0].body["output_config"]["format"]["schema"] == SCHEMA
    assert fake.requests[0].text.startswith("The diff.")


@pytest.mark.parametrize(
    "text",
    [
        '{"what": "x"}',
        '```json\n{"what": "x"}\n```',
        'Here it is: {"what": "x"} Bye {',
        'I checked `f({})`. {"what": "x"}',
        'With `if (a) { b({"c": 1}) }` it fails. {"what": "x"} and `{}` is fine.',
    ],
)
@in_virtual_time
async def test_a_json_answer_is_found_in_text_where_nothing_enforces_it(text: str) -> None:
    async with FakeAnthropic(models={"qwen"}) as fake, claude(fake, "qwen") as model:
        fake.enqueue(Answer(call=False, preamble=text))
        answer = await summarise(model, [])
    assert answer == {"what": "x"}
    assert "with the keys `what`." in fake.requests[0].text


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Answer(report="no object"), Fault.UNUSABLE),
        (Answer(report='["what"]'), Fault.UNUSABLE),
        (Answer(report='{"what": '), Fault.UNUSABLE),
        (Answer(report="{" * 50 + '{"what": "x"}'), Fault.UNUSABLE),
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
    used: list[Usage] = []
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(answer)
        with pytest.raises(ModelFault) as caught:
            await summarise(model, used)
    assert caught.value.fault is fault
    assert used[-1].input > 0


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
