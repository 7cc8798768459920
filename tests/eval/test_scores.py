"""Scores are those of the truth that was put in."""

from __future__ import annotations

import pytest

from reviewbot.eval.scores import Counts, f_score, score, score_all, scores_of
from tests.support.evaluations import added, case, comment, golden, result


def test_every_score_of_a_known_result() -> None:
    cases = [
        case("one", golden(5, severity="error"), golden(15, severity="note")),
        case("two", golden(10, severity="warning"), diff=added(lines=80)),
        case("clean"),
        case("noisy"),
    ]
    results = [
        result(
            "one",
            comment(5, severity="warning"),
            comment(6),
            comment(12, inline=False),
            judged=3,
            refuted=1,
            tokens=100,
            cost_usd=0.25,
            first_finding_s=2.0,
        ),
        result(
            "two",
            comment(10, severity="warning"),
            judged=1,
            tokens=50,
            cost_usd=0.75,
            first_finding_s=4.0,
        ),
        result("clean", tokens=0, cost_usd=0.0),
        result("noisy", comment(1), tokens=0, cost_usd=0.0, error="It broke off."),
    ]
    found = scores_of(score_all(cases, results))
    assert found.micro == pytest.approx(
        {
            "precision": 2 / 5,
            "recall": 2 / 3,
            "f1": 2 * (2 / 5) * (2 / 3) / (2 / 5 + 2 / 3),
            "f05": 1.25 * (2 / 5) * (2 / 3) / (0.25 * 2 / 5 + 2 / 3),
        }
    )
    assert found.macro == pytest.approx(
        {
            "precision": (1 / 3 + 1 + 0) / 3,
            "recall": (1 / 2 + 1) / 2,
            "f1": (2 / 5 + 1 + 0) / 3,
            "f05": (1.25 / 3.5 + 1 + 0) / 3,
        }
    )
    assert (found.results, found.runs) == (4, 1)
    assert found.per_case == 5 / 4
    assert found.per_100_lines == pytest.approx(100 * 5 / (20 + 80 + 20 + 20))
    assert found.silence == 1 / 2
    assert found.inline == 4 / 5
    assert found.duplicates == 1 / 5
    assert found.severity_error == 1 / 2
    assert found.refuted == 1 / 4
    assert found.valid == 3 / 4
    assert (found.tokens, found.cost_usd, found.usd_per_found) == (150, 1.0, 0.5)
    assert found.first_finding_s == 3.0


def test_a_review_that_failed_on_a_clean_case_is_not_silent() -> None:
    cases = [case("clean"), case("other")]
    results = [result("clean"), result("other", error="It broke off.")]
    assert scores_of(score_all(cases, results)).silence == 1 / 2


def test_scores_of_nothing_are_not_zero_but_missing() -> None:
    found = scores_of(score_all([case("clean")], [result("clean")]))
    assert found.micro == {"precision": None, "recall": None, "f1": None, "f05": None}
    assert found.silence == 1.0
    nothing = (found.inline, found.duplicates, found.severity_error, found.refuted)
    assert nothing == (None, None, None, None)
    assert (found.tokens, found.cost_usd, found.usd_per_found, found.first_finding_s) == (
        None,
        None,
        None,
        None,
    )


def test_a_contestant_that_says_nothing_has_no_precision_and_recalls_nothing() -> None:
    found = scores_of(score_all([case("one", golden(5))], [result("one")]))
    assert found.micro == {"precision": None, "recall": 0.0, "f1": 0.0, "f05": 0.0}


def test_optional_golden_comments_cost_nothing() -> None:
    scored = score(case("one", golden(5, optional=True)), result("one", comment(5), comment(9)))
    assert (scored.counts.golden, scored.counts.comments) == (0, 1)


def test_runs_of_a_case_are_summed() -> None:
    one = case("one", golden(5))
    results = [result("one", comment(5)), result("one", run=2)]
    found = scores_of(score_all([one], results))
    assert (found.runs, found.results) == (2, 2)
    assert found.micro["recall"] == 1 / 2


def test_a_judge_decides_which_near_comments_count() -> None:
    one, given = case("one", golden(5)), result("one", comment(5))
    (refused,) = score_all([one], [given], {})
    (accepted,) = score_all([one], [given], {given.key: {(0, 0)}})
    assert (refused.counts.found, accepted.counts.found) == (0, 1)


def test_f_scores_weigh_precision_and_recall() -> None:
    assert f_score(5, 10, 20, 1.0) == pytest.approx(2 * 0.5 * 0.25 / 0.75)
    assert f_score(5, 10, 20, 0.5) == pytest.approx(1.25 * 0.5 * 0.25 / (0.25 * 0.5 + 0.25))
    assert Counts().f1 is None
