"""Verdicts of judge models, what they decide together, and how far they agree."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, cast

from reviewbot.core.decode import decoder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reviewbot.eval.cases import Case
    from reviewbot.eval.results import Result

JudgementKey = tuple[str, str, int, str, str]
"""Judge, contestant, run, case and digest of the comments."""
Pair = tuple[int, int]
"""Index of a golden comment and of a comment."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision about a golden comment and a comment, by their indices."""

    golden: int
    comment: int
    same: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdicts of one judge on one result. A pair without a verdict is not the same issue.

    ``comments`` is the digest of the comments of the result, which may be replaced later.
    """

    judge: str
    contestant: str
    run: int
    case: str
    comments: str
    verdicts: tuple[Verdict, ...]
    cost_usd: float | None = None

    @property
    def key(self) -> JudgementKey:
        """Identity of the judgement."""
        return self.judge, self.contestant, self.run, self.case, self.comments


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
) -> dict[tuple[str, int, str], set[Pair]]:
    """Return the pairs that more than half of the judges accept, by the key of the result.

    A pair whose golden comment has no text is accepted, since nothing can be compared.

    Args:
        cases: the cases.
        results: the results.
        judgements: the judgements of all judges.
        judges: number of judges.
    """
    votes: defaultdict[tuple[str, int, str, str], defaultdict[Pair, int]]
    votes = defaultdict(lambda: defaultdict(int))
    for one in judgements:
        for verdict in one.verdicts:
            votes[one.key[1:]][verdict.golden, verdict.comment] += verdict.same
    wordless = {
        case.id: {g for g, one in enumerate(case.golden) if not one.text.strip()} for case in cases
    }
    found: dict[tuple[str, int, str], set[Pair]] = {}
    for result in results:
        counted = votes[*result.key, result.digest]
        pairs = {pair for pair, some in counted.items() if 2 * some > judges}
        free = wordless.get(result.case, ())
        found[result.key] = pairs | {(g, c) for g in free for c in range(len(result.comments))}
    return found


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of two judges on the pairs that both decided.

    ``kappa`` is Cohen's; None if both always gave the same single answer.
    """

    judges: tuple[str, ...]
    pairs: int
    equal: float
    kappa: float | None


def agreements(judgements: Iterable[Judgement]) -> tuple[Agreement, ...]:
    """Return the agreement of each two judges that decided a common pair."""
    verdicts: dict[str, dict[tuple[object, ...], bool]] = {}
    for one in judgements:
        for each in one.verdicts:
            key = (*one.key[1:], each.golden, each.comment)
            verdicts.setdefault(one.judge, {})[key] = each.same
    found = []
    for first, second in combinations(verdicts, 2):
        common = [key for key in verdicts[first] if key in verdicts[second]]
        if common:
            answers = [(verdicts[first][key], verdicts[second][key]) for key in common]
            found.append(_agreement((first, second), answers))
    return tuple(found)


def _agreement(judges: tuple[str, ...], answers: Sequence[tuple[bool, bool]]) -> Agreement:
    size = len(answers)
    equal = sum(one == other for one, other in answers) / size
    yes = [sum(one[side] for one in answers) / size for side in (0, 1)]
    chance = yes[0] * yes[1] + (1 - yes[0]) * (1 - yes[1])
    kappa = (equal - chance) / (1 - chance) if chance < 1 else None
    return Agreement(judges, size, equal, kappa)
