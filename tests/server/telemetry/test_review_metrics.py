"""Metrics of single reviews: answers, retries, waiting times and cache use."""

from __future__ import annotations

from typing import Any

from reviewbot.core.events.events import (
    ChunkFinished,
    FindingRaised,
    FindingWithdrawn,
    ReviewFinished,
    Usage,
)
from reviewbot.jobs import truncation
from reviewbot.models.batch import ChunkOutcome, Drafted, RequestSent, Retrying, Spent, Working
from reviewbot.models.cached import CacheUse
from reviewbot.server.telemetry.metrics import Metrics
from reviewbot.server.telemetry.review_metrics import Counting
from reviewbot.store.reviews import ReviewRow
from tests.server.scrapes import exposed
from tests.support.findings import finding

CLAUDE = "claude-sonnet-5-5"


def row(**changes: Any) -> ReviewRow:
    values = {
        **dict.fromkeys(ReviewRow.__dataclass_fields__),
        "id": "a" * 32,
        "runs": 1,
        "epoch": 1,
        "asks": False,
        "created_at": 1_000,
        "started_at": 3_500,
        **changes,
    }
    return ReviewRow(**values)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_sign_of_each_answer_is_timed_once() -> None:
    metrics, clock = Metrics(), Clock()
    observe = Counting(metrics, clock).batch(row())
    for first in (Working(CLAUDE), drafted()):
        observe(RequestSent(("c1",), CLAUDE, 1))
        clock.now += 2.0
        observe(first)
        clock.now += 5.0
        observe(Working(CLAUDE))
        observe(Spent(CLAUDE, Usage(), None))
        observe(Working(CLAUDE))
    observe(RequestSent(("c1",), CLAUDE, 1))
    observe(drafted(cached=True))
    observe(Spent(CLAUDE, Usage(), None))
    seen = exposed(metrics)
    assert seen.value("reviewbot_time_to_first_token_seconds_count") == 2
    assert seen.value("reviewbot_time_to_first_token_seconds_sum") == 4.0


def test_a_finding_that_is_raised_again_is_counted_once() -> None:
    metrics = Metrics()
    counting, one = Counting(metrics), row()
    counting.began(one)
    for event in (
        FindingRaised(finding()),
        FindingRaised(finding(severity="error")),
        FindingWithdrawn("f", "Recalled."),
        FindingRaised(finding()),
    ):
        counting.event(one, event)
    seen = exposed(metrics)
    assert seen.value("reviewbot_findings_total", severity="warning", placement="inline") == 2
    assert seen.value("reviewbot_findings_withdrawn_total") == 1


def test_fates_are_counted_under_rules_and_models_that_are_known() -> None:
    metrics = Metrics()
    counting = Counting(metrics)
    counting.fate("fixed", "bug", CLAUDE, "0123456789ab")
    counting.fate("fixed", "python/eval", "offline", "")
    counting.fate("dismissed", "ruff/F821", "offline", "")
    counting.fate("dismissed", "custom/of-this-repository", "offline", "")
    counting.fate("open_at_merge", "imported/tool/rule", "a model of 2024", "")
    counting.fate("refuted", "security", "", "")
    names = ("fate", "rule", "model", "prompt_version")
    seen = exposed(metrics).of("reviewbot_finding_fates_total")
    found = [tuple(one[name] for name in names) for one in seen]
    assert found == [
        ("fixed", "bug", CLAUDE, "0123456789ab"),
        ("fixed", "python/eval", "offline", "none"),
        ("dismissed", "ruff/F821", "offline", "none"),
        ("dismissed", "other", "offline", "none"),
        ("open_at_merge", "other", "other", "none"),
        ("refuted", "security", "none", "none"),
    ]


def drafted(*, cached: bool = False) -> Drafted:
    draft: Any = None
    return Drafted(draft, CLAUDE, 1, "a", ("c1",), cached=cached)


def test_cut_answers_are_counted_each_and_given_up_ones_once() -> None:
    metrics = Metrics()
    observe = Counting(metrics).batch(row())
    observe(RequestSent(("c1", "c2"), CLAUDE, 1))
    for _ in range(3):
        observe(Spent(CLAUDE, Usage(), None))
    for chunk in ("c1", "c2"):
        observe(ChunkOutcome(chunk, "partly", CLAUDE, 1, "cut again and again"))
    observe(RequestSent(("c3",), CLAUDE, 2))
    observe(Spent(CLAUDE, Usage(), None))
    observe(ChunkOutcome("c3", "partly", CLAUDE, 2, "it broke off", "transient"))
    observe(ChunkOutcome("c4", "partly", "offline", 1, "Only the offline rules reviewed it"))
    seen = exposed(metrics)
    assert seen.value("reviewbot_truncations_total", kind="continued") == 2
    assert seen.value("reviewbot_truncations_total", kind="given_up") == 1


def test_a_diff_cut_in_its_middle_is_counted_once_a_run() -> None:
    metrics = Metrics()
    counting = Counting(metrics)
    counting.began(row())
    for batch in range(3):
        observe = counting.batch(row())
        observe(ChunkOutcome(f"c{batch}", "failed", "none", 0, truncation.REASON))
    assert exposed(metrics).value("reviewbot_truncations_total", kind="diff_middle") == 1


def test_a_retry_on_another_model_is_told_apart() -> None:
    metrics = Metrics()
    observe = Counting(metrics).batch(row())
    observe(Retrying(("c",), CLAUDE, 1, "x", CLAUDE, 1.0))
    observe(Retrying(("c",), CLAUDE, 3, "x", "offline", 0.0))
    seen = exposed(metrics)
    assert seen.value("reviewbot_retries_total", model=CLAUDE, next="same") == 1
    assert seen.value("reviewbot_retries_total", model=CLAUDE, next="other") == 1


def test_only_the_first_start_is_a_wait_for_a_turn() -> None:
    metrics = Metrics()
    counting = Counting(metrics)
    for one in (row(), row(runs=2, epoch=2), row(stop="cancelled")):
        counting.began(one)
        counting.ended(one, "finished")
    seen = exposed(metrics)
    assert seen.value("reviewbot_queue_wait_seconds_count") == 1
    assert seen.value("reviewbot_queue_wait_seconds_sum") == 2.5


def test_a_question_is_counted_apart_and_as_no_review() -> None:
    metrics = Metrics()
    counting = Counting(metrics)
    for outcome in ("answered", "incomplete"):
        end = ReviewFinished(outcome, (), Usage(), 0.01, 1.0, None)
        counting.event(row(asks=True), ChunkFinished("c1", "a.py", "failed", CLAUDE, 1))
        counting.event(row(asks=True), end)
    seen = exposed(metrics)
    assert seen.value("reviewbot_questions_total") == 2
    assert seen.value("reviewbot_questions_total", outcome="answered") == 1
    for name in ("reviews_total", "chunks_total", "review_cost_dollars_count"):
        assert seen.value(f"reviewbot_{name}") == 0
    assert "answered" not in str(exposed(Metrics()).of("reviewbot_reviews_total"))


def test_the_use_of_the_cache_is_read_at_each_scrape() -> None:
    metrics, use = Metrics(), CacheUse(exact=1, misses=2)
    metrics.watch_cache(use)
    use.exact, use.hunks, use.lines, use.failures = 4, 1, 2, 1
    seen = exposed(metrics)
    assert seen.value("reviewbot_cache_chunks_total", result="exact") == 4
    assert seen.value("reviewbot_cache_chunks_total", result="hunks") == 1
    assert seen.value("reviewbot_cache_chunks_total", result="lines") == 2
    assert seen.value("reviewbot_cache_chunks_total") == 9
    assert seen.value("reviewbot_cache_failures_total") == 1
