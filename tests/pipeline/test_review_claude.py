"""The pipeline with Claude against the fake API: whatever the fault, nothing lost or doubled."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.core.events.events import WalkthroughEntry
from reviewbot.core.prompt.purpose import Purpose
from reviewbot.models.anthropic.claude import Claude, ModelTimeouts
from reviewbot.models.attempts import AttemptPolicy, Attempts
from reviewbot.models.catalog import lookup
from reviewbot.models.offline.model import OfflineModel
from reviewbot.models.summary import Summarizer
from tests.fake_anthropic import (
    Answer,
    Cut,
    FakeAnthropic,
    Hang,
    Pause,
    Recorded,
    Reply,
    StatusError,
    StreamError,
)
from tests.in_process import parser
from tests.models.scripted import item
from tests.support.cuts import cuts
from tests.support.reviews import Seen, job, numbered, run
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

FOUND = [item(1), item(2), item(3)]
ONCE = {1, 2, 3}


@asynccontextmanager
async def claude(
    *replies: Reply,
    model: str = "claude-sonnet-5-5",
    respond: Callable[[Recorded], Reply] | None = None,
) -> AsyncIterator[tuple[FakeAnthropic, Claude]]:
    """A fake with these replies and a client of it."""
    async with FakeAnthropic(respond) as fake:
        fake.enqueue(*replies)
        timeouts = ModelTimeouts(first_content_s=300, idle_s=60, total_s=900)
        client = Claude(lookup(model), api_key=fake.key, base_url=fake.base_url, timeouts=timeouts)
        try:
            yield fake, client
        finally:
            await client.aclose()


async def reviewed(*replies: Reply, model: str = "claude-sonnet-5-5", count: int = 3) -> Seen:
    async with claude(*replies, model=model) as (_, client):
        return await run(job(numbered("a.py", count)), client)


def lines(seen: Seen) -> list[int]:
    return [one.line for one in seen.findings]


NASTY: dict[str, tuple[Reply, ...]] = {
    "plain": (Answer(FOUND),),
    "byte by byte": (Answer(FOUND, delta_size=1),),
    "in one delta": (Answer(FOUND, delta_size=None),),
    "in content_block_start": (Answer(FOUND, input_in_start=True),),
    "no input in content_block_start": (Answer(FOUND, omit_input=True),),
    "no content_block_stop": (Answer(FOUND, block_stop=False),),
    "text first": (Answer(FOUND, preamble="Let me look at this."),),
    "silent thinking": (Answer(FOUND, thinking=""),),
    "loud thinking": (Answer(FOUND, thinking="Hm, line 1 looks odd."),),
    "thinking for minutes": (Answer(FOUND, thinking="", before=[Pause(240, ping_every=10)]),),
    "socket closed after each answer": (Answer(FOUND, close=True),),
    "overlapping blocks": (Answer(FOUND, blocks=2, overlap=True),),
    "the report twice": (Answer(FOUND, blocks=2),),
    "no usage": (Answer(FOUND, usage={}),),
    "overloaded": (StatusError(529), StatusError(529, retry_after=3), Answer(FOUND)),
    "rate limited": (StatusError(429, retry_after=7), Answer(FOUND)),
    "server error": (StatusError(500), Answer(FOUND)),
    "gateway page": (StatusError(502, body=b"<html>bad gateway</html>"), Answer(FOUND)),
    "error in the stream": (Answer(FOUND[:2], error=StreamError()), Answer(FOUND)),
    "reset": (Answer(FOUND, cut_at=900), Answer(FOUND)),
    "closed within the body": (Answer(FOUND, cut_at=1500, cut=Cut("close")), Answer(FOUND)),
    "ended without message_stop": (Answer(FOUND, message_stop=False), Answer(FOUND)),
    "ended in the middle": (Answer(FOUND, cut_at=1500, cut=Cut("eof")), Answer(FOUND)),
    "silence": (Answer(FOUND, before=[Hang()]), Answer(FOUND)),
    "endless pings": (Answer(FOUND, before=[Hang(ping_every=5)]), Answer(FOUND)),
    "max_tokens": (Answer(FOUND, truncate_at=800), Answer(FOUND[2:])),
    "max_tokens twice": (
        Answer(FOUND, truncate_at=450),
        Answer(FOUND[1:], truncate_at=450),
        Answer(FOUND[2:]),
    ),
    "broken JSON": (Answer(report='{"findings": [{]}'), Answer(FOUND)),
    "an empty object": (Answer(report="{}"), Answer(FOUND)),
    "a bare array": (Answer(report="[]"), Answer(FOUND)),
    "an object of findings": (Answer(report='{"findings": {"a": 1}}'), Answer(FOUND)),
    "no tool call": (Answer(call=False, preamble="All good!"), Answer(FOUND)),
    "unknown stop reason": (Answer(FOUND, stop_reason="bored"), Answer(FOUND)),
    "null stop reason": (Answer(FOUND, stop_reason=""), Answer(FOUND)),
    "a malformed finding": (Answer([FOUND[0], {"path": "a.py"}, *FOUND[1:]]), Answer(FOUND)),
}


CASES = [(model, name) for model in ("claude-sonnet-5-5", "claude-haiku-5-5") for name in NASTY]
CASES.remove(("claude-haiku-5-5", "no tool call"))  # a forced tool is always called


@pytest.mark.parametrize(("model", "name"), CASES)
@in_virtual_time
async def test_whatever_the_fault_each_finding_arrives_once(model: str, name: str) -> None:
    seen = await reviewed(*NASTY[name], model=model)
    assert sorted(lines(seen)) == [1, 2, 3]
    assert seen.end.outcome == "findings"
    assert [one.status for one in seen.end.coverage] == ["reviewed"]


HOPELESS: dict[str, Reply] = {
    "wrong key": StatusError(401),
    "no credit": StatusError(402),
    "forbidden": StatusError(403),
    "no such model": StatusError(404),
    "too large": StatusError(413),
    "spend limit": StatusError(429, error_code="enforced_spend_limit_reached"),
    "overloaded for ever": StatusError(529),
    "asked to wait for a day": StatusError(429, retry_after=86_400),
    "cut for ever": Answer([], cut_at=600),
    "silent for ever": Answer([], before=[Hang(ping_every=1)]),
    "refused": Answer([], stop_reason="refusal", stop_details={"category": "cyber"}),
    "truncated for ever": Answer([], truncate_at=5),
    "prose for ever": Answer(call=False, preamble="Looks good to me."),
    "broken for ever": Answer(report="{"),
    "gave up": Answer([], outcome="could_not_review"),
}


@pytest.mark.parametrize("name", HOPELESS)
@in_virtual_time
async def test_without_an_answer_a_review_is_never_clean(name: str) -> None:
    reply = HOPELESS[name]
    async with claude(respond=lambda _: reply) as (fake, client):
        seen = await run(job(numbered("a.py")), client)
        assert len(fake.requests) <= 7
    assert seen.end.outcome == "incomplete"
    [file] = seen.end.coverage
    assert file.status in ("failed", "partly")
    assert file.reason
    assert fake.key not in repr(seen.events)


@in_virtual_time
async def test_refused_findings_are_withdrawn_and_the_next_model_is_asked() -> None:
    def respond(request: Recorded) -> Reply:
        if request.model == "claude-sonnet-5-5":
            return Answer(FOUND[:2], stop_reason="refusal", stop_details={"category": "cyber"})
        return Answer(FOUND[1:])

    async with claude(respond=respond) as (fake, first):
        second = Claude(lookup("claude-haiku-5-5"), api_key=fake.key, base_url=fake.base_url)
        seen = await run(job(numbered("a.py")), first, second)
        await second.aclose()
    standing = {one.id: one for one in seen.findings if one.id in seen.standing}.values()
    assert sorted(one.line for one in standing) == [2, 3]
    assert {one.model for one in standing} == {"claude-haiku-5-5"}
    assert seen.end.outcome == "findings"


@in_virtual_time
async def test_the_offline_rules_stand_in_when_asked_for_and_say_so() -> None:
    async with claude(respond=lambda _: StatusError(529)) as (_, client):
        diff = numbered("a.py").replace("line_2 = 2", "eval(input_2)")
        seen = await run(job(diff), client, OfflineModel(parser()))
    assert len(seen.findings) == 1
    assert seen.end.outcome == "incomplete"
    assert "offline rules" in (seen.end.coverage[0].reason or "")


@in_virtual_time
async def test_many_chunks_share_one_cached_prefix_and_run_side_by_side() -> None:
    files = "".join(numbered(f"f{number}.py") for number in range(6))
    async with claude(respond=lambda _: Answer([], pace=0.5, thinking="hm")) as (fake, client):
        seen = await run(job(files), client)
        prefixes = {request.system for request in fake.requests}
    assert len(prefixes) == 1
    assert seen.end.outcome == "clean"
    assert seen.end.usage.cache_write > 0
    assert seen.end.usage.cache_read == pytest.approx(5 * seen.end.usage.cache_write, rel=0.2)


@in_virtual_time
async def test_a_batch_with_one_bad_file_loses_only_that_file() -> None:
    def respond(request: Recorded) -> Reply:
        if '=== file "b.py"' in request.text:
            return StatusError(500)
        return Answer([item(1)])

    async with claude(respond=respond) as (_, client):
        seen = await run(job(numbered("a.py") + numbered("b.py"), apart=False), client)
    assert [(one.path, one.status) for one in seen.end.coverage] == [
        ("a.py", "reviewed"),
        ("b.py", "failed"),
    ]
    assert lines(seen) == [1]


@in_virtual_time
async def test_a_summary_is_asked_for_once_and_shown() -> None:
    summary: dict[str, Any] = {
        "what": "It adds @everyone three lines.",
        "look_at": ["a.py"],
        "claim_mismatch": None,
    }

    def respond(request: Recorded) -> Reply:
        if "fix typo" in request.text:
            return Answer(report=json.dumps(summary))
        return Answer(FOUND)

    async with claude(respond=respond) as (fake, client):
        ask = Summarizer(client, purpose=Purpose("fix typo", "No functional change."))
        seen = await run(job(numbered("a.py")), client, summarize=ask)
        assert "fix typo" not in fake.requests[0].text
        assert len(fake.requests) == 2
    [event] = [one for one in seen.events if one.type == "review.summary"]
    assert event.source == "model"
    assert event.files == (WalkthroughEntry("a.py", "Changes a.py"),)
    assert seen.end.usage.output > 0


@pytest.mark.parametrize("described", [True, False])
@in_virtual_time
async def test_only_a_change_that_was_read_whole_contradicts_its_title(described: bool) -> None:
    """Else the title is not shown, and the model knows of no claim."""
    answer = {"what": "x", "look_at": [], "claim_mismatch": "It does more."}
    lines = [{"path": name, "change": "adds lines"} for name in ("a.py", "b.py")]

    def respond(request: Recorded) -> Reply:
        if request.structured:
            return Answer(report=json.dumps(answer))
        return Answer(FOUND, files=lines if described else lines[:1])

    async with claude(respond=respond) as (fake, client):
        ask = Summarizer(client, purpose=Purpose("fix typo"))
        two = job(numbered("a.py") + numbered("b.py"), apart=False)
        seen = await run(two, client, summarize=ask)
        assert ("fix typo" in fake.requests[-1].text) == described
    [event] = [one for one in seen.events if one.type == "review.summary"]
    assert event.claim_mismatch == ("It does more." if described else None)


@in_virtual_time
async def test_the_code_is_sent_once() -> None:
    def respond(request: Recorded) -> Reply:
        return Answer(report='{"what": "x"}') if request.structured else Answer(FOUND)

    async with claude(respond=respond) as (fake, client):
        await run(job(numbered("a.py")), client, summarize=Summarizer(client))
        assert [("line_1 = 1" in request.text) for request in fake.requests] == [True, False]


@in_virtual_time
async def test_a_summary_that_fails_is_computed_and_the_review_stands() -> None:
    def respond(request: Recorded) -> Reply:
        return StatusError(529) if request.structured else Answer(FOUND)

    async with claude(respond=respond) as (_, client):
        seen = await run(job(numbered("a.py")), client, summarize=Summarizer(client))
    assert seen.end.outcome == "findings"
    assert "computed" in repr(seen.events[-2])


@pytest.mark.slow
@in_virtual_time
async def test_an_answer_cut_at_any_byte_loses_and_doubles_nothing() -> None:
    whole = Answer([item(1), item(2)], delta_size=None)
    policy = AttemptPolicy(backoff_initial_s=0.1)
    ways = cycle(("reset", "close", "eof"))
    async with claude() as (fake, client):
        for cut_at in cuts(whole.wire())[1:-1]:
            how = Cut(next(ways))  # type: ignore[arg-type]  # its literals
            fake.enqueue(Answer([item(1), item(2)], delta_size=None, cut_at=cut_at, cut=how))
            fake.enqueue(whole)
            seen = await run(job(numbered("a.py")), run_batch=Attempts([client], policy))
            assert (sorted(lines(seen)), seen.end.outcome) == ([1, 2], "findings"), cut_at
