"""Run contestants on cases: several at once, in an order that can be resumed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from reviewbot.errors import ReviewbotError
from reviewbot.eval.contestants import Recorded
from reviewbot.eval.results import known_sum

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

    from reviewbot.eval.cases import Case
    from reviewbot.eval.contestants import Contestant
    from reviewbot.eval.results import Result

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Work:
    """A review that is to be made."""

    contestant: Contestant
    case: Case
    run: int

    @property
    def key(self) -> tuple[str, int, str]:
        """The key of its result."""
        return self.contestant.name, self.run, self.case.id


def latest(results: Iterable[Result]) -> tuple[Result, ...]:
    """Return the last result of each key, since a failed review may have been repeated.

    Its tokens and cost are those of all attempts.
    """
    found: dict[tuple[str, int, str], Result] = {}
    for one in results:
        earlier = found.get(one.key)
        found[one.key] = one if earlier is None else _repeated(earlier, one)
    return tuple(found.values())


def _repeated(earlier: Result, one: Result) -> Result:
    return replace(
        one,
        tokens=known_sum([earlier.tokens, one.tokens]),
        cost_usd=known_sum([earlier.cost_usd, one.cost_usd]),
    )


def open_work(
    contestants: Sequence[Contestant],
    cases: Sequence[Case],
    runs: int,
    done: Collection[tuple[str, int, str]],
) -> list[Work]:
    """Return the reviews without a result: all contestants of a case, then the next case.

    Args:
        contestants: the contestants.
        cases: the cases.
        runs: reviews of each case by each contestant.
        done: keys of results that exist.
    """
    every = (
        Work(contestant, case, run)
        for run in range(1, runs + 1)
        for case in cases
        for contestant in contestants
    )
    return [one for one in every if one.key not in done]


def expected_cost(work: Sequence[Work]) -> float | None:
    """Return the sum of the estimates in US dollars; None if one is not known.

    Raises:
        ReviewbotError: a case cannot be planned.
    """
    known: dict[tuple[str, str], float | None] = {}
    for one in work:
        key = one.contestant.name, one.case.id
        if key not in known:
            known[key] = one.contestant.estimate(one.case)
    return known_sum([known[one.contestant.name, one.case.id] for one in work])


@dataclass(slots=True)
class Spending:
    """US dollars that one command has spent, and their limit; None without a limit.

    Recorded results and judgements are not spent again. What has no known price counts as 0.
    """

    limit: float | None = None
    spent: float = 0.0

    @property
    def is_exhausted(self) -> bool:
        """True if no review and no request to a judge may begin."""
        return self.limit is not None and self.spent >= self.limit


async def perform(
    work: Sequence[Work], take: Callable[[Result], None], *, jobs: int, spending: Spending
) -> bool:
    """Make the reviews, and return whether all were made.

    Args:
        work: the reviews.
        take: gets each result when it is there.
        jobs: reviews at a time.
        spending: gets the cost of each review; no review is begun after its limit.

    Raises:
        ReviewbotError: what ``take`` raised; the other reviews are cancelled.
    """

    async def make(one: Work) -> None:
        result = await one.contestant.review(one.case, one.run)
        if not isinstance(one.contestant, Recorded):
            spending.spent += result.cost_usd or 0.0
        take(result)

    return await within_budget(work, make, jobs=jobs, spending=spending)


async def within_budget(
    work: Iterable[T], make: Callable[[T], Awaitable[None]], *, jobs: int, spending: Spending
) -> bool:
    """Do all of the work, ``jobs`` at a time, and return whether the budget was enough.

    Raises:
        ReviewbotError: what ``make`` raised; the rest is cancelled.
    """
    waiting = iter(work)
    left_out = False

    async def worker() -> None:
        nonlocal left_out
        for one in waiting:
            if spending.is_exhausted:
                left_out = True
                return
            await make(one)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(jobs):
                group.create_task(worker())
    except* ReviewbotError as errors:
        raise _first_error(errors) from None
    return not left_out


def _first_error(errors: ExceptionGroup[ReviewbotError]) -> ReviewbotError:
    """Return the first error of a group, which may be nested."""
    error = errors.exceptions[0]
    return _first_error(error) if isinstance(error, ExceptionGroup) else error
