"""Attempts at a batch: retries, other models, and what an unusable answer means."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.events.events import Usage
from reviewbot.core.findings.file_changes import FileChange
from reviewbot.models.attempts import Attempts
from reviewbot.models.base import Fault, InputRestarted, ModelFault, Stop, Stopped, ToolInput
from reviewbot.models.batch import (
    AnswerRecalled,
    BatchEvent,
    Drafted,
    Spent,
    Working,
    result_from_json,
    result_to_json,
)
from reviewbot.models.budget import Budget
from tests.models.scripted import Say, Scripted, item
from tests.support.attempts import Run, by_task, ends, overloaded, task
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.models.base import ModelEvent


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
async def test_a_report_that_does_not_say_that_it_is_complete_is_not() -> None:
    for outcome in (None, "continuing"):
        run = Run()
        [end] = ends(await run.of(Scripted(Say([item(1, path="c1.py")], outcome=outcome))))
        assert end[:3] == ("c1", "partly", 3)
        assert str(end[3]).startswith("claude-sonnet-5-5 does not follow the report format")
        assert set(run.lines) == {1}


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
async def test_a_later_attempt_and_a_fallback_are_told_what_was_found_before() -> None:
    found = item(1, path="c1.py")
    failing = Scripted(Say([found], cut=-20, fault=overloaded()), Say(fault=overloaded(3600)))
    fallback = Scripted(Say(), name="claude-haiku-5-5")
    await Run().of(failing, fallback)
    told = [
        [finding.line for finding in request.known]
        for request in (*failing.requests, *fallback.requests)
    ]
    assert told == [[], [1], [1]]


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
        Say([item(1), item(2, line=-2)]),
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
async def test_could_not_review_is_never_clean() -> None:
    model = Scripted(Say(outcome="could_not_review"))
    [outcome] = (await Run().of(model)).outcomes
    assert (outcome.status, len(model.requests)) == ("failed", 1)


@in_virtual_time
async def test_the_offline_rules_as_a_last_link_leave_coverage_partly() -> None:
    offline = Scripted(Say([item(1, rule="python/eval")]), name="offline")
    result = await Run().of(Scripted(Say(text="", fault=overloaded())), offline)
    assert ends(result) == [("c1", "partly", 1, "Only the offline rules reviewed it: Overloaded.")]
    assert result.outcomes[0].fault == "overloaded"
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
async def test_a_result_is_plain_json_and_comes_back_equal() -> None:
    result = await Run().of(
        Scripted(Say([item(1)], fault=overloaded())), Scripted(Say(), name="offline")
    )
    assert result_from_json(result_to_json(result)) == result


def described(path: str = "c1.py", change: str = "adds a line") -> dict[str, str]:
    return {"path": path, "change": change}


@in_virtual_time
async def test_a_result_keeps_what_the_answer_says_about_its_files() -> None:
    result = await Run().of(Scripted(Say(files=[described(), described("other.py")])))
    assert result.files == (FileChange("c1.py", "adds a line"),)
    assert result_from_json(result_to_json(result)) == result


@in_virtual_time
async def test_a_result_that_an_older_version_stored_has_no_files() -> None:
    stored = result_to_json(await Run().of(Scripted(Say([item(1)]))))
    del stored["files"]
    assert result_from_json(stored).files == ()


@in_virtual_time
async def test_an_answer_without_files_is_complete() -> None:
    result = await Run().of(Scripted(Say([item(1)], files=[])))
    assert ends(result) == [("c1", "reviewed", 1, None)]
    assert result.files == ()


@in_virtual_time
async def test_a_continuation_says_what_a_truncated_answer_did_not_come_to() -> None:
    cut = Say([item(1)], cut=-40, stop=Stop.TRUNCATED)
    result = await Run().of(Scripted(cut, Say([item(2)], files=[described()])))
    assert ends(result) == [("c1", "reviewed", 1, None)]
    assert result.files == (FileChange("c1.py", "adds a line"),)


@in_virtual_time
async def test_the_files_of_an_unusable_or_refused_answer_are_not_kept() -> None:
    broken = Say(text='{"findings": [7], "files": [{"path": "c1.py", "change": "x"}]}')
    refused = Say(files=[described(change="refuses")], stop=Stop.REFUSED)
    assert (await Run().of(Scripted(broken))).files == ()
    assert (await Run().of(Scripted(refused))).files == ()


@in_virtual_time
async def test_of_two_reports_in_one_answer_the_first_line_about_a_file_counts() -> None:
    first = '{"findings": [], "files": [{"path": "c1.py", "change": "first"}]}'
    result = await Run().of(Scripted(Say(restart=first, files=[described(change="second")])))
    assert result.files == (FileChange("c1.py", "first"),)
