"""Compare two evaluations case by case: what is significant, and which cases changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reviewbot.errors import SourceError
from reviewbot.eval.statistics import Interval, differences

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reviewbot.eval.cases import Golden
    from reviewbot.eval.plan_file import PlanStatus
    from reviewbot.eval.report import Evaluation, Outcome


@dataclass(frozen=True, slots=True)
class ChangedGolden:
    """A golden comment that is found in another share of the runs."""

    case: str
    golden: Golden
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class ChangedCase:
    """A case with another mean number of comments that found nothing."""

    case: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Change:
    """The change from one contestant to another on the cases that both reviewed.

    ``specs`` are those of both contestants, which name for example the version of the prompts.
    ``differences`` are the second minus the first. ``metric`` is that of the plan, if both
    evaluations have the same plan.
    """

    before: str
    after: str
    specs: tuple[str, str]
    cases: int
    differences: dict[str, Interval]
    golden: tuple[ChangedGolden, ...]
    wrong: tuple[ChangedCase, ...]
    metric: str | None = None


def pairs(one: Evaluation, other: Evaluation, names: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Return the contestants to compare.

    Args:
        one: the first evaluation.
        other: the second evaluation.
        names: names in both evaluations; empty for all common names, or the only contestants.

    Raises:
        SourceError: there is nothing to compare.
    """
    first, second = ([each.name for each in side.contestants] for side in (one, other))
    common = [name for name in first if name in second and (not names or name in names)]
    missing = [name for name in names if name not in common]
    if missing:
        raise SourceError(f"{missing[0]:.80} is not a contestant of both evaluations")
    if common:
        return [(name, name) for name in common]
    if len(first) == len(second) == 1:
        return [(first[0], second[0])]
    raise SourceError(
        f"the evaluations share no contestant: {', '.join(first)} and {', '.join(second)}"
    )


def compare(one: Evaluation, other: Evaluation, before: str, after: str) -> Change:
    """Return the change from ``before`` in ``one`` to ``after`` in ``other``.

    Raises:
        SourceError: they share no case, a case has other golden comments, or the judges or the
            rules of matching differ.
    """
    golden = {case.id: case.golden for case in one.cases}
    for case in other.cases:
        if golden.get(case.id, case.golden) != case.golden:
            raise SourceError(f"the golden comments of the case {case.id:.80} differ")
    if one.judges != other.judges:
        raise SourceError("the evaluations have different judges, so their scores differ anyway")
    if one.match != other.match:
        raise SourceError(
            f"the evaluations match comments by other rules ({one.match} and {other.match}), so"
            " their scores differ anyway"
        )
    first, second = _by_case(one, before), _by_case(other, after)
    shared = [name for name in first if name in second]
    if not shared:
        raise SourceError(f"{before} and {after} have no case in common")
    found = []
    wrong = []
    for name in shared:
        old, new = first[name], second[name]
        for index, wanted in enumerate(golden[name]):
            shares = _found(old, index), _found(new, index)
            if shares[0] != shares[1]:
                found.append(ChangedGolden(name, wanted, *shares))
        means = _mean_wrong(old), _mean_wrong(new)
        if means[0] != means[1]:
            wrong.append(ChangedCase(name, *means))
    return Change(
        before,
        after,
        (_spec(one, before), _spec(other, after)),
        len(shared),
        differences(one.counts(before), other.counts(after)),
        tuple(found),
        tuple(wrong),
        _planned(one.plan, other.plan),
    )


def _planned(one: PlanStatus | None, other: PlanStatus | None) -> str | None:
    """Return the metric of the plan that both evaluations have."""
    return one.metric if one and other and one.digest == other.digest else None


def _spec(evaluation: Evaluation, contestant: str) -> str:
    return next(one.spec for one in evaluation.contestants if one.name == contestant)


def _by_case(evaluation: Evaluation, contestant: str) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for one in evaluation.outcomes:
        if one.contestant == contestant:
            found.setdefault(one.case, []).append(one)
    return found


def _found(outcomes: Sequence[Outcome], index: int) -> float:
    """Return the share of the runs in which a golden comment was found."""
    return _mean(index in one.found for one in outcomes)


def _mean_wrong(outcomes: Sequence[Outcome]) -> float:
    return _mean(len(one.others) for one in outcomes)


def _mean(values: Iterable[float]) -> float:
    every = list(values)
    return sum(every) / len(every)
