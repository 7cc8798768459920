from __future__ import annotations

import pytest

from reviewbot.models.anthropic.dialect import Feature, features_of, refused_feature
from reviewbot.models.base import Fault, Stop
from reviewbot.models.catalog import lookup
from tests.fake_anthropic import Answer, FakeAnthropic, StatusError, finding
from tests.models.asking import ask, claude
from tests.virtual_time import in_virtual_time

REPORT = Answer(findings=[finding()])
EVERYTHING = frozenset(Feature)


@pytest.mark.parametrize(
    ("refuses", "dropped"),
    [
        ({"strict+eager"}, ("strict",)),
        ({"eager_input_streaming"}, ("eager_input_streaming",)),
        ({"strict"}, ("strict",)),
        ({"strict", "eager_input_streaming"}, ("eager_input_streaming", "strict")),
        ({"disable_parallel_tool_use"}, ("disable_parallel_tool_use",)),
        ({"tool_choice"}, ("disable_parallel_tool_use", "tool_choice")),
        ({"thinking"}, ("thinking",)),
        ({"display"}, ("thinking.display",)),
        ({"cache_control"}, ("cache_control",)),
        ({"output_config"}, ("output_config.effort",)),
        ({"effort"}, ("output_config.effort",)),
        (
            {"strict", "eager_input_streaming", "tool_choice", "thinking", "cache_control"}
            | {"output_config"},
            (
                "cache_control",
                "disable_parallel_tool_use",
                "eager_input_streaming",
                "output_config.effort",
                "strict",
                "thinking",
                "tool_choice",
            ),
        ),
    ],
)
@in_virtual_time
async def test_what_a_server_refuses_is_left_out_and_remembered(
    refuses: set[str], dropped: tuple[str, ...]
) -> None:
    async with (
        FakeAnthropic(lambda _: REPORT, refuses=sorted(refuses)) as fake,
        claude(fake, overrides={"effort": "high"}) as model,
    ):
        first = await ask(model)
        asked = len(fake.requests)
        second = await ask(model)
    assert first.fault is None
    assert second.fault is None
    assert first.stopped is not None
    assert first.stopped.stop is Stop.COMPLETE
    assert model.refused == dropped
    assert asked == len(dropped) + 1
    assert len(fake.requests) == asked + 1
    assert len(fake.rejected) == len(dropped)


@in_virtual_time
async def test_strict_goes_and_eager_stays_when_the_pair_is_refused() -> None:
    async with (
        FakeAnthropic(lambda _: REPORT, refuses={"strict+eager"}) as fake,
        claude(fake) as model,
    ):
        await ask(model)
    tool = fake.requests[-1].tool
    assert tool is not None
    assert tool["eager_input_streaming"] is True
    assert "strict" not in tool


@in_virtual_time
async def test_forcing_falls_back_to_auto() -> None:
    async with (
        FakeAnthropic(lambda _: REPORT) as fake,
        claude(fake, overrides={"forced_tools": True}) as model,
    ):
        seen = await ask(model)
    assert seen.fault is None
    assert [sent.forced for sent in fake.requests] == [True, False]
    assert fake.requests[1].tool_choice == {"type": "auto", "disable_parallel_tool_use": True}


@in_virtual_time
async def test_a_server_without_a_cache_gets_plain_strings() -> None:
    async with (
        FakeAnthropic(lambda _: REPORT, refuses={"cache_control"}) as fake,
        claude(fake) as model,
    ):
        await ask(model)
    assert isinstance(fake.requests[-1].body["system"], str)


@in_virtual_time
async def test_a_refused_second_form_is_tried_without_its_schema() -> None:
    async with FakeAnthropic(refuses={"format"}) as fake, claude(fake) as model:
        fake.enqueue(Answer(call=False), Answer(call=False, preamble=REPORT.text()))
        seen = await ask(model)
    assert seen.report == REPORT.text()
    assert model.refused == ("output_config.format",)


@in_virtual_time
async def test_requests_at_once_negotiate_together() -> None:
    import asyncio

    refuses = ["strict+eager", "eager_input_streaming", "thinking"]
    async with (
        FakeAnthropic(lambda _: REPORT, refuses=refuses) as fake,
        claude(fake, overrides={"cache_minimum": None}) as model,
    ):
        seen = await asyncio.gather(*(ask(model) for _ in range(8)))
        assert all(one.fault is None for one in seen)
        assert len(fake.requests) <= 8 * 4
        before = len(fake.requests)
        await ask(model)
        assert len(fake.requests) == before + 1


@in_virtual_time
async def test_a_400_that_never_ends_is_given_up_after_every_feature_once() -> None:
    stubborn = StatusError(400, " ".join(Feature) + " eager parallel tool_choice")
    async with FakeAnthropic(lambda _: stubborn) as fake, claude(fake) as model:
        seen = await ask(model)
    assert seen.fault is not None
    assert seen.fault.fault is Fault.REJECTED
    assert len(fake.requests) <= len(Feature) + 1


@in_virtual_time
async def test_a_400_about_something_else_is_not_negotiated() -> None:
    error = StatusError(400, "prompt is too long: 250000 tokens > 200000 maximum")
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(error)
        seen = await ask(model)
    assert seen.fault is not None
    assert model.refused == ()


@pytest.mark.parametrize(
    ("complaint", "feature"),
    [
        # As real servers said it.
        ('tool_choice: type "tool" and "any" are not supported for this model.', Feature.FORCED),
        ("tool_choice forces tool use is not compatible with this model", Feature.FORCED),
        ("Thinking may not be enabled when tool_choice forces tool use.", Feature.FORCED),
        ("tools.0.custom.eager_input_streaming: Extra inputs are not permitted", Feature.EAGER),
        ("tools.0.custom.strict: Extra inputs are not permitted", Feature.STRICT),
        ("Schema is too complex for compilation.", Feature.STRICT),
        ("The compiled grammar is too large.", Feature.STRICT),
        ("adaptive thinking is not supported on this model", Feature.THINKING),
        ("`temperature` is deprecated for this model.", Feature.SAMPLING),
        ("This model does not support the effort parameter.", Feature.EFFORT),
        ("output_config.format: Extra inputs are not permitted", Feature.FORMAT),
        ("system.0.cache_control: Extra inputs are not permitted", Feature.CACHE),
        ("messages: text content blocks must be non-empty", None),
        ("max_tokens: 200000 > 128000", None),
        ("x" * 10_000 + " thinking", None),
    ],
)
def test_a_complaint_names_the_part_that_was_refused(
    complaint: str, feature: Feature | None
) -> None:
    assert refused_feature(EVERYTHING, complaint) is feature


@pytest.mark.parametrize("feature", Feature)
def test_only_what_was_sent_can_have_been_refused(feature: Feature) -> None:
    assert refused_feature(frozenset(), f"{feature} eager strict tool_choice grammar") is None
    assert refused_feature({feature}, f"tool_choice {feature} parallel") is feature


def test_features_follow_the_catalogue() -> None:
    of_server = {Feature.FORCED, Feature.TOOL_CHOICE, Feature.SINGLE_CALL}
    assert features_of(lookup("somebody-elses")) == of_server
    assert features_of(lookup("claude-sonnet-5-5")) == EVERYTHING - {
        Feature.FORCED,
        Feature.EFFORT,
        Feature.SAMPLING,
    }
