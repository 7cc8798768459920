"""The pool has the distinct real problems of all contestants, counted by hand here."""

from __future__ import annotations

import pytest

from reviewbot.eval.agreement import agreements
from reviewbot.eval.pool import Opinion, opinions, pool_of
from reviewbot.eval.ratings import BlindCase, CaseRatings, Rating, blind_cases
from reviewbot.eval.results import Result
from tests.support.evaluations import case, comment, result


def rating(
    number: int, worth: int, same_as: int | None = None, *, real: bool = True, why: str = ""
) -> Rating:
    return Rating(number, real, worth, same_as, why)


def rated(blind: BlindCase, worths: dict[str, int], judge: str = "judge") -> CaseRatings:
    """Rate comments by their texts; texts with the same first word are the same problem.

    A text that is not in ``worths`` is not real.
    """
    firsts: dict[str, int] = {}
    ratings = []
    for number, rated_comment in enumerate(blind.comments, 1):
        first = firsts.setdefault(rated_comment.text.split()[0], number)
        worth, real = worths.get(rated_comment.text, 0), rated_comment.text in worths
        same = first if first < number else None
        ratings.append(Rating(number, real, worth, same, f"About {rated_comment.text}"))
    return CaseRatings(judge, blind.case.id, blind.digest, tuple(ratings))


CASES = [case("one"), case("two"), case("quiet")]
OURS = [
    result("one", comment(5, text="lock never freed"), comment(9, text="typo"), contestant="ours"),
    result("two", comment(3, text="sum wrong"), contestant="ours"),
    result("quiet", contestant="ours"),
]
THEIRS = [
    result("one", comment(6, text="lock leaks"), comment(7, text="race"), contestant="theirs"),
    result("two", comment(8, text="invented"), contestant="theirs"),
    result("quiet", contestant="theirs"),
]
WORTHS = {"lock never freed": 2, "lock leaks": 1, "typo": 0, "race": 2, "sum wrong": 1}


def test_the_pool_has_each_problem_once_with_who_found_it() -> None:
    results = [*OURS, *THEIRS]
    blind = blind_cases(CASES, results)
    pool = pool_of(
        blind,
        results,
        [rated(blind_case, WORTHS) for blind_case in blind],
        ["judge"],
        ["ours", "theirs"],
    )
    assert (pool.rated, pool.cases) == (2, 2)
    problems = {
        problem.text.split()[0]: (problem.worth, problem.found) for problem in pool.problems
    }
    assert problems == {
        "lock": (2, {"ours": 1, "theirs": 1}),
        "race": (2, {"theirs": 1}),
        "sum": (1, {"ours": 1}),
        "typo": (0, {"ours": 1}),
    }
    assert [problem.worth for problem in pool.problems] == [2, 2, 1, 0]
    ours, theirs = pool.scores
    assert (ours.comments, ours.found, ours.problems) == (3, 1, 2)
    assert (theirs.comments, theirs.found, theirs.problems) == (3, 2, 2)
    assert {name: share.value for name, share in ours.shares.items()} == {
        "real": 1.0,
        "must_fix": 1 / 3,
        "found": 0.5,
    }
    assert theirs.shares["real"].value == pytest.approx(2 / 3)
    assert ours.differences == {}
    assert theirs.differences["found"].value == 0.5
    assert theirs.differences["found"].cases == 3


def test_runs_of_a_case_count_together() -> None:
    first = result("one", comment(5, text="lock never freed"), contestant="ours")
    results = [first, result("one", contestant="ours", run=2)]
    blind = blind_cases(CASES, results)
    pool = pool_of(
        blind, results, [rated(blind_case, WORTHS) for blind_case in blind], ["judge"], ["ours"]
    )
    assert pool.problems[0].found == {"ours": 1}
    assert (pool.scores[0].found, pool.scores[0].problems) == (1, 2)


def test_cases_that_a_judge_did_not_rate_do_not_count() -> None:
    results = [*OURS, *THEIRS]
    blind = blind_cases(CASES, results)
    both = [rated(blind_case, WORTHS, judge) for judge in ("a", "b") for blind_case in blind]
    failed = CaseRatings(*both[-1].key, (), error="It is overloaded.")
    pool = pool_of(blind, results, [*both[:-1], failed], ["a", "b"], ["ours", "theirs"])
    assert (pool.rated, pool.cases) == (1, 2)
    assert {problem.case for problem in pool.problems} == {"one"}
    assert [score.comments for score in pool.scores] == [2, 2]


def test_ratings_of_other_comments_do_not_count() -> None:
    blind = blind_cases(CASES, OURS)
    ratings = [rated(blind_case, WORTHS) for blind_case in blind]
    results = [*OURS, *THEIRS]
    pool = pool_of(blind_cases(CASES, results), results, ratings, ["judge"], ["ours", "theirs"])
    assert (pool.rated, pool.problems) == (0, ())
    assert [score.comments for score in pool.scores] == [0, 0]


def test_most_judges_decide_about_a_comment() -> None:
    settled = opinions(
        [
            [rating(1, 2, why="a"), rating(2, 2, 1), rating(3, 2)],
            [rating(1, 1, why="b"), rating(2, 1, 1), rating(3, 0, 1, real=False, why="c")],
            [rating(1, 0, real=False), rating(2, 2), rating(3, 1, 2, real=False)],
        ]
    )
    assert settled == [
        Opinion(real=True, worth=1, problem=0, why="a"),
        Opinion(real=True, worth=2, problem=0, why=""),
        # For each earlier comment, only one of three judges has it with this one.
        Opinion(real=False, worth=1, problem=2, why="c"),
    ]


def test_of_two_judges_both_must_agree() -> None:
    settled = opinions([[rating(1, 2), rating(2, 2, 1)], [rating(1, 1), rating(2, 2, real=False)]])
    assert [(opinion.real, opinion.worth, opinion.problem) for opinion in settled] == [
        (True, 1, 0),
        (False, 2, 1),
    ]


def test_judges_agree_on_what_is_real_and_what_is_a_must_fix() -> None:
    def of(judge: str, *ratings: Rating) -> CaseRatings:
        return CaseRatings(judge, "one", "digest", ratings)

    real, must_fix = agreements(
        [],
        [
            of("a", rating(1, 2), rating(2, 2), rating(3, 0, real=False), rating(4, 2)),
            of("b", rating(1, 2), rating(2, 1), rating(3, 2, real=False), rating(4, 2, real=False)),
        ],
    )
    assert (real.kind, real.items, real.equal) == ("real", 4, 0.75)
    assert (must_fix.kind, must_fix.items, must_fix.equal) == ("must_fix", 4, 0.5)


def test_equal_comments_of_one_contestant_count_as_often_as_it_made_them() -> None:
    twice = Result("ours", 1, "one", (comment(5, text="race"), comment(5, text="race")))
    blind = blind_cases(CASES, [twice])
    pool = pool_of(blind, [twice], [rated(blind[0], WORTHS)], ["judge"], ["ours"])
    assert (pool.scores[0].comments, pool.scores[0].found) == (2, 1)
    assert len(pool.problems) == 1
