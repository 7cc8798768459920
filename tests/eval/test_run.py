"""Runs resume, keep to a budget, and never mix results of different evaluations."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reviewbot.errors import ConfigError, SourceError
from reviewbot.eval.contestants import Recorded
from reviewbot.eval.run import (
    LOCK,
    RESULTS,
    Header,
    Spending,
    Store,
    expected_cost,
    latest,
    open_store,
    open_work,
    perform,
)
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


HEADER = Header("cases", {"tool": "1"})
CASES = (case("a"), case("b"), case("c"))


def test_stored_results_are_read_again(tmp_path: Path) -> None:
    first, second = result("a", comment(5, severity="note")), result("b", error="It broke off.")
    with open_store(tmp_path / "new" / "folder", HEADER) as store:
        assert store.results.read() == ()
        store.results.append(first)
        store.results.append(second)
    with open_store(tmp_path / "new" / "folder", HEADER) as store:
        assert store.results.read() == (first, second)


def test_a_folder_is_open_once_at_a_time(tmp_path: Path) -> None:
    with (
        open_store(tmp_path, HEADER) as store,
        pytest.raises(ConfigError, match=r"another process uses .*; wait for its end, or"),
        open_store(tmp_path, HEADER),
    ):
        pass
    with open_store(tmp_path, HEADER) as again:
        assert again.id == store.id


def test_a_folder_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="cannot use"), open_store(tmp_path / "file", HEADER):
        pass
    for name, make in (("folder", Path.mkdir), ("text", lambda path: path.write_text("x" * 999))):
        (tmp_path / name).mkdir()
        make(tmp_path / name / LOCK)
        with pytest.raises(SourceError, match="cannot use"), open_store(tmp_path / name, HEADER):
            pass


def test_a_line_that_an_interruption_tore_is_made_again(tmp_path: Path) -> None:
    store = Store(tmp_path, HEADER)
    store.results.append(result("a"))
    with (tmp_path / RESULTS).open("a") as file:
        file.write('{"contestant": "to')
    store = Store(tmp_path, HEADER)
    store.results.append(result("b"))
    assert [one.case for one in store.results.read()] == ["a", "b"]


def test_a_broken_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    store = Store(tmp_path, HEADER)
    (tmp_path / RESULTS).write_text('{"contestant": 1}\n')
    with pytest.raises(SourceError, match=r"results.jsonl: line 1: contestant is 1, not a string"):
        store.results.read()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (Header("others", {"tool": "1"}), "results of other cases"),
        (Header("cases", {"tool": "2"}), r"tool has changed .*then: 1; now: 2"),
        (Header("cases", {"tool": "1"}, plan="p"), "plan has changed"),
    ],
)
def test_results_of_another_evaluation_are_not_continued(
    tmp_path: Path, header: Header, message: str
) -> None:
    Store(tmp_path, HEADER)
    with pytest.raises(ConfigError, match=message):
        Store(tmp_path, header)


def test_contestants_can_be_added(tmp_path: Path) -> None:
    Store(tmp_path, HEADER)
    Store(tmp_path, Header("cases", {"other": "1"}))
    with pytest.raises(ConfigError, match="tool has changed"):
        Store(tmp_path, Header("cases", {"tool": "2"}))


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
