"""A review in which the model looks code up over several turns, against the fake API."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.config.settings import load_settings
from reviewbot.core.events.events import ReviewProgress, ReviewStarted, Usage
from reviewbot.core.prompt.lookup_tools import LookupResult
from reviewbot.models.anthropic.claude import Claude, ModelTimeouts
from reviewbot.models.attempts import AttemptPolicy, Attempts
from reviewbot.models.budget import Budget
from reviewbot.models.catalog import cost_usd, lookup
from reviewbot.models.dialogue import LEFT, ONLY_REPORT
from reviewbot.models.exchange import MAX_TURNS, TurnCheckpoints
from reviewbot.pipeline.lookups import CountedLookups, review_lookups
from reviewbot.pipeline.prepare import prepare
from tests.fake_anthropic import Answer, FakeAnthropic, Recorded, Reply, StatusError
from tests.models.scripted import item
from tests.support.reviews import Seen, job, numbered, run
from tests.support.scripted_code import FakeCode
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from reviewbot.core.prompt.lookup_tools import LookupCall
    from reviewbot.models.batch import BatchResult

READ = ("read_code", {"path": "settings.py", "first": 1, "last": 2})
SEARCH = ("search_code", {"text": "line_1"})
MISSING = ("read_code", {"path": "../etc/passwd", "first": 1, "last": 2})


def looks(*calls: tuple[str, dict[str, Any]], thinking: str | None = None) -> Answer:
    """A turn that only looks code up."""
    return Answer(call=False, lookups=calls, thinking=thinking)


class Review:
    """One review of a.py with look-ups, and what its server got."""

    def __init__(self, *, limit: int = 24, model: str = "claude-sonnet-5-5") -> None:
        self.limit, self.model = limit, model
        self.fallbacks: tuple[str, ...] = ()
        self.code = FakeCode()
        self.requests: list[Recorded] = []
        self.stored: dict[str, BatchResult] = {}
        self.budget_usd: float | None = None
        self.lines = 3
        self.policy = AttemptPolicy()

    async def save(self, name: str, turn: BatchResult) -> None:
        self.stored[name] = turn

    async def of(
        self,
        *replies: Reply,
        respond: Callable[[Recorded], Reply] | None = None,
        refuses: tuple[str, ...] = (),
        paths: tuple[str, ...] = ("a.py",),
        apart: bool = True,
    ) -> Seen:
        async with FakeAnthropic(respond, refuses=refuses) as fake:
            fake.enqueue(*replies)
            self.requests = fake.requests
            clients = [
                Claude(
                    lookup(name), api_key=fake.key, base_url=fake.base_url, timeouts=ModelTimeouts()
                )
                for name in (self.model, *self.fallbacks)
            ]
            budget = Budget(self.budget_usd, lambda *_: 2_000) if self.budget_usd else None
            attempts = Attempts(
                clients,
                self.policy,
                budget=budget,
                lookups=CountedLookups(self.code.look_up, self.limit),
                checkpoints=TurnCheckpoints(dict(self.stored), self.save),
            )
            diff = "".join(numbered(path, self.lines) for path in paths)
            async with AsyncExitStack() as stack:
                for client in clients:
                    await stack.enter_async_context(aclosing(client))
                seen = await run(
                    job(diff, apart=apart, lookups=self.limit),
                    run_batch=attempts,
                    check_quotes=self.code.check_quotes,
                )
            if budget:
                assert budget.spent_usd <= budget.limit_usd
                assert budget._reserved == pytest.approx(0)
            return seen


def lines(seen: Seen) -> list[int]:
    return [finding.line for finding in seen.findings]


def without_marks(value: Any) -> Any:
    """JSON values without cache breakpoints, which may move."""
    if isinstance(value, dict):
        return {key: without_marks(one) for key, one in value.items() if key != "cache_control"}
    return [without_marks(one) for one in value] if isinstance(value, list) else value


def marks(request: Recorded) -> int:
    return request.raw.count(b'"cache_control"')


@in_virtual_time
async def test_a_model_looks_code_up_reports_and_goes_on_until_it_is_complete() -> None:
    review = Review()
    seen = await review.of(
        looks(READ),
        Answer([item(1)], outcome="continuing"),
        looks(SEARCH),
        Answer([item(2)]),
    )
    assert seen.end.outcome == "findings"
    assert lines(seen) == [1, 2]
    assert len(review.requests) == 4
    [result] = review.requests[1].results
    assert "RATE = None" in result["content"]
    assert seen.end.lookups is not None
    assert seen.end.lookups.count == 2
    assert seen.end.lookups.activities == ("reading settings.py 1-2", "searching line_1")


@in_virtual_time
async def test_a_conversation_is_only_appended_to_and_its_frame_never_changes() -> None:
    review = Review()
    await review.of(
        looks(READ, SEARCH, thinking="Who sets it?"),
        Answer([item(1)], outcome="continuing", thinking="", lookups=[READ]),
        Answer([item(2)]),
    )
    bodies = [without_marks(request.body) for request in review.requests]
    for before, after in pairwise(bodies):
        assert after["messages"][: len(before["messages"])] == before["messages"]
        for name in ("tools", "tool_choice", "system", "thinking", "output_config"):
            assert after.get(name) == before.get(name)
    assert bodies[0]["tool_choice"] == {"type": "auto"}
    names = [tool["name"] for tool in bodies[0]["tools"]]
    assert names == ["report_findings", "read_code", "search_code"]
    thinking = {"type": "thinking", "thinking": "Who sets it?", "signature": "c2ln"}
    assert bodies[1]["messages"][1]["content"][0] == thinking
    assert bodies[2]["messages"][3]["content"][0] == {**thinking, "thinking": ""}


@in_virtual_time
async def test_all_calls_of_a_turn_are_answered_together_and_in_order() -> None:
    review = Review()
    await review.of(
        Answer([item(1)], outcome="continuing", lookups=[READ, MISSING, SEARCH]), Answer()
    )
    message = review.requests[1].body["messages"][-1]
    assert [block["type"] for block in message["content"]] == ["tool_result"] * 4 + ["text"]
    called = [block["id"] for block in review.requests[1].body["messages"][1]["content"]]
    results = message["content"][:-1]
    assert [block["tool_use_id"] for block in results] == called
    assert [bool(block.get("is_error")) for block in results] == [
        False,
        False,
        True,
        False,
    ]


@in_virtual_time
async def test_a_turn_pays_only_for_what_is_new() -> None:
    review = Review()
    many = [looks(*[READ] * 3) for _ in range(6)]
    await review.of(*many, Answer())
    for before, after in pairwise(review.requests):
        paid = before.usage["cache_read_input_tokens"] + before.usage["cache_creation_input_tokens"]
        assert after.usage["cache_read_input_tokens"] == paid


@in_virtual_time
async def test_complete_beside_open_look_ups_does_not_end_the_review() -> None:
    review = Review()
    seen = await review.of(Answer([item(1)], lookups=[READ]), Answer([item(2)]))
    assert lines(seen) == [1, 2]
    assert seen.end.outcome == "findings"


@pytest.mark.parametrize("outcome", [None, "continuing"])
@in_virtual_time
async def test_a_review_whose_last_report_is_not_complete_is_incomplete(
    outcome: str | None,
) -> None:
    review = Review()
    seen = await review.of(respond=lambda _: Answer([item(1)], outcome=outcome))
    assert seen.end.outcome == "incomplete"
    assert lines(seen) == [1]
    assert len(review.requests) == MAX_TURNS


@in_virtual_time
async def test_findings_shown_stay_when_a_later_turn_fails() -> None:
    review = Review()
    seen = await review.of(
        Answer([item(1)], outcome="continuing", lookups=[READ]),
        respond=lambda _: StatusError(403, "no"),
    )
    assert lines(seen) == [1]
    assert len(seen.standing) == 1
    assert seen.end.outcome == "incomplete"


@in_virtual_time
async def test_a_finding_reported_in_two_turns_is_shown_once() -> None:
    review = Review()
    seen = await review.of(
        Answer([item(1), item(3)], outcome="continuing", lookups=[READ]),
        Answer([item(1)], outcome="continuing"),
        Answer([item(1), item(3)]),
    )
    assert lines(seen) == [1, 3]
    assert len(seen.standing) == 2


@in_virtual_time
async def test_the_last_results_before_the_limit_tell_the_model_to_report() -> None:
    review = Review(limit=2)
    seen = await review.of(looks(READ), looks(READ, READ), looks(SEARCH), Answer([item(1)]))
    assert len(review.code.calls) == 2
    message = review.requests[2].body["messages"][-1]["content"]
    assert [bool(block.get("is_error")) for block in message[:2]] == [False, True]
    assert message[2] == {"type": "text", "text": ONLY_REPORT, **marked(message[2])}
    refused, note = review.requests[3].body["messages"][-1]["content"]
    assert refused["is_error"]
    assert note["text"] == ONLY_REPORT
    assert lines(seen) == [1]
    assert seen.end.lookups is not None
    assert seen.end.lookups.count == 2


def marked(block: dict[str, Any]) -> dict[str, Any]:
    return {key: block[key] for key in block if key == "cache_control"}


@in_virtual_time
async def test_refused_look_ups_count() -> None:
    review = Review(limit=3)
    await review.of(looks(MISSING, MISSING, MISSING, READ), Answer())
    assert len(review.code.calls) == 3
    assert review.requests[1].body["messages"][-1]["content"][-1]["text"] == ONLY_REPORT


@in_virtual_time
async def test_all_conversations_of_a_review_share_the_limit() -> None:
    review = Review(limit=3)
    seen = await review.of(
        respond=lambda request: (
            Answer() if len(request.body["messages"]) > 1 else looks(READ, READ)
        ),
        paths=("a.py", "b.py", "c.py"),
    )
    assert len(review.code.calls) == 3
    assert seen.end.outcome == "clean"
    assert max(map(marks, review.requests)) == 4


@in_virtual_time
async def test_the_turn_before_the_last_tells_the_model_to_report() -> None:
    review = Review()
    seen = await review.of(*[looks(READ)] * (MAX_TURNS - 1), Answer([item(1)]))
    notes = [
        [block["text"] for block in request.body["messages"][-1]["content"] if "text" in block]
        for request in review.requests[1:]
    ]
    left = [[LEFT.format(24 - turn)] for turn in range(1, MAX_TURNS - 1)]
    assert notes == [*left, [ONLY_REPORT]]
    assert lines(seen) == [1]


@in_virtual_time
async def test_a_turn_without_a_call_is_asked_once_to_report() -> None:
    review = Review()
    seen = await review.of(
        looks(READ), Answer(call=False, preamble="It is fine."), Answer([item(1)])
    )
    assert review.requests[2].body["messages"][-1]["content"][0]["text"] == ONLY_REPORT
    assert seen.end.outcome == "findings"


@in_virtual_time
async def test_a_truncated_turn_begins_a_new_conversation() -> None:
    review = Review()
    seen = await review.of(
        Answer([item(1)], outcome="continuing", lookups=[READ]),
        Answer([item(2), item(3)], truncate_at=420),
        Answer([item(3)]),
    )
    assert lines(seen) == [1, 2, 3]
    last = review.requests[2]
    assert len(last.body["messages"]) == 1
    assert "already_reported" in last.text


@in_virtual_time
async def test_a_retry_begins_a_new_conversation() -> None:
    review = Review()
    seen = await review.of(looks(READ), StatusError(529), Answer([item(1)]))
    assert len(review.requests[2].body["messages"]) == 1
    assert lines(seen) == [1]


@pytest.mark.parametrize("refuses", [("tools",), ("tools", "strict", "thinking")])
@in_virtual_time
async def test_a_server_that_refuses_several_tools_gets_single_requests(
    refuses: tuple[str, ...],
) -> None:
    review = Review()
    seen = await review.of(
        respond=lambda request: Answer([item(1, path=request.shown_paths[0])]),
        refuses=refuses,
        paths=("a.py", "b.py"),
    )
    assert {finding.path for finding in seen.findings} == {"a.py", "b.py"}
    assert [len(request.body["tools"]) for request in review.requests][-2:] == [1, 1]
    assert "read_code" not in review.requests[-1].system


@in_virtual_time
async def test_a_server_that_refuses_a_later_turn_gets_a_single_request() -> None:
    review = Review()
    seen = await review.of(
        looks(READ),
        StatusError(400, "thinking blocks are bound to a different conversation"),
        Answer([item(1)]),
    )
    assert lines(seen) == [1]
    assert not review.requests[2].offers_lookups
    assert review.requests[2].body["thinking"] == review.requests[0].body["thinking"]


@pytest.mark.parametrize("model", ["claude-haiku-4-5", "claude-sonnet-5"])
@in_virtual_time
async def test_models_that_can_be_forced_choose_between_look_ups_and_report(model: str) -> None:
    review = Review(model=model)
    seen = await review.of(looks(READ), Answer([item(1)]))
    assert review.requests[0].tool_choice == {"type": "auto"}
    assert lines(seen) == [1]


@in_virtual_time
async def test_without_look_ups_the_request_is_a_single_one() -> None:
    review = Review(limit=0)
    await review.of(Answer())
    [request] = review.requests
    assert len(request.body["tools"]) == 1
    assert "look-up" not in request.system.lower()


@in_virtual_time
async def test_progress_names_what_is_read_and_for_which_batch() -> None:
    review = Review()
    seen = await review.of(looks(READ), Answer())
    [started] = seen.of(ReviewStarted)
    activities = [(event.activity, event.batch) for event in seen.of(ReviewProgress)]
    assert ("reading settings.py 1-2", started.chunks[0].batch) in activities


@in_virtual_time
async def test_a_finding_rests_on_quotes_that_the_code_has() -> None:
    review = Review()
    true = {"path": "settings.py", "quote": "RATE = None", "base": False}
    rests_on = [true, {**true, "quote": "RATE = 3"}, {"path": 3}, "settings.py"]
    seen = await review.of(looks(READ), Answer([item(1, rests_on=rests_on)]))
    [finding] = seen.findings
    assert [(code.path, code.line) for code in finding.rests_on] == [("settings.py", 1)]
    assert finding.severity == "warning"


@pytest.mark.parametrize("budget_usd", [0.05, 0.08, 0.2])
@in_virtual_time
async def test_a_budget_always_leaves_a_turn_to_report(budget_usd: float) -> None:
    review = Review()
    review.budget_usd = budget_usd
    seen = await review.of(
        respond=lambda request: (
            Answer([item(1)]) if ONLY_REPORT in request.text else looks(READ, READ)
        )
    )
    assert lines(seen) == [1]
    assert seen.end.outcome == "findings"


@in_virtual_time
async def test_conversations_that_share_a_budget_do_not_wait_for_each_other() -> None:
    review = Review()
    review.budget_usd = 0.2
    seen = await review.of(
        respond=lambda request: Answer() if ONLY_REPORT in request.text else looks(READ),
        paths=("a.py", "b.py", "c.py", "d.py"),
    )
    assert seen.end.outcome == "clean"


@in_virtual_time
async def test_each_turn_is_charged_once() -> None:
    review = Review()
    usage = {"input_tokens": 1000}
    seen = await review.of(
        Answer(call=False, lookups=[READ], usage=usage), Answer([item(1)], usage=usage)
    )
    assert seen.end.usage == Usage(input=2000, output=seen.end.usage.output)
    assert seen.end.cost_usd == cost_usd(lookup("claude-sonnet-5-5"), seen.end.usage)


@in_virtual_time
async def test_a_review_goes_on_from_its_last_finished_turn() -> None:
    review = Review()
    with pytest.raises(AssertionError, match="no reply"):  # the node dies in the third turn
        await review.of(
            looks(READ),
            Answer([item(1)], outcome="continuing", lookups=[SEARCH]),
        )
    assert len(review.stored) >= 2
    earlier = [request.body for request in review.requests]
    seen = await review.of(Answer([item(2)]))
    [request] = review.requests
    assert without_marks(request.body) == without_marks(earlier[2])
    assert lines(seen) == [1, 2]
    assert seen.end.outcome == "findings"
    assert seen.end.lookups is not None
    assert seen.end.lookups.count == 2


@in_virtual_time
async def test_a_fallback_model_begins_without_the_turns_and_shows_nothing_twice() -> None:
    review = Review()
    review.fallbacks = ("claude-sonnet-5",)
    seen = await review.of(
        Answer([item(1)], outcome="continuing", lookups=[READ], thinking="Who sets it?"),
        StatusError(403, "no"),
        Answer([item(1)], outcome="continuing", lookups=[SEARCH]),
        Answer([item(2)]),
    )
    first, _, third, fourth = review.requests
    assert [len(request.body["messages"]) for request in review.requests] == [1, 3, 1, 3]
    assert (first.model, third.model) == ("claude-sonnet-5-5", "claude-sonnet-5")
    assert b"Who sets it?" not in third.raw + fourth.raw
    assert lines(seen) == [1, 2]
    assert seen.end.outcome == "findings"


@in_virtual_time
async def test_the_turns_of_a_fallback_model_are_used_again_after_a_crash() -> None:
    review = Review()
    review.fallbacks = ("claude-sonnet-5",)
    with pytest.raises(AssertionError, match="no reply"):  # the node dies in the last turn
        await review.of(StatusError(403, "no"), looks(READ))
    seen = await review.of(StatusError(403, "no"), Answer([item(1)]))
    assert [request.model for request in review.requests] == [
        "claude-sonnet-5-5",
        "claude-sonnet-5",
    ]
    assert len(review.requests[1].body["messages"]) == 3
    assert lines(seen) == [1]


@in_virtual_time
async def test_the_next_turn_is_requested_after_the_turn_before_it_is_stored() -> None:
    class SlowStore(Review):
        async def save(self, name: str, turn: BatchResult) -> None:
            sent = len(self.requests)
            await asyncio.sleep(60)
            assert len(self.requests) == sent
            await super().save(name, turn)

    review = SlowStore()
    seen = await review.of(looks(READ), Answer([item(1)], outcome="continuing"), Answer())
    assert len(review.stored) == 2
    assert seen.end.outcome == "findings"


@in_virtual_time
async def test_what_stored_turns_reported_stays_if_the_budget_admits_no_further_turn() -> None:
    review = Review()
    with pytest.raises(AssertionError, match="no reply"):  # the node dies in the second turn
        await review.of(Answer([item(1)], outcome="continuing", lookups=[READ]))
    review.budget_usd = 0.0001
    seen = await review.of()
    assert review.requests == []
    assert lines(seen) == [1]
    assert seen.end.outcome == "incomplete"
    assert seen.end.lookups is not None
    assert seen.end.lookups.count == 1


@in_virtual_time
async def test_a_model_that_does_not_report_when_told_is_not_asked_forever() -> None:
    review = Review(limit=1)
    seen = await review.of(respond=lambda _: looks(READ))
    assert len(review.code.calls) == 1
    assert len(review.requests) == 3  # two of them after it was told to report
    assert seen.end.outcome == "incomplete"


@in_virtual_time
async def test_the_name_of_an_unknown_tool_is_not_shown() -> None:
    review = Review()
    review.code = Refusing()
    name = "ghp" + "_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5 \x1b[2J"
    seen = await review.of(looks((name, {}), READ), Answer())
    assert seen.end.lookups is not None
    assert seen.end.lookups.activities == ("unknown tool", "read_code")


class Refusing(FakeCode):
    async def look_up(self, call: LookupCall) -> LookupResult:  # noqa: ARG002 - refuses any
        return LookupResult("There is no such tool.", failed=True)


@pytest.mark.parametrize(
    ("files", "most"), [(1, 16), (3, 16), (4, 17), (22, 21), (64, 32), (200, 32)]
)
def test_a_larger_change_may_take_more_look_ups_up_to_double(files: int, most: int) -> None:
    settings = load_settings(flags={"model": "claude-sonnet-5-5"}, env={})
    diff = "".join(numbered(f"{number}.py") for number in range(files))
    assert review_lookups(prepare(diff.encode(), settings), settings) == most


def test_no_look_ups_stay_none_however_large_the_change() -> None:
    settings = load_settings(flags={"model": "claude-sonnet-5-5", "lookups": 0}, env={})
    diff = "".join(numbered(f"{number}.py") for number in range(60))
    assert review_lookups(prepare(diff.encode(), settings), settings) == 0
