"""Queue of GitHub deliveries, in order within an ordering key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import sqlalchemy as sa

from reviewbot.store.queue import Queue, is_time
from reviewbot.store.tables import DELIVERIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.store.queue import State

BATCH: Final = 500
"""Maximum number of old deliveries that one write deletes."""


class NewDelivery(NamedTuple):
    """A received delivery.

    Args:
        id: id of the delivery on GitHub.
        event: name of the event.
        installation: id of the installation; None without an installation.
        subject: the ordering key; None if order does not matter.
        body: the payload, compressed.
        reason: why no work is needed; None if work is needed.
    """

    id: str
    event: str
    installation: int | None
    subject: str | None
    body: bytes
    reason: str | None = None


def _is_in_turn(at: int) -> sa.ColumnElement[bool]:
    """Return the condition that no other delivery with the ordering key comes first.

    The earliest delivery comes first, unless another is being processed. A delivery in backoff lets
    other kinds of events pass: a push that fails for an hour does not delay a command to stop.
    """
    other = DELIVERIES.alias("other")
    earlier = sa.tuple_(other.c.created_at, other.c.id) < sa.tuple_(
        DELIVERIES.c.created_at, DELIVERIES.c.id
    )
    return ~sa.exists().where(
        other.c.subject == DELIVERIES.c.subject,
        sa.or_(
            other.c.state == "working",
            sa.and_(
                other.c.state == "waiting",
                sa.or_(is_time(other, at), other.c.event == DELIVERIES.c.event),
                earlier,
            ),
        ),
    )


_LATEST: Final = sa.select(sa.func.max(DELIVERIES.c.created_at)).where(
    DELIVERIES.c.subject == sa.bindparam("subject")
)
QUEUE: Final = Queue(
    DELIVERIES,
    not_before=sa.func.coalesce(_LATEST.scalar_subquery() + 1, 0),
    in_turn=_is_in_turn,
)


def insert(connection: sa.Connection, new: NewDelivery, at: int) -> bool:
    """Store a delivery and return True, unless it is already stored and has not failed."""
    values = new._asdict()
    reason = values.pop("reason")
    return QUEUE.put(connection, values, at, needless=reason)


def read(connection: sa.Connection, delivery: str) -> tuple[str, bytes]:
    """Return the name of the event of a delivery, and its payload, compressed.

    Raises:
        UnreadableError: the key of the payload is missing, or the payload is damaged.
    """
    query = sa.select(DELIVERIES.c.event).where(DELIVERIES.c.id == delivery)
    return connection.execute(query).scalar_one(), QUEUE.body(connection, delivery)


def delete_finished(connection: sa.Connection, before: int) -> int:
    """Delete a batch of deliveries that were finished before a time, and return their number.

    A delivery that GitHub sends again after that is new.
    """
    old = connection.scalars(
        sa.select(DELIVERIES.c.id)
        .where(DELIVERIES.c.finished_at < before, DELIVERIES.c.state.in_(("done", "failed")))
        .limit(BATCH)
    ).all()
    connection.execute(sa.delete(DELIVERIES).where(DELIVERIES.c.id.in_(old)))
    return len(old)


def states(connection: sa.Connection, ids: Sequence[str]) -> dict[str, State]:
    """Return the states of the stored deliveries among ``ids``."""
    rows = connection.execute(
        sa.select(DELIVERIES.c.id, DELIVERIES.c.state).where(DELIVERIES.c.id.in_(ids))
    )
    return {row.id: row.state for row in rows}
