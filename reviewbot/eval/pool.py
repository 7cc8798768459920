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

    settled: list[Opinion] = []
    for index, on_comment in enumerate(zip(*rated, strict=True)):
        firsts = [rating.same_as or rating.id for rating in on_comment]
        problem = next(
            (
                earlier
                for earlier in dict.fromkeys(opinion.problem for opinion in settled)
                if most(
                    first == (ratings[earlier].same_as or ratings[earlier].id)
                    for first, ratings in zip(firsts, rated, strict=True)
                )
            ),
            index,
        )
        real = most(rating.real for rating in on_comment)
        worth = next(
            least for least in (2, 1, 0) if not least or most(r.worth >= least for r in on_comment)
        )
        why = next((rating.why for rating in on_comment if rating.real == real and rating.why), "")
        settled.append(Opinion(real, worth, problem, why))
    return settled


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
    given = {
        case_ratings.key: case_ratings.ratings
        for case_ratings in ratings
        if case_ratings.error is None
    }
    by_case: defaultdict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_case[result.case].append(result)
    unrated: set[str] = set()
    problems: list[Problem] = []
    counts: defaultdict[str, dict[str, _CaseCounts]] = defaultdict(dict)
    for blind_case in blind:
        case = blind_case.case.id
        rated = [given.get((judge, case, blind_case.digest)) for judge in judges]
        known = [judge_ratings for judge_ratings in rated if judge_ratings is not None]
        if len(known) < len(judges):
            unrated.add(case)
            continue
        settled = opinions(known)
        problems += _problems(blind_case, settled, by_case[case])
        must_fix = {
            opinion.problem for opinion in settled if opinion.real and opinion.worth == MUST_FIX
        }
        for result in by_case[case]:
            of_contestant = counts[result.contestant]
            of_contestant[case] = of_contestant.get(case, _CaseCounts()) + _counted(
                blind_case, settled, must_fix, result
            )
    for case, some_results in by_case.items():
        for result in some_results if case not in unrated else ():
            counts[result.contestant].setdefault(case, _CaseCounts())
    return Pool(
        judges=tuple(judges),
        rated=len(blind) - len(unrated),
        cases=len(blind),
        scores=tuple(_scores([name for name in contestants if counts[name]], counts)),
        problems=tuple(sorted(problems, key=lambda problem: -problem.worth)),
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
    blind: BlindCase, settled: Sequence[Opinion], results: Sequence[Result]
) -> Iterator[Problem]:
    """Yield the distinct real problems of a case."""
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for index, opinion in enumerate(settled):
        if opinion.real:
            groups[opinion.problem].append(index)
    numbers = [(result.contestant, {*blind.indices(result)}) for result in results]
    for members in groups.values():
        first = blind.comments[members[0]]
        runs: defaultdict[str, int] = defaultdict(int)
        for contestant, indices in numbers:
            runs[contestant] += not indices.isdisjoint(members)
        yield Problem(
            case=blind.case.id,
            path=first.path,
            line=first.line,
            text=first.text,
            worth=max(settled[index].worth for index in members),
            why=settled[members[0]].why,
            found={name: number for name, number in runs.items() if number},
        )


def _counted(
    blind: BlindCase, settled: Sequence[Opinion], must_fix: AbstractSet[int], result: Result
) -> _CaseCounts:
    """Return the counts of one result. ``must_fix`` are the must-fix problems of the case."""
    given = [settled[index] for index in blind.indices(result)]
    real = [opinion for opinion in given if opinion.real]
    return _CaseCounts(
        comments=len(given),
        real=len(real),
        must_fix=sum(opinion.worth == MUST_FIX for opinion in real),
        found=len(must_fix & {opinion.problem for opinion in real}),
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
            share: {case: case_counts.share(share) for case, case_counts in counts[name].items()}
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
                share: intervals([*by_case.values()])["precision"]
                for share, by_case in shares[name].items()
            },
            differences={
                share: differences(base[share], by_case)["precision"]
                for share, by_case in shares[name].items()
                if name != names[0] and base[share].keys() & by_case.keys()
            },
        )
