"""The verifier: one more request behind the review, whose failure loses nothing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.core.events.events import Usage
from reviewbot.core.prompt.request import ManifestEntry, ModelRequest
from reviewbot.core.prompt.verification import MOST_FINDINGS
from reviewbot.models.anthropic.claude import Claude
from reviewbot.models.attempts import AttemptPolicy
from reviewbot.models.batch import BatchResult, Spent, VerifyTask
from reviewbot.models.budget import Budget
from reviewbot.models.catalog import lookup
from reviewbot.models.verifier import Verifier
from tests.fake_anthropic import Answer, FakeAnthropic, Hang, Recorded, Reply, StatusError
from tests.fake_anthropic.verdicts import asked, says, verdict
from tests.support.findings import finding
from tests.support.views import hunk, view
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence

    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.models.verifier import CodePart

CODE = view(hunk(" import shop\n+x = 1\n+y = 2"))
REQUEST = ModelRequest((CODE,), (ManifestEntry("a.py", "modified", 2, 0, shown=True),))


async def all_runs(_path: str, parts: Sequence[CodePart]) -> Collection[int]:
    return {number for part in parts for number, _ in part}


def found(count: int = 1) -> tuple[Finding, ...]:
    return tuple(
        finding(id=str(number), line=2, end_line=2, model="claude-sonnet-5-5", title=f"T{number}")
        for number in range(1, count + 1)
    )


def task(findings: tuple[Finding, ...]) -> VerifyTask:
    return VerifyTask("b1/verify", "b1", REQUEST, findings, {}, {"a.py": {2, 3}})


@asynccontextmanager
async def verifier(
    *replies: Reply | Callable[[Recorded], Reply], model: str = "claude-sonnet-5-5", **options: Any
) -> AsyncIterator[tuple[FakeAnthropic, Verifier]]:
    async with FakeAnthropic(verify=None) as fake:
        fake.enqueue(*replies)
        client = Claude(lookup(model), api_key=fake.key, base_url=fake.base_url)
        try:
            yield fake, Verifier(lambda _name: client, AttemptPolicy(), all_runs, **options)
        finally:
            await client.aclose()


async def verified(
    *replies: Reply | Callable[[Recorded], Reply], count: int = 1, **options: Any
) -> tuple[FakeAnthropic, BatchResult, list[Spent]]:
    booked: list[Spent] = []
    async with verifier(*replies, **options) as (fake, verify):
        result = await verify(task(found(count)), booked.append)
        assert fake.waiting == 0
    return fake, result, booked


def supporting(request: Recorded) -> Answer:
    return says(*(verdict(one) for one in asked(request)))


@in_virtual_time
async def test_the_request_repeats_the_review_byte_for_byte_and_adds_one_block() -> None:
    async with verifier(Answer(), supporting) as (fake, verify):
        client = verify._model_of("any")
        assert isinstance(client, Claude)
        async for _ in client.stream(REQUEST, max_tokens=16_000):
            pass
        await verify(task(found()), lambda _spent: None)
    review, verification = (request.body for request in fake.requests)
    blocks = verification["messages"][0]["content"]
    assert blocks[:-1] == review["messages"][0]["content"]
    assert "<findings_to_verify>" in blocks[-1]["text"]
    for part in ("system", "tools", "tool_choice", "thinking", "output_config"):
        assert verification.get(part) == review.get(part)
    assert fake.requests[1].usage["cache_read_input_tokens"] > 0


@in_virtual_time
async def test_a_model_that_is_forced_to_call_the_tool_must_not_call_it_here() -> None:
    fake, result, _ = await verified(supporting, model="claude-haiku-4-5")
    assert fake.requests[0].tool_choice == {"type": "none"}
    assert [one.verdict for one in result.verdicts] == ["supported"]


@in_virtual_time
async def test_verdicts_are_checked_against_the_code() -> None:
    def refuting(request: Recorded) -> Answer:
        first, second = asked(request)
        elsewhere = verdict(second, "refuted", quote="return None", line=9)
        guard = verdict(first, "refuted", quote="import shop", line=1)
        return says(guard, elsewhere)

    _, result, booked = await verified(refuting, count=2)
    assert [one.verdict for one in result.verdicts] == ["refuted", "unproven"]
    assert list(result.spent) == booked
    assert {one.purpose for one in booked} == {"verification"}
    assert booked[0].usage != Usage()
    assert booked[0].cost_usd


BROKEN = {
    "prose": Answer(call=False, preamble="They all look right to me."),
    "a tool call": Answer(),
    "no list": Answer(call=False, preamble='{"ok": true}'),
    "no valid verdict": says({"finding": 1}),
    "truncated": Answer(call=False, preamble='{"verdicts": [{"finding"', stop_reason="max_tokens"),
    "overloaded": StatusError(529),
}


@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN)
@in_virtual_time
async def test_an_answer_that_is_not_usable_is_asked_for_again(reply: Reply) -> None:
    _, result, booked = await verified(reply, supporting)
    assert [one.verdict for one in result.verdicts] == ["supported"]
    assert len(booked) == 2


@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN)
@in_virtual_time
async def test_findings_are_not_verified_after_two_unusable_answers(reply: Reply) -> None:
    _, result, booked = await verified(reply, reply)
    [one] = result.verdicts
    assert one.verdict == "unverified"
    assert one.reason.startswith("Verification failed: ")
    assert len(booked) == 2


@in_virtual_time
async def test_a_cancelled_verification_books_what_it_used() -> None:
    booked: list[Spent] = []
    budget = Budget(1.0, lambda _info, prompt: len(prompt))
    stalled = Answer(call=False, usage={"input_tokens": 900}, before=[Hang()])
    async with verifier(stalled, budget=budget) as (_, verify):
        asking = asyncio.create_task(verify(task(found()), booked.append))
        await asyncio.sleep(10)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    [spent] = booked
    assert spent.usage.input == 900
    assert spent.cost_usd
    assert budget.spent_usd == spent.cost_usd


@in_virtual_time
async def test_a_verification_whose_stream_breaks_books_what_it_used() -> None:
    cut = Answer(call=False, preamble="{", usage={"input_tokens": 900}, message_stop=False)
    _, result, booked = await verified(cut, cut)
    assert [one.verdict for one in result.verdicts] == ["unverified"]
    assert [one.usage.input for one in booked] == [900, 900]


@in_virtual_time
async def test_a_refused_key_is_not_tried_again() -> None:
    _, result, booked = await verified(StatusError(401))
    assert [one.verdict for one in result.verdicts] == ["unverified"]
    assert len(booked) == 1


@in_virtual_time
async def test_a_budget_that_is_used_up_leaves_the_findings_unverified() -> None:
    budget = Budget(0.0001, lambda _info, prompt: len(prompt))
    fake, result, _ = await verified(budget=budget)
    [one] = result.verdicts
    assert "budget" in one.reason
    assert fake.requests == []


@in_virtual_time
async def test_without_a_model_that_can_verify_the_findings_stay() -> None:
    verify = Verifier(lambda _name: None, AttemptPolicy(), all_runs)
    result = await verify(task(found()), lambda _spent: None)
    [one] = result.verdicts
    assert one.reason == "Verification failed: no model is set that can verify"


@in_virtual_time
async def test_of_many_findings_the_worst_are_verified() -> None:
    errors = tuple(replace(one, severity="error") for one in found(MOST_FINDINGS))
    mild = finding(id="mild", line=2, end_line=2, model="claude-sonnet-5-5", title="Mild")
    async with verifier(supporting) as (fake, verify):
        result = await verify(task((mild, *errors)), lambda _spent: None)
    assert [len(asked(request)) for request in fake.requests] == [MOST_FINDINGS]
    verdicts = {one.id: one.verdict for one in result.verdicts}
    assert verdicts.pop("mild") == "unverified"
    assert set(verdicts.values()) == {"supported"}


@in_virtual_time
async def test_more_code_is_shown_and_may_be_quoted() -> None:
    helper = view(hunk(" def helper():\n     return 1"), path="lib.py", name="evidence")

    async def evidence(findings: Sequence[Finding]) -> list[ChunkView]:
        assert [one.id for one in findings] == ["1"]
        return [helper]

    def refuting(request: Recorded) -> Answer:
        [one] = asked(request)
        return says(verdict(one, "refuted", path="lib.py", line=2, quote="    return 1"))

    fake, result, _ = await verified(refuting, evidence=evidence)
    assert "def helper():" in fake.requests[0].text
    assert [one.verdict for one in result.verdicts] == ["refuted"]


@in_virtual_time
async def test_a_comment_in_a_language_with_a_parser_refutes_nothing() -> None:
    async def nothing(_path: str, _parts: Sequence[CodePart]) -> Collection[int]:
        return ()

    def refuting(request: Recorded) -> Answer:
        [one] = asked(request)
        return says(verdict(one, "refuted", quote="import shop", line=1))

    async with FakeAnthropic(verify=None) as fake:
        fake.enqueue(refuting)
        client = Claude(lookup("claude-sonnet-5-5"), api_key=fake.key, base_url=fake.base_url)
        verify = Verifier(lambda _name: client, AttemptPolicy(), nothing)
        result = await verify(task(found()), lambda _spent: None)
        await client.aclose()
    assert [one.verdict for one in result.verdicts] == ["unproven"]


@in_virtual_time
async def test_an_error_of_the_evidence_leaves_the_verification_without_it() -> None:
    async def broken(_findings: Sequence[Finding]) -> list[ChunkView]:
        raise ValueError("embedded null byte")

    _, result, _ = await verified(supporting, evidence=broken)
    assert [one.verdict for one in result.verdicts] == ["supported"]


@in_virtual_time
async def test_an_error_of_ours_leaves_the_findings_unverified() -> None:
    async def broken(_path: str, _parts: Sequence[CodePart]) -> Collection[int]:
        raise OSError("no space")

    verify = Verifier(lambda _name: None, AttemptPolicy(), broken)
    [one] = (await verify(task(found()), lambda _spent: None)).verdicts
    assert (one.verdict, one.reason) == ("unverified", "Verification failed: OSError in reviewbot.")
