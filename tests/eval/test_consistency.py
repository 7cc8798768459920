"""Scores of consistency against the truth that is put in."""

from __future__ import annotations

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.eval.consistency import LEAST_RUNS, Run, Series, jaccard, mean_jaccard, score

SETS = st.frozensets(st.sampled_from("abcdef"))


def wobbling(
    probability: float, *, runs: int, seed: int, findings: int = 6
) -> list[frozenset[str]]:
    """Runs of a model that reports each of its findings with a probability."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    return [
        frozenset(str(one) for one in range(findings) if chance.random() < probability)
        for _ in range(runs)
    ]


def series(*texts: str, failed: int = 0) -> Series:
    return Series("prompt", "", 0, tuple(map(Run, texts)), failed)


@pytest.mark.parametrize("probability", [0.5, 0.7, 0.8, 0.9, 0.99])
def test_the_score_of_a_wobbling_model_is_that_of_its_probability(probability: float) -> None:
    values = [mean_jaccard(wobbling(probability, runs=10, seed=at)).value for at in range(200)]
    expected = probability / (2 - probability)
    assert statistics.fmean(values) == pytest.approx(expected, abs=0.02)


def test_the_probability_is_found_again() -> None:
    score = mean_jaccard(wobbling(0.8, runs=200, seed=1, findings=20))
    assert score.reappears == pytest.approx(0.8, abs=0.02)


def test_the_standard_error_is_the_deviation_of_repeated_scores() -> None:
    found = [mean_jaccard(wobbling(0.8, runs=10, seed=at)) for at in range(200)]
    deviation = statistics.stdev(one.value for one in found)
    assert statistics.fmean(one.error for one in found) == pytest.approx(deviation, rel=0.2)


@given(SETS, SETS)
def test_the_index_is_symmetric_and_1_for_equal_sets_alone(
    one: frozenset[str], other: frozenset[str]
) -> None:
    assert jaccard(one, other) == jaccard(other, one)
    assert 0 <= jaccard(one, other) <= 1
    assert (jaccard(one, other) == 1) == (one == other)


def test_equal_runs_score_1_without_an_error() -> None:
    found = mean_jaccard([frozenset("ab")] * 10)
    assert (found.value, found.error, found.reappears) == (1, 0, 1)


def test_too_few_runs_have_no_score() -> None:
    few = score(series(*["a b"] * (LEAST_RUNS - 1), failed=2))
    assert (few.by_text, few.runs, few.failed) == (None, LEAST_RUNS - 1, 2)
    assert score(series(*["a b"] * LEAST_RUNS)).by_text is not None
    with pytest.raises(ValueError, match="too few"):
        mean_jaccard([frozenset()] * 2)


def test_words_count_without_their_case_and_marks() -> None:
    found = score(series(*["Lock the file."] * 5, *["the FILE, lock!"] * 5))
    assert found.by_text is not None
    assert found.by_text.value == 1
    assert (found.by_id, found.findings, found.words) == (None, None, 3)


def test_empty_runs_are_counted_beside_the_score() -> None:
    runs = [Run("", frozenset())] * 9 + [Run("a", frozenset("x"))]
    found = score(Series("review", "", 0, tuple(runs)))
    assert found.empty == 0.9
    assert found.findings == 0.1
    assert found.by_id is not None
    assert found.by_id.value == pytest.approx(36 / 45)


def test_a_series_without_runs_has_nothing() -> None:
    found = score(series(failed=3))
    assert (found.runs, found.failed, found.empty, found.words) == (0, 3, 0, 0)
