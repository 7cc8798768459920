"""The distinct problems that all contestants found together, and how many each of them found."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.eval.ratings import MUST_FIX
from reviewbot.eval.scores import Counts
from reviewbot.eval.statistics import Interval, differences, intervals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from reviewbot.eval.ratings import BlindCase, CaseRatings, Rating
    from reviewbot.eval.results import Result


@dataclass(frozen=True, slots=True)
class Opinion:
    """Opinion of most judges on a comment.

    ``problem`` is the index of the first comment on the same problem.
    """

    real: bool
    worth: int
    problem: int
    why: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A real problem of the pool.

    Place, text and reason are those of the first real comment on it, and ``worth`` is the highest
    of its real comments. ``found`` has the number of runs that found it, by contestant.
    """

    case: str
    path: str
    line: int
    text: str
    worth: int
    why: str
    found: dict[str, int]


@dataclass(frozen=True, slots=True)
class PoolScore:
    """Ratings of one contestant on the rated cases that it reviewed.

    ``shares`` has three intervals over cases: ``real`` and ``must_fix`` are shares of the comments,
    and ``found`` is the share of the must-fix problems of the pool. ``problems`` counts those of
    the pool, and ``found`` those that the contestant found, both once for each run.
    ``differences`` are those of the shares to the first contestant; empty for the first.
    """

    name: str
    comments: int
    found: int
    problems: int
    shares: dict[str, Interval]
    differences: dict[str, Interval]


@dataclass(frozen=True, slots=True)
class Pool:
    """The pool of problems on the ``rated`` of ``cases`` that have comments.

    ``problems`` are in the order of their worth, the highest first.
    """

    judges: tuple[str, ...]
    rated: int
    cases: int
    scores: tuple[PoolScore, ...]
    problems: tuple[Problem, ...]


def opinions(rated: Sequence[Sequence[Rating]]) -> list[Opinion]:
    """Return the opinion of more than half of the judges on each comment on a case.

    Judges compare a comment with the first comment on each earlier problem. The comment belongs to
    the first problem for which more than half of them say that it is the same.

    Args:
        rated: the checked ratings by each judge, at least one, for the same comments.
    """

    def most(votes: Iterable[bool]) -> bool:
        return 2 * sum(votes) > len(rated)

    found: list[Opinion] = []
    for index, each in enumerate(zip(*rated, strict=True)):
        firsts = [one.same_as or one.id for one in each]
        problem = next(
            (
                earlier
                for earlier in dict.fromkeys(one.problem for one in found)
                if most(
                    first == (ratings[earlier].same_as or ratings[earlier].id)
                    for first, ratings in zip(firsts, rated, strict=True)
                )
            ),
            index,
        )
        real = most(one.real for one in each)
        worth = next(some for some in (2, 1, 0) if not some or most(r.worth >= some for r in each))
        why = next((one.why for one in each if one.real == real and one.why), "")
        found.append(Opinion(real, worth, problem, why))
    return found


def pool_of(
    blind: Sequence[BlindCase],
    results: Sequence[Result],
    ratings: Iterable[CaseRatings],
    judges: Sequence[str],
    contestants: Sequence[str],
) -> Pool:
    """Return the pool of the cases that all judges rated.

    A case without a comment counts as rated. A judge's last valid ratings of the comments count.

    Args:
        blind: the mixed comments of the cases.
        results: the results of all contestants.
        ratings: the ratings of all judges.
        judges: the judges, at least one.
        contestants: the names of the contestants; the first one is the baseline.
    """
    given = {one.key: one.ratings for one in ratings if one.error is None}
    by_case: defaultdict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_case[result.case].append(result)
    unrated: set[str] = set()
    problems: list[Problem] = []
    counts: defaultdict[str, dict[str, _CaseCounts]] = defaultdict(dict)
    for one in blind:
        case = one.case.id
        rated = [given.get((judge, case, one.digest)) for judge in judges]
        known = [each for each in rated if each is not None]
        if len(known) < len(judges):
            unrated.add(case)
            continue
        opinion = opinions(known)
        problems += _problems(one, opinion, by_case[case])
        must_fix = {each.problem for each in opinion if each.real and each.worth == MUST_FIX}
        for result in by_case[case]:
            some = counts[result.contestant]
            some[case] = some.get(case, _CaseCounts()) + _counted(one, opinion, must_fix, result)
    for case, some_results in by_case.items():
        for result in some_results if case not in unrated else ():
            counts[result.contestant].setdefault(case, _CaseCounts())
    return Pool(
        judges=tuple(judges),
        rated=len(blind) - len(unrated),
        cases=len(blind),
        scores=tuple(_scores([name for name in contestants if counts[name]], counts)),
        problems=tuple(sorted(problems, key=lambda each: -each.worth)),
    )


@dataclass(frozen=True, slots=True)
class _CaseCounts:
    """Counts of one contestant on a case, over all runs."""

    comments: int = 0
    real: int = 0
    must_fix: int = 0
    found: int = 0
    problems: int = 0

    def __add__(self, other: _CaseCounts) -> _CaseCounts:
        return _CaseCounts(
            self.comments + other.comments,
            self.real + other.real,
            self.must_fix + other.must_fix,
            self.found + other.found,
            self.problems + other.problems,
        )

    def share(self, name: str) -> Counts:
        """Return the share ``name`` as counts: their precision and recall both equal the share."""
        part, whole = {
            "real": (self.real, self.comments),
            "must_fix": (self.must_fix, self.comments),
            "found": (self.found, self.problems),
        }[name]
        return Counts(golden=whole, found=part, comments=whole)


def _problems(
    blind: BlindCase, opinion: Sequence[Opinion], results: Sequence[Result]
) -> Iterator[Problem]:
    """Yield the distinct real problems of a case."""
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for index, one in enumerate(opinion):
        if one.real:
            groups[one.problem].append(index)
    found = [(result.contestant, {*blind.indices(result)}) for result in results]
    for members in groups.values():
        first = blind.comments[members[0]]
        runs: defaultdict[str, int] = defaultdict(int)
        for contestant, indices in found:
            runs[contestant] += not indices.isdisjoint(members)
        yield Problem(
            case=blind.case.id,
            path=first.path,
            line=first.line,
            text=first.text,
            worth=max(opinion[index].worth for index in members),
            why=opinion[members[0]].why,
            found={name: number for name, number in runs.items() if number},
        )


def _counted(
    blind: BlindCase, opinion: Sequence[Opinion], must_fix: AbstractSet[int], result: Result
) -> _CaseCounts:
    """Return the counts of one result. ``must_fix`` are the must-fix problems of the case."""
    given = [opinion[index] for index in blind.indices(result)]
    real = [one for one in given if one.real]
    return _CaseCounts(
        comments=len(given),
        real=len(real),
        must_fix=sum(one.worth == MUST_FIX for one in real),
        found=len(must_fix & {one.problem for one in real}),
        problems=len(must_fix),
    )


SHARES: Final = ("real", "must_fix", "found")
"""Names of the shares that have intervals."""


def _scores(
    names: Sequence[str], counts: Mapping[str, Mapping[str, _CaseCounts]]
) -> Iterator[PoolScore]:
    """Yield the score of each contestant; the first one is the baseline."""
    shares = {
        name: {
            share: {case: one.share(share) for case, one in counts[name].items()}
            for share in SHARES
        }
        for name in names
    }
    for name in names:
        whole = sum(counts[name].values(), _CaseCounts())
        base = shares[names[0]]
        yield PoolScore(
            name=name,
            comments=whole.comments,
            found=whole.found,
            problems=whole.problems,
            shares={
                share: intervals([*some.values()])["precision"]
                for share, some in shares[name].items()
            },
            differences={
                share: differences(base[share], some)["precision"]
                for share, some in shares[name].items()
                if name != names[0] and base[share].keys() & some.keys()
            },
        )
