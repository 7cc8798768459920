"""The report of an evaluation as data, from which all its forms are made."""

from __future__ import annotations

import json
from dataclasses import asdict, astuple, dataclass
from typing import TYPE_CHECKING, Final, cast

from reviewbot.core.decode import decoder
from reviewbot.core.wording import count
from reviewbot.errors import SourceError
from reviewbot.eval.agreement import Agreement  # noqa: TC001 - the decoder looks these up
from reviewbot.eval.cases import Golden  # noqa: TC001 - the decoder looks these up
from reviewbot.eval.matching import MatchingRule  # noqa: TC001 - the decoder looks these up
from reviewbot.eval.plan_file import PlanStatus  # noqa: TC001 - the decoder looks these up
from reviewbot.eval.pool import Pool  # noqa: TC001 - the decoder looks these up
from reviewbot.eval.results import Comment  # noqa: TC001 - the decoder looks these up
from reviewbot.eval.scores import (
    METRICS,
    Counts,
    Scores,
    by_contestant,
    counts_by_case,
    scores_of,
)
from reviewbot.eval.statistics import Interval, Power, differences, intervals, power

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from reviewbot.eval.cases import Case
    from reviewbot.eval.scores import ScoredResult

FILE: Final = "report.json"
MAX_COUNT: Final = 10**9


@dataclass(frozen=True, slots=True)
class ContestantReport:
    """One row of the table. ``intervals`` are those of the micro scores."""

    name: str
    spec: str
    scores: Scores
    intervals: dict[str, Interval]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Differences of ``name`` to ``baseline`` on the cases that both reviewed."""

    baseline: str
    name: str
    differences: dict[str, Interval]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One result on one case.

    ``found`` are indices of golden comments of the case. ``others`` are comments that found none.
    """

    contestant: str
    run: int
    case: str
    counts: Counts
    found: tuple[int, ...]
    others: tuple[Comment, ...]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CaseReport:
    """A case without its diff."""

    id: str
    golden: tuple[Golden, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An evaluation.

    ``match`` is the rule that decides which comments are near. ``judges`` decided which near
    comments report the same issue; without judges all do. ``judges_usd`` is the cost of the
    requests to judges; None if it is not known. ``pool`` has what the ratings say; None without
    ratings. ``notices`` are sentences to show with it.
    """

    cases: tuple[CaseReport, ...]
    contestants: tuple[ContestantReport, ...]
    comparisons: tuple[Comparison, ...]
    power: Power
    outcomes: tuple[Outcome, ...]
    judges: tuple[str, ...] = ()
    judges_usd: float | None = None
    match: MatchingRule = "ranges"
    pool: Pool | None = None
    agreements: tuple[Agreement, ...] = ()
    plan: PlanStatus | None = None
    notices: tuple[str, ...] = ()
    version: int = 1

    def counts(self, contestant: str) -> dict[str, Counts]:
        """Return the counts of a contestant by case, summed over runs."""
        found: dict[str, Counts] = {}
        for one in self.outcomes:
            if one.contestant == contestant:
                found[one.case] = found.get(one.case, Counts()) + one.counts
        return found


def evaluate(
    cases: Sequence[Case],
    scored: Sequence[ScoredResult],
    specs: Mapping[str, str],
    *,
    judges: Sequence[str] = (),
    match: MatchingRule = "ranges",
    pool: Pool | None = None,
    judges_usd: float | None = None,
    agreements: Sequence[Agreement] = (),
    plan: PlanStatus | None = None,
    notices: Sequence[str] = (),
) -> Evaluation:
    """Return the evaluation of scored results. The first contestant is the baseline.

    Args:
        cases: the cases.
        scored: the scored results, at least one.
        specs: the specification of each contestant, in the order of the table.
        judges: names of the judges.
        match: rule that decided which comments are near.
        pool: what the ratings of comments say, if there are any.
        judges_usd: cost of their requests in US dollars; None if it is not known.
        agreements: agreement of the judges.
        plan: the plan, if there is one.
        notices: sentences to show.
    """
    grouped = by_contestant(scored)
    names = [name for name in specs if name in grouped]
    baseline, *others = names
    counts = {name: counts_by_case(grouped[name]) for name in names}
    contestants = tuple(
        ContestantReport(
            name, specs[name], scores_of(grouped[name]), intervals([*counts[name].values()])
        )
        for name in names
    )
    golden = [len(case.required) for case in cases]
    return Evaluation(
        cases=tuple(CaseReport(case.id, case.golden) for case in cases),
        contestants=contestants,
        comparisons=tuple(
            Comparison(baseline, name, differences(counts[baseline], counts[name]))
            for name in others
            if counts[baseline].keys() & counts[name].keys()
        ),
        power=power(golden, min(one.scores.runs for one in contestants)),
        outcomes=tuple(map(_outcome, scored)),
        judges=tuple(judges),
        match=match,
        pool=pool,
        judges_usd=judges_usd,
        agreements=tuple(agreements),
        plan=plan,
        notices=(*_missing(cases, counts), *notices),
    )


def _missing(cases: Sequence[Case], counts: Mapping[str, Mapping[str, Counts]]) -> Iterator[str]:
    """Yield a sentence for each contestant that did not review all cases."""
    for name, found in counts.items():
        if len(found) < len(cases):
            yield (
                f"{name} reviewed only {len(found):,} of {count(len(cases), 'case')}; its scores"
                " are those of these cases."
            )


def _outcome(scored: ScoredResult) -> Outcome:
    found, result = scored.matching, scored.result
    right = {c for _, c in found.pairs} | {*found.neutral}
    return Outcome(
        contestant=result.contestant,
        run=result.run,
        case=result.case,
        counts=scored.counts,
        found=tuple(g for g, _ in found.pairs),
        others=tuple(one for c, one in enumerate(result.comments) if c not in right),
        error=result.error,
    )


def to_json(evaluation: Evaluation) -> str:
    """Return an evaluation as JSON that :func:`read_report` reads."""
    return f"{json.dumps(asdict(evaluation), indent=1)}\n"


def read_report(path: Path) -> Evaluation:
    """Return the evaluation in a folder that ``reviewbot eval run`` wrote, or in a file.

    Raises:
        SourceError: the file cannot be read, or is not such a report.
    """
    path = path / FILE if path.is_dir() else path
    try:
        found = cast("Evaluation", decoder(Evaluation)(json.loads(path.read_text("utf-8")), ""))
        _check(found)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path} is not a report of reviewbot eval run: {error}") from error
    return found


def _check(evaluation: Evaluation) -> None:
    """Check what a comparison relies on: the report may come from somebody else.

    Raises:
        ValueError: a result is on an unknown case, a count is out of range, or the planned metric
            is not known.
    """
    golden = {case.id: len(case.golden) for case in evaluation.cases}
    for one in evaluation.outcomes:
        if one.case not in golden:
            raise ValueError(f"there is no case {one.case!r:.80}")
        if not all(0 <= index < golden[one.case] for index in one.found):
            raise ValueError(f"a result on {one.case!r:.80} found an unknown golden comment")
        if not all(0 <= number <= MAX_COUNT for number in astuple(one.counts)):
            raise ValueError(f"a count on {one.case!r:.80} is out of range")
    if evaluation.plan and evaluation.plan.metric not in METRICS:
        raise ValueError(f"there is no metric {evaluation.plan.metric!r:.40}")
