"""Slots for linter processes: who gets the next one, and that none is lost."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from reviewbot.models.linters.slots import LinterSlots

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reviewbot.models.linters.slots import ReviewSlots


@dataclass
class Processes:
    """Processes that run until the test ends them, in the order of their starts."""

    started: list[str] = field(default_factory=list)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _ends: dict[str, asyncio.Event] = field(default_factory=dict)

    async def add(
        self, name: str, review: ReviewSlots, linter: str = "ruff", size: int = 1
    ) -> None:
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._run(name, review, linter, size))
        await asyncio.sleep(0)

    async def _run(self, name: str, review: ReviewSlots, linter: str, size: int) -> None:
        async with review.slot(linter, size):
            self.started.append(name)
            await self._ends[name].wait()

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await self._tasks[name]
        await asyncio.sleep(0)

    async def cancel(self, *names: str) -> None:
        for name in names:
            self._tasks[name].cancel()
        await asyncio.gather(*(self._tasks[name] for name in names), return_exceptions=True)
        await asyncio.sleep(0)

    async def all_in_order(self) -> list[str]:
        """End each process that runs until all have run; return all in the order of starts."""
        while left := [name for name in self.started if not self._tasks[name].done()]:
            await self.end(left[0])
        return self.started


@asynccontextmanager
async def processes() -> AsyncIterator[Processes]:
    made = Processes()
    try:
        yield made
    finally:
        await made.cancel(*made._tasks)


async def test_a_tenant_that_is_alone_uses_every_slot() -> None:
    review = LinterSlots(2).for_review("a")
    async with processes() as running:
        for name in ("1", "2", "3"):
            await running.add(name, review)
        assert running.started == ["1", "2"]


async def test_another_tenant_starts_at_once_beside_one_that_uses_every_slot() -> None:
    slots = LinterSlots(2)
    async with processes() as running:
        review = slots.for_review("a")
        for number in range(30):
            await running.add(f"a{number}", review)
        await running.add("b", slots.for_review("b"))
        assert running.started == ["a0", "a1", "b"]
        await running.end("a0")
        assert running.started == ["a0", "a1", "b"]  # two processes run


async def test_a_free_slot_goes_to_the_tenant_with_the_fewest_processes() -> None:
    slots = LinterSlots(2)
    async with processes() as running:
        a = slots.for_review("a")
        for number in range(3):
            await running.add(f"a{number}", a)
        await running.add("b", slots.for_review("b"))
        await running.add("c", slots.for_review("c"))
        assert running.started == ["a0", "a1", "b"]
        await running.end("a0")
        await running.end("b")
        assert running.started[3:] == ["c"]


async def test_the_reviews_of_a_tenant_take_turns() -> None:
    slots = LinterSlots(1)
    async with processes() as running:
        for review in (slots.for_review("a"), slots.for_review("a")):
            name = str(len(running._tasks) // 3)
            for number in range(3):
                await running.add(f"{name}{number}", review)
        assert [name[0] for name in await running.all_in_order()] == ["0", "1", "0", "1", "0", "1"]


async def test_the_linters_of_a_review_take_turns() -> None:
    review = LinterSlots(1).for_review("a")
    async with processes() as running:
        for number in range(20):
            await running.add(f"shellcheck {number}", review, "shellcheck")
        await running.add("ruff", review, "ruff")
        assert (await running.all_in_order())[:2] == ["shellcheck 0", "ruff"]


async def test_the_smallest_file_of_a_linter_is_first() -> None:
    review = LinterSlots(1).for_review("a")
    async with processes() as running:
        for size in (5, 9, 3, 7):
            await running.add(str(size), review, size=size)
        assert await running.all_in_order() == ["5", "3", "7", "9"]


async def test_a_tenant_that_sends_one_file_after_another_does_not_starve_others() -> None:
    slots = LinterSlots(1)
    async with processes() as running:
        await running.add("a0", slots.for_review("a"))
        await running.add("b", slots.for_review("b"))
        await running.add("c", slots.for_review("c"))
        for number in range(2):
            await running.end(running.started[-1])
            await running.add(f"a{number + 1}", slots.for_review("a"))
        assert running.started == ["a0", "b", "c"]


@pytest.mark.parametrize("name", ["running", "waiting"])
async def test_a_cancelled_process_keeps_no_slot(name: str) -> None:
    review = LinterSlots(1).for_review("a")
    async with processes() as running:
        for one in ("running", "waiting", "next"):
            await running.add(one, review)
        await running.cancel(name)
        assert "next" in await running.all_in_order()


async def test_a_slot_that_is_given_to_a_cancelled_process_is_not_lost() -> None:
    review = LinterSlots(1).for_review("a")
    async with processes() as running:
        for one in ("running", "waiting", "next"):
            await running.add(one, review)
        # Cancelled before the end of the first process, and again right after it.
        running._tasks["waiting"].cancel()
        running._ends["running"].set()
        assert await running.all_in_order() == ["running", "next"]


async def test_slots_forget_tenants_without_processes() -> None:
    slots = LinterSlots(2)
    async with processes() as running:
        for number in range(5):
            await running.add(str(number), slots.for_review(str(number)))
        await running.cancel("1", "4")
        await running.all_in_order()
    assert not slots._members
    assert not slots._last_turn
    assert not slots._running
