"""Which of some like blocks of a file is which of those in it now. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Likeness(NamedTuple):
    """What speaks for two blocks being the same one.

    Attributes:
        above: how many lines above both are the same, the nearest ones.
        below: the like of it.
        ways: in how many ways to compare the files git says that it stayed.
    """

    above: int
    below: int
    ways: int


def best_pairs(likeness: Mapping[tuple[int, int], Likeness]) -> dict[int, int]:
    """Which new block each old one is: those for which more speaks than for any other pair.

    What stands around a block decides: with the lines of one that was taken out, git may pair those
    of its like that moved there. Where that does not tell, git does. Where neither does, a block is
    left out.

    Args:
        likeness: of each old block, by its number, with each new one, by its number.
    """
    pairs: dict[int, int] = {}
    left = dict(likeness)
    while left:
        of_old: dict[int, dict[int, Likeness]] = {}
        of_new: dict[int, dict[int, Likeness]] = {}
        for (old, new), like in left.items():
            of_old.setdefault(old, {})[new] = like
            of_new.setdefault(new, {})[old] = like
        bests = {new: _best(olds) for new, olds in of_new.items()}
        found = {
            old: best
            for old, news in of_old.items()
            if (best := _best(news)) is not None and bests[best] == old
        }
        if not found:
            break
        pairs |= found
        taken = {*found.values()}
        left = {
            (old, new): like
            for (old, new), like in left.items()
            if old not in found and new not in taken
        }
    return pairs


def _best(those: Mapping[int, Likeness]) -> int | None:
    """The one that is more like than each of the others, or no less on either side and stayed."""
    above, below = (max(like[side] for like in those.values()) for side in (0, 1))
    likest = [one for one, like in those.items() if like[:2] == (above, below)] or [*those]
    ways = max(those[one].ways for one in likest)
    best, *others = (one for one in likest if those[one].ways == ways)
    is_less = any(_is_more(like, those[best]) for like in those.values())
    return None if others or is_less else best


def _is_more(one: Likeness, other: Likeness) -> bool:
    return one[:2] != other[:2] and one.above >= other.above and one.below >= other.below
