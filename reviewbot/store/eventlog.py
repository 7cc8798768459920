"""The event log of a review: numbered, timed and stored before anyone sees an event.

A review has one writer at a time. Every write checks the epoch of the writer, a fencing token, so
that a replaced writer (whose machine slept) can no longer write.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from reviewbot.core.events.records import record
from reviewbot.core.render.inert import json_text
from reviewbot.store.database import StoreError, rows_changed
from reviewbot.store.reviews import now_ms
from reviewbot.store.tables import EVENTS, REVIEWS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from reviewbot.core.events.events import Event
    from reviewbot.store.database import Database
    from reviewbot.store.hub import Hub
    from reviewbot.store.reviews import ReviewRow

PENDING: Final = 256
"""Events that may wait for the disk before the review waits too."""
PAGE: Final = 1000
"""Maximum number of events in one read."""
RETRY_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
"""Backoff in seconds between the attempts of a failed write."""


class FencedError(Exception):
    """Another node has taken the review over; this node must stop."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored event: ``data`` is its record as a line of JSON."""

    seq: int
    type: str
    data: str


def rfc3339(at: int) -> str:
    """Return the text of a time in Unix milliseconds, in UTC."""
    moment = datetime.fromtimestamp(at / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stored(event: Event, *, seq: int, review_id: str, at: int) -> Stored:
    """Return ``event`` in the form that is stored and sent."""
    text = json_text(record(event, seq=seq, review_id=review_id, at=rfc3339(at)))
    return Stored(seq, event.type, text)


def insert_events(connection: sa.Connection, review_id: str, events: Sequence[Stored]) -> None:
    """Store events, and notify other nodes on Postgres."""
    connection.execute(
        sa.insert(EVENTS),
        [
            {"review_id": review_id, "seq": one.seq, "type": one.type, "data": one.data}
            for one in events
        ],
    )
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_notify('rb_events', :id)"), {"id": review_id})


def events_after(connection: sa.Connection, review_id: str, after: int) -> list[Stored]:
    """Return the next :data:`PAGE` events of a review."""
    rows = connection.execute(
        sa.select(EVENTS.c.seq, EVENTS.c.type, EVENTS.c.data)
        .where(EVENTS.c.review_id == review_id, EVENTS.c.seq > after)
        .order_by(EVENTS.c.seq)
        .limit(PAGE)
    )
    return [Stored(row.seq, row.type, row.data) for row in rows]


def records_of(
    connection: sa.Connection, review_id: str, types: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Return the records of a review, all or of the given types."""
    query = sa.select(EVENTS.c.data).where(EVENTS.c.review_id == review_id).order_by(EVENTS.c.seq)
    if types is not None:
        query = query.where(EVENTS.c.type.in_(types))
    return [json.loads(text) for text in connection.scalars(query)]


@dataclass(slots=True)
class _Group:
    """Content of one write: events, and changes that belong to them."""

    events: list[Stored]
    changes: list[Callable[[sa.Connection], object]]
    since: float = 0.0
    """Time of the first event, on the monotonic clock."""


class EventLog:
    """Event writer of one review; only one may be active.

    :meth:`put` returns at once unless the disk is far behind. Events and changes are stored in
    order, and published only after that. A failed write is retried for a while; then the log fails
    permanently.
    """

    def __init__(self, database: Database, hub: Hub, row: ReviewRow) -> None:
        self._database, self._hub = database, hub
        self.review_id, self._tenant, self._epoch = row.id, row.tenant, row.epoch
        self._seq = self._stored = row.last_seq
        self._writes = row.writes
        self._group = _Group([], [])
        self._last_at = 0
        self._writing: asyncio.Task[None] | None = None
        self._error: Exception | None = None

    async def put(self, event: Event) -> None:
        """Number ``event`` and enqueue it for the next write.

        Raises:
            FencedError: another node has taken the review over.
            StoreError: the database is unavailable.
        """
        if not self._group.events:
            self._group.since = time.monotonic()
        self._seq += 1
        self._last_at = max(now_ms(), self._last_at)  # the clock may have been set back
        self._group.events.append(
            stored(event, seq=self._seq, review_id=self.review_id, at=self._last_at)
        )
        self._check()
        self._start()
        if len(self._group.events) >= PENDING:
            await self.flush()

    def change(self, change: Callable[[sa.Connection], object]) -> None:
        """Enqueue ``change`` between earlier and later events.

        Never waits. If the log has failed, the next :meth:`put` or :meth:`flush` raises the error.
        """
        self._group.changes.append(change)
        self._start()

    async def flush(self) -> None:
        """Wait until all events and changes are stored.

        Raises:
            FencedError: another node has taken the review over.
            StoreError: the database is unavailable.
        """
        while self._writing is not None and not self._writing.done():
            await asyncio.wait({self._writing})
        self._check()

    def _start(self) -> None:
        if self._error is None and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write())

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    async def _write(self) -> None:
        while self._group.events or self._group.changes:
            group, self._group = self._group, _Group([], [])
            try:
                await self._store(group)
            except Exception as error:  # noqa: BLE001 - raised at the next put or flush
                self._error = error
                return

    async def _store(self, group: _Group) -> None:
        for pause in (*RETRY_S, None):
            try:
                await self._database.write(
                    lambda connection: self._apply(connection, group), tenant=self._tenant
                )
            except StoreError:
                if pause is None:
                    raise
                await asyncio.sleep(pause)
            else:
                break
        self._writes += 1
        if group.events:
            self._stored = group.events[-1].seq
            self._database.hooks.stored(time.monotonic() - group.since)
            self._hub.publish(self.review_id, group.events)

    def _apply(self, connection: sa.Connection, group: _Group) -> None:
        last = group.events[-1].seq if group.events else self._stored
        before = group.events[0].seq - 1 if group.events else self._stored
        mine = sa.and_(REVIEWS.c.id == self.review_id, REVIEWS.c.epoch == self._epoch)
        changed = rows_changed(
            connection.execute(
                sa.update(REVIEWS)
                .where(mine, REVIEWS.c.last_seq == before, REVIEWS.c.writes == self._writes)
                .values(last_seq=last, writes=self._writes + 1)
            )
        )
        if not changed:
            done = connection.scalar(sa.select(REVIEWS.c.writes).where(mine))
            if done == self._writes + 1:
                return  # by an earlier attempt whose response was lost
            raise FencedError(self.review_id)
        if group.events:
            insert_events(connection, self.review_id, group.events)
        for change in group.changes:
            change(connection)
