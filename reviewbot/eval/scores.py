"""Scores of a contestant: counts of each case, summed (micro) or averaged over cases (macro)."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.findings.finding import SEVERITIES
from reviewbot.eval.matching import match
from reviewbot.eval.results import known_sum

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from reviewbot.eval.cases import Case
    from reviewbot.eval.matching import Matching, MatchingRule
    from reviewbot.eval.results import Result

    SameIssue = Mapping[tuple[str, int, str], Collection[tuple[int, int]]]
    """Accepted pairs by the key of a result."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of one result, or sums of several.

    ``found`` are golden comments with a comment, ``comments`` all that count as right or wrong.
    ``severities`` are pairs whose two severities are known, and ``severity_error`` is the sum of
    the steps between them.
    """

    golden: int = 0
    found: int = 0
    comments: int = 0
    inline: int = 0
    duplicates: int = 0
    severities: int = 0
    severity_error: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.golden + other.golden,
            self.found + other.found,
            self.comments + other.comments,
            self.inline + other.inline,
            self.duplicates + other.duplicates,
            self.severities + other.severities,
            self.severity_error + other.severity_error,
        )

    @property
    def precision(self) -> float | None:
        """Share of the comments that found something; None without comments."""
        return ratio(self.found, self.comments)

    @property
    def recall(self) -> float | None:
        """Share of the golden comments that were found; None without golden comments."""
        return ratio(self.found, self.golden)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall."""
        return f_score(self.found, self.comments, self.golden, 1.0)

    @property
    def f05(self) -> float | None:
        """F score that weighs precision more: a wrong comment costs more than a missed problem."""
        return f_score(self.found, self.comments, self.golden, 0.5)


METRICS: Final[Mapping[str, Callable[[Counts], float | None]]] = {
    "precision": lambda counts: counts.precision,
    "recall": lambda counts: counts.recall,
    "f1": lambda counts: counts.f1,
    "f05": lambda counts: counts.f05,
}
"""Scores that intervals and comparisons are made for."""


def ratio(part: float, whole: float) -> float | None:
    """Return a share; None of nothing."""
    return part / whole if whole else None


def f_score(found: float, comments: float, golden: float, beta: float) -> float | None:
    """Return the F score; None without comments and golden comments."""
    weight = beta * beta
    return ratio((1 + weight) * found, comments + weight * golden)


@dataclass(frozen=True, slots=True)
class ScoredResult:
    """A result with its matching and counts."""

    case: Case
    result: Result
    matching: Matching
    counts: Counts


def score(
    case: Case,
    result: Result,
    same_issue: Collection[tuple[int, int]] | None = None,
    rule: MatchingRule = "ranges",
) -> ScoredResult:
    """Match a result with its case.

    Args:
        case: the case.
        result: the output of a contestant.
        same_issue: as for :func:`reviewbot.eval.matching.match`.
        rule: decides which pairs are near.
    """
    found = match(case.golden, result.comments, same_issue, rule)
    steps = [
        abs(SEVERITIES.index(wanted) - SEVERITIES.index(given))
        for g, c in found.pairs
        if (wanted := case.golden[g].severity) and (given := result.comments[c].severity)
    ]
    counted = [one for c, one in enumerate(result.comments) if c not in found.neutral]
    counts = Counts(
        golden=len(case.required),
        found=len(found.pairs),
        comments=len(counted),
        inline=sum(one.inline for one in counted),
        duplicates=len(found.duplicates),
        severities=len(steps),
        severity_error=sum(steps),
    )
    return ScoredResult(case, result, found, counts)


def score_all(
    cases: Iterable[Case],
    results: Iterable[Result],
    same_issue: SameIssue | None = None,
    rule: MatchingRule = "ranges",
) -> list[ScoredResult]:
    """Return the scored results of the cases, in the order of the cases.

    Args:
        cases: the cases; results on other cases are left out.
        results: results of one or more contestants.
        same_issue: pairs that judges accepted; None matches by location alone.
        rule: decides which pairs are near.
    """
    by_case: dict[str, list[Result]] = {}
    for one in results:
        by_case.setdefault(one.case, []).append(one)
    return [
        score(case, one, same, rule)
        for case in cases
        for one in by_case.get(case.id, ())
        for same in [None if same_issue is None else same_issue.get(one.key, ())]
    ]


def by_contestant(scored: Iterable[ScoredResult]) -> dict[str, list[ScoredResult]]:
    """Return the scored results of each contestant, in the order of their first results."""
    found: dict[str, list[ScoredResult]] = {}
    for one in scored:
        found.setdefault(one.result.contestant, []).append(one)
    return found


def counts_by_case(scored: Iterable[ScoredResult]) -> dict[str, Counts]:
    """Return the counts of each case, summed over the runs of one contestant."""
    found: dict[str, Counts] = {}
    for one in scored:
        found[one.case.id] = found.get(one.case.id, Counts()) + one.counts
    return found


def total(counts: Iterable[Counts]) -> Counts:
    """Return the sum of counts."""
    return sum(counts, Counts())


@dataclass(frozen=True, slots=True)
class Scores:
    """All scores of a contestant. A score is None if there is nothing to compute it from.

    ``micro`` and ``macro`` have the :data:`METRICS` by name: of the sums, and as means over cases.
    ``silence`` is the share of
    results on clean cases that are valid and have no comment. ``duplicates`` is the
    share of the comments that repeat another one, ``severity_error`` the mean number of steps.
    """

    results: int
    runs: int
    micro: dict[str, float | None]
    macro: dict[str, float | None]
    per_case: float
    per_100_lines: float | None
    silence: float | None
    inline: float | None
    duplicates: float | None
    severity_error: float | None
    refuted: float | None
    valid: float
    tokens: int | None
    cost_usd: float | None
    usd_per_found: float | None
    first_finding_s: float | None


def scores_of(scored: Sequence[ScoredResult]) -> Scores:
    """Return the scores of one contestant.

    Args:
        scored: its scored results, at least one.
    """
    whole = total(one.counts for one in scored)
    by_case = counts_by_case(scored).values()
    results = [one.result for one in scored]
    clean = [one for one in scored if not one.case.required]
    silent = [one for one in clean if not one.counts.comments and one.result.error is None]
    cost = known_sum([one.cost_usd for one in results])
    lines = {one.case.id: changed_lines(one.case) for one in scored}
    first = [one.first_finding_s for one in results if one.first_finding_s is not None]
    per_100 = ratio(whole.comments, sum(lines[one.case.id] for one in scored))
    return Scores(
        results=len(scored),
        runs=len({one.run for one in results}),
        micro={name: metric(whole) for name, metric in METRICS.items()},
        macro={
            name: _mean([metric(counts) for counts in by_case]) for name, metric in METRICS.items()
        },
        per_case=whole.comments / len(scored),
        per_100_lines=None if per_100 is None else 100 * per_100,
        silence=ratio(len(silent), len(clean)),
        inline=ratio(whole.inline, whole.comments),
        duplicates=ratio(whole.duplicates, whole.comments),
        severity_error=ratio(whole.severity_error, whole.severities),
        refuted=ratio(sum(one.refuted for one in results), sum(one.judged for one in results)),
        valid=sum(one.error is None for one in results) / len(results),
        tokens=known_sum([one.tokens for one in results]),
        cost_usd=cost,
        usd_per_found=None if cost is None else ratio(cost, whole.found),
        first_finding_s=statistics.median(first) if first else None,
    )


def changed_lines(case: Case) -> int:
    """Return the lines that a case adds and removes."""
    return sum(file.added + file.removed for file in parse_diff(case.data))


def _mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the defined values; None if there is none."""
    defined = [one for one in values if one is not None]
    return statistics.fmean(defined) if defined else None
