"""Clock of GitHub: this machine's clock, corrected by the dates of GitHub's responses.

GitHub refuses an App's token if the machine's clock is minutes off. GitHub states the times of rate
limits by its own clock.
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class GitHubClock:
    """Seconds since 1970 at GitHub; ``own`` is this machine's clock."""

    def __init__(self, own: Callable[[], float] = time.time) -> None:
        self._own, self._ahead = own, 0.0

    def now(self) -> float:
        """Return the estimated time at GitHub."""
        return self._own() + self._ahead

    def sync(self, headers: Mapping[str, str]) -> None:
        """Update the clock from the ``date`` of a response that has just arrived."""
        try:
            there = parsedate_to_datetime(headers.get("date", "")).timestamp()
        except (ValueError, OverflowError):
            return
        self._ahead = there - self._own()
