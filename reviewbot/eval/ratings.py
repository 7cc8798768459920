"""Ratings of comments by judges who do not know who wrote which comment.

A judge, a model or a person, rates all comments of all contestants on a case at once. The comments
are mixed, and their order depends on their content alone. The key, from comments to contestants, is
the file of results: the same results always give the same numbers.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final, cast

from reviewbot.core.decode import decoder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reviewbot.eval.cases import Case
    from reviewbot.eval.results import Comment, Result

MUST_FIX: Final = 2
"""Worth of a problem that is to be fixed before the change is merged."""
WORTHS: Final = (0, 1, MUST_FIX)
MAX_WORDS: Final = 15
_MAX_WHY: Final = 300
_SEED: Final = "reviewbot ratings 1"

RatingsKey = tuple[str, str, str]
"""Judge, case and digest of the comments."""
_Content = tuple[str, int, int, str, str]


@dataclass(frozen=True, slots=True)
class Rating:
    """A judge's opinion of the comment with the number ``id``; numbers begin with 1.

    ``real`` is True if the comment is right and the change causes the problem. ``worth`` is one of
    :data:`WORTHS`. ``same_as`` is the number of the first comment on the same problem, if that is
    an earlier one. ``why`` has at most :data:`MAX_WORDS` words.
    """

    id: int
    real: bool
    worth: int
    same_as: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class CaseRatings:
    """The ratings of one judge for the comments on one case, in the order of their numbers.

    ``comments`` is the digest of the comments. ``error`` is a sentence if the judge gave no valid
    answer; there are no ratings then, but the request may have cost something.
    """

    judge: str
    case: str
    comments: str
    ratings: tuple[Rating, ...]
    cost_usd: float | None = None
    error: str | None = None

    @property
    def key(self) -> RatingsKey:
        """Identity of the ratings."""
        return self.judge, self.case, self.comments


def ratings_of(value: object) -> CaseRatings:
    """Return the ratings of a case from their JSON.

    Raises:
        ValueError: a field is missing or invalid.
    """
    case_ratings = cast("CaseRatings", decoder(CaseRatings)(value, ""))
    if case_ratings.error is not None:
        return case_ratings
    return replace(case_ratings, ratings=checked(case_ratings.ratings, len(case_ratings.ratings)))


def ratings_line(ratings: CaseRatings) -> str:
    """Return the ratings of a case as a line of JSON."""
    return f"{json.dumps(asdict(ratings))}\n"


def checked(ratings: Iterable[Rating], count: int) -> tuple[Rating, ...]:
    """Return the ratings in the order of their numbers, with at most :data:`MAX_WORDS` words each.

    ``same_as`` becomes the first comment on the problem, if it names one that names another.

    Args:
        ratings: the ratings of a case.
        count: number of comments on the case.

    Raises:
        ValueError: a comment has no rating or two, a number is unknown, a worth is not one of
            :data:`WORTHS`, or ``same_as`` is not an earlier comment.
    """
    by_id: dict[int, Rating] = {}
    for rating in ratings:
        if not 1 <= rating.id <= count:
            raise ValueError(f"there is no comment {rating.id}")
        if rating.id in by_id:
            raise ValueError(f"comment {rating.id} has two ratings")
        if rating.worth not in WORTHS:
            raise ValueError(
                f"the worth of comment {rating.id} must be 0, 1 or 2, not {rating.worth}"
            )
        if rating.same_as and not 1 <= rating.same_as < rating.id:
            raise ValueError(
                f"comment {rating.id} is the same as {rating.same_as},"
                " which is not an earlier comment"
            )
        by_id[rating.id] = rating
    in_order: list[Rating] = []
    for number in range(1, count + 1):
        if number not in by_id:
            raise ValueError(f"comment {number} has no rating")
        rating = by_id[number]
        first = (in_order[rating.same_as - 1].same_as or rating.same_as) if rating.same_as else None
        why = " ".join(rating.why[:_MAX_WHY].split()[:MAX_WORDS])
        in_order.append(replace(rating, same_as=first, why=why))
    return tuple(in_order)


@dataclass(frozen=True, slots=True)
class BlindCase:
    """The comments of all contestants on a case, mixed; equal comments are one comment.

    The number of a comment is its index plus one.
    """

    case: Case
    comments: tuple[Comment, ...]

    @property
    def digest(self) -> str:
        """Digest of the comments, to which ratings belong."""
        text = json.dumps([_content(comment) for comment in self.comments])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def indices(self, result: Result) -> list[int]:
        """Return the index here of each comment of a result on the case."""
        known = {_content(comment): index for index, comment in enumerate(self.comments)}
        return [known[_content(comment)] for comment in result.comments]


def _content(comment: Comment) -> _Content:
    """Return what a judge sees of a comment: neither its severity nor where it comes from."""
    return comment.path, comment.line, comment.end_line, comment.side, comment.text


def blind_cases(cases: Iterable[Case], results: Sequence[Result]) -> list[BlindCase]:
    """Return the mixed comments of each case that has any.

    Args:
        cases: the cases.
        results: the results of all contestants.
    """
    by_case: dict[str, dict[_Content, Comment]] = {}
    for result in results:
        comments = by_case.setdefault(result.case, {})
        for comment in result.comments:
            comments.setdefault(_content(comment), comment)
    return [
        BlindCase(
            case, tuple(by_case[case.id][content] for content in _shuffled(case, by_case[case.id]))
        )
        for case in cases
        if by_case.get(case.id)
    ]


def _shuffled(case: Case, contents: Iterable[_Content]) -> list[_Content]:
    """Return the comments in an order that is as good as random, and the same each time."""

    def place(content: _Content) -> bytes:
        return hashlib.sha256(json.dumps([_SEED, case.id, content]).encode()).digest()

    return sorted(contents, key=place)
