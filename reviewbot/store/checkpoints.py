"""Checkpoints of a review: batch results, usage and progress for its next run."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Final, cast

import sqlalchemy as sa

from reviewbot.core.decode import decoder
from reviewbot.core.events.coverage import NOT_REACHED
from reviewbot.core.events.events import (
    ChunkFinished,
    ChunkStarted,
    FileCoverage,
    FindingRaised,
    FindingVerified,
    FindingWithdrawn,
    ReviewAnswer,
    ReviewFinished,
    ReviewProgress,
    ReviewStarted,
    ReviewSummary,
    Usage,
)
from reviewbot.core.events.records import from_record
from reviewbot.core.events.report import fold, verified
from reviewbot.models.batch import Spent, result_from_json, result_to_json
from reviewbot.models.exchange import TURN
from reviewbot.pipeline.job import PriorRun
from reviewbot.store.encryption import cipher_of, place_of
from reviewbot.store.eventlog import records_of
from reviewbot.store.tables import BATCHES, EVENTS, SPENT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from typing import Any

    from reviewbot.core.findings.finding import Finding
    from reviewbot.models.batch import BatchResult

ENTRY_TYPES: Final = tuple(
    one.type
    for one in (
        *(ReviewStarted, FindingRaised, FindingVerified, FindingWithdrawn),
        *(ReviewProgress, ReviewFinished),
    )
)
"""Types of the events that determine the entry of a review in lists."""


def save_result(connection: sa.Connection, review_id: str, batch: str, result: BatchResult) -> None:
    """Store the result of a batch, so that no later run repeats its model requests."""
    text = json.dumps(result_to_json(result))
    stored = cipher_of(connection).encrypt_text(text, _place(review_id, batch))
    connection.execute(sa.insert(BATCHES).values(review_id=review_id, batch=batch, result=stored))


def drop_turns(connection: sa.Connection, review_id: str) -> None:
    """Delete the stored turns of a review, which hold code outside the diff."""
    connection.execute(
        sa.delete(BATCHES).where(
            BATCHES.c.review_id == review_id, BATCHES.c.batch.contains(TURN, autoescape=True)
        )
    )


def _place(review_id: str, batch: str) -> str:
    return place_of(BATCHES.c.result, f"{review_id} {batch}")


def save_spent(connection: sa.Connection, review_id: str, batch: str | None, spent: Spent) -> None:
    """Store the usage of a request."""
    connection.execute(
        sa.insert(SPENT).values(review_id=review_id, batch=batch, spent=json.dumps(asdict(spent)))
    )


def earlier_of(connection: sa.Connection, review_id: str) -> PriorRun:
    """Return the results and events of earlier runs.

    Raises:
        UnreadableError: the key of a result is missing, or the result is damaged.
    """
    cipher = cipher_of(connection)
    results = {
        row.batch: result_from_json(
            json.loads(cipher.decrypt_text(row.result, _place(review_id, row.batch)))
        )
        for row in connection.execute(
            sa.select(BATCHES.c.batch, BATCHES.c.result).where(BATCHES.c.review_id == review_id)
        )
    }
    spent = [
        (row.batch, cast("Spent", decoder(Spent)(json.loads(row.spent), "spent")))
        for row in connection.execute(
            sa.select(SPENT.c.batch, SPENT.c.spent)
            .where(SPENT.c.review_id == review_id)
            .order_by(SPENT.c.id)
        )
    ]
    shown: dict[str, Finding] = {}
    refuted: set[str] = set()
    followed: set[str] = set()
    ended: set[str] = set()
    summarized = answered = False
    for one in records_of(connection, review_id):
        match from_record(one):
            case FindingRaised(finding=finding):
                shown[finding.id] = finding
                refuted.discard(finding.id)
            case FindingVerified() as verdict if verdict.id in shown:
                shown[verdict.id] = verified(shown[verdict.id], verdict)
            case FindingVerified(id=about) | FindingWithdrawn(id=about, verdict="fixed"):
                followed.add(about)
            case FindingWithdrawn(id=gone, evidence=evidence):
                shown.pop(gone, None)
                if evidence is not None:
                    refuted.add(gone)
            case ChunkFinished(chunk=chunk):
                ended.add(chunk)
            case ReviewSummary():
                summarized = True
            case ReviewAnswer(complete=True):
                answered = True
            case _:
                pass
    return PriorRun(
        finished=results,
        shown=tuple(shown.values()),
        refuted=frozenset(refuted),
        followed=frozenset(followed),
        ended=frozenset(ended),
        spent=tuple(_not_in_results(spent, results)),
        summarized=summarized,
        answered=answered,
    )


def _not_in_results(
    spent: Iterable[tuple[str | None, Spent]], results: Mapping[str, BatchResult]
) -> Iterator[Spent]:
    """Yield the usage that no result includes.

    The result of a batch includes the usage of the run that finished it, and not that of requests
    and turns in interrupted runs.
    """
    included = Counter(
        (batch, usage) for batch, result in results.items() for usage in result.spent
    )
    for batch, usage in spent:
        if batch is not None and included[batch, usage]:
            included[batch, usage] -= 1
        else:
            yield usage


def spent_of(connection: sa.Connection, review_id: str) -> tuple[Usage, float | None]:
    """Return the usage of all requests of a review, and the cost if each has a price."""
    usage, cost = Usage(), 0.0
    priced = True
    for text in connection.scalars(sa.select(SPENT.c.spent).where(SPENT.c.review_id == review_id)):
        spent = cast("Spent", decoder(Spent)(json.loads(text), "spent"))
        usage += spent.usage
        priced &= spent.cost_usd is not None
        cost += spent.cost_usd or 0.0
    return usage, cost if priced else None


def last_progress(connection: sa.Connection, review_id: str) -> ReviewProgress:
    """Return the last progress event of a review, or the initial progress of its plan."""
    data = connection.scalar(
        sa.select(EVENTS.c.data)
        .where(
            EVENTS.c.review_id == review_id,
            EVENTS.c.type.in_((ReviewProgress.type, ReviewStarted.type)),
        )
        .order_by(EVENTS.c.seq.desc())
        .limit(1)
    )
    match from_record(json.loads(data or "{}")):
        case ReviewProgress() as progress:
            return progress
        case ReviewStarted() as started:
            return ReviewProgress(
                files_done=0,
                files_total=sum(bool(file.chunks) for file in started.files),
                chunks_done=0,
                chunks_total=len(started.chunks),
                findings=0,
                usage=Usage(),
                cost_usd=0.0,
            )
        case other:
            raise TypeError(f"a review cannot begin with {other.type}")


def entry_of(
    connection: sa.Connection, review_id: str, end: ReviewFinished | None = None
) -> dict[str, Any]:
    """Return the entry of a review in lists besides its row, so far or including ``end``."""
    events = map(from_record, records_of(connection, review_id, ENTRY_TYPES))
    report = fold(chain(events, () if end is None else (end,)))
    return {"counts": report.counts, "files": len(report.files), "cost_usd": report.cost_usd}


def in_flight(connection: sa.Connection, review_id: str) -> tuple[str, ...]:
    """Return the unfinished files of the batch that was started last."""
    started: list[ChunkStarted] = []
    ended: set[str] = set()
    for one in records_of(connection, review_id, (ChunkStarted.type, ChunkFinished.type)):
        match from_record(one):
            case ChunkStarted() as event:
                started.append(event)
            case ChunkFinished(chunk=chunk):
                ended.add(chunk)
            case _:
                pass
    batch = started[-1].batch if started else None
    return tuple(
        dict.fromkeys(one.path for one in started if one.batch == batch and one.chunk not in ended)
    )


def given_up(
    connection: sa.Connection, review_id: str, reason: str, files: Collection[str] = ()
) -> tuple[tuple[FileCoverage, ...], dict[str, int]]:
    """Return the coverage of a permanently failed review, and its findings by severity.

    Uses only the events, which any version of reviewbot can read.

    ``reason`` is a sentence about ``files``; if empty, about all remaining files.
    """
    report = fold(map(from_record, records_of(connection, review_id)))
    pending = (
        FileCoverage(path, "failed", reason if not files or path in files else NOT_REACHED)
        for path in report.pending
    )
    findings = Counter[str](finding.severity for finding in report.findings)
    return (*report.coverage, *pending), dict(findings)
