"""The rows of GitHub's deliveries: taken once, worked off in turn, kept for a while.

A query or a change a function, for :meth:`Database.read` and :meth:`Database.write`. Times are Unix
milliseconds, by the clock of the database (:func:`reviewbot.store.nodes.clock`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

import sqlalchemy as sa

from reviewbot.store.database import insert_into, rows_changed
from reviewbot.store.tables import DELIVERIES
from reviewbot.store.writers import is_free

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

State = Literal["waiting", "working", "done", "failed"]

LONGEST_PAUSE_MS: Final = 3_600_000
"""No delivery waits for longer; one that would have to, had its clock set back."""
BATCH: Final = 500
"""Old ones that are deleted at once."""
_CLAIMED: Final = (DELIVERIES.c.id, DELIVERIES.c.event, DELIVERIES.c.tries)


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery as it came.

    Args:
        id: of GitHub.
        event: its name.
        installation: whose it is; None if it is nobody's.
        subject: what it is about; None if it has to wait for no other.
        body: the payload, compressed.
        reason: why there is nothing to do, and it is done; None if there is.
    """

    id: str
    event: str
    installation: int | None
    subject: str | None
    body: bytes
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery at work. Whoever claims it next has another number of ``tries``."""

    id: str
    event: str
    tries: int


def insert(connection: sa.Connection, new: NewDelivery, at: int) -> bool:
    """Store a delivery. One that is there stays as it is, but for a failed one: it is as if new.

    Returns:
        Whether it was stored.
    """
    done = new.reason is not None
    values: dict[str, Any] = {
        "id": new.id,
        "event": new.event,
        "installation": new.installation,
        "subject": new.subject,
        "state": "done" if done else "waiting",
        "finished_at": at if done else None,
        "reason": new.reason,
        "body": b"" if done else new.body,
        "at": at,
        "again_at": None if done else at,
    }
    return connection.scalar(_insertion(connection.dialect.name), values) is not None


@cache
def _insertion(dialect: str) -> sa.Executable:
    """Made once: 200 deliveries that come together are stored in the time that GitHub waits."""
    latest = sa.select(sa.func.max(DELIVERIES.c.received_at)).where(
        DELIVERIES.c.subject == sa.bindparam("subject")
    )
    # After those of its subject, also if a clock was set back.
    after = sa.func.coalesce(latest.scalar_subquery() + 1, 0)

    def later(name: str) -> sa.ColumnElement[int]:
        at = sa.bindparam(name, type_=sa.BigInteger)
        return sa.case((after > at, after), else_=at)

    names = ("event", "installation", "subject", "state", "finished_at", "reason", "body")
    values: dict[str, Any] = {name: sa.bindparam(name) for name in names}
    values |= {
        "tries": sa.literal(0, literal_execute=True),
        "node": sa.null(),
        "received_at": later("at"),
        "next_try_at": later("again_at"),
    }
    statement = insert_into(dialect, DELIVERIES).values(id=sa.bindparam("id"), **values)
    return statement.on_conflict_do_update(
        index_elements=[DELIVERIES.c.id],
        set_={name: statement.excluded[name] for name in values},
        where=DELIVERIES.c.state == "failed",
    ).returning(DELIVERIES.c.id)


def any_due(connection: sa.Connection, at: int) -> bool:
    """Whether it is worth the while to claim."""
    return bool(connection.scalar(sa.select(sa.exists().where(*_due(at)))))


def claim(
    connection: sa.Connection,
    node: str,
    alive: Collection[str],
    at: int,
    *,
    most: int,
    per_installation: int,
    but: Collection[str] = (),
) -> list[Claimed]:
    """Take up to ``most`` deliveries whose turn it is, oldest first.

    Of a subject that is the earliest one, and only if none of it is at work. One that waits for its
    next try lets other kinds of events go first: a push that cannot be had for an hour does not
    hold up a command to stop. One node at a time works for an installation. Two never get the same;
    with :data:`~reviewbot.store.writers.CLAIMS` they also keep to the other rules together.

    Args:
        connection: of a write.
        node: who takes them.
        alive: the nodes that are.
        at: now.
        most: how many, at most.
        per_installation: how many may be at work for an installation.
        but: ids that are not taken: this node is still at an earlier try.
    """
    order = (DELIVERIES.c.received_at, DELIVERIES.c.id)
    at_work = (
        sa.select(DELIVERIES.c.installation, sa.func.count().label("number"))
        .where(DELIVERIES.c.state == "working")
        .group_by(DELIVERIES.c.installation)
        .subquery()
    )
    same = at_work.c.installation.is_not_distinct_from(DELIVERIES.c.installation)
    place = sa.func.row_number().over(partition_by=DELIVERIES.c.installation, order_by=order)
    ready = (
        sa.select(
            *order,
            (place + sa.func.coalesce(at_work.c.number, 0)).label("place"),
        )
        .select_from(DELIVERIES.outerjoin(at_work, same))
        .where(
            *_due(at),
            DELIVERIES.c.id.not_in(but),
            is_free(DELIVERIES.c.installation, node, alive, at),
            ~_is_behind(at),
        )
        .subquery()
    )
    chosen = connection.scalars(
        sa.select(ready.c.id)
        .where(ready.c.place <= per_installation)
        .order_by(ready.c.received_at, ready.c.id)
        .limit(most)
    ).all()
    taken = connection.execute(
        sa.update(DELIVERIES)
        .where(DELIVERIES.c.id.in_(chosen), DELIVERIES.c.state == "waiting")
        .values(state="working", node=node, tries=DELIVERIES.c.tries + 1, next_try_at=None)
        .returning(*_CLAIMED)
    )
    found = (Claimed(row.id, row.event, row.tries) for row in taken)
    return sorted(found, key=lambda one: chosen.index(one.id))


def _due(at: int) -> tuple[sa.ColumnElement[bool], ...]:
    """Those that wait, and no longer for the next try."""
    return DELIVERIES.c.state == "waiting", _is_time(DELIVERIES, at)


def _is_time(rows: sa.FromClause, at: int) -> sa.ColumnElement[bool]:
    """Whether the next try need not wait any longer."""
    return sa.or_(rows.c.next_try_at <= at, rows.c.next_try_at > at + LONGEST_PAUSE_MS)


def _is_behind(at: int) -> sa.ColumnElement[bool]:
    """Whether another one of its subject goes first."""
    other = DELIVERIES.alias("other")
    earlier = sa.tuple_(other.c.received_at, other.c.id) < sa.tuple_(
        DELIVERIES.c.received_at, DELIVERIES.c.id
    )
    return sa.exists().where(
        other.c.subject == DELIVERIES.c.subject,
        sa.or_(
            other.c.state == "working",
            sa.and_(
                other.c.state == "waiting",
                sa.or_(_is_time(other, at), other.c.event == DELIVERIES.c.event),
                earlier,
            ),
        ),
    )


def left_behind(
    connection: sa.Connection, node: str, alive: Collection[str], busy: Collection[str]
) -> list[Claimed]:
    """The deliveries at work that nobody works off: their node is gone, or it lost them.

    Args:
        connection: of a read.
        node: who asks.
        alive: the nodes that are.
        busy: the ids that are at work on ``node``.
    """
    of_others = sa.and_(DELIVERIES.c.node != node, DELIVERIES.c.node.not_in(alive))
    lost = sa.and_(DELIVERIES.c.node == node, DELIVERIES.c.id.not_in(busy))
    rows = connection.execute(
        sa.select(*_CLAIMED).where(DELIVERIES.c.state == "working", sa.or_(of_others, lost))
    )
    return [Claimed(row.id, row.event, row.tries) for row in rows]


def body_of(connection: sa.Connection, delivery: str) -> bytes:
    """The payload, compressed; nothing of one that is finished or not there."""
    return connection.scalar(sa.select(DELIVERIES.c.body).where(DELIVERIES.c.id == delivery)) or b""


def done(connection: sa.Connection, claimed: Claimed, at: int, reason: str | None = None) -> bool:
    """It is worked off.

    Returns:
        Whether it was still ``claimed``'s; here and below.
    """
    return _settle(connection, claimed, state="done", finished_at=at, reason=reason, body=b"")


def failed(connection: sa.Connection, claimed: Claimed, at: int, reason: str) -> bool:
    """It is given up, unless GitHub sends it again."""
    return _settle(connection, claimed, state="failed", finished_at=at, reason=reason, body=b"")


def try_again(
    connection: sa.Connection, claimed: Claimed, at: int, reason: str, *, until: int
) -> bool:
    """It waits until then for the next try."""
    waits: dict[str, Any] = {"finished_at": at, "next_try_at": until}
    return _settle(connection, claimed, state="waiting", reason=reason, **waits)


def _settle(connection: sa.Connection, claimed: Claimed, **values: Any) -> bool:  # noqa: ANN401
    changed = connection.execute(
        sa.update(DELIVERIES)
        .where(
            DELIVERIES.c.id == claimed.id,
            DELIVERIES.c.state == "working",
            DELIVERIES.c.tries == claimed.tries,
        )
        .values(**values)
    )
    return rows_changed(changed) > 0


def finished_before(connection: sa.Connection, at: int, limit: int = BATCH) -> list[str]:
    """Up to ``limit`` deliveries that were finished before that time."""
    return list(
        connection.scalars(
            sa.select(DELIVERIES.c.id)
            .where(DELIVERIES.c.finished_at < at, DELIVERIES.c.state.in_(("done", "failed")))
            .limit(limit)
        )
    )


def delete(connection: sa.Connection, ids: Sequence[str]) -> None:
    """Forget deliveries: what GitHub sends again after that is new."""
    connection.execute(sa.delete(DELIVERIES).where(DELIVERIES.c.id.in_(ids)))


def states(connection: sa.Connection, ids: Sequence[str]) -> dict[str, State]:
    """How those of ``ids`` stand that were taken."""
    rows = connection.execute(
        sa.select(DELIVERIES.c.id, DELIVERIES.c.state).where(DELIVERIES.c.id.in_(ids))
    )
    return {row.id: row.state for row in rows}
