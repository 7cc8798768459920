"""Attempts: whatever a model does, nothing is lost or doubled and every chunk gets a true end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.diff.parse import DiffLine
from reviewbot.core.events.events import Usage
from reviewbot.core.plan.chunks import ChunkView, ShownHunk
from reviewbot.core.prompt.request import ModelRequest
from reviewbot.models.attempts import AttemptPolicy, Attempts
from reviewbot.models.base import (
    Fault,
    InputRestarted,
    ModelFault,
    Stop,
    Stopped,
    ToolInput,
    UsageReport,
)
from reviewbot.models.batch import (
    AnswerRecalled,
    BatchEvent,
    BatchResult,
    BatchTask,
    Drafted,
    Retrying,
    Spent,
    Working,
    result_from_json,
    result_to_json,
)
from reviewbot.models.budget import Budget
from reviewbot.models.catalog import lookup
from tests.models.scripted import Say, Scripted, item
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from reviewbot.models.base import Model, ModelEvent
    from reviewbot.models.catalog import ModelInfo


def chunk(name: str, path: str = "a.py") -> ChunkView:
    return ChunkView(name, path, path, "modified", 1, 1, ())


def task(*names: str) -> BatchTask:
    chunks = tuple(chunk(name, f"{name}.py") for name in names or ("c1",))
    return BatchTask("b1", ModelRequest(chunks, (), tokens=1000))


def by_task(info: ModelInfo, prompt: str) -> int:
    """The tokens that ``task`` states, whatever the prompt; none for the offline rules."""
    return 1000 if prompt and not info.offline else 0


class Run:
    """Runs one batch and keeps its events."""

    def __init__(self) -> None:
        self.events: list[BatchEvent] = []

    async def emit(self, event: BatchEvent) -> None:
        self.events.append(event)

    async def of(
        self,
        *chain: Model,
        chunks: tuple[str, ...] = ("c1",),
        budget: Budget | None = None,
        policy: AttemptPolicy | None = None,
    ) -> BatchResult:
        return await Attempts(chain, policy, budget=budget)(task(*chunks), self.emit)

    @property
    def retries(self) -> list[Retrying]:
        return [event for event in self.events if isinstance(event, Retrying)]

    @property
    def lines(self) -> list[int]:
        return [event.draft.line for event in self.events if isinstance(event, Drafted)]


def ends(result: BatchResult) -> list[tuple[str, str, int, str | None]]:
    return [(one.chunk, one.status, one.attempt, one.reason) for one in result.outcomes]


def overloaded(retry_after: float | None = None) -> ModelFault:
    return ModelFault("Overloaded.", fault=Fault.TRANSIENT, retry_after=retry_after)


@in_virtual_time
async def test_an_answer_passes_its_findings_on_and_finishes_the_chunk() -> None:
    run = Run()
    result = await run.of(Scripted(Say([item(1), item(2)])))
    assert run.lines == [1, 2]
    assert ends(result) == [("c1", "reviewed", 1, None)]
    assert [drafted.draft.line for drafted in result.drafts] == [1, 2]
    assert result.spent == (
        Spent("claude-sonnet-5-5", Usage(input=100, output=10), 100 * 2e-6 + 10 * 1e-5, 1000),
    )


@in_virtual_time
async def test_a_missing_outcome_is_forgiven() -> None:
    assert ends(await Run().of(Scripted(Say(outcome=None)))) == [("c1", "reviewed", 1, None)]


@in_virtual_time
async def test_a_fault_is_tried_again_after_a_growing_wait() -> None:
    run = Run()
    model = Scripted(Say([item(1)], cut=-20, fault=overloaded()), Say(fault=overloaded()), Say())
    started = asyncio.get_running_loop().time()
    result = await run.of(model)
    assert ends(result) == [("c1", "reviewed", 3, None)]
    assert run.lines == [1]
    first, second = run.retries
    assert (first.attempt, first.next_model, first.reason) == (
        1,
        "claude-sonnet-5-5",
        "Overloaded.",
    )
    assert first.delay_s < second.delay_s
    assert asyncio.get_running_loop().time() - started == pytest.approx(
        first.delay_s + second.delay_s
    )


@in_virtual_time
async def test_after_three_attempts_the_chunk_has_failed_and_says_why() -> None:
    model = Scripted(Say(text="", fault=overloaded()))
    result = await Run().of(model)
    assert ends(result) == [("c1", "failed", 3, "Overloaded.")]
    assert len(model.requests) == 3


@in_virtual_time
async def test_a_chunk_with_findings_but_no_whole_answer_is_partly_reviewed() -> None:
    found = item(1, path="c1.py")
    result = await Run().of(Scripted(Say([found], fault=overloaded())))
    assert ends(result) == [("c1", "partly", 3, "Overloaded.")]


@in_virtual_time
async def test_retry_after_is_obeyed() -> None:
    run = Run()
    await run.of(Scripted(Say(fault=overloaded(50)), Say()))
    assert run.retries[0].delay_s == 50


@in_virtual_time
async def test_a_wait_above_the_cap_goes_to_the_next_model_at_once() -> None:
    run = Run()
    first, second = Scripted(Say(fault=overloaded(3600))), Scripted(Say(), name="claude-haiku-5-5")
    result = await run.of(first, second)
    assert len(first.requests) == 1
    assert [(one.next_model, one.delay_s) for one in run.retries] == [("claude-haiku-5-5", 0.0)]
    assert result.outcomes[0].model == "claude-haiku-5-5"
    assert result.spent[-1].estimated == 0


@pytest.mark.parametrize("fault", [Fault.REJECTED, Fault.SPEND_LIMIT, Fault.AUTH])
@in_virtual_time
async def test_what_will_not_change_is_not_tried_again(fault: Fault) -> None:
    model = Scripted(Say(text="", fault=ModelFault("No.", fault=fault)))
    assert ends(await Run().of(model)) == [("c1", "failed", 1, "No.")]
    assert len(model.requests) == 1


@in_virtual_time
async def test_a_model_without_key_or_money_is_left_alone_from_then_on() -> None:
    closed = Scripted(Say(fault=ModelFault("No money.", fault=Fault.SPEND_LIMIT)))
    attempts = Attempts([closed, Scripted(Say(), name="claude-haiku-5-5")])
    for _ in range(3):
        result = await attempts(task(), Run().emit)
        assert ends(result) == [("c1", "reviewed", 1, None)]
    assert len(closed.requests) == 1


@in_virtual_time
async def test_a_refusal_takes_back_the_answer_and_asks_the_next_model() -> None:
    run = Run()
    refusing = Scripted(Say([item(1)], stop=Stop.REFUSED, detail="Declined (cyber)."))
    result = await run.of(refusing, Scripted(Say([item(2)]), name="claude-haiku-5-5"))
    recalled = [event for event in run.events if isinstance(event, AnswerRecalled)]
    assert [event.reason for event in recalled] == ["Declined (cyber)."]
    assert [drafted.draft.line for drafted in result.drafts] == [2]
    assert len(refusing.requests) == 1


@in_virtual_time
async def test_a_refusal_by_the_last_model_is_a_failed_chunk() -> None:
    result = await Run().of(Scripted(Say([item(1)], stop=Stop.REFUSED)))
    assert ends(result) == [("c1", "failed", 1, "The model declined to answer.")]
    assert result.drafts == ()


@pytest.mark.parametrize(
    "say",
    [
        Say(stop=Stop.NO_REPORT, text="", detail="The model answered in prose."),
        Say(text="{}"),
        Say(text='{"findings": {}, "outcome": "complete"}'),
        Say(text='{"findings": [] oops'),
        Say(text="[]"),
        Say([item(1)], cut=-1),
        Say([item(1)], cut=40),
        Say(stop=None),
        Say([item(1), item(2, severity="dire")]),
        Say(text='{"findings": [7], "outcome": "complete"}'),
        Say(restart='{"findings": ["SQL injection in line 3"], "outcome": "complete"}'),
        Say(restart=Say([item(1)]).json[:-30]),
        Say([item(1, quote="")], cut=-1, stop=Stop.TRUNCATED),
        Say(text='{"findings": ["a", ', stop=Stop.TRUNCATED),
    ],
)
@in_virtual_time
async def test_an_unusable_answer_is_never_clean(say: Say) -> None:
    run = Run()
    model = Scripted(say)
    result = await run.of(model)
    [outcome] = result.outcomes
    assert outcome.status in ("failed", "partly")
    assert outcome.reason
    assert len(model.requests) == 3
    recovered = await Run().of(Scripted(say, Say()))
    assert ends(recovered) == [("c1", "reviewed", 2, None)]


@in_virtual_time
async def test_good_findings_beside_a_malformed_one_are_kept() -> None:
    run = Run()
    await run.of(Scripted(Say([item(1), item(2, message=""), item(3)]), Say([item(1)])))
    assert run.lines == [1, 3, 1]
    assert "1 of the model's findings could not be read (message" in run.retries[0].reason


@in_virtual_time
async def test_an_answer_cut_at_its_limit_is_continued_with_what_is_known() -> None:
    run = Run()
    model = Scripted(
        Say([item(1, path="c1.py"), item(2)], cut=-60, stop=Stop.TRUNCATED), Say([item(3)])
    )
    result = await run.of(model)
    assert ends(result) == [("c1", "reviewed", 1, None)]
    assert run.lines == [1, 3]
    assert [(one.path, one.line) for one in model.requests[1].known] == [("c1.py", 1)]
    assert model.max_tokens[0] == model.max_tokens[1]


@in_virtual_time
async def test_the_limit_is_raised_when_nothing_new_came() -> None:
    model = Scripted(Say(text="", stop=Stop.TRUNCATED), Say())
    await Run().of(model, policy=AttemptPolicy(max_tokens=1000))
    assert model.max_tokens == [1000, 2000]


@in_virtual_time
async def test_an_answer_that_is_cut_for_ever_leaves_the_chunk_partly_reviewed() -> None:
    model = Scripted(Say([item(1)], cut=-1, stop=Stop.TRUNCATED))
    [outcome] = (await Run().of(model)).outcomes
    assert (outcome.status, len(model.requests)) == ("partly", 3)


@in_virtual_time
async def test_a_batch_that_failed_twice_is_split_for_its_last_attempt() -> None:
    def answer(request: ModelRequest) -> Say:
        bad = any(one.id == "c2" for one in request.chunks)
        return Say(text="", fault=overloaded()) if bad else Say([item(1)])

    model = Scripted(answer, answer)
    result = await Run().of(model, chunks=("c1", "c2", "c3"))
    assert [tuple(one.id for one in request.chunks) for request in model.requests] == [
        ("c1", "c2", "c3"),
        ("c1", "c2", "c3"),
        ("c1",),
        ("c2",),
        ("c3",),
    ]
    assert sorted(ends(result)) == [
        ("c1", "reviewed", 3, None),
        ("c2", "failed", 3, "Overloaded."),
        ("c3", "reviewed", 3, None),
    ]


@pytest.mark.parametrize("limit", [1, 2])
@in_virtual_time
async def test_few_attempts_are_no_reason_to_split_a_batch(limit: int) -> None:
    model = Scripted(Say(text="", fault=overloaded()))
    policy = AttemptPolicy(max_attempts=limit)
    result = await Run().of(model, chunks=("c1", "c2"), policy=policy)
    assert [len(request.chunks) for request in model.requests] == [2] * limit
    assert [one.fault for one in result.outcomes] == ["transient", "transient"]


@in_virtual_time
async def test_a_part_of_a_file_that_nobody_answered_for_has_failed_beside_one_with_findings() -> (
    None
):
    def answer(request: ModelRequest) -> Say:
        first = request.chunks[0].id == "c1"
        return Say([item(1, path="big.py")] if first else [], fault=overloaded())

    parts = tuple(replace(chunk(name, "big.py"), parts=2) for name in ("c1", "c2"))
    run = Run()
    attempts = Attempts([Scripted(answer, answer)])
    for part in parts:
        result = await attempts(BatchTask("b1", ModelRequest((part,), ())), run.emit)
        assert result.outcomes[0].status == ("partly" if part.id == "c1" else "failed")


@in_virtual_time
async def test_a_chunk_asked_alone_counts_its_own_tokens_only() -> None:
    chunks = tuple(replace(chunk(name, f"{name}.py"), tokens=400) for name in ("c1", "c2"))
    model = Scripted(Say(outcome="could_not_review"), Say())
    await Attempts([model])(BatchTask("b1", ModelRequest(chunks, (), tokens=1000)), Run().emit)
    assert [request.tokens for request in model.requests] == [1000, 600, 600]


@in_virtual_time
async def test_an_answer_is_never_longer_than_the_context_leaves_room_for() -> None:
    info = replace(lookup("claude-sonnet-5-5"), context=8000)
    model = Scripted(Say(text="", stop=Stop.TRUNCATED), info=info)
    await Run().of(model)
    assert model.max_tokens == [7000, 7000, 7000]
    full = Scripted(Say(), info=replace(info, context=1500))
    [outcome] = (await Run().of(full)).outcomes
    assert (outcome.status, full.requests) == ("failed", [])
    assert "too large for the context window" in (outcome.reason or "")


@in_virtual_time
async def test_an_answer_that_took_two_requests_teaches_no_estimate() -> None:
    class Twice(Scripted):
        async def stream(
            self, request: ModelRequest, *, max_tokens: int
        ) -> AsyncGenerator[ModelEvent, None]:
            async for event in super().stream(request, max_tokens=max_tokens):
                yield replace(event, requests=2) if isinstance(event, UsageReport) else event

    result = await Run().of(Twice(Say()))
    assert [one.estimated for one in result.spent] == [0]


@in_virtual_time
async def test_of_a_split_batch_only_what_failed_goes_to_the_next_model() -> None:
    def answer(request: ModelRequest) -> Say:
        bad = any(one.id == "c2" for one in request.chunks)
        return Say(text="", fault=overloaded()) if bad else Say()

    second = Scripted(Say(), name="claude-haiku-5-5")
    result = await Run().of(Scripted(answer, answer), second, chunks=("c1", "c2"))
    assert [tuple(one.id for one in request.chunks) for request in second.requests] == [("c2",)]
    assert {(one.chunk, one.model) for one in result.outcomes} == {
        ("c1", "claude-sonnet-5-5"),
        ("c2", "claude-haiku-5-5"),
    }


@in_virtual_time
async def test_a_batch_that_could_not_be_reviewed_is_asked_apart_at_once() -> None:
    def answer(request: ModelRequest) -> Say:
        return Say(outcome="could_not_review" if "c2" in request.chunks[-1].id else "complete")

    model = Scripted(answer, answer)
    result = await Run().of(model, chunks=("c1", "c2"))
    assert len(model.requests) == 3
    assert sorted(ends(result)) == [
        ("c1", "reviewed", 2, None),
        ("c2", "failed", 2, "The model said that it could not review all of it."),
    ]


@in_virtual_time
async def test_a_report_that_gives_up_and_is_cut_is_not_continued_to_a_clean_end() -> None:
    gave_up = Say(text='{"outcome": "could_not_review", "findings": [', stop=Stop.TRUNCATED)
    [outcome] = (await Run().of(Scripted(gave_up, Say()))).outcomes
    assert (outcome.status, outcome.fault) == ("failed", "could_not_review")


@in_virtual_time
async def test_asked_apart_each_chunk_is_tried_again_or_not_by_its_own_fault() -> None:
    asked: list[str] = []

    def answer(request: ModelRequest) -> Say:
        names = [one.id for one in request.chunks]
        asked.append("+".join(names))
        if names == ["c1"]:
            return Say(text="", fault=overloaded()) if asked.count("c1") == 1 else Say()
        return Say(outcome="could_not_review")

    result = await Run().of(Scripted(answer, answer), chunks=("c1", "c2"))
    assert asked == ["c1+c2", "c1", "c2", "c1"]
    assert {one.chunk: one.status for one in result.outcomes} == {"c1": "reviewed", "c2": "failed"}


@in_virtual_time
async def test_could_not_review_is_never_clean() -> None:
    model = Scripted(Say(outcome="could_not_review"))
    [outcome] = (await Run().of(model)).outcomes
    assert (outcome.status, len(model.requests)) == ("failed", 1)


@in_virtual_time
async def test_the_offline_rules_as_a_last_link_leave_coverage_partly() -> None:
    offline = Scripted(Say([item(1, rule="python/eval")]), name="offline")
    result = await Run().of(Scripted(Say(text="", fault=overloaded())), offline)
    assert ends(result) == [("c1", "partly", 1, "Only the offline rules saw it: Overloaded.")]
    assert result.drafts[0].draft.rule == "python/eval"


@in_virtual_time
async def test_alone_the_offline_rules_review() -> None:
    result = await Run().of(Scripted(Say(), name="offline"))
    assert ends(result) == [("c1", "reviewed", 1, None)]


@in_virtual_time
async def test_a_restarted_report_is_read_from_its_first_character() -> None:
    run = Run()
    first = Say([item(1)]).json
    result = await run.of(Scripted(Say([item(1), item(2)], restart=first)))
    assert ends(result) == [("c1", "reviewed", 1, None)]
    assert run.lines == [1, 1, 2]


@in_virtual_time
async def test_of_two_reports_in_one_answer_the_one_that_gives_up_counts() -> None:
    class Twice(Scripted):
        async def stream(
            self, request: ModelRequest, *, max_tokens: int
        ) -> AsyncGenerator[ModelEvent, None]:
            self.requests.append(request)
            self.max_tokens.append(max_tokens)
            yield ToolInput(Say(outcome="could_not_review").json)
            yield InputRestarted()
            yield ToolInput(Say().json)
            yield Stopped(Stop.COMPLETE)

    [outcome] = (await Run().of(Twice(Say()))).outcomes
    assert outcome.status == "failed"


@in_virtual_time
async def test_an_answer_that_was_cut_off_is_booked_by_what_was_written() -> None:
    cut = Say([item(1)], cut=-9, fault=overloaded(), usage=Usage(input=100, output=1))
    result = await Run().of(Scripted(cut, Say()))
    written = len(cut.json)
    assert [one.usage.output for one in result.spent] == [written // 2, 10]


@in_virtual_time
async def test_thoughts_are_passed_on() -> None:
    run = Run()
    await run.of(Scripted(Say(think=2)))
    assert [event for event in run.events if isinstance(event, Working)] == [
        Working("claude-sonnet-5-5")
    ] * 2


@in_virtual_time
async def test_cancelling_a_batch_closes_the_request_and_books_what_it_used() -> None:
    run = Run()
    model = Scripted(Say(wait_s=1000))
    budget = Budget(1.0, by_task)
    batch = asyncio.create_task(run.of(model, budget=budget))
    await asyncio.sleep(1)
    assert model.open == 1
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert model.open == 0
    assert isinstance(run.events[-1], Spent)
    assert (await budget.reserve(model.info, "x", 1))[0] == 1


@in_virtual_time
async def test_a_slow_consumer_slows_the_reading_of_the_answer() -> None:
    read: list[int] = []

    async def slowly(event: BatchEvent) -> None:
        if isinstance(event, Drafted):
            read.append(event.draft.line)
            await asyncio.sleep(10)

    started = asyncio.get_running_loop().time()
    await Attempts([Scripted(Say([item(1), item(2), item(3)]))])(task(), slowly)
    assert asyncio.get_running_loop().time() - started == 30
    assert read == [1, 2, 3]


@in_virtual_time
async def test_a_request_asks_for_no_more_than_the_budget_can_pay() -> None:
    model = Scripted(Say(usage=Usage(input=1000, output=1000)))
    budget = Budget(0.05, by_task)
    await Run().of(model, budget=budget)
    worst = 2 * (1150 * 2.5e-6 + model.max_tokens[0] * 1e-5)
    assert 0.05 - 2e-5 < worst <= 0.05
    assert budget.spent_usd == pytest.approx(1000 * 2e-6 + 1000 * 1e-5)


@in_virtual_time
async def test_what_a_request_reserves_is_counted_on_all_the_text_that_it_sends() -> None:
    prompts: list[str] = []

    def measure(info: ModelInfo, prompt: str) -> int:
        del info
        prompts.append(prompt)
        return 1000

    line = DiffLine("added", None, 1, "x = '\x01\x02'")
    hunk = ShownHunk(1, 1, "", (line,), (True,))
    shown = replace(chunk("c1", "c1.py"), hunks=(hunk,), instructions=("Mind the frobs.",))
    model = Scripted(
        Say([item(1, path="c1.py", title="Known already")], cut=-1, stop=Stop.TRUNCATED), Say()
    )
    attempts = Attempts([model], budget=Budget(5.0, measure))
    await attempts(BatchTask("b1", ModelRequest((shown,), ())), Run().emit)
    first, second = prompts
    for text in ("report_findings", "x = '\\x01\\x02'", "Mind the frobs."):
        assert text in first
    assert "Known already" in second


@in_virtual_time
async def test_a_budget_that_is_used_up_fails_the_chunk_without_asking() -> None:
    model = Scripted(Say())
    [outcome] = (await Run().of(model, budget=Budget(0.001, by_task))).outcomes
    assert (outcome.status, model.requests) == ("failed", [])
    assert "budget of $0.001" in (outcome.reason or "")


@in_virtual_time
async def test_a_model_without_a_price_cannot_be_held_to_a_budget() -> None:
    model = Scripted(Say(), info=lookup("some-local-model"))
    [outcome] = (await Run().of(model, budget=Budget(1.0, by_task))).outcomes
    assert "price of some-local-model is not known" in (outcome.reason or "")


@in_virtual_time
async def test_requests_wait_for_each_others_reservations_and_never_pass_the_limit() -> None:
    budget = Budget(0.1, by_task)
    model = Scripted(Say(wait_s=5, usage=Usage(input=1000, output=1200)))
    attempts = Attempts([model], budget=budget)
    results = await asyncio.gather(*(attempts(task(), Run().emit) for _ in range(12)))
    done = [one.outcomes[0].status for one in results].count("reviewed")
    assert budget.spent_usd <= 0.1
    assert done == pytest.approx(budget.spent_usd / (1000 * 2e-6 + 1200 * 1e-5))
    assert 3 <= done < 12


@in_virtual_time
async def test_a_result_is_plain_json_and_comes_back_equal() -> None:
    result = await Run().of(
        Scripted(Say([item(1)], fault=overloaded())), Scripted(Say(), name="offline")
    )
    assert result_from_json(result_to_json(result)) == result
