"""The tally: how far, how much, at what cost; an unknown price is never counted as nothing."""

from __future__ import annotations

import pytest

from reviewbot.core.events.events import LookupTally, ModelShare, Usage, VerificationTally
from reviewbot.core.events.tally import OFFLINE, Tally
from tests.support.findings import finding
from tests.support.plans import plan_of


def test_a_file_is_done_when_its_last_chunk_is() -> None:
    tally = Tally(plan_of(a=("c1", "c2"), b=("c3",), c="Lockfile."))
    seen = []
    for chunk in ("c1", "c3", "c2"):
        tally.finish(chunk, "reviewed", None, model="m")
        seen.append(tally.progress(findings=4, activity="x", batch="b1"))
    done = [(one.files_done, one.files_total, one.chunks_done) for one in seen]
    assert done == [(0, 2, 1), (1, 2, 2), (2, 2, 3)]
    progress = seen[-1]
    assert (progress.chunks_total, progress.findings, progress.activity) == (3, 4, "x")


def test_tokens_and_dollars_add_up_until_a_price_is_unknown() -> None:
    tally = Tally(plan_of(a=("c1",)))
    tally.book(Usage(input=3, output=1), 0.5, model="m")
    tally.book(Usage(cache_read=2), 0.25, model="m")
    assert tally.usage == Usage(3, 1, 2, 0)
    assert tally.cost_usd == pytest.approx(0.75)
    tally.book(Usage(output=1), None, model="m")
    tally.book(Usage(output=1), 1.0, model="m")
    assert (tally.usage.output, tally.cost_usd) == (3, None)


def test_what_has_not_ended_is_not_covered() -> None:
    tally = Tally(plan_of(a=("c1",), b=("c2",)))
    tally.finish("c1", "partly", "It was cut.", model="m")
    assert [(one.path, one.status) for one in tally.coverage()] == [
        ("a", "partly"),
        ("b", "failed"),
    ]


def test_each_model_has_its_chunks_findings_tokens_and_dollars() -> None:
    tally = Tally(plan_of(a=("c1", "c2"), b=("c3",)))
    tally.book(Usage(input=5, output=1), 0.5, model="slow")
    tally.book(Usage(input=3, output=1), 0.25, model="quick")
    tally.book(Usage(input=2), 0.25, model="quick")
    tally.finish("c1", "reviewed", None, model="quick")
    tally.finish("c2", "failed", "It was refused.", model="quick")
    tally.finish("c3", "reviewed", None, model="rules")
    found = [finding(model="quick"), finding(model="quick"), finding(model="secrets")]
    assert tally.by_model(found) == (
        ModelShare("slow", 0, 0, Usage(5, 1), 0.5),
        ModelShare("quick", 2, 2, Usage(5, 1), 0.5),
        ModelShare("rules", 1, 0, Usage(), 0.0),
        ModelShare("secrets", 0, 1, Usage(), 0.0),
    )
    tally.book(Usage(input=1), None, model="quick")
    tally.book(Usage(input=1), 0.1, model="quick")
    assert tally.by_model(())[1].cost_usd is None
    assert tally.by_model(())[0].cost_usd == pytest.approx(0.5), "the others' prices are known"


def test_the_depth_names_the_checks_and_the_files_that_no_linter_could_read() -> None:
    tally = Tally(plan_of(a=("c1",), b=("c2",), c=("c3",)))
    tally.finish("c1", "reviewed", None, model="m", unlinted="ruff did not read this file: Why.")
    tally.finish("c2", "reviewed", None, model=OFFLINE, checks=("6 rules for Go",))
    begun = "6 rules for Go ran; no model read 1 of 2 files."
    assert tally.depth() == f"{begun} ruff did not read a: Why."
    tally.finish("c3", "reviewed", None, model="m", unlinted="ruff did not read this file: Why.")
    assert tally.depth().endswith("1 of 3 files. ruff did not read a and 1 more file: Why.")


def test_the_depth_counts_a_file_once_that_was_cut_into_chunks() -> None:
    tally = Tally(plan_of(a=("c1", "c2")))
    for chunk in ("c1", "c2"):
        tally.finish(chunk, "reviewed", None, model="m", unlinted="Only hunks of this file.")
    assert tally.depth() == "Only hunks of a."


def test_verdicts_and_their_usage_are_counted_apart() -> None:
    tally = Tally(plan_of(a=("c1",)))
    tally.book(Usage(input=5), 0.5, model="m")
    assert tally.verification() is None
    tally.book(Usage(input=2, output=1), 0.25, model="m", verifies=True)
    tally.decide(["wrong", "not_introduced"])
    assert tally.verification() == VerificationTally(
        wrong=1, not_introduced=1, usage=Usage(input=2, output=1), cost_usd=0.25
    )
    assert (tally.usage, tally.cost_usd) == (Usage(input=7, output=1), 0.75)


def test_look_ups_are_counted_and_named_once() -> None:
    tally = Tally(plan_of(a=("c1",)))
    assert tally.lookups() is None
    for activity in ("reading a.py 1-9", "searching x", "reading a.py 1-9"):
        tally.look_up(activity)
    assert tally.lookups() == LookupTally(3, ("reading a.py 1-9", "searching x"))
