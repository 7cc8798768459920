"""How far a review has come: chunks that ended, tokens and dollars that were used. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reviewbot.core.coverage import coverage_of
from reviewbot.core.events import ReviewProgress, Usage

if TYPE_CHECKING:
    from reviewbot.core.chunks import Plan
    from reviewbot.core.events import ChunkStatus, FileCoverage


class Tally:
    """Counts what happens to the chunks of one plan.

    ``cost_usd`` is None as soon as one request had no known price.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._outcomes: dict[str, tuple[ChunkStatus, str | None]] = {}
        self._file_of = {chunk.id: chunk.file for chunk in plan.chunks}
        self._open = Counter(self._file_of.values())
        self._files = len(self._open)
        self.usage = Usage()
        self.cost_usd: float | None = 0.0

    def finish(self, chunk: str, status: ChunkStatus, reason: str | None) -> None:
        """A chunk came to its end."""
        self._outcomes[chunk] = (status, reason)
        file = self._file_of[chunk]
        self._open[file] -= 1
        if not self._open[file]:
            del self._open[file]

    def book(self, usage: Usage, cost_usd: float | None) -> None:
        """A request used tokens."""
        self.usage += usage
        if self.cost_usd is not None:
            self.cost_usd = None if cost_usd is None else self.cost_usd + cost_usd

    def progress(self, *, findings: int, activity: str | None = None) -> ReviewProgress:
        """Where the review stands."""
        return ReviewProgress(
            files_done=self._files - len(self._open),
            files_total=self._files,
            chunks_done=len(self._outcomes),
            chunks_total=len(self._file_of),
            findings=findings,
            usage=self.usage,
            cost_usd=self.cost_usd,
            activity=activity,
        )

    def coverage(self) -> tuple[FileCoverage, ...]:
        """What became of every file so far."""
        return coverage_of(self._plan, self._outcomes)
