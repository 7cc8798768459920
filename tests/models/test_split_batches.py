"""Answers that were truncated, and batches that are requested in parts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.prompt.request import ModelRequest
from reviewbot.models.attempts import AttemptPolicy, Attempts
from reviewbot.models.base import Stop, UsageReport
from reviewbot.models.batch import BatchTask
from reviewbot.models.catalog import lookup
from tests.models.scripted import Say, Scripted, item
from tests.support.attempts import Run, chunk, ends, overloaded
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from reviewbot.models.base import ModelEvent


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
    assert [outcome.fault for outcome in result.outcomes] == ["overloaded", "overloaded"]


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
