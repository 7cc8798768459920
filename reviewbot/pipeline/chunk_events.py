"""Events about chunks, made of the events of their batch. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from reviewbot.core.events.events import (
    ChunkFinished,
    ChunkRetrying,
    ChunkStarted,
    FileCoverage,
)
from reviewbot.core.findings.finding import Placement
from reviewbot.models.batch import ChunkOutcome, RequestSent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.plan.chunks import Chunk, FilePlan
    from reviewbot.models.batch import Retrying

_End = TypeVar("_End", ChunkOutcome, FileCoverage)

ACCEPTED: Final = "Not read: the setting accept_unread accepts that."
CUT: Final = "A line is too long to be shown whole."


def announced(
    event: RequestSent | Retrying, batch: str, chunks: Mapping[str, Chunk]
) -> Iterator[ChunkStarted | ChunkRetrying]:
    """Yield an event for each chunk of a request, or of a retry.

    ``batch`` is the id of the batch. ``chunks`` has the chunks by id.
    """
    for name in event.chunks:
        path = chunks[name].path
        if isinstance(event, RequestSent):
            yield ChunkStarted(name, path, batch, event.model, event.attempt)
        else:
            yield ChunkRetrying(
                chunk=name,
                path=path,
                model=event.model,
                attempt=event.attempt,
                reason=event.reason,
                next_model=event.next_model,
                delay_s=round(event.delay_s, 3),
                fault=event.fault,
            )


def final_outcome(
    outcome: ChunkOutcome, chunk: Chunk, file: FilePlan, accepts_unread: Callable[[str, bool], bool]
) -> ChunkOutcome:
    """Return the outcome of a chunk under its plan and the configuration.

    A chunk with a truncated line is at most ``partly`` reviewed. A file that the policy leaves
    unread is unread, whatever failed. An unread file that the configuration accepts is ``skipped``.
    """
    if file.is_unread:
        failure = outcome.reason if outcome.status == "failed" else None
        reason = " ".join(filter(None, (file.reason, failure)))
        outcome = replace(outcome, status="unread", reason=reason, fault=None, unlinted=None)
    elif outcome.status == "reviewed" and chunk.cut:
        return replace(outcome, status="partly", reason=CUT)
    is_accepted = outcome.status == "unread" and accepts_unread(chunk.path, file.is_unread)
    return accepted(outcome) if is_accepted else outcome


def accepted(end: _End) -> _End:
    """Return the end of an unread file as skipped."""
    return replace(end, status="skipped", reason=ACCEPTED)


def of_unread_file(
    finding: Finding, file: FilePlan, accepts_unread: Callable[[str, bool], bool]
) -> Finding | None:
    """Return the finding of a rule or linter in a file that the policy leaves unread.

    It is held back. It is None if the configuration accepts the file, which then counts as skipped.
    Secrets are not among these findings: they count in every file.
    """
    if accepts_unread(file.path, True):
        return None
    if finding.placement.held:
        return finding
    reason = f"Its file is not reviewed. {file.reason}"
    return replace(finding, placement=Placement("outside", reason, held=True))


def chunk_finished(outcome: ChunkOutcome, path: str) -> ChunkFinished:
    """Return the event of the end of a chunk of the file ``path``."""
    return ChunkFinished(
        chunk=outcome.chunk,
        path=path,
        status=outcome.status,
        model=outcome.model,
        attempt=outcome.attempt,
        reason=outcome.reason,
        cached=outcome.cached,
        fault=outcome.fault,
    )
