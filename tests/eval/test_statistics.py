"""Intervals cover, differences are paired, and the power is that of a simulation."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from reviewbot.eval.scores import Counts
from reviewbot.eval.statistics import LEAST_CASES, Interval, differences, intervals, power

if TYPE_CHECKING:
    from numpy.typing import NDArray


def drawn(
    random: np.random.Generator,
    cases: int,
    *,
    recall: float,
    wrong: float,
    golden: NDArray[np.int64] | None = None,
) -> list[Counts]:
    """Counts of a contestant of known recall that makes ``wrong`` wrong comments a case."""
    golden = random.integers(0, 6, cases) if golden is None else golden
    found = random.binomial(golden, recall)
    comments = found + random.poisson(wrong, cases)
    table = zip(golden.tolist(), found.tolist(), comments.tolist(), strict=True)
    return [Counts(golden=g, found=f, comments=c) for g, f, c in table]


def expected(recall: float, wrong: float) -> dict[str, float]:
    """The scores of such a contestant on endless cases, which have 2.5 golden comments each."""
    found, golden = 2.5 * recall, 2.5
    comments = found + wrong
    return {
        "precision": found / comments,
        "recall": recall,
        "f1": 2 * found / (comments + golden),
        "f05": 1.25 * found / (comments + 0.25 * golden),
    }


def covered(found: dict[str, Interval], truth: dict[str, float]) -> Counter[str]:
    """Return 1 for each score whose interval has the truth in it."""
    return Counter(
        name
        for name, one in found.items()
        if one.low is not None and one.high is not None and one.low <= truth[name] <= one.high
    )


REPETITIONS = [20, pytest.param(300, marks=pytest.mark.slow)]


@pytest.mark.parametrize("times", REPETITIONS)
def test_intervals_cover_the_truth_as_often_as_they_promise(times: int) -> None:
    random = np.random.default_rng(7)
    truth, hits = expected(0.4, 1.0), Counter[str]()
    for _ in range(times):
        hits += covered(intervals(drawn(random, 60, recall=0.4, wrong=1.0)), truth)
    assert [*hits] == [*truth]
    assert min(hits.values()) / times >= 0.90
    assert times < 100 or max(hits.values()) / times <= 0.98


@pytest.mark.parametrize("times", REPETITIONS)
def test_intervals_of_differences_cover_the_true_differences(times: int) -> None:
    random = np.random.default_rng(9)
    before, after = {"recall": 0.4, "wrong": 1.0}, {"recall": 0.5, "wrong": 0.7}
    then, now, hits = expected(**before), expected(**after), Counter[str]()
    truth = {name: now[name] - then[name] for name in now}
    for _ in range(times):
        golden = random.integers(0, 6, 60)
        pair = (drawn(random, 60, golden=golden, **side) for side in (before, after))
        hits += covered(differences(*(dict(enumerate_cases(one)) for one in pair)), truth)
    assert [*hits] == [*truth]
    assert min(hits.values()) / times >= 0.90
    assert times < 100 or max(hits.values()) / times <= 0.98


@pytest.mark.parametrize("times", REPETITIONS)
def test_two_equal_contestants_seldom_differ_significantly(times: int) -> None:
    random = np.random.default_rng(8)
    alarms = 0
    for _ in range(times):
        one, other = (
            dict(enumerate_cases(drawn(random, 60, recall=0.4, wrong=1.0))) for _ in range(2)
        )
        alarms += differences(one, other)["recall"].is_significant
    assert alarms / times <= 0.10


def enumerate_cases(counts: list[Counts]) -> list[tuple[str, Counts]]:
    return [(str(number), one) for number, one in enumerate(counts)]


def test_a_difference_is_computed_case_by_case() -> None:
    # Each case of the second contestant finds one more; the cases vary far more than that.
    one = {str(size): Counts(golden=20, found=size, comments=20) for size in range(1, 20)}
    other = {name: Counts(golden=20, found=c.found + 1, comments=20) for name, c in one.items()}
    found = differences(one, other)["recall"]
    assert (found.value, found.low, found.high) == pytest.approx((0.05, 0.05, 0.05))
    assert not found.is_significant, "there are too few cases"
    assert replace(found, cases=LEAST_CASES).is_significant
    alone = intervals([*one.values()])["recall"]
    assert alone.low is not None
    assert alone.high is not None
    assert alone.high - alone.low > 0.2


def test_only_cases_of_both_are_compared() -> None:
    one = {"a": Counts(1, 1, 1), "b": Counts(1, 0, 1)}
    other = {"b": Counts(1, 1, 1), "c": Counts(1, 0, 1)}
    assert differences(one, other)["recall"].value == 1.0
    with pytest.raises(ValueError, match="no case in common"):
        differences(one, {"c": Counts(1, 1, 1)})


def test_the_same_counts_have_the_same_intervals() -> None:
    counts = drawn(np.random.default_rng(1), 30, recall=0.5, wrong=1.0)
    assert intervals(counts) == intervals(counts)


def test_a_value_that_is_not_defined_has_no_interval() -> None:
    assert intervals([Counts()])["recall"] == Interval(None, None, None, 1)
    assert not Interval(None, None, None).is_significant


MEASURED = {
    (137, 1): 0.20,
    (331, 1): 0.40,
    (331, 3): 0.63,
    (750, 1): 0.73,
    (1_000, 1): 0.86,
    (1_000, 3): 0.97,
}
"""Power for F1 in a simulation with a bootstrap, at 2.7 golden comments a case."""


@pytest.mark.parametrize(("golden", "runs"), MEASURED)
def test_the_power_is_that_of_a_simulated_comparison(golden: int, runs: int) -> None:
    cases = round(golden / 2.7)
    per_case = np.bincount(np.random.default_rng(1).integers(0, cases, golden), minlength=cases)
    found = power(per_case.tolist(), runs)
    assert found.probability == pytest.approx(MEASURED[golden, runs], abs=0.07)
    assert (found.golden, found.cases, found.runs) == (golden, cases, runs)


def test_the_needed_number_of_comments_has_the_wanted_power() -> None:
    found = power([3] * 100, 1)
    enough = power([3] * round(found.needed / 3), 1)
    assert enough.probability == pytest.approx(0.8, abs=0.05)


def test_a_set_of_too_few_cases_shows_nothing_however_many_comments_it_has() -> None:
    one = power([3_000], 1)
    assert (one.probability, one.needed) == (0.0, 3_000 * LEAST_CASES)
    assert power([200] * (LEAST_CASES - 1), 1).probability == 0.0
    assert power([200] * LEAST_CASES, 1).probability > 0.5


def test_a_set_without_golden_comments_shows_nothing() -> None:
    assert power([0, 0], 1).probability == 0.0
