"""The cache before the models: what was reviewed is not paid for again."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.core.cache.seen_code import NOT_COMPARABLE, SeenCode, seen_dossier, seen_lookup
from reviewbot.core.findings.draft import parse_draft
from reviewbot.core.findings.file_changes import FileChange
from reviewbot.core.prompt.guidelines import (
    NO_GUIDELINES,
    GuidelineFile,
    Guidelines,
    SelectedRule,
)
from reviewbot.core.prompt.lookup_tools import LookupCall, LookupResult
from reviewbot.core.prompt.request import ManifestEntry, ModelRequest
from reviewbot.models.attempts import AttemptPolicy, Attempts
from reviewbot.models.base import Fault, ModelFault, Stop
from reviewbot.models.batch import (
    AnswerRecalled,
    BatchResult,
    BatchTask,
    ChunkOutcome,
    Drafted,
    LookedUp,
    RequestSent,
    Spent,
    result_from_json,
    result_to_json,
)
from reviewbot.models.cache_checks import CHECKS_S, MOST_CHECKS, SeenCodeChecks
from reviewbot.models.cached import STORE_TIMEOUT_S, CachedBatches, CacheUse, identity
from reviewbot.models.catalog import lookup
from reviewbot.models.conversation import Conversation, ToolResult, Turn
from tests.models.memory_cache import MemoryCache
from tests.models.scripted import Say, Scripted, item
from tests.support.views import hunk, view
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.models.base import Model
    from reviewbot.models.batch import BatchEvent, Emit, RunBatch

FIRST, SECOND = "claude-sonnet-5-5", "claude-haiku-5-5"


def chunk(*lines: int, path: str = "a.py", name: str = "c1", by: int = 0) -> ChunkView:
    """A chunk with a hunk for each of ``lines``, as ``scripted.item`` quotes them."""
    hunks = [hunk(f" # {n}\n+line_{n} = {n}", old=100 * n, new=100 * n + by) for n in lines]
    return replace(view(*hunks, path=path, name=name), tokens=10 * len(lines))


def task(
    *chunks: ChunkView, instructions: str = "", guidelines: Guidelines = NO_GUIDELINES
) -> BatchTask:
    manifest = (ManifestEntry("a.py", "modified", 1, 0, shown=True),)
    return BatchTask("b1", ModelRequest(chunks, manifest, instructions, guidelines, tokens=1000))


def type_of(events: Sequence[BatchEvent]) -> type[BatchEvent] | tuple[()]:
    return type(events[0]) if events else ()


class Runs:
    """One cache, and runs before it, one after the other."""

    def __init__(self, store: MemoryCache | None = None) -> None:
        self.store = store or MemoryCache()
        self.failures: list[str] = []
        self.use = CacheUse()
        self.events: list[BatchEvent] = []
        self.models: tuple[Scripted, ...] = ()

    async def __call__(
        self,
        one: BatchTask,
        *script: Say,
        then: Scripted | None = None,
        inner: RunBatch | None = None,
        identities: Mapping[str, str] | None = None,
        **changes: Any,
    ) -> BatchResult:
        self.events, self.use = [], CacheUse()
        self.models = (Scripted(*script), *([then] if then else []))
        chain: tuple[Model, ...] = self.models
        known = {FIRST: FIRST, SECOND: SECOND} if identities is None else identities

        async def emit(event: BatchEvent) -> None:
            self.events.append(event)

        cached = CachedBatches(
            inner or Attempts(chain, AttemptPolicy(max_attempts=1)),
            self.store,
            identities=lambda _task: known,
            use=self.use,
            on_failure=lambda what, error: self.failures.append(f"{what}: {error!r}"),
            **{"prompt_version": "p1"} | changes,
        )
        result = await cached(one, emit)
        gone = {event.answer for event in self.events if isinstance(event, AnswerRecalled)}
        told = [
            event
            for event in self.events
            if isinstance(event, ChunkOutcome | Spent)
            or (isinstance(event, Drafted) and event.answer not in gone)
        ]
        for part in (result.drafts, result.outcomes, result.spent):
            assert list(part) == [event for event in told if isinstance(event, type_of(part))]
        return result

    @property
    def asked(self) -> list[list[tuple[str, list[str]]]]:
        """What was shown of each chunk of each request: its added lines."""
        return [
            [
                (
                    one.id,
                    [line.text for h in one.hunks for line in h.lines if line.kind == "added"],
                )
                for one in request.chunks
            ]
            for model in self.models
            for request in model.requests
        ]


def titles(result: BatchResult) -> list[tuple[str, int, bool]]:
    return [(one.draft.quote, one.draft.line, one.cached) for one in result.drafts]


@in_virtual_time
async def test_what_was_reviewed_is_not_asked_about_again() -> None:
    run = Runs()
    one = task(chunk(1, 2), chunk(3, path="b.py", name="c2"))
    first = await run(one, Say([item(2), item(3, path="b.py"), item(1, quote="nowhere()")]))
    assert (run.use.misses, run.use.exact, run.use.findings) == (2, 0, 0)
    again = await run(one)
    assert not run.asked
    assert [type(event) for event in run.events] == [Drafted] * 3 + [ChunkOutcome] * 2
    assert {(one.draft.title, one.model, one.attempt) for one in again.drafts} == {
        (one.draft.title, one.model, one.attempt) for one in first.drafts
    }
    assert all(one.cached and one.answer.startswith("cache/c") for one in again.drafts)
    assert again.outcomes == (
        ChunkOutcome("c1", "reviewed", FIRST, 0, cached=True),
        ChunkOutcome("c2", "reviewed", FIRST, 0, cached=True),
    )
    assert again.spent == ()
    assert run.use == CacheUse(exact=2, findings=3, tokens_saved=30)
    assert result_from_json(result_to_json(again)) == again


@in_virtual_time
async def test_chunks_that_moved_or_have_another_id_are_known() -> None:
    run = Runs()
    await run(task(chunk(1, 2)), Say([item(2)]))
    moved = await run(task(chunk(1, 2, name="c9", by=5)))
    assert titles(moved) == [("line_2 = 2", 206, True)]
    assert moved.drafts[0].chunks == ("c9",)


@in_virtual_time
async def test_of_a_chunk_that_changed_only_the_rest_is_asked_about() -> None:
    run = Runs()
    await run(task(chunk(1, 2, 3)), Say([item(1), item(2)]))
    other = chunk(8, path="b.py", name="c2")
    result = await run(task(chunk(1, 3, 4), other), Say([item(4)]))
    assert run.asked == [[("c1", ["line_4 = 4"]), ("c2", ["line_8 = 8"])]]
    [request] = run.models[0].requests
    assert request.tokens == 1000 - 20
    assert titles(result) == [("line_1 = 1", 101, True), ("line_4 = 4", 4, False)]
    assert [(one.chunk, one.status, one.cached) for one in result.outcomes] == [
        ("c1", "reviewed", False),
        ("c2", "reviewed", False),
    ]
    assert run.use == CacheUse(hunks=1, misses=1, findings=1, tokens_saved=20)
    # All of the new chunk is kept, what was reused of it included.
    again = await run(task(chunk(1, 3, 4), other))
    assert not run.asked
    assert titles(again) == [("line_1 = 1", 101, True), ("line_4 = 4", 401, True)]


@in_virtual_time
async def test_what_similar_chunks_know_whole_becomes_an_entry_of_its_own() -> None:
    run = Runs()
    await run(task(chunk(1, 2, 3)), Say([item(1)]))
    await run(task(chunk(1, 2)))
    assert (run.asked, run.use.hunks, len(run.store.rows)) == ([], 1, 2)
    await run(task(chunk(1, 2)))
    assert (run.asked, run.use.exact, len(run.store.rows)) == ([], 1, 2)


def long(*, changed: int = 0) -> ChunkView:
    """A chunk of one hunk of 80 lines, as ``scripted.item`` quotes them."""
    rows = [f"+line_{n} = {n}" if n != changed else "+changed = 1" for n in range(1, 81)]
    return replace(view(hunk("\n".join(rows))), tokens=1000)


@in_virtual_time
async def test_of_a_hunk_with_one_changed_line_only_its_surroundings_are_asked_about() -> None:
    run = Runs()
    await run(task(long()), Say([item(5), item(39), item(70)]))
    result = await run(task(long(changed=40)), Say([item(38)]), similarity=0.8)
    [[(name, shown)]] = run.asked
    assert (name, len(shown)) == ("c1", 41)
    [request] = run.models[0].requests
    assert request.tokens == 1000 - run.use.tokens_saved < 600
    assert titles(result) == [
        ("line_5 = 5", 5, True),
        ("line_70 = 70", 70, True),
        ("line_38 = 38", 38, False),
    ]
    saved = run.use.tokens_saved
    assert run.use == CacheUse(lines=1, findings=2, tokens_saved=saved)
    # All of the new chunk is an entry of its own.
    again = await run(task(long(changed=40)), similarity=0.8)
    assert (run.asked, run.use.exact) == ([], 1)
    assert sorted(titles(again)) == sorted([(*one[:2], True) for one in titles(result)])
    # No code of the hunk is stored but that of quotes.
    assert "line_6" not in repr(run.store.rows)
    assert len({one.salt for one in run.store.entries}) == 2


@in_virtual_time
async def test_whole_hunks_alone_are_reused_without_a_similarity() -> None:
    run = Runs()
    await run(task(long()), Say([item(5)]))
    await run(task(long(changed=40)), Say())
    [[(_, shown)]] = run.asked
    assert (len(shown), run.use.misses) == (80, 1)


@pytest.mark.parametrize(
    ("say", "status"),
    [
        (Say(), "reviewed"),
        (Say(outcome="could_not_review"), "partly"),
        (Say(text="", fault=ModelFault("Cut.", fault=Fault.TRANSIENT)), "partly"),
    ],
)
@in_virtual_time
async def test_a_hunk_reused_in_part_is_reviewed_only_if_the_rest_was(
    say: Say, status: str
) -> None:
    run = Runs()
    await run(task(long()), Say([item(5)]))
    result = await run(task(long(changed=40)), say, similarity=0.8)
    assert [one.status for one in result.outcomes] == [status]
    assert len(run.store.rows) == 1 + (status == "reviewed")


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt_version": "p2"},
        {"rules": {"docs": "off"}},
        {"identities": {FIRST: "the same with more effort"}},
        {"identities": {SECOND: SECOND, FIRST: FIRST}},
    ],
)
@in_virtual_time
async def test_another_prompt_model_or_rule_is_asked_anew(changes: dict[str, Any]) -> None:
    run = Runs()
    await run(task(chunk(1, 2)), Say([item(1)]))
    await run(task(chunk(1, 2)), Say(), **changes)
    assert len(run.asked) == 1


@in_virtual_time
async def test_other_instructions_are_asked_about_anew() -> None:
    run = Runs()
    await run(task(chunk(1)), Say([item(1)]))
    await run(task(chunk(1), instructions="Be strict."), Say())
    await run(task(replace(chunk(1), instructions=("Be strict.",))), Say())
    assert len(run.asked) == 1


def rules(text: str, commit: str = "a" * 40) -> Guidelines:
    file = GuidelineFile("AGENTS.md", rules=(SelectedRule(1, "", text),), total=1)
    return Guidelines(commit, (file,))


@in_virtual_time
async def test_other_guidelines_are_asked_about_anew_and_another_commit_of_them_is_not() -> None:
    run = Runs()
    await run(task(chunk(1)), Say([item(1)]))
    await run(task(chunk(1), guidelines=rules("Never nest.")), Say())
    assert len(run.asked) == 1
    await run(task(chunk(1), guidelines=rules("Never nest.", "b" * 40)), Say())
    assert run.asked == []
    await run(task(chunk(1), guidelines=rules("Always nest.")), Say())
    assert len(run.asked) == 1


@in_virtual_time
async def test_a_model_that_is_not_to_be_cached_is_run_without_the_cache() -> None:
    run = Runs()
    await run(task(chunk(1)), Say([item(1)]), identities={})
    assert run.store.calls == []
    await run(task(chunk(1)), Say([item(1)]), identities={SECOND: SECOND})
    assert run.store.calls == ["exact", "similar"]
    assert not run.store.rows


CUT = ModelFault("Cut.", fault=Fault.TRANSIENT)


@pytest.mark.parametrize(
    "say",
    [
        Say(text="", fault=CUT),
        Say([item(1)], fault=CUT),
        Say([item(1)], stop=Stop.REFUSED),
        Say([item(1)], outcome="could_not_review"),
        Say([item(1)], stop=Stop.TRUNCATED),
        Say([item(1, path="other.py")]),
    ],
)
@in_virtual_time
async def test_what_was_not_reviewed_whole_or_not_clearly_of_the_chunk_is_not_kept(
    say: Say,
) -> None:
    run = Runs()
    await run(task(chunk(1)), say)
    assert not run.store.rows


@in_virtual_time
async def test_a_recalled_draft_is_not_kept_and_the_model_that_answered_is_named() -> None:
    run = Runs()
    refused = Say([item(1)], stop=Stop.REFUSED)
    await run(task(chunk(1, 2)), refused, then=Scripted(Say([item(2)]), name=SECOND))
    [entry] = run.store.entries
    assert (entry.model, [one.heard.draft.title for one in entry.drafts]) == (SECOND, ["ccccccc"])
    # The first model has not said this, so it is asked.
    await run(task(chunk(1, 2)), Say([item(1)]))
    assert len(run.asked) == 1
    again = await run(task(chunk(1, 2)), identities={SECOND: SECOND})
    assert (run.asked, [one.model for one in again.drafts]) == ([], [SECOND])


@in_virtual_time
async def test_what_two_models_have_written_together_is_not_kept() -> None:
    run = Runs()
    broken = Say([item(1)], fault=CUT)
    await run(task(chunk(1, 2)), broken, then=Scripted(Say([item(2)]), name=SECOND))
    assert not run.store.rows
    await run(task(chunk(1)), Say())
    await run(task(chunk(1, 2)), Say(fault=CUT), then=Scripted(Say(), name=SECOND))
    assert run.asked == [[("c1", ["line_2 = 2"])]] * 2
    assert len(run.store.rows) == 1


@in_virtual_time
async def test_a_chunk_that_fails_but_was_known_in_part_is_partly_reviewed() -> None:
    run = Runs()
    await run(task(chunk(1)), Say())
    result = await run(task(chunk(1, 2), chunk(5, path="b.py", name="c2")), Say(fault=CUT))
    assert [(one.chunk, one.status, one.reason) for one in result.outcomes] == [
        ("c1", "partly", "Cut."),
        ("c2", "failed", "Cut."),
    ]
    assert len(run.store.rows) == 1


@in_virtual_time
async def test_of_two_parts_of_a_file_a_misquoted_finding_belongs_to_neither() -> None:
    run = Runs()
    parts = (chunk(1), chunk(2, name="c2"), chunk(3, path="b.py", name="c3"))
    await run(task(*parts), Say([item(1, quote="nowhere()"), item(3, path="b.py")]))
    assert not run.store.rows
    await run(task(*parts), Say([item(1), item(2), item(3, path="b.py")]))
    assert [len(entry.drafts) for entry in run.store.entries] == [1, 1, 1]


@in_virtual_time
async def test_a_finding_on_a_line_of_another_request_is_not_clearly_of_the_chunk() -> None:
    async def astray(one: BatchTask, emit: Any) -> BatchResult:
        drafts, outcomes = [], []
        for asked, number in zip(one.request.chunks, (2, 1), strict=True):
            draft = parse_draft(item(number))
            drafts.append(Drafted(draft, FIRST, 1, asked.id, (asked.id,)))
            outcomes.append(ChunkOutcome(asked.id, "reviewed", FIRST, 1))
        for event in (*drafts, *outcomes):
            await emit(event)
        return BatchResult(tuple(drafts), tuple(outcomes), ())

    run = Runs()
    await run(task(chunk(1), chunk(2, name="c2")), inner=astray)
    assert not run.store.rows


@in_virtual_time
async def test_a_cache_that_fails_is_a_miss() -> None:
    run = Runs(MemoryCache(fault=OSError("disk")))
    result = await run(task(chunk(1)), Say([item(1)]))
    assert [one.cached for one in result.drafts] == [False]
    assert [one.status for one in result.outcomes] == ["reviewed"]
    assert run.failures == ["look up: OSError('disk')", "store: OSError('disk')"]
    assert run.use == CacheUse(misses=1, failures=2)


@in_virtual_time
async def test_a_cache_that_is_silent_is_a_miss() -> None:
    run, begun = Runs(MemoryCache(wait_s=9999)), asyncio.get_running_loop().time()
    result = await run(task(chunk(1)), Say([item(1)]))
    assert [one.status for one in result.outcomes] == ["reviewed"]
    assert asyncio.get_running_loop().time() - begun < 3 * STORE_TIMEOUT_S
    assert run.failures == ["look up: TimeoutError()", "store: TimeoutError()"]


@in_virtual_time
async def test_what_a_store_should_not_have_answered_is_not_believed() -> None:
    class Confused(MemoryCache):
        async def exact(self, keys: Any) -> Any:
            return dict.fromkeys(keys, self.entries[0])

    run = Runs()
    await run(task(chunk(1)), Say([item(1)]))
    store = Confused()
    store.rows = run.store.rows
    confused = Runs(store)
    await confused(task(chunk(2, path="b.py")), Say())
    assert confused.asked == [[("c1", ["line_2 = 2"])]]
    assert confused.use.misses == 1


@in_virtual_time
async def test_a_cancelled_batch_keeps_nothing_and_is_cancelled() -> None:
    run = Runs()
    running = asyncio.create_task(run(task(chunk(1)), Say([item(1)], wait_s=9999)))
    await asyncio.sleep(5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert run.models[0].open == 0
    assert run.store.calls == ["exact", "similar"]
    slow = Runs(MemoryCache(wait_s=1))
    running = asyncio.create_task(slow(task(chunk(1)), Say([item(1)])))
    await asyncio.sleep(0.5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert slow.failures == []


@in_virtual_time
async def test_a_cache_without_listeners_tells_nobody() -> None:
    cached = CachedBatches(
        Attempts([Scripted(Say())]),
        MemoryCache(fault=OSError()),
        identities=lambda _task: {FIRST: FIRST},
        prompt_version="p1",
    )
    seen: list[BatchEvent] = []

    async def emit(event: BatchEvent) -> None:
        seen.append(event)

    await cached(task(chunk(1)), emit)
    assert isinstance(seen[0], RequestSent)
    assert cached.use.failures == 2


def test_an_identity_changes_with_what_changes_an_answer() -> None:
    info = lookup(FIRST)
    assert identity(info) == identity(replace(info, prices=None, context=1))
    others = [
        identity(replace(info, effort="max")),
        identity(replace(info, name="x")),
        identity(replace(info, prompt="compact")),
        identity(info, "http://localhost:1"),
    ]
    assert len({identity(info), *others}) == 5


@in_virtual_time
async def test_what_changed_in_a_file_is_known_again_without_a_request() -> None:
    runs = Runs()
    first = await runs(task(chunk(1, 2)), Say(files=[{"path": "a.py", "change": "adds two"}]))
    again = await runs(task(chunk(1, 2, by=5)))
    assert runs.asked == []
    assert first.files == again.files == (FileChange("a.py", "adds two"),)


@in_virtual_time
async def test_a_new_line_about_a_file_replaces_the_cached_one() -> None:
    runs = Runs()
    await runs(task(chunk(1, 2)), Say(files=[{"path": "a.py", "change": "adds two"}]))
    says = Say(files=[{"path": "a.py", "change": "adds three"}])
    assert (await runs(task(chunk(1, 3)), says)).files == (FileChange("a.py", "adds three"),)
    says = Say(files=[])
    assert (await runs(task(chunk(1, 3, 4)), says)).files == (FileChange("a.py", "adds three"),)


@in_virtual_time
async def test_an_answer_about_some_lines_of_a_hunk_does_not_describe_the_file() -> None:
    runs = Runs()
    await runs(task(long()), Say(files=[{"path": "a.py", "change": "adds 80"}]))
    says = Say(files=[{"path": "a.py", "change": "adds one"}])
    again = await runs(task(long(changed=40)), says, similarity=0.8)
    assert again.files == (FileChange("a.py", "adds 80"),)


class Code:
    """Answers look-ups with ``text``, and keeps the calls."""

    def __init__(self, text: str = "R1 |x = 1", *, wait_s: float = 0) -> None:
        self.text, self.wait_s = text, wait_s
        self.calls: list[LookupCall] = []
        self.failed = False

    async def look_up(self, call: LookupCall) -> LookupResult:
        self.calls.append(call)
        await asyncio.sleep(self.wait_s)
        return LookupResult(self.text, failed=self.failed, is_certain=not self.failed)

    async def seen(self, path: str = "b.py") -> SeenCode:
        call = LookupCall("read_code", {"path": path, "first": 1, "last": 9})
        return seen_lookup(call, await self.look_up(call))

    def checks(self) -> SeenCodeChecks:
        return SeenCodeChecks(self.look_up)


def answers(
    *seen: SeenCode, names: Sequence[str] = ("c1",), drafts: Sequence[Drafted] = ()
) -> RunBatch:
    """A runner whose answer saw code outside of the diff."""
    outcomes = tuple(ChunkOutcome(name, "reviewed", FIRST, 1) for name in names)

    said: tuple[BatchEvent, ...] = (*drafts, *outcomes)

    async def inner(task: BatchTask, emit: Emit) -> BatchResult:
        for event in said:
            await emit(event)
        assert {chunk.id for chunk in task.request.chunks} == set(names)
        return BatchResult(tuple(drafts), outcomes, (), seen=seen)

    return inner


@in_virtual_time
async def test_an_answer_is_reused_while_all_code_that_it_saw_is_unchanged() -> None:
    runs, code = Runs(), Code()
    batch = task(chunk(1), chunk(2, path="b.py", name="c2"))
    await runs(batch, inner=answers(await code.seen(), await code.seen("c.py"), names=("c1", "c2")))
    code.calls.clear()
    await runs(batch, checks=code.checks())
    assert (runs.asked, runs.use.exact) == ([], 2)
    assert [call.input["path"] for call in code.calls] == ["b.py", "c.py"]  # each once
    code.text = "R1 |x = 2"
    await runs(batch, Say(), checks=code.checks())
    assert [len(request) for request in runs.asked] == [2]
    assert runs.use.misses == 2
    assert runs.failures == []


@in_virtual_time
async def test_an_answer_that_saw_code_is_not_reused_without_that_code() -> None:
    runs, code = Runs(), Code()
    await runs(task(chunk(1)), inner=answers(await code.seen()))
    code.failed = True
    for checks in (None, code.checks()):
        await runs(task(chunk(1)), inner=answers(await code.seen()), checks=checks)
        assert runs.use.misses == 1


@in_virtual_time
async def test_slow_look_ups_are_a_miss_only_for_answers_that_used_them() -> None:
    runs, code = Runs(), Code()
    await runs(task(chunk(2, path="b.py", name="c2")), Say())
    await runs(task(chunk(1)), inner=answers(await code.seen()))
    code.wait_s = CHECKS_S + 1
    both = task(chunk(1), chunk(2, path="b.py", name="c2"))
    await runs(both, Say(), checks=code.checks())
    assert [[name for name, _ in request] for request in runs.asked] == [["c1"]]
    assert (runs.use.exact, runs.failures) == (1, [])


@in_virtual_time
async def test_a_review_repeats_only_so_many_look_ups() -> None:
    runs, code = Runs(), Code()
    for number in range(2):
        seen = [await code.seen(f"{number}-{place}.py") for place in range(MOST_CHECKS)]
        await runs(task(chunk(number)), inner=answers(*seen))
    code.calls.clear()
    checks = code.checks()
    for number in range(2):
        await runs(task(chunk(number)), inner=answers(), checks=checks)
        assert runs.use.misses == number
    assert len(code.calls) == MOST_CHECKS


@in_virtual_time
async def test_hunks_are_reused_only_with_the_code_that_their_answer_saw() -> None:
    runs, code = Runs(), Code()
    await runs(task(chunk(1, 2)), inner=answers(await code.seen()))
    # Hunk 3 is asked about, and its answer looks at another file.
    result = await runs(
        task(chunk(1, 3)), inner=answers(await code.seen("c.py")), checks=code.checks()
    )
    assert runs.use.hunks == 1
    assert [lookup.input for lookup in result.seen] == [(await code.seen("c.py")).input]
    entry = runs.store.entries[-1]
    assert set(entry.seen) == {await code.seen(), await code.seen("c.py")}
    code.text = "R1 |x = 2"
    await runs(task(chunk(1, 3)), Say(), checks=code.checks())
    assert runs.use.misses == 1


@in_virtual_time
async def test_an_answer_with_a_look_up_that_failed_is_not_stored() -> None:
    runs, code = Runs(), Code()
    known, code.failed = await code.seen(), True
    await runs(task(chunk(1)), inner=answers(known, await code.seen("c.py")))
    assert runs.store.rows == {}


@in_virtual_time
async def test_a_failed_look_up_does_not_discard_what_was_known_before() -> None:
    runs, code = Runs(), Code()
    await runs(task(chunk(1, 2)), Say())
    code.failed = True
    both = task(chunk(1), chunk(3, path="b.py", name="c2"))
    await runs(both, inner=answers(await code.seen(), names=("c2",)))
    assert len(runs.store.rows) == 2  # of the two hunks, and of one of them


@in_virtual_time
async def test_a_dossier_is_compared_with_that_of_the_whole_request() -> None:
    runs, shown = Runs(), [view(hunk(" def f():", old=1, new=1), path="f.py")]

    async def dossier_of(batch: BatchTask) -> tuple[ChunkView, ...]:
        assert batch.id == "b1"
        return tuple(shown)

    def checks() -> SeenCodeChecks:
        return SeenCodeChecks(dossier_of=dossier_of)

    await runs(task(chunk(1)), inner=answers(seen_dossier(shown)))
    await runs(task(chunk(1)), checks=checks())
    assert (runs.asked, runs.use.exact) == ([], 1)
    await runs(task(chunk(1)), inner=answers(seen_dossier(shown)))  # no code to compile it from
    assert runs.use.misses == 1
    shown.clear()
    await runs(task(chunk(1)), inner=answers(seen_dossier(shown)), checks=checks())
    assert runs.use.misses == 1
    await runs(task(chunk(1)), checks=checks())
    assert (runs.asked, runs.use.exact) == ([], 1)


@in_virtual_time
async def test_quotes_of_looked_up_code_are_kept_with_the_finding() -> None:
    runs, code = Runs(), Code()
    rests_on = [{"path": "b.py", "quote": "x = 1", "base": True}]
    draft = parse_draft(item(1, rests_on=rests_on))
    drafted = Drafted(draft, FIRST, 1, "c1/m/1.0", ("c1",))
    await runs(task(chunk(1)), inner=answers(await code.seen(), drafts=[drafted]))
    result = await runs(task(chunk(1)), checks=code.checks())
    assert [drafted.draft.rests_on for drafted in result.drafts] == [draft.rests_on]


@in_virtual_time
async def test_a_damaged_input_in_the_store_is_a_miss() -> None:
    runs, code = Runs(), Code()
    await runs(task(chunk(1)), inner=answers(await code.seen()))
    runs.store.rows = {
        key: row.replace(json.dumps(runs.store.entries[0].seen[0].input), '"{"')
        for key, row in runs.store.rows.items()
    }
    await runs(task(chunk(1)), Say(), checks=code.checks())
    assert runs.use.misses == 1
    assert [failure.partition(":")[0] for failure in runs.failures] == ["compare"]


def test_a_conversation_survives_json() -> None:
    draft = parse_draft(item(1, rests_on=[{"path": "b.py", "quote": "x = 1", "base": True}]))
    results = (ToolResult("t1", "R1 |x = 1"), ToolResult("t2", "No.", failed=True))
    files = (FileChange("a.py", "Adds a line"),)
    turn = Turn('[{"type":"thinking"}]', results, "Report.", (draft,), files, ("a.py",), ("x",))
    talk = Conversation("Now.", ("strict",), (turn,))
    seen = (SeenCode("read_code", "{}", "0"), NOT_COMPARABLE)
    result = BatchResult((), (), (), conversation=talk, lookups=(LookedUp(FIRST, "x"),), seen=seen)
    assert result_from_json(json.loads(json.dumps(result_to_json(result)))) == result
