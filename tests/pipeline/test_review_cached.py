"""Reviews of a change that was reviewed before: what is known is told again, the rest is asked."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.events.events import (
    ChunkFinished,
    ChunkStarted,
    FindingRaised,
    ReviewStarted,
    Usage,
)
from reviewbot.core.findings.intake import FindingFilters
from reviewbot.models.attempts import Attempts
from reviewbot.models.cached import CachedBatches, CacheUse
from reviewbot.pipeline.job import PriorRun
from reviewbot.pipeline.review import review
from tests.models.memory_cache import MemoryCache
from tests.models.scripted import Say, Scripted, item
from tests.support.reviews import Checkpoints, Seen, added, job, numbered, run
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from reviewbot.core.events.events import Event
    from reviewbot.core.findings.finding import Finding
    from reviewbot.models.base import Model
    from reviewbot.models.batch import RunBatch
    from reviewbot.pipeline.job import Job

MODEL = "claude-sonnet-5-5"


def cached(store: MemoryCache, *chain: Model, use: CacheUse | None = None) -> RunBatch:
    return CachedBatches(
        Attempts(chain),
        store,
        identities=lambda _: {MODEL: MODEL},
        prompt_version="p1",
        similarity=0.8,
        use=use,
    )


def hunks(path: str, *numbers: int, above: int = 0) -> str:
    """A changed file with a hunk for each of ``numbers``, and lines put in above them all."""
    top = f"@@ -1,1 +1,{1 + above} @@\n # top\n" + "+# new\n" * above if above else ""
    body = "".join(
        f"@@ -{100 * n},2 +{100 * n + above},2 @@ def f{n}():\n # {n}\n-pass\n+line_{n} = {n}\n"
        for n in numbers
    )
    return f"--- a/{path}\n+++ b/{path}\n{top}{body}"


def plain(finding: Finding) -> Finding:
    return replace(finding, cached=False)


@in_virtual_time
async def test_a_second_identical_review_asks_nothing_and_finds_the_same() -> None:
    secret = "ghp_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"
    diff = hunks("a.py", 1, 2) + numbered("b.py") + added("c.py", f"token = '{secret}'")
    found = [
        item(1, line=101, end_line=101, suggestion="line_1 = 5"),
        item(2, confidence=0.2),
        item(2, path="b.py", message=f"Never write {secret}."),
        item(3, path="b.py", quote="nowhere = 1"),
        item(1, path="b.py", quote="line_1 = 1\nline_2 = 2\n..."),
    ]
    store, use, one = MemoryCache(), CacheUse(), job(diff, apart=False)
    first = await run(one, run_batch=cached(store, Scripted(Say(found)), use=use))
    assert len(first.findings) == 6
    assert not any(finding.cached for finding in first.findings)
    assert use.misses == 3
    assert secret not in repr(store.rows)

    model = Scripted(Say())
    again = await run(one, run_batch=cached(store, model, use=use))
    assert model.requests == []
    assert again.of(ChunkStarted) == []
    assert {finding.id: plain(finding) for finding in again.findings} == {
        finding.id: finding for finding in first.findings
    }
    # A secret is not what a model has said: it is looked for every time.
    assert {finding.rule for finding in again.findings if not finding.cached} == {
        finding.rule for finding in first.findings if finding.rule.startswith("secrets/")
    }
    assert [(event.cached, event.status) for event in again.of(ChunkFinished)] == [
        (True, "reviewed")
    ] * 3
    assert again.end.usage == Usage()
    assert again.end.cost_usd == 0
    assert (again.end.outcome, again.end.findings) == (first.end.outcome, first.end.findings)
    assert (use.exact, use.findings) == (3, 5)


@in_virtual_time
async def test_an_edited_change_is_asked_only_about_the_rest() -> None:
    store = MemoryCache()
    found = [item(1, line=101, end_line=101), item(2), item(1, path="b.py")]
    diff = hunks("a.py", 1, 2, 3) + numbered("b.py")
    first = await run(job(diff, apart=False), run_batch=cached(store, Scripted(Say(found))))
    # Hunk 2 is repaired, and lines above push all others down; b.py stays as it is.
    edited = hunks("a.py", 1, 3, above=4) + numbered("b.py")
    model = Scripted(Say([item(9, quote="# new", line=2)]))
    second = await run(job(edited, apart=False), run_batch=cached(store, model))
    [request] = model.requests
    assert [(chunk.path, len(chunk.hunks)) for chunk in request.chunks] == [("a.py", 1)]
    assert {(one.path, one.line, one.cached) for one in second.findings} == {
        ("a.py", 105, True),
        ("b.py", 1, True),
        ("a.py", 2, False),
    }
    # What is known keeps its identity over the two reviews.
    assert {one.id for one in second.findings if one.cached} < {one.id for one in first.findings}
    assert {event.chunk: event.cached for event in second.of(ChunkFinished)} == {
        "c1": False,
        "c2": True,
    }


@pytest.mark.parametrize(
    ("say", "status"),
    [
        (Say([item(40, quote="changed = 1")]), "reviewed"),
        (Say(outcome="could_not_review"), "partly"),
    ],
)
@in_virtual_time
async def test_a_file_with_one_changed_line_is_reviewed_only_if_this_line_was(
    say: Say, status: str
) -> None:
    store = MemoryCache()
    found = [item(5), item(38), item(70)]
    first = await run(job(numbered("a.py", 80)), run_batch=cached(store, Scripted(Say(found))))
    edited = numbered("a.py", 80).replace("line_40 = 40", "changed = 1")
    model = Scripted(say)
    second = await run(job(edited), run_batch=cached(store, model))
    assert {len(hunk.lines) for request in model.requests for hunk in request.chunks[0].hunks} == {
        41
    }
    told = {(one.line, one.cached) for one in second.findings}
    assert told == {(5, True), (70, True), *((40, False) for _ in say.findings)}
    assert {one.id for one in second.findings if one.cached} < {one.id for one in first.findings}
    assert [one.status for one in second.end.coverage] == [status]
    assert second.end.outcome == ("findings" if status == "reviewed" else "incomplete")


@in_virtual_time
async def test_the_thresholds_of_now_decide_about_what_was_said_then() -> None:
    store = MemoryCache()
    one = job(numbered("a.py"))
    await run(one, run_batch=cached(store, Scripted(Say([item(1, confidence=0.8)]))))
    strict = job(numbered("a.py"), gates=FindingFilters(confidence=0.9))
    [finding] = (await run(strict, run_batch=cached(store, Scripted(Say())))).findings
    assert finding.placement.held


@in_virtual_time
async def test_a_line_too_long_to_show_stays_partly_reviewed() -> None:
    store, one = MemoryCache(), job(added("a.py", "x = '" + "long " * 20_000 + "'"))
    for again in (False, True):
        seen = await run(one, run_batch=cached(store, Scripted(Say())))
        assert seen.end.coverage[0].status == "partly"
        assert [event.cached for event in seen.of(ChunkFinished)] == [again]


FILES = numbered("a.py") + numbered("b.py") + numbered("c.py", 4)


def by_path() -> Model:
    says = {path: Say([item(1, path=path), item(3, path=path)]) for path in ("b.py", "c.py")}
    return Scripted(*[lambda request: says[request.chunks[0].path]] * 2)


async def warm() -> MemoryCache:
    """A cache that knows all of a.py, and of c.py another state."""
    store = MemoryCache()
    known = job(numbered("a.py") + numbered("c.py"))
    says = {path: Say([item(2, path=path)]) for path in ("a.py", "c.py")}
    model = Scripted(*[lambda request: says[request.chunks[0].path]] * 2)
    await run(known, run_batch=cached(store, model))
    return store


async def crash_after(
    one: Job, engine: Checkpoints, count: int, earlier: PriorRun | None = None
) -> Seen:
    events: list[Event] = []
    async with aclosing(review(one, engine, earlier=earlier)) as generator:
        async for event in generator:
            events.append(event)
            if len(events) == count:
                break
    return Seen(events)


@pytest.mark.slow
@in_virtual_time
async def test_after_a_crash_a_review_goes_on_with_what_the_cache_told_before() -> None:
    one = job(FILES, jobs=1)
    whole = await crash_after(one, Checkpoints(cached(await warm(), by_path())), 10_000)
    assert {finding.cached for finding in whole.findings} == {True, False}
    for count in range(1, len(whole.events)):
        store = await warm()
        engine = Checkpoints(cached(store, by_path()))
        before = await crash_after(one, engine, count)
        left = PriorRun(
            finished=dict(engine.results),
            shown=tuple(before.findings),
            ended=frozenset(event.chunk for event in before.of(ChunkFinished)),
        )
        after = await crash_after(one, Checkpoints(cached(store, by_path())), 10_000, left)
        both = Seen([*before.events, *after.events])
        assert len(both.of(ReviewStarted)) == 1
        assert sorted(event.chunk for event in both.of(ChunkFinished)) == ["c1", "c2", "c3"]
        raised = [event.finding.id for event in both.of(FindingRaised)]
        assert sorted(raised) == sorted(whole.standing), count
