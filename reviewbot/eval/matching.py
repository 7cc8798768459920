"""Match comments with golden comments: by location, one to one, as many as possible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reviewbot.eval.cases import Golden
    from reviewbot.eval.results import Comment

MatchingRule: TypeAlias = Literal["ranges", "middle"]
"""Rule that decides which comments are near a golden comment.

``ranges``: the lines of both overlap, or are one line apart, so that a wide comment is near more.
``middle``: the middle line of the comment is at most three lines from those of the golden comment,
so that the length of the comment does not matter.
"""
LIMITS: Final[Mapping[MatchingRule, int]] = {"ranges": 1, "middle": 3}
"""Largest distance in lines that still matches, by rule."""


@dataclass(frozen=True, slots=True)
class Matching:
    """Comments and golden comments of one case, by index.

    ``pairs`` are golden comment and comment. ``duplicates`` are comments without a pair that are
    located at a golden comment which another comment found. ``neutral`` are comments without a
    pair at an optional golden comment: they count neither as right nor as wrong.
    """

    pairs: tuple[tuple[int, int], ...]
    duplicates: tuple[int, ...]
    neutral: tuple[int, ...]


def distance(golden: Golden, comment: Comment, rule: MatchingRule = "ranges") -> int | None:
    """Return the lines between two comments, 0 if they overlap; None if they cannot match."""
    if not comment.inline or (golden.path, golden.side) != (comment.path, comment.side):
        return None
    first, last = comment.line, comment.end_line
    if rule == "middle":
        first = last = (first + last) // 2
    gap = max(golden.line, first) - min(golden.end_line, last)
    return None if gap > LIMITS[rule] else max(gap, 0)


def match(
    golden: Sequence[Golden],
    comments: Sequence[Comment],
    same_issue: Collection[tuple[int, int]] | None = None,
    rule: MatchingRule = "ranges",
) -> Matching:
    """Return the largest one-to-one matching; of several, one with the smallest distances.

    Golden comments that are required have precedence over optional ones.

    Args:
        golden: the golden comments of a case.
        comments: the comments of a contestant on the case.
        same_issue: pairs of indices that a judge accepted; None accepts each near pair.
        rule: decides which pairs are near.
    """
    near = {
        (g, c): gap
        for g, one in enumerate(golden)
        for c, other in enumerate(comments)
        if (gap := distance(one, other, rule)) is not None
        and (same_issue is None or (g, c) in same_issue)
    }
    required = {pair: gap for pair, gap in near.items() if not golden[pair[0]].optional}
    pairs = _assign(required, len(golden), len(comments))
    found = {g for g, _ in pairs}
    paired = {c for _, c in pairs}
    beside_found = {c for g, c in required if g in found} - paired
    neutral = {c for g, c in near if golden[g].optional} - paired
    return Matching(tuple(pairs), tuple(sorted(beside_found - neutral)), tuple(sorted(neutral)))


def _assign(near: dict[tuple[int, int], int], golden: int, comments: int) -> list[tuple[int, int]]:
    """Return the assignment with the most pairs, and among those the smallest sum of gaps."""
    if not near:
        return []
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    # A pair is worth more than all gaps together, so that no pair is given up for overlaps.
    pair = (max(LIMITS.values()) + 1) * (min(golden, comments) + 1)
    worth = np.zeros((golden, comments))
    for (g, c), gap in near.items():
        worth[g, c] = pair - gap
    rows, columns = linear_sum_assignment(worth, maximize=True)
    chosen = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(g, c) for g, c in chosen if (g, c) in near]
