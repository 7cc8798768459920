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
from reviewbot.models.batch import ChunkOutcome, RequestSent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reviewbot.core.plan.chunks import Chunk
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
            )


def final_outcome(
    outcome: ChunkOutcome, chunk: Chunk, *, accepts_unread: Callable[[str], bool]
) -> ChunkOutcome:
    """Return the outcome of a chunk under its plan and the configuration.

    A chunk with a truncated line is at most ``partly`` reviewed. An unread file that the
    configuration accepts is ``skipped``.
    """
    if outcome.status == "reviewed" and chunk.cut:
        return replace(outcome, status="partly", reason=CUT)
    return accepted(outcome, chunk.path, accepts_unread)


def accepted(end: _End, path: str, accepts_unread: Callable[[str], bool]) -> _End:
    """Return ``end`` as skipped if it is an unread file that the configuration accepts."""
    if end.status == "unread" and accepts_unread(path):
        return replace(end, status="skipped", reason=ACCEPTED)
    return end


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
