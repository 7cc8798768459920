"""The verifier: a conversation of its own about findings, whose failure loses nothing."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.core.events.events import Usage
from reviewbot.core.findings.check_tool import CHECK_TOOL
from reviewbot.core.findings.verdicts import FAILED
from reviewbot.core.prompt.lookup_tools import TOOL_NAMES, LookupCall, LookupResult
from reviewbot.core.prompt.request import ManifestEntry, ModelRequest
from reviewbot.core.prompt.verification import MOST_FINDINGS
from reviewbot.models.anthropic.claude import Claude
from reviewbot.models.attempts import AttemptPolicy
from reviewbot.models.batch import (
    BatchResult,
    LookedUp,
    Spent,
    VerifyTask,
    result_from_json,
    result_to_json,
)
from reviewbot.models.budget import Budget
from reviewbot.models.catalog import lookup
from reviewbot.models.dialogue import LEFT, ONLY_CHECK
from reviewbot.models.exchange import Exchange, TurnCheckpoints
from reviewbot.models.verifier import Verifier
from reviewbot.pipeline.lookups import CountedLookups
from tests.fake_anthropic import Answer, FakeAnthropic, Hang, Recorded, Reply, StatusError
from tests.fake_anthropic.verdicts import asked, says, verdict
from tests.support.findings import finding
from tests.support.views import hunk, view
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence

    from reviewbot.core.findings.finding import Finding
    from reviewbot.models.batch import BatchEvent
    from reviewbot.models.catalog import ModelInfo
    from reviewbot.models.verifier import CodePart, FindCode

CODE = view(hunk(" import shop\n+x = 1\n+y = 2"))
OTHER = view(hunk("+unrelated = 1"), path="other.py", name="c2")
MANIFEST = (ManifestEntry("a.py", "modified", 2, 0, shown=True),)
REQUEST = ModelRequest((CODE, OTHER), MANIFEST)
GUARD = '=== file "lib.py", unchanged, lines 7 to 8 of 9\nR7 |def guard():\nR8 |    return 1'
READ = ("read_code", {"path": "lib.py", "first": 7, "last": 8})


async def all_runs(_path: str, parts: Sequence[CodePart], _base: bool) -> Collection[int]:
    return {number for part in parts for number, _ in part}


async def look_up(call: LookupCall) -> LookupResult:
    return LookupResult(GUARD, f"reading {call.input['path']}")


def found(count: int = 1) -> tuple[Finding, ...]:
    return tuple(
        finding(id=str(number), line=2, end_line=2, model="claude-sonnet-5-5", title=f"T{number}")
        for number in range(1, count + 1)
    )


def task(findings: tuple[Finding, ...], **changes: Any) -> VerifyTask:
    made = VerifyTask("b1/verify", "b1", REQUEST, findings, {}, {"a.py": {2, 3}})
    return replace(made, **changes)


@asynccontextmanager
async def verifier(
    *replies: Reply | Callable[[Recorded], Reply],
    model: str = "claude-sonnet-5-5",
    lookups: int = 0,
    running: FindCode = all_runs,
    budget: Budget | None = None,
    turns: TurnCheckpoints | None = None,
    refuses: Collection[str] = (),
) -> AsyncIterator[tuple[FakeAnthropic, Verifier]]:
    async with FakeAnthropic(verify=None, refuses=refuses) as fake:
        fake.enqueue(*replies)
        client = Claude(lookup(model), api_key=fake.key, base_url=fake.base_url)
        counted = CountedLookups(look_up, lookups) if lookups else None
        exchange = Exchange(budget, counted, turns, dossier)
        try:
            yield (
                fake,
                Verifier(lambda _name: client, AttemptPolicy(), running, exchange, lookups=lookups),
            )
        finally:
            await client.aclose()


async def dossier(request: ModelRequest, _info: ModelInfo) -> ModelRequest:
    helper = view(hunk(" def helper():\n     return 1"), path="helper.py", name="d1")
    return replace(request, lookups=0, dossier=(helper,))


async def verified(
    *replies: Reply | Callable[[Recorded], Reply], count: int = 1, **options: Any
) -> tuple[FakeAnthropic, BatchResult, list[BatchEvent]]:
    emitted: list[BatchEvent] = []

    async def emit(event: BatchEvent) -> None:
        emitted.append(event)

    async with verifier(*replies, **options) as (fake, verify):
        result = await verify(task(found(count)), emit)
        assert fake.waiting == 0
    return fake, result, emitted


async def ignore(_event: BatchEvent) -> None:
    pass


def spent_in(events: list[BatchEvent]) -> list[Spent]:
    return [event for event in events if isinstance(event, Spent)]


def supporting(request: Recorded) -> Answer:
    return says(*(verdict(one) for one in asked(request)))


def refuting_by_guard(request: Recorded) -> Answer:
    [reported] = asked(request)
    return says(verdict(reported, "wrong", path="lib.py", line=8, quote="    return 1"))


@in_virtual_time
async def test_the_request_is_independent_of_the_review_and_shows_only_files_with_findings() -> (
    None
):
    fake, _, _ = await verified(supporting)
    [request] = fake.requests
    assert request.tool is not None
    assert request.tool["name"] == CHECK_TOOL["name"]
    assert len(request.body["tools"]) == 1
    assert request.system.startswith("A reviewer reported the findings below")
    assert '=== file "a.py", modified' in request.text
    assert "other.py" not in request.text


@in_virtual_time
async def test_a_model_that_can_be_forced_is_forced_to_answer() -> None:
    fake, result, _ = await verified(supporting, model="claude-haiku-4-5")
    assert fake.requests[0].tool_choice == {
        "type": "tool",
        "name": "check_findings",
        "disable_parallel_tool_use": True,
    }
    assert [one.verdict for one in result.verdicts] == ["supported"]


@in_virtual_time
async def test_answers_are_checked_against_the_code() -> None:
    def refuting(request: Recorded) -> Answer:
        first, second = asked(request)
        elsewhere = verdict(second, "wrong", quote="return None", line=9)
        guard = verdict(first, "wrong", quote="import shop", line=1)
        return says(guard, elsewhere)

    _, result, emitted = await verified(refuting, count=2)
    assert [verdict.verdict for verdict in result.verdicts] == ["wrong", "cannot_tell"]
    booked = spent_in(emitted)
    assert list(result.spent) == booked
    assert {one.purpose for one in booked} == {"verification"}
    assert booked[0].usage != Usage()
    assert booked[0].cost_usd


@in_virtual_time
async def test_looked_up_code_may_be_quoted() -> None:
    fake, result, emitted = await verified(
        Answer(call=False, lookups=[READ]), refuting_by_guard, lookups=12
    )
    first, second = fake.requests
    assert [tool["name"] for tool in first.body["tools"]] == [CHECK_TOOL["name"], *TOOL_NAMES]
    assert "at most 12 look-ups" in first.system
    assert [result["content"] for result in second.results] == [GUARD]
    assert LEFT.format(11) in second.text
    [decided] = result.verdicts
    assert (decided.verdict, decided.evidence and decided.evidence.path) == ("wrong", "lib.py")
    assert [event.activity for event in emitted if isinstance(event, LookedUp)] == [
        "reading lib.py"
    ]
    assert [lookup.activity for lookup in result.lookups] == ["reading lib.py"]
    assert [code.tool for code in result.seen] == ["read_code"]


@in_virtual_time
async def test_code_that_was_not_looked_up_is_no_quote() -> None:
    _, result, _ = await verified(refuting_by_guard, lookups=12)
    [decided] = result.verdicts
    assert (decided.verdict, decided.evidence) == ("cannot_tell", None)
    assert result.seen == ()


@in_virtual_time
async def test_answers_beside_a_look_up_do_not_count() -> None:
    def hasty(request: Recorded) -> Answer:
        return replace(refuting_by_guard(request), lookups=[READ])

    fake, result, _ = await verified(hasty, supporting, lookups=12)
    assert "Not recorded" in fake.requests[1].results[0]["content"]
    assert [verdict.verdict for verdict in result.verdicts] == ["supported"]


@in_virtual_time
async def test_without_look_ups_left_the_model_is_told_to_answer() -> None:
    looking = Answer(call=False, lookups=[READ])
    fake, result, _ = await verified(looking, supporting, lookups=1)
    assert ONLY_CHECK in fake.requests[1].text
    assert [verdict.verdict for verdict in result.verdicts] == ["supported"]


@in_virtual_time
async def test_a_model_that_only_looks_code_up_leaves_the_findings_unverified() -> None:
    def looking(_request: Recorded) -> Answer:
        return Answer(call=False, lookups=[READ])

    fake, result, _ = await verified(*[looking] * 3, lookups=1)
    assert [verdict.verdict for verdict in result.verdicts] == ["unverified"]
    assert len(fake.requests) == 3


@in_virtual_time
async def test_a_server_without_look_ups_gets_one_request_with_code_beside_the_changes() -> None:
    def refuting(request: Recorded) -> Answer:
        [finding] = asked(request)
        return says(verdict(finding, "wrong", path="helper.py", line=2, quote="    return 1"))

    fake, result, _ = await verified(refuting, lookups=12, refuses={"tools"})
    request = fake.requests[-1]
    assert "<surroundings>" in request.text
    assert not request.offers_lookups
    assert "read_code" not in request.system
    assert [verdict.verdict for verdict in result.verdicts] == ["wrong"]
    assert [code.tool for code in result.seen] == ["dossier"]


@in_virtual_time
async def test_a_later_run_goes_on_after_the_last_finished_turn() -> None:
    stored: dict[str, BatchResult] = {}

    async def save(name: str, result: BatchResult) -> None:
        stored[name] = result_from_json(json.loads(json.dumps(result_to_json(result))))

    hanging = Answer(before=[Hang()])
    turns = TurnCheckpoints(save=save)
    async with verifier(Answer(call=False, lookups=[READ]), hanging, lookups=12, turns=turns) as (
        _,
        verify,
    ):
        asking = asyncio.create_task(verify(task(found()), ignore))
        await asyncio.sleep(10)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    fake, result, emitted = await verified(
        refuting_by_guard, lookups=12, turns=TurnCheckpoints(stored)
    )
    assert len(fake.requests) == 1
    assert [result["content"] for result in fake.requests[0].results] == [GUARD]
    assert [verdict.verdict for verdict in result.verdicts] == ["wrong"]
    assert len(spent_in(emitted)) == 1
    assert len(result.lookups) == 1
    assert not all(code.digest for code in result.seen)


BROKEN: dict[str, Reply] = {
    "prose": Answer(call=False, preamble="They all look right to me."),
    "no list": Answer(report='{"ok": true}', tool="check_findings"),
    "no valid answer": says({"finding": 1}),
    "no JSON": Answer(report='{"answers": [}', tool="check_findings"),
    "truncated": replace(says({"finding": 1}), truncate_at=9),
    "overloaded": StatusError(529),
    "declined": Answer(call=False, stop_reason="refusal"),
}
IN_ONE_REQUEST = {
    name: reply for name, reply in BROKEN.items() if name not in ("prose", "declined")
}


@pytest.mark.parametrize("reply", IN_ONE_REQUEST.values(), ids=IN_ONE_REQUEST)
@in_virtual_time
async def test_an_answer_that_is_not_usable_is_asked_for_again(reply: Reply) -> None:
    _, result, emitted = await verified(reply, supporting)
    assert [verdict.verdict for verdict in result.verdicts] == ["supported"]
    assert len(spent_in(emitted)) == 2


@in_virtual_time
async def test_a_model_that_calls_no_tool_is_asked_for_json_text() -> None:
    fake, result, _ = await verified(BROKEN["prose"], supporting)
    assert fake.requests[1].structured
    assert "check_findings takes" in fake.requests[1].text
    assert [verdict.verdict for verdict in result.verdicts] == ["supported"]


@in_virtual_time
async def test_prose_between_look_ups_ends_no_conversation() -> None:
    fake, result, _ = await verified(BROKEN["prose"], supporting, lookups=12)
    assert ONLY_CHECK in fake.requests[1].text
    assert [one.verdict for one in result.verdicts] == ["supported"]


@pytest.mark.parametrize("lookups", [0, 12])
@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN)
@in_virtual_time
async def test_findings_are_not_verified_without_a_usable_answer(
    reply: Reply, lookups: int
) -> None:
    emitted: list[BatchEvent] = []

    async def emit(event: BatchEvent) -> None:
        emitted.append(event)

    async with verifier(lookups=lookups) as (fake, verify):
        fake.respond = lambda _request: reply
        [decided] = (await verify(task(found()), emit)).verdicts
    assert decided.verdict == "unverified"
    assert decided.reason.startswith(FAILED)
    assert 1 <= len(spent_in(emitted)) <= 8


@in_virtual_time
async def test_the_last_of_two_calls_counts() -> None:
    def twice(request: Recorded) -> Answer:
        return replace(supporting(request), blocks=2)

    for lookups in (0, 12):
        _, result, _ = await verified(twice, lookups=lookups)
        assert [verdict.verdict for verdict in result.verdicts] == ["supported"]


@in_virtual_time
async def test_a_cancelled_verification_books_what_it_used() -> None:
    emitted: list[BatchEvent] = []

    async def emit(event: BatchEvent) -> None:
        emitted.append(event)

    budget = Budget(1.0, lambda _info, prompt: len(prompt))
    stalled = Answer(usage={"input_tokens": 900}, before=[Hang()])
    async with verifier(stalled, budget=budget) as (_, verify):
        asking = asyncio.create_task(verify(task(found()), emit))
        await asyncio.sleep(10)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    [spent] = spent_in(emitted)
    assert spent.usage.input == 900
    assert spent.cost_usd
    assert budget.spent_usd == spent.cost_usd


@in_virtual_time
async def test_a_refused_key_is_not_tried_again() -> None:
    _, result, emitted = await verified(StatusError(401))
    assert [one.verdict for one in result.verdicts] == ["unverified"]
    assert len(spent_in(emitted)) == 1


@in_virtual_time
async def test_a_budget_that_is_used_up_leaves_the_findings_unverified() -> None:
    budget = Budget(0.0001, lambda _info, prompt: len(prompt))
    fake, result, _ = await verified(budget=budget)
    [decided] = result.verdicts
    assert "budget" in decided.reason
    assert fake.requests == []


@in_virtual_time
async def test_without_a_model_that_can_verify_the_findings_stay() -> None:
    verify = Verifier(lambda _name: None, AttemptPolicy(), all_runs, Exchange(None))
    [decided] = (await verify(task(found()), ignore)).verdicts
    assert decided.reason == f"{FAILED}no model is set that can verify"


@in_virtual_time
async def test_findings_that_do_not_fit_the_model_stay() -> None:
    large = view(hunk("\n".join(f"+x = {number}" for number in range(300_000))))
    request = replace(REQUEST, chunks=(large,))
    async with verifier() as (fake, verify):
        [decided] = (await verify(task(found(), request=request), ignore)).verdicts
    assert "too large for the context window" in decided.reason
    assert fake.requests == []


@in_virtual_time
async def test_of_many_new_findings_the_worst_are_verified() -> None:
    errors = tuple(replace(one, severity="error") for one in found(MOST_FINDINGS))
    mild = finding(id="mild", line=2, end_line=2, model="claude-sonnet-5-5", title="Mild")
    async with verifier(supporting) as (fake, verify):
        result = await verify(task((mild, *errors)), ignore)
    assert [len(asked(request)) for request in fake.requests] == [MOST_FINDINGS]
    verdicts = {verdict.id: verdict.verdict for verdict in result.verdicts}
    assert verdicts.pop("mild") == "unverified"
    assert set(verdicts.values()) == {"supported"}


@in_virtual_time
async def test_a_follow_up_asks_about_all_findings_with_all_code_that_changed() -> None:
    many = found(MOST_FINDINGS + 1)

    def fixes(request: Recorded) -> Answer:
        quoted = {"path": "a.py", "line": 3, "quote": "y = 2"}
        return says(*(verdict(one, "fixed", **quoted) for one in asked(request)))

    async with verifier(fixes) as (fake, verify):
        result = await verify(task(many, is_follow_up=True), ignore)
    [request] = fake.requests
    assert len(asked(request)) == len(many)
    assert '=== file "other.py"' in request.text
    assert {one.verdict for one in result.verdicts} == {"fixed"}


@in_virtual_time
async def test_a_finding_that_is_partly_true_gets_safe_texts() -> None:
    secret = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"

    def partly(request: Recorded) -> Answer:
        [reported] = asked(request)
        texts = {"title": f"T {secret}", "scenario": "When x.", "message": "M @octocat"}
        return says(verdict(reported, "partly", **texts))

    _, result, _ = await verified(partly)
    [decided] = result.verdicts
    assert decided.rewrite is not None
    assert secret not in decided.rewrite.title
    assert result_from_json(result_to_json(result)) == result


@in_virtual_time
async def test_a_comment_in_a_language_with_a_parser_withdraws_nothing() -> None:
    async def nothing(_path: str, _parts: Sequence[CodePart], _base: bool) -> Collection[int]:
        return ()

    def refuting(request: Recorded) -> Answer:
        [reported] = asked(request)
        return says(verdict(reported, "wrong", quote="import shop", line=1))

    _, result, _ = await verified(refuting, running=nothing)
    assert [verdict.verdict for verdict in result.verdicts] == ["cannot_tell"]


@in_virtual_time
async def test_an_error_of_ours_leaves_the_findings_unverified() -> None:
    async def broken(_path: str, _parts: Sequence[CodePart], _base: bool) -> Collection[int]:
        raise OSError("no space")

    def refuting(request: Recorded) -> Answer:
        [finding] = asked(request)
        return says(verdict(finding, "wrong", quote="import shop", line=1))

    _, result, _ = await verified(refuting, running=broken)
    [decided] = result.verdicts
    assert (decided.verdict, decided.reason) == ("unverified", f"{FAILED}OSError in reviewbot.")


def test_a_result_that_an_earlier_version_stored_is_read() -> None:
    verdicts = [
        {
            "id": name,
            "verdict": name,
            "worth_fixing": True,
            "reason": "R.",
            "evidence": {"path": "a.py", "line": 1, "quote": "import shop"},
        }
        for name in ("refuted", "unproven", "supported", "unverified")
    ]
    stored = {"drafts": [], "outcomes": [], "spent": [], "answer": None, "verdicts": verdicts}
    read = result_from_json(stored).verdicts
    assert {event.id: event.verdict for event in read} == {
        "refuted": "wrong",
        "unproven": "cannot_tell",
        "supported": "supported",
        "unverified": "unverified",
    }
