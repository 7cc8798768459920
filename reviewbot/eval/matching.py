"""Match comments with golden comments: by location, one to one, as many as possible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reviewbot.eval.cases import Golden
    from reviewbot.eval.results import Comment

NEAR: Final = 1
"""Lines between the ends of two ranges that still match."""


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


def distance(golden: Golden, comment: Comment) -> int | None:
    """Return the lines between two ranges, 0 if they overlap; None if they cannot match."""
    if not comment.inline or (golden.path, golden.side) != (comment.path, comment.side):
        return None
    gap = max(golden.line, comment.line) - min(golden.end_line, comment.end_line)
    return None if gap > NEAR else max(gap, 0)


def match(
    golden: Sequence[Golden],
    comments: Sequence[Comment],
    same_issue: Collection[tuple[int, int]] | None = None,
) -> Matching:
    """Return the largest one-to-one matching; of several, one with the most overlaps.

    Golden comments that are required have precedence over optional ones.

    Args:
        golden: the golden comments of a case.
        comments: the comments of a contestant on the case.
        same_issue: pairs of indices that a judge accepted; None accepts each pair of near ranges.
    """
    near = {
        (g, c): gap
        for g, one in enumerate(golden)
        for c, other in enumerate(comments)
        if (gap := distance(one, other)) is not None
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
    pair = (NEAR + 1) * (min(golden, comments) + 1)
    worth = np.zeros((golden, comments))
    for (g, c), gap in near.items():
        worth[g, c] = pair - gap
    rows, columns = linear_sum_assignment(worth, maximize=True)
    chosen = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(g, c) for g, c in chosen if (g, c) in near]
