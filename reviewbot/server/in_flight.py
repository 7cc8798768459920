"""Request bodies in flight: the bytes that a server holds at once, bounded.

A body stays in memory until its review or delivery is stored. Without a bound, a few dozen
unfinished bodies fill the memory of the server.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reviewbot.server.faults import AGAIN_S
from reviewbot.server.problems import CLOSE, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class InFlight:
    """Bytes of request bodies in memory, bounded for all tenants together and for each tenant.

    ``most`` is the bound of all tenants, and ``most_of_one`` that of each tenant, in bytes.

    Attributes:
        held: reserved bytes by tenant.
    """

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most, self._most_of_one = most, most_of_one
        self.held: Counter[str] = Counter()

    @contextmanager
    def reserve(self, tenant: str) -> Iterator[Callable[[int], None]]:
        """Account for one body of ``tenant`` until the context ends.

        Yields:
            A function that replaces the reserved bytes, 0 at first. It raises a
            :class:`~reviewbot.server.problems.Problem` (503) if they exceed a bound, and then
            changes nothing.
        """
        reserved = 0

        def resize(size: int) -> None:
            nonlocal reserved
            if size > reserved:
                self._check(tenant, size - reserved)
            self.held[tenant] += size - reserved
            reserved = size

        try:
            yield resize
        finally:
            resize(0)
            if not self.held[tenant]:
                del self.held[tenant]

    def _check(self, tenant: str, more: int) -> None:
        if self.held.total() + more > self._most:
            detail = "The server has reached its limit of bytes in flight; try again soon."
        elif self.held[tenant] + more > self._most_of_one:
            detail = (
                f"One key may have {self._most_of_one:,} bytes of requests in flight; try again"
                " when some of them have ended."
            )
        else:
            return
        raise Problem(503, detail, headers={"Retry-After": AGAIN_S, **CLOSE})
