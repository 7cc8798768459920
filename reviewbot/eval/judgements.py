"""Verdicts of judge models on near comments, and what they decide together."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, cast

from reviewbot.core.decode import decoder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reviewbot.eval.cases import Case
    from reviewbot.eval.results import Result

JudgementKey = tuple[str, str, int, str, str]
"""Judge, contestant, run, case and digest of the comments."""
Pair = tuple[int, int]
"""Index of a golden comment and of a comment."""
ResultKey = tuple[str, int, str]
"""Contestant, run and case."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer about a golden comment and a comment, by index."""

    golden: int
    comment: int
    accepted: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdicts of one judge on one result. What has no verdict is not accepted.

    ``comments`` is the digest of the comments of the result, which may be replaced later. ``error``
    is a sentence if the request failed; it has no verdicts, but it may have cost something.
    """

    judge: str
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
    votes: defaultdict[tuple[ResultKey, str], defaultdict[Pair, int]]
    votes = defaultdict(lambda: defaultdict(int))
    for judgement in judgements:
        counted = votes[(judgement.contestant, judgement.run, judgement.case), judgement.comments]
        for verdict in judgement.verdicts:
            counted[verdict.golden, verdict.comment] += verdict.accepted
    found: dict[ResultKey, set[Pair]] = {}
    for result in results:
        counted = votes[result.key, result.digest]
        free = wordless.get(result.case, ())
        found[result.key] = {pair for pair, accepted in counted.items() if 2 * accepted > judges}
        found[result.key] |= {(g, c) for g in free for c in range(len(result.comments))}
    return found
