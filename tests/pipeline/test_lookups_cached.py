"""A review with look-ups of a diff that was reviewed before, against the fake API."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.core.events.events import Usage
from reviewbot.models.anthropic.claude import Claude, ModelTimeouts
from reviewbot.models.attempts import Attempts
from reviewbot.models.budget import Budget
from reviewbot.models.cache_checks import SeenCodeChecks
from reviewbot.models.cached import CachedBatches
from reviewbot.models.catalog import lookup
from reviewbot.models.dialogue import ONLY_REPORT
from reviewbot.models.exchange import MAX_TURNS, TurnCheckpoints
from reviewbot.pipeline.lookups import CountedLookups
from tests.fake_anthropic import Answer, FakeAnthropic, Recorded, Reply
from tests.models.memory_cache import MemoryCache
from tests.models.scripted import item
from tests.support.reviews import Seen, job, numbered, run
from tests.support.scripted_code import FILES, FakeCode
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from reviewbot.models.batch import BatchResult

MODEL = "claude-sonnet-5-5"
READ = ("read_code", {"path": "settings.py", "first": 1, "last": 2})
SEARCH = ("search_code", {"text": "line_1"})
MISSING = ("read_code", {"path": "missing.py", "first": 1, "last": 2})
RESTS_ON = [{"path": "settings.py", "quote": "RATE = None"}]


class Reviews:
    """Reviews of one diff with look-ups and one cache."""

    def __init__(self, *, limit: int = 24) -> None:
        self.limit = limit
        self.budget_usd: float | None = None
        self.store = MemoryCache()
        self.turns: dict[str, BatchResult] = {}
        self.requests: list[Recorded] = []
        self.code = FakeCode()

    async def save(self, name: str, turn: BatchResult) -> None:
        self.turns[name] = turn

    async def of(
        self,
        *replies: Reply,
        files: dict[str, str] | None = None,
        respond: Callable[[Recorded], Reply] | None = None,
    ) -> Seen:
        """Review at a commit with these files beside the diff; ``{}`` without a repository."""
        self.code = FakeCode({**FILES, **files} if files else FILES)
        has_code = files != {}
        budget = Budget(self.budget_usd, lambda *_: 2_000) if self.budget_usd else None
        async with FakeAnthropic(respond) as fake:
            fake.enqueue(*replies)
            self.requests = fake.requests
            client = Claude(
                lookup(MODEL), api_key=fake.key, base_url=fake.base_url, timeouts=ModelTimeouts()
            )
            attempts = Attempts(
                [client],
                budget=budget,
                lookups=CountedLookups(self.code.look_up, self.limit) if has_code else None,
                checkpoints=TurnCheckpoints(dict(self.turns), self.save),
            )
            cached = CachedBatches(
                attempts,
                self.store,
                identities=lambda _: {MODEL: MODEL},
                prompt_version="p1",
                checks=SeenCodeChecks(self.code.look_up if has_code else None),
            )
            async with aclosing(client):
                return await run(
                    job(numbered("a.py"), lookups=self.limit),
                    run_batch=cached,
                    check_quotes=self.code.check_quotes,
                )


def looks(*calls: tuple[str, dict[str, Any]]) -> Answer:
    return Answer(call=False, lookups=calls)


def conversation() -> tuple[Answer, ...]:
    """Three turns that read, search and report in two parts."""
    return (
        looks(READ),
        Answer([item(1, rests_on=RESTS_ON)], outcome="continuing", lookups=[SEARCH]),
        Answer([item(2)]),
    )


@in_virtual_time
async def test_a_second_review_of_a_diff_asks_no_model_and_shows_the_same() -> None:
    reviews = Reviews()
    first = await reviews.of(*conversation())
    assert len(reviews.requests) == 3
    assert first.end.lookups is not None
    assert first.end.lookups.count == 2
    again = await reviews.of()
    assert reviews.requests == []
    assert [replace(finding, cached=False) for finding in again.findings] == first.findings
    assert [len(finding.rests_on) for finding in again.findings] == [1, 0]
    # The look-ups were repeated, but no model read their results.
    assert [call.name for call in reviews.code.calls] == ["read_code", "search_code"]
    assert again.end.lookups is None
    assert again.end.usage == Usage()
    assert again.end.cost_usd == 0
    assert again.end.outcome == first.end.outcome == "findings"


@pytest.mark.parametrize(
    "files",
    [
        {"settings.py": "RATE = 2\nCURRENCY = 'EUR'\n"},
        {"tests/test_b.py": "assert line_1 == 2\n"},
        {},
    ],
    ids=["a file that was read", "a search", "no repository"],
)
@in_virtual_time
async def test_a_review_asks_again_if_a_look_up_has_another_result(files: dict[str, str]) -> None:
    reviews = Reviews()
    await reviews.of(*conversation())
    reviews.turns.clear()
    replies = conversation() if files else [Answer([item(3)])]
    second = await reviews.of(*replies, files=files)
    assert len(reviews.requests) == len(replies)
    assert not any(finding.cached for finding in second.findings)
    await reviews.of(files=files)
    assert len(reviews.requests) == 0


@in_virtual_time
async def test_another_file_that_no_look_up_touched_changes_nothing() -> None:
    reviews = Reviews()
    await reviews.of(*conversation())
    await reviews.of(files={"other.py": "unrelated = 1\n"})
    assert reviews.requests == []


@in_virtual_time
async def test_an_answer_that_looked_for_a_missing_file_is_reused_while_there_is_none() -> None:
    reviews = Reviews()
    replies = looks(READ, MISSING), Answer([item(1)])
    await reviews.of(*replies)
    await reviews.of()
    assert reviews.requests == []
    await reviews.of(*replies, files={"missing.py": "here = 1\n"})
    assert len(reviews.requests) == 2


@in_virtual_time
async def test_an_answer_after_a_look_up_that_was_not_answered_is_not_reused() -> None:
    reviews = Reviews(limit=1)
    for _ in range(2):
        reviews.turns.clear()
        await reviews.of(looks(READ, SEARCH), Answer([item(1)]))
        assert len(reviews.requests) == 2
    assert reviews.store.rows == {}


@pytest.mark.parametrize(("budget_usd", "requests"), [(0.02, 1), (0.035, 2)])
@in_virtual_time
async def test_an_answer_whose_look_ups_the_budget_ended_is_not_reused(
    budget_usd: float, requests: int
) -> None:
    reviews = Reviews()
    reviews.budget_usd = budget_usd
    seen = await reviews.of(
        respond=lambda request: Answer([item(1)]) if ONLY_REPORT in request.text else looks(READ)
    )
    assert len(reviews.requests) == requests
    assert seen.end.outcome == "findings"
    assert reviews.store.rows == {}


@pytest.mark.parametrize("limit", [2, 24], ids=["look-ups", "turns"])
@in_virtual_time
async def test_an_answer_at_the_usual_limits_is_reused(limit: int) -> None:
    reviews = Reviews(limit=limit)
    await reviews.of(
        respond=lambda request: Answer([item(1)]) if ONLY_REPORT in request.text else looks(READ)
    )
    assert len(reviews.requests) == min(limit + 1, MAX_TURNS)
    await reviews.of()
    assert reviews.requests == []


@in_virtual_time
async def test_an_answer_that_a_crash_interrupted_is_not_reused() -> None:
    reviews = Reviews()
    with pytest.raises(AssertionError, match="no reply"):  # the node dies in the third turn
        await reviews.of(*conversation()[:2])
    seen = await reviews.of(Answer([item(2)]))
    assert len(seen.findings) == 2
    assert reviews.store.rows == {}


@in_virtual_time
async def test_no_looked_up_code_is_stored_but_quotes_of_findings() -> None:
    reviews = Reviews()
    await reviews.of(*conversation())
    assert "RATE = None" in repr(reviews.store.rows)
    assert "CURRENCY" not in repr(reviews.store.rows)
