"""Runs resume, and keep to a budget."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from reviewbot.errors import SourceError
from reviewbot.eval.contestants import Recorded
from reviewbot.eval.run import Spending, expected_cost, latest, open_work, perform
from tests.support.evaluations import case, comment, result

if TYPE_CHECKING:
    from reviewbot.eval.cases import Case
    from reviewbot.eval.results import Result


@dataclass
class Counting:
    """A contestant that counts how many reviews it makes, in all and at once."""

    name: str = "tool"
    spec: str = "1"
    cost: float | None = 0.5
    made: list[tuple[str, int]] = field(default_factory=list)
    most: int = 0
    _open: int = 0

    def estimate(self, case: Case) -> float | None:
        del case
        return self.cost

    async def review(self, case: Case, run: int) -> Result:
        self._open += 1
        self.most = max(self.most, self._open)
        await asyncio.sleep(0)
        self._open -= 1
        self.made.append((case.id, run))
        return result(case.id, contestant=self.name, run=run, cost_usd=self.cost)


CASES = (case("a"), case("b"), case("c"))


async def test_a_resumed_run_makes_only_the_missing_reviews() -> None:
    tool = Counting()
    done = {("tool", 1, "a"), ("tool", 2, "b"), ("other", 1, "c")}
    taken: list[Result] = []
    work = open_work([tool], CASES, 2, done)
    assert await perform(work, taken.append, jobs=2, spending=Spending())
    assert sorted(tool.made) == [("a", 2), ("b", 1), ("c", 1), ("c", 2)]
    assert {one.key for one in taken} == {("tool", run, name) for name, run in tool.made}


async def test_as_many_reviews_run_at_once_as_wanted() -> None:
    tool = Counting()
    work = open_work([tool], CASES, 5, ())
    await perform(work, lambda _: None, jobs=3, spending=Spending())
    assert tool.most == 3


async def test_no_review_begins_after_the_budget_is_spent() -> None:
    tool = Counting(cost=0.5)
    work, spending = open_work([tool], CASES, 2, ()), Spending(1.0)
    assert not await perform(work, lambda _: None, jobs=1, spending=spending)
    assert (len(tool.made), spending.spent) == (2, 1.0)


async def test_recorded_costs_are_not_spent_again() -> None:
    tool = Counting(cost=0.5)
    old = Recorded("old", "", [result(one.id, cost_usd=9.0) for one in CASES])
    work = open_work([old, tool], CASES, 1, ())
    assert await perform(work, lambda _: None, jobs=1, spending=Spending(1.25))
    assert len(tool.made) == 3


def test_the_expected_cost_counts_each_review() -> None:
    assert expected_cost(open_work([Counting()], CASES, 2, ())) == 3.0
    assert expected_cost([]) == 0
    unknown = Counting("unknown", cost=None)
    assert expected_cost(open_work([Counting(), unknown], CASES, 1, ())) is None


async def test_an_error_of_the_store_ends_the_run_as_itself() -> None:
    def full(_: Result) -> None:
        raise SourceError("the disk is full")

    with pytest.raises(SourceError, match="the disk is full"):
        await perform(open_work([Counting()], CASES, 2, ()), full, jobs=2, spending=Spending())


def test_a_repeated_review_replaces_the_failed_one() -> None:
    failed, again = result("a", error="It broke off."), result("a", comment(5))
    assert latest([failed, result("b"), again]) == (again, result("b"))


def test_failed_attempts_are_part_of_the_tokens_and_the_cost() -> None:
    failed = result("a", error="It broke off.", tokens=10, cost_usd=0.25)
    again = result("a", comment(5), tokens=7, cost_usd=0.5)
    assert latest([failed, failed, again]) == (replace(again, tokens=27, cost_usd=1.0),)
    unknown = replace(failed, cost_usd=None)
    assert latest([unknown, again])[0].cost_usd is None
