"""Agreement of judges: on near comments, and on the ratings of comments."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from reviewbot.eval.ratings import MUST_FIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reviewbot.eval.judgements import Judgement
    from reviewbot.eval.ratings import CaseRatings

Kind = Literal["same", "real", "must_fix"]
"""Kind of decision: a pair is the same issue, a comment is real, or a comment is a must-fix."""
_Verdicts = dict[tuple[object, ...], bool]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of two judges on the items of one kind that both decided.

    ``kappa`` is Cohen's; None if both always gave the same single answer.
    """

    kind: Kind
    judges: tuple[str, ...]
    items: int
    equal: float
    kappa: float | None


def agreements(
    judgements: Iterable[Judgement], ratings: Iterable[CaseRatings] = ()
) -> tuple[Agreement, ...]:
    """Return the agreement of each two judges that decided a common item."""
    same: dict[str, _Verdicts] = {}
    for judgement in judgements:
        for verdict in judgement.verdicts:
            key = (*judgement.key[1:], verdict.golden, verdict.comment)
            same.setdefault(judgement.judge, {})[key] = verdict.accepted
    real: dict[str, _Verdicts] = {}
    must_fix: dict[str, _Verdicts] = {}
    for case_ratings in ratings:
        for rating in case_ratings.ratings:
            item = (*case_ratings.key[1:], rating.id)
            real.setdefault(case_ratings.judge, {})[item] = rating.real
            is_must_fix = rating.real and rating.worth == MUST_FIX
            must_fix.setdefault(case_ratings.judge, {})[item] = is_must_fix
    return (*_pairs("same", same), *_pairs("real", real), *_pairs("must_fix", must_fix))


def _pairs(kind: Kind, verdicts: Mapping[str, _Verdicts]) -> list[Agreement]:
    pairs = []
    for first, second in combinations(verdicts, 2):
        ours, theirs = verdicts[first], verdicts[second]
        common = [key for key in ours if key in theirs]
        if common:
            answers = [(ours[key], theirs[key]) for key in common]
            pairs.append(_agreement(kind, (first, second), answers))
    return pairs


def _agreement(
    kind: Kind, judges: tuple[str, ...], answers: Sequence[tuple[bool, bool]]
) -> Agreement:
    size = len(answers)
    equal = sum(first == other for first, other in answers) / size
    yes = [sum(answer[side] for answer in answers) / size for side in (0, 1)]
    chance = yes[0] * yes[1] + (1 - yes[0]) * (1 - yes[1])
    kappa = (equal - chance) / (1 - chance) if chance < 1 else None
    return Agreement(kind, judges, size, equal, kappa)
