"""Comments are matched with golden comments by location, one to one, as many as possible."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, permutations
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from reviewbot.eval.matching import distance, match
from tests.support.evaluations import comment, golden

if TYPE_CHECKING:
    from reviewbot.eval.cases import Golden
    from reviewbot.eval.results import Comment

ranges = st.tuples(st.integers(1, 12), st.integers(0, 3))
sides = st.sampled_from(("RIGHT", "LEFT"))
goldens = st.builds(
    lambda lines, side, path: golden(lines[0], sum(lines), side=side, path=path),
    ranges,
    sides,
    st.sampled_from(("a.py", "b.py")),
)
comments = st.builds(
    lambda lines, side, path: comment(lines[0], sum(lines), side=side, path=path),
    ranges,
    sides,
    st.sampled_from(("a.py", "b.py")),
)


def is_near(one: Golden, other: Comment) -> bool:
    """Whether a line of one is a line of the other, or beside it; by listing all lines."""
    lines = set(range(one.line - 1, one.end_line + 2))
    same = (one.path, one.side) == (other.path, other.side)
    return same and bool(lines & {*range(other.line, other.end_line + 1)})


def most_pairs(wanted: list[Golden], given_: list[Comment]) -> int:
    """The size of the largest one-to-one matching, by trying all of them."""
    for size in range(min(len(wanted), len(given_)), 0, -1):
        for some in combinations(wanted, size):
            for others in permutations(given_, size):
                if all(is_near(g, c) for g, c in zip(some, others, strict=True)):
                    return size
    return 0


@given(st.lists(goldens, max_size=4), st.lists(comments, max_size=4))
def test_the_matching_is_as_large_as_the_largest_of_all(
    wanted: list[Golden], given_: list[Comment]
) -> None:
    found = match(wanted, given_)
    assert len(found.pairs) == most_pairs(wanted, given_)
    assert all(is_near(wanted[g], given_[c]) for g, c in found.pairs)
    assert len({g for g, _ in found.pairs}) == len({c for _, c in found.pairs}) == len(found.pairs)


@given(goldens, comments)
def test_ranges_match_if_they_overlap_or_are_one_line_apart(one: Golden, other: Comment) -> None:
    assert (distance(one, other) is not None) == is_near(one, other)


def test_a_greedy_choice_would_lose_a_pair() -> None:
    # The first comment fits both golden comments, the second one only the first.
    assert match([golden(5), golden(7)], [comment(6), comment(4)]).pairs == ((0, 1), (1, 0))


def test_of_equally_many_pairs_those_that_overlap_are_chosen() -> None:
    assert match([golden(5), golden(6)], [comment(6), comment(5)]).pairs == ((0, 1), (1, 0))
    assert match([golden(5)], [comment(6), comment(5)]).pairs == ((0, 1),)


def test_a_comment_without_an_inline_place_matches_nothing() -> None:
    assert match([golden(5)], [comment(5, inline=False)]).pairs == ()


def test_a_second_comment_on_a_found_problem_is_a_duplicate() -> None:
    found = match([golden(5), golden(50)], [comment(5), comment(5), comment(90)])
    assert found.pairs == ((0, 0),)
    assert found.duplicates == (1,)


def test_a_judge_can_refuse_a_pair() -> None:
    wanted, given_ = [golden(5), golden(6)], [comment(5), comment(6)]
    assert match(wanted, given_, {(0, 1)}).pairs == ((0, 1),)
    assert match(wanted, given_, ()).pairs == ()


def test_a_comment_at_an_optional_golden_comment_is_neither_right_nor_wrong() -> None:
    wanted = [golden(5, optional=True), golden(6)]
    found = match(wanted, [comment(6), comment(5)])
    assert found.pairs == ((1, 0),)
    assert (found.neutral, found.duplicates) == ((1,), ())
    # An optional one never takes a comment that a required one needs.
    assert match(wanted, [comment(5)]).pairs == ((1, 0),)


@given(goldens, comments, st.integers(0, 20))
def test_matching_by_the_middle_line_does_not_depend_on_the_length_of_a_comment(
    wanted: Golden, posted: Comment, longer: int
) -> None:
    # The side and the path are those of the golden comment more often than by chance.
    posted = replace(posted, path=wanted.path, side=wanted.side, line=posted.line + 20)
    posted = replace(posted, end_line=posted.line)
    wanted = replace(wanted, line=wanted.line + 20, end_line=wanted.end_line + 20)
    wide = replace(posted, line=posted.line - longer, end_line=posted.end_line + longer)
    middle_distance = distance(wanted, posted, "middle")
    assert distance(wanted, wide, "middle") == middle_distance
    assert (middle_distance is not None) == (wanted.line - 3 <= posted.line <= wanted.end_line + 3)


def test_a_wide_comment_is_near_less_by_its_middle_line() -> None:
    wide = comment(10, 30)
    assert match([golden(12)], [wide]).pairs == ((0, 0),)
    assert match([golden(12)], [wide], rule="middle").pairs == ()
    assert match([golden(17)], [wide], rule="middle").pairs == ((0, 0),)
    assert match([golden(5), golden(8)], [comment(5), comment(6)], rule="middle").pairs == (
        (0, 0),
        (1, 1),
    )
