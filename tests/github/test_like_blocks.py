"""Like blocks are told from one another by what stands around them, and by git where that fails."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reviewbot.github.like_blocks import Likeness, best_pairs

LIKENESS = st.builds(
    Likeness, above=st.integers(0, 4), below=st.integers(0, 4), ways=st.integers(0, 2)
)


@given(st.permutations(range(6)), st.data())
def test_blocks_are_found_again_in_any_order(order: list[int], data: st.DataObject) -> None:
    """Whatever git says, if what stands around each is its own."""
    likeness = {
        (old, new): Likeness(3 + (order[old] == new), 2, data.draw(st.integers(0, 2)))
        for old in range(6)
        for new in range(6)
    }
    assert best_pairs(likeness) == dict(enumerate(order))


@given(st.dictionaries(st.tuples(st.integers(0, 4), st.integers(0, 4)), LIKENESS))
def test_no_block_is_two_and_no_two_are_one(likeness: dict[tuple[int, int], Likeness]) -> None:
    pairs = best_pairs(likeness)
    assert likeness.keys() >= set(pairs.items())
    assert len({*pairs.values()}) == len(pairs)


def test_where_all_around_is_alike_git_decides() -> None:
    def likeness(*ways: int) -> dict[tuple[int, int], Likeness]:
        return {(0, new): Likeness(5, 5, way) for new, way in enumerate(ways)}

    assert best_pairs(likeness(0, 2)) == {0: 1}
    assert best_pairs(likeness(1, 1)) == {}
    assert best_pairs(likeness(0, 0)) == {}


def test_more_above_and_less_below_decides_nothing() -> None:
    assert best_pairs({(0, 0): Likeness(9, 0, 0), (0, 1): Likeness(0, 1, 0)}) == {}
    assert best_pairs({(0, 0): Likeness(9, 0, 1), (0, 1): Likeness(0, 1, 2)}) == {0: 1}


def test_git_is_not_believed_where_another_one_is_more_like() -> None:
    """Two like functions change their places: git pairs what is inside of them."""
    stays, moves = Likeness(2, 0, 2), Likeness(3, 1, 0)
    swapped = {(0, 0): stays, (1, 1): stays, (0, 1): moves, (1, 0): moves}
    assert best_pairs(swapped) == {0: 1, 1: 0}
