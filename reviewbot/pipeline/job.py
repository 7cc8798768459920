"""Inputs of the pipeline: the job, the state of earlier runs, and the stop signal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from reviewbot import __version__
from reviewbot.core.events.events import (
    Estimate,
    FileSkipped,
    PlannedChunk,
    PlannedFile,
    ReviewStarted,
    RulesOnly,
)
from reviewbot.core.findings.intake import FindingFilters
from reviewbot.core.prompt.guidelines import NO_GUIDELINES, Guidelines
from reviewbot.core.prompt.request import ManifestEntry
from reviewbot.models.batch import BatchResult, Spent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.events.events import (
        Event,
        FileCoverage,
        Outcome,
        ReviewSummary,
    )
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.findings.prior import FollowUp
    from reviewbot.core.plan.chunks import Batch, Plan

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """A review to run. ``estimate`` and ``notices`` are shown unchanged.

    ``guidelines`` are the rules of the team that the models get. ``path_instructions`` returns the
    repository's instructions for a path. ``prefix_tokens`` are
    the tokens of each request besides its chunks, and ``prefix_by_model`` has the tokens of single
    models. ``prompt_version`` names the prompt templates. ``question`` is a question about the
    diff, whose single batch is then answered instead of reviewed. ``accepts_unread`` returns
    whether a file may stay unread, by its path and whether the policy left it unread. ``verified``
    is True if a verifier checks the new findings of models, which their prompt then says.
    ``follow_ups`` have the open findings of earlier reviews to ask about, whether or not new ones
    are verified, and ``follow_up_model`` is the name of the model that reviews. ``examples`` is the
    maximum number of examples in a prompt; None for that of its profile. ``is_part`` is True if
    ``files`` are only the part of a change that no earlier review has read. ``whole_files`` has the
    files that are known in full, by path: each has one hunk with all lines of the new file. They
    are searched for secrets; a model reads only the lines in ``files``. ``config_findings``
    are mistakes in the configuration file of the change, which are reported first. ``rules_only``
    is as in :class:`~reviewbot.core.events.events.ReviewStarted`.
    """

    files: tuple[FileDiff, ...]
    plan: Plan
    models: tuple[str, ...]
    estimate: Estimate
    gates: FindingFilters = field(default_factory=FindingFilters)
    instructions: str = ""
    guidelines: Guidelines = NO_GUIDELINES
    path_instructions: Callable[[str], tuple[str, ...]] = lambda _path: ()
    prefix_tokens: int = 0
    prefix_by_model: Mapping[str, int] = field(default_factory=dict)
    jobs: int = 8
    notices: tuple[str, ...] = ()
    prompt_version: str | None = None
    question: str | None = None
    accepts_unread: Callable[[str, bool], bool] = lambda _path, _by_policy: False
    verified: bool = False
    follow_ups: tuple[FollowUp, ...] = ()
    follow_up_model: str = ""
    examples: int | None = None
    is_part: bool = False
    lookups: int = 0
    whole_files: Mapping[str, FileDiff] = field(default_factory=dict)
    config_findings: tuple[Finding, ...] = ()
    rules_only: RulesOnly | None = None

    @property
    def needs_verifier(self) -> bool:
        """True if findings of this review or of earlier reviews may be verified."""
        return self.verified or bool(self.follow_ups)

    def model_of(self, batch: Batch) -> str:
        """Return the name of the first model of ``batch``."""
        return (*batch.chain.models, *self.models)[0]

    def request_tokens(self, batch: Batch) -> int:
        """Return the estimated tokens of a request for ``batch``, without path instructions."""
        prefix = self.prefix_by_model.get(self.model_of(batch), self.prefix_tokens)
        return batch.tokens + prefix


@dataclass(frozen=True, slots=True)
class SummaryTask:
    """Input of a summary. ``changes`` are the models' lines on what changed, by path."""

    files: tuple[PlannedFile, ...]
    manifest: tuple[ManifestEntry, ...]
    findings: tuple[Finding, ...]
    coverage: tuple[FileCoverage, ...]
    changes: Mapping[str, str]


Summarize: TypeAlias = Callable[
    [SummaryTask, Callable[[Spent], None]], Coroutine[Any, Any, "ReviewSummary"]
]
"""Function that requests a summary and charges its usage; raises ModelFault on failure."""


@dataclass(frozen=True, slots=True)
class PriorRun:
    """State that interrupted runs of the same review left; their events are not repeated.

    Attributes:
        finished: results of finished batches, by id.
        shown: findings that were raised and not withdrawn.
        refuted: ids of findings that were withdrawn because the verifier refuted them.
        followed: ids of findings of earlier reviews whose verdict was published.
        ended: chunks whose end was published.
        spent: usage of requests whose batch was not finished.
        summarized: whether the summary was published.
        answered: whether a complete answer was published.
    """

    finished: Mapping[str, BatchResult] = field(default_factory=dict)
    shown: tuple[Finding, ...] = ()
    refuted: frozenset[str] = frozenset()
    followed: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()
    spent: tuple[Spent, ...] = ()
    summarized: bool = False
    answered: bool = False


class Postponed(Exception):
    """Exception of a ``RunBatch`` whose batch has to wait; the message is a reason for authors.

    The other batches continue. Then :func:`reviewbot.pipeline.review.review` raises the exception
    instead of the last event.
    """


class StopSignal:
    """Signal that ends a review early; ``review.finished`` still follows, with its outcome."""

    def __init__(self) -> None:
        self.outcome: Outcome | None = None
        self._set = asyncio.Event()

    def stop(self, outcome: Outcome) -> None:
        """Request the end as ``cancelled`` or ``superseded``. The first call decides."""
        self.outcome = self.outcome or outcome
        self._set.set()

    async def wait(self) -> None:
        """Return once :meth:`stop` was called."""
        await self._set.wait()

    async def unless_stopped(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Return the result of ``work``; after a stop, cancel ``work`` and return None."""
        working = asyncio.create_task(work)
        stopped = asyncio.create_task(self.wait())
        try:
            await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else None
        finally:
            for task in (working, stopped):
                task.cancel()
            await asyncio.wait({working, stopped})


def opening(job: Job) -> Iterator[Event]:
    """Yield the plan of ``job`` as the events that open its review."""
    yield started(job)
    for file in job.plan.skipped:
        yield FileSkipped(file.path, file.reason or "")


def started(job: Job) -> ReviewStarted:
    """Return the plan of ``job`` as an event."""
    plan = job.plan
    batch_of = {chunk: batch for batch in plan.batches for chunk in batch.chunks}
    model_of = {name: job.model_of(batch) for name, batch in batch_of.items()}
    return ReviewStarted(
        models=job.models,
        files=tuple(
            replace(
                file, model=model_of[file.chunks[0]] if file.chunks and not file.unread else None
            )
            for file in planned_files(plan)
        ),
        chunks=tuple(
            PlannedChunk(
                id=chunk.id,
                path=chunk.path,
                part=chunk.part,
                parts=chunk.parts,
                batch=batch_of[chunk.id].id,
                tokens=chunk.tokens,
                model=model_of[chunk.id],
            )
            for chunk in plan.chunks
        ),
        batches=len(plan.batches),
        estimate=job.estimate,
        notices=job.notices,
        version=__version__,
        prompt_version=job.prompt_version,
        beside=plan.beside,
        question=job.question,
        rules_only=job.rules_only,
    )


def planned_files(plan: Plan) -> tuple[PlannedFile, ...]:
    """Return the files of ``plan`` for events, without their models, which the job knows."""
    return tuple(
        PlannedFile(
            file.path,
            file.status,
            file.added,
            file.removed,
            file.chunks,
            routed_by=file.routed_by,
            unread=file.reason if file.is_unread else None,
        )
        for file in plan.files
    )


def manifest_of(plan: Plan) -> tuple[ManifestEntry, ...]:
    """Return every changed file for the prompt; those without a review are named but not shown."""
    return tuple(
        ManifestEntry(file.path, file.status, file.added, file.removed, file.reason is None)
        for file in plan.files
    )
