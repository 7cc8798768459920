"""Slots for linter processes, shared fairly among tenants, their reviews and the linters.

A tenant that is alone uses every slot. As soon as another tenant waits, it gets the next slot, and
at once if fewer tenants are at work than there are slots. So a tenant's slow files do not keep the
others waiting.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable
    from contextlib import AbstractAsyncContextManager

_Group: TypeAlias = "tuple[Hashable, ...]"
"""A tenant, a review of the tenant, or a linter of that review."""


@dataclass(eq=False, slots=True)
class _Waiter:
    """A process that waits for a slot; ``groups`` are those that it belongs to, outermost first."""

    groups: tuple[_Group, ...]
    size: int
    start: asyncio.Future[None] = field(default_factory=asyncio.Future)

    @property
    def tenant(self) -> _Group:
        return self.groups[0]


class LinterSlots:
    """Slots for linter processes, which reviews share.

    The next slot is given to the tenant with the fewest processes. Equal tenants, the reviews of a
    tenant, and the linters of a review take turns. Of one linter, the smallest file is first.

    Args:
        size: the number of processes that one tenant may have. If a tenant has more than one
            process when another tenant arrives, the other starts beside them. So up to
            ``2 * size - 1`` processes can run for the duration of one file.
    """

    def __init__(self, size: int = 2) -> None:
        self._size = size
        self._running = Counter[_Group]()
        """Processes of each tenant; without tenants that have none."""
        self._waiting: list[_Waiter] = []
        self._members = Counter[_Group]()
        self._last_turn: dict[_Group, int] = {}
        """Number of the last start or end of a process of each group with members; before the
        first, of the group's arrival."""
        self._turns = count()

    def for_review(self, tenant: str) -> ReviewSlots:
        """Return the slots as a new review of ``tenant`` uses them."""
        return ReviewSlots(self, tenant)

    @asynccontextmanager
    async def slot(
        self, tenant: str, review: Hashable, linter: str, size: int
    ) -> AsyncIterator[None]:
        """Wait for a slot, and hold it.

        Args:
            tenant: the owner of the review.
            review: the review.
            linter: name of the linter.
            size: bytes of the file.
        """
        waiter = _Waiter(((tenant,), (tenant, review), (tenant, review, linter)), size)
        for group in waiter.groups:
            self._members[group] += 1
            self._last_turn.setdefault(group, next(self._turns))
        self._waiting.append(waiter)
        self._start_next()
        try:
            await waiter.start
            yield
        finally:
            self._remove(waiter)
            self._start_next()

    def _remove(self, waiter: _Waiter) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        else:
            self._count_turn(waiter)
            self._running[waiter.tenant] -= 1
            if not self._running[waiter.tenant]:
                del self._running[waiter.tenant]
        for group in waiter.groups:
            self._members[group] -= 1
            if not self._members[group]:
                del self._members[group], self._last_turn[group]

    def _start_next(self) -> None:
        """Start all waiting processes that may run."""
        while ready := self._ready():
            waiter = min(ready, key=self._precedence)
            self._waiting.remove(waiter)
            self._running[waiter.tenant] += 1
            self._count_turn(waiter)
            waiter.start.set_result(None)

    def _count_turn(self, waiter: _Waiter) -> None:
        for group in waiter.groups:
            self._last_turn[group] = next(self._turns)

    def _ready(self) -> list[_Waiter]:
        waiting = [waiter for waiter in self._waiting if not waiter.start.cancelled()]
        if self._running.total() < self._size:
            return waiting
        if len(self._running) < self._size:
            return [waiter for waiter in waiting if waiter.tenant not in self._running]
        return []

    def _precedence(self, waiter: _Waiter) -> tuple[int, ...]:
        turns = (self._last_turn[group] for group in waiter.groups)
        return (self._running[waiter.tenant], *turns, waiter.size)


@dataclass(frozen=True, slots=True)
class ReviewSlots:
    """The slots as one review uses them."""

    _slots: LinterSlots
    _tenant: str
    _review: object = field(default_factory=object)

    def slot(self, linter: str, size: int) -> AbstractAsyncContextManager[None]:
        """Return a context that waits for a slot, and holds it.

        Args:
            linter: name of the linter.
            size: bytes of the file.
        """
        return self._slots.slot(self._tenant, self._review, linter, size)
