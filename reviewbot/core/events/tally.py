"""Progress of a review: ended chunks, used tokens and dollars. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from reviewbot.core.events.coverage import ChunkEnd, coverage_of, depth_of
from reviewbot.core.events.events import (
    LookupTally,
    ModelShare,
    ReviewProgress,
    Usage,
    VerificationTally,
)
from reviewbot.core.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reviewbot.core.events.events import ChunkStatus, FileCoverage
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.plan.chunks import Plan


OFFLINE: Final = "offline"


class Tally:
    """Counter of the ended chunks and the usage of one plan.

    ``cost_usd`` is None as soon as one request has no known price.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._outcomes: dict[str, ChunkEnd] = {}
        self._file_of = {chunk.id: chunk.file for chunk in plan.chunks}
        self._open = Counter(self._file_of.values())
        self._files = len(self._open)
        self._ended_by: dict[str, str] = {}
        self._checks: dict[str, Sequence[str]] = {}
        self._unlinted: dict[str, dict[str, None]] = {}
        self._spent: dict[str, tuple[Usage, float | None]] = {}
        self._verdicts: Counter[str] = Counter()
        self._lookups: list[str] = []
        self._verifying: tuple[Usage, float | None] = (Usage(), 0.0)
        self.usage = Usage()
        self.cost_usd: float | None = 0.0

    def finish(
        self,
        chunk: str,
        status: ChunkStatus,
        reason: str | None,
        *,
        model: str,
        fault: str | None = None,
        checks: Sequence[str] = (),
        unlinted: str | None = None,
    ) -> None:
        """Record the end of the chunk with this id, completed by ``model``.

        ``reason`` is that of the status, and ``fault`` the kind of a model failure. ``checks`` are
        the rules and linters that read the chunk. ``unlinted`` says why a linter did not.
        """
        self._outcomes[chunk] = ChunkEnd(status, reason, fault)
        self._ended_by[chunk] = model
        self._checks[chunk] = checks
        if unlinted:
            path = self._plan.files[self._file_of[chunk]].path
            self._unlinted.setdefault(unlinted, {})[path] = None
        file = self._file_of[chunk]
        self._open[file] -= 1
        if not self._open[file]:
            del self._open[file]

    def book(
        self, usage: Usage, cost_usd: float | None, *, model: str, verifies: bool = False
    ) -> None:
        """Record the tokens of a request to ``model``, which perhaps ``verifies`` findings."""
        self.usage += usage
        if verifies:
            used, cost = self._verifying
            self._verifying = (used + usage, _sum(cost, cost_usd))
        self.cost_usd = _sum(self.cost_usd, cost_usd)
        before, cost = self._spent.get(model, (Usage(), 0.0))
        self._spent[model] = (before + usage, _sum(cost, cost_usd))

    def decide(self, verdicts: Iterable[str]) -> None:
        """Record the kinds of verdicts about findings."""
        self._verdicts.update(verdicts)

    def look_up(self, activity: str) -> None:
        """Record a look-up of a model; ``activity`` says what was read."""
        self._lookups.append(activity)

    def lookups(self) -> LookupTally | None:
        """Return the look-ups; None without any."""
        if not self._lookups:
            return None
        return LookupTally(len(self._lookups), tuple(dict.fromkeys(self._lookups)))

    def verification(self) -> VerificationTally | None:
        """Return the verdicts and their usage; None without any."""
        used, cost = self._verifying
        if not self._verdicts and used == Usage():
            return None
        return VerificationTally(**self._verdicts, usage=used, cost_usd=cost)

    def by_model(self, findings: Iterable[Finding]) -> tuple[ModelShare, ...]:
        """Return the share of each model. Models with usage come first, in order of first use.

        ``findings`` are the open findings of the review.
        """
        found = Counter(finding.model for finding in findings)
        chunks = Counter(self._ended_by.values())
        return tuple(
            ModelShare(model, chunks[model], found[model], *self._spent.get(model, (Usage(), 0.0)))
            for model in dict.fromkeys((*self._spent, *chunks, *found))
        )

    def depth(self) -> str:
        """Return a sentence about the files that no model read; empty if models read all."""
        read = ("reviewed", "partly", "unread")
        ended = [chunk for chunk, end in self._outcomes.items() if end.status in read]
        offline = [chunk for chunk in ended if self._ended_by[chunk] == OFFLINE]
        return depth_of(
            (check for chunk in offline for check in self._checks[chunk]),
            unmodelled=len({self._file_of[chunk] for chunk in offline}),
            files=len({self._file_of[chunk] for chunk in ended}),
            unlinted=[_of_files(one, [*paths]) for one, paths in self._unlinted.items()],
        )

    def progress(
        self, *, findings: int, activity: str | None = None, batch: str | None = None
    ) -> ReviewProgress:
        """Return the progress of the review. ``batch`` is the id of the batch of the activity."""
        return ReviewProgress(
            files_done=self._files - len(self._open),
            files_total=self._files,
            chunks_done=len(self._outcomes),
            chunks_total=len(self._file_of),
            findings=findings,
            usage=self.usage,
            cost_usd=self.cost_usd,
            activity=activity,
            batch=batch,
        )

    def coverage(self) -> tuple[FileCoverage, ...]:
        """Return the current status of every file."""
        return coverage_of(self._plan, self._outcomes, self._checks)


def _of_files(sentence: str, paths: Sequence[str]) -> str:
    """Return a sentence about this file as one about ``paths``."""
    more = f" and {count(len(paths) - 1, 'more file')}" if len(paths) > 1 else ""
    return sentence.replace("this file", f"{paths[0]}{more}", 1)


def _sum(one: float | None, other: float | None) -> float | None:
    """Return the sum; None if one operand is unknown."""
    return None if one is None or other is None else one + other
