"""Reviews by models of local servers: what they say while they read, and when they are too weak."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.events.events import ChunkRetrying, ReviewProgress
from reviewbot.models.anthropic.claude import Claude, ModelTimeouts
from reviewbot.models.attempts import AttemptPolicy, Attempts
from reviewbot.models.batch import Reading
from reviewbot.models.catalog import lookup
from reviewbot.models.offline.model import OfflineModel
from tests.fake_anthropic import Answer, FakeAnthropic, Reply
from tests.fake_anthropic.local_servers import llama_server, ollama, reading_s
from tests.in_process import parser
from tests.models.scripted import item
from tests.support.reviews import Seen, added, job, numbered, run
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from reviewbot.models.batch import BatchEvent, BatchResult, BatchTask, Emit
    from tests.fake_anthropic.replies import Responder

FOUND = [item(1), item(2)]
WORDS = tuple(f"line_{number} = {number}  # {'word ' * 20}" for number in range(200))
LONG = "".join(added(f"f{number}.py", *WORDS) for number in range(4))
"""Four files, of which each is one request of about 30 kB."""


@asynccontextmanager
async def local(
    respond: Responder, **overrides: object
) -> AsyncIterator[tuple[FakeAnthropic, Claude]]:
    """A server of a local model and a client of it, with the default settings or ``overrides``."""
    async with FakeAnthropic(respond, models={"qwen"}, key="none") as fake:
        info = lookup("qwen", {"qwen": overrides})
        client = Claude(info, api_key=None, base_url=fake.base_url)
        try:
            yield fake, client
        finally:
            await client.aclose()


def activities(seen: Seen) -> list[str]:
    return [event.activity for event in seen.of(ReviewProgress) if event.activity]


@pytest.mark.sample(1)
@pytest.mark.parametrize("server", [llama_server, ollama], ids=["llama-server", "Ollama"])
@in_virtual_time
async def test_the_default_settings_wait_for_a_server_that_reads_25_tokens_a_second(
    server: Callable[..., Responder],
) -> None:
    async with local(server(FOUND, tokens_per_s=25)) as (fake, client):
        seen = await run(job(LONG), client)
    assert [file.status for file in seen.end.coverage] == ["reviewed"] * 4
    assert len(fake.requests) == 4
    assert min(reading_s(sent, 25) for sent in fake.requests) > ModelTimeouts().first_content_s


@pytest.mark.parametrize("missing", ["prefill_tokens_per_s", "parallel"])
@in_virtual_time
async def test_without_the_facts_about_slow_servers_the_same_review_would_end_in_silence(
    missing: str,
) -> None:
    async with local(ollama(FOUND, tokens_per_s=25), **{missing: None}) as (_, client):
        policy = AttemptPolicy(max_attempts=1)
        seen = await run(job(LONG), run_batch=Attempts([client], policy))
    assert seen.end.outcome == "incomplete"
    assert "was silent for" in seen.end.reasons[0]


@in_virtual_time
async def test_progress_names_the_tokens_that_a_slow_model_reads() -> None:
    async with local(ollama(FOUND, tokens_per_s=30)) as (_, client):
        one = job(numbered("a.py"), prefix_tokens=12_000)
        seen = await run(one, client)
    tokens = one.request_tokens(one.plan.batches[0])
    assert activities(seen) == [f"qwen reads {tokens:,} tokens"]
    assert tokens > 12_000


@in_virtual_time
async def test_a_request_that_waits_for_its_turn_is_not_said_to_be_read() -> None:
    sent_before: list[int] = []
    async with local(ollama(FOUND, tokens_per_s=100)) as (fake, client):
        attempts = Attempts([client])

        async def run_batch(task: BatchTask, emit: Emit) -> BatchResult:
            async def look(event: BatchEvent) -> None:
                if isinstance(event, Reading):
                    sent_before.append(len(fake.requests))
                await emit(event)

            return await attempts(task, look)

        await run(job(LONG), run_batch=run_batch)
    assert sent_before == [0, 1, 2, 3]


WEAK: dict[str, tuple[Reply, str]] = {
    "prose": (Answer(call=False, preamble="Looks good to me."), "prose"),
    "prose with a thought": (
        Answer(call=False, thinking="Hm.", preamble="Looks good."),
        "prose",
    ),
    "prose without end": (
        Answer(call=False, preamble="Well, ", stop_reason="max_tokens"),
        "prose",
    ),
    "nothing": (Answer(call=False), "an empty answer"),
    "a thought alone": (Answer(call=False, thinking="Hm."), "an empty answer"),
    "a call without input": (Answer(report="", delta_size=None), "an empty answer"),
    "another tool": (Answer(FOUND, tool="read_file"), "a call of another tool"),
    "broken JSON": (
        Answer(report='{"findings": [{]}'),
        "broken JSON (the report cannot be read as JSON in finding 1)",
    ),
    "JSON that ends early": (
        Answer(report='{"findings": ['),
        "broken JSON (the report was cut off after 0 findings)",
    ),
    "no findings array": (
        Answer(report='{"answer": "no problem"}', delta_size=None),
        "broken JSON (the report has no findings array)",
    ),
    "prose as the input of the tool": (Answer(report="No problem found."), "prose"),
    "findings without fields": (Answer([{"path": "a.py"}]), "findings of another form"),
}


@pytest.mark.parametrize("name", WEAK)
@in_virtual_time
async def test_a_model_too_weak_for_the_format_is_named_with_what_it_answered(name: str) -> None:
    reply, kind = WEAK[name]
    async with local(lambda _: reply) as (fake, client):
        seen = await run(job(numbered("a.py")), client)
    [file] = seen.end.coverage
    assert file.status == "failed"
    assert file.reason == (
        f"qwen does not follow the report format: in attempt 3 it answered with {kind}; use a"
        " larger model, or a server that forces tools."
    )
    assert seen.end.outcome == "incomplete"
    assert file.reason in " ".join(seen.end.reasons)
    assert len(fake.requests) == 3


@in_virtual_time
async def test_findings_before_the_format_broke_are_kept_and_the_file_is_partly_reviewed() -> None:
    broken = Answer(report=Answer(FOUND).text()[:-40] + "]]")
    async with local(lambda _: broken) as (_, client):
        seen = await run(job(numbered("a.py")), client)
    [file] = seen.end.coverage
    assert file.status == "partly"
    assert "qwen does not follow the report format" in (file.reason or "")
    assert [one.line for one in seen.findings] == [1]


@in_virtual_time
async def test_a_weak_answer_is_retried_and_a_good_one_leaves_no_complaint() -> None:
    prose = Answer(call=False, preamble="Fine.")
    async with local(lambda _: Answer(FOUND)) as (fake, client):
        fake.enqueue(prose, prose)
        seen = await run(job(numbered("a.py")), client)
    assert seen.end.outcome == "findings"
    assert [one.reason for one in seen.of(ChunkRetrying)] == [
        "the model answered with prose, not a report"
    ] * 2


@in_virtual_time
async def test_another_fault_of_the_last_attempt_is_told_as_it_is() -> None:
    prose, gone = Answer(call=False, preamble="Fine."), Answer(FOUND, cut_at=300)
    async with local(lambda _: gone) as (fake, client):
        fake.enqueue(prose, prose)
        seen = await run(job(numbered("a.py")), client)
    assert "report format" not in (seen.end.coverage[0].reason or "")


@in_virtual_time
async def test_where_the_offline_rules_take_over_the_weak_model_is_still_named() -> None:
    prose = Answer(call=False, preamble="Fine.")
    async with local(lambda _: prose) as (_, client):
        policy = AttemptPolicy(max_attempts=1)
        attempts = Attempts([client, OfflineModel(parser())], policy)
        seen = await run(job(numbered("a.py")), run_batch=attempts)
    [file] = seen.end.coverage
    assert (file.status, seen.end.outcome) == ("partly", "incomplete")
    assert (file.reason or "").startswith(
        "Only the offline rules reviewed it: qwen does not follow the report format: in attempt 1"
    )
