"""Verdicts of judge models, what they decide together, and how far they agree."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal, cast

from reviewbot.core.decode import decoder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reviewbot.eval.cases import Case
    from reviewbot.eval.results import Result

Kind = Literal["same", "real"]
JudgementKey = tuple[str, Kind, str, int, str, str]
"""Judge, kind of question, contestant, run, case and digest of the comments."""
Item = tuple[int | None, int]
"""Index of a golden comment, or None, and index of a comment."""
Pair = tuple[int, int]
"""Index of a golden comment and of a comment."""
ResultKey = tuple[str, int, str]
"""Contestant, run and case."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer about a comment, and a golden comment if the question has one, by index."""

    golden: int | None
    comment: int
    accepted: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdicts of one judge on one result. What has no verdict is not accepted.

    ``comments`` is the digest of the comments of the result, which may be replaced later. ``error``
    is a sentence if the request failed; it has no verdicts, but it may have cost something.
    """

    judge: str
    kind: Kind
    contestant: str
    run: int
    case: str
    comments: str
    verdicts: tuple[Verdict, ...]
    cost_usd: float | None = None
    error: str | None = None

    @property
    def key(self) -> JudgementKey:
        """Identity of the judgement."""
        return self.judge, self.kind, self.contestant, self.run, self.case, self.comments


def judgement_of(value: object) -> Judgement:
    """Return a judgement from its JSON.

    Raises:
        ValueError: a field is missing or invalid.
    """
    return cast("Judgement", decoder(Judgement)(value, ""))


def judgement_line(judgement: Judgement) -> str:
    """Return a judgement as a line of JSON."""
    return f"{json.dumps(asdict(judgement))}\n"


def same_issues(
    cases: Iterable[Case], results: Iterable[Result], judgements: Iterable[Judgement], judges: int
) -> dict[ResultKey, set[Pair]]:
    """Return the pairs that more than half of the judges accept, by the key of the result.

    A pair whose golden comment has no text is accepted, since nothing can be compared.

    Args:
        cases: the cases.
        results: the results.
        judgements: the judgements of all judges.
        judges: number of judges.
    """
    wordless = {
        case.id: {g for g, one in enumerate(case.golden) if not one.text.strip()} for case in cases
    }
    results = list(results)
    found: dict[ResultKey, set[Pair]] = {}
    for key, items in _accepted("same", results, judgements, judges).items():
        found[key] = {(g, c) for g, c in items if g is not None}
    for result in results:
        free = wordless.get(result.case, ())
        found[result.key] |= {(g, c) for g in free for c in range(len(result.comments))}
    return found


def real_problems(
    results: Iterable[Result], judgements: Iterable[Judgement], judges: int
) -> dict[ResultKey, set[int]]:
    """Return the comments that more than half of the judges accept as real problems.

    Args:
        results: the results.
        judgements: the judgements of all judges.
        judges: number of judges.
    """
    accepted = _accepted("real", results, judgements, judges)
    return {key: {c for _, c in items} for key, items in accepted.items()}


def _accepted(
    kind: Kind, results: Iterable[Result], judgements: Iterable[Judgement], judges: int
) -> dict[ResultKey, set[Item]]:
    """Return the items that most judges accept, by the key of the result."""
    votes: defaultdict[tuple[ResultKey, str], defaultdict[Item, int]]
    votes = defaultdict(lambda: defaultdict(int))
    for one in judgements:
        if one.kind == kind:
            counted = votes[(one.contestant, one.run, one.case), one.comments]
            for verdict in one.verdicts:
                counted[verdict.golden, verdict.comment] += verdict.accepted
    return {
        result.key: {
            item for item, some in votes[result.key, result.digest].items() if 2 * some > judges
        }
        for result in results
    }


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


def agreements(judgements: Iterable[Judgement]) -> tuple[Agreement, ...]:
    """Return the agreement of each two judges that decided a common item."""
    verdicts: dict[tuple[Kind, str], dict[tuple[object, ...], bool]] = {}
    for one in judgements:
        for each in one.verdicts:
            key = (*one.key[2:], each.golden, each.comment)
            verdicts.setdefault((one.kind, one.judge), {})[key] = each.accepted
    found = []
    for (kind, first), (other_kind, second) in combinations(verdicts, 2):
        ours, theirs = verdicts[kind, first], verdicts[other_kind, second]
        common = [key for key in ours if key in theirs]
        if kind == other_kind and common:
            answers = [(ours[key], theirs[key]) for key in common]
            found.append(_agreement(kind, (first, second), answers))
    return tuple(found)


def _agreement(
    kind: Kind, judges: tuple[str, ...], answers: Sequence[tuple[bool, bool]]
) -> Agreement:
    size = len(answers)
    equal = sum(one == other for one, other in answers) / size
    yes = [sum(one[side] for one in answers) / size for side in (0, 1)]
    chance = yes[0] * yes[1] + (1 - yes[0]) * (1 - yes[1])
    kappa = (equal - chance) / (1 - chance) if chance < 1 else None
    return Agreement(kind, judges, size, equal, kappa)
