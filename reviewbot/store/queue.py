"""A queue in a table: tasks are stored, claimed by one node, and completed or retried.

Deliveries and publications each have one. A method is a query or a change for
:meth:`Database.read` and :meth:`Database.write`, so work can be put in the transaction of the data
it belongs to. Times are Unix milliseconds, by the clock of the database
(:func:`reviewbot.store.nodes.clock`). The lease of claimed work is that its node is alive
(:mod:`reviewbot.store.nodes`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

import sqlalchemy as sa

from reviewbot.store.database import insert_into, rows_changed
from reviewbot.store.encryption import cipher_of, place_of
from reviewbot.store.tables import DELIVERIES, PUBLICATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

State = Literal["waiting", "working", "done", "failed"]

CLAIMS: Final = "github"
"""The ``tenant`` of a write that claims. Nodes then claim sequentially, so that each claim sees
the work in progress of all nodes."""
LONGEST_PAUSE_MS: Final = 3_600_000
"""Longest backoff. A longer backoff means that the clock was set back."""
GAP_MS: Final = 1000
"""An installation stays with its node for this long after its last task. GitHub accepts about one
write per second and installation, and only that node knows the time of the last write."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Claimed work. ``tries`` is its fencing token: each claim has another."""

    id: str
    tries: int


class Queue:
    """The queue of a table that has the columns of :func:`reviewbot.store.tables.queue_table`.

    Args:
        table: the table.
        not_before: SQL expression for the earliest time of new work, even if the clock was set
            back.
        in_turn: function that returns, for a time, the condition of work that need not wait for
            other work.
    """

    def __init__(
        self,
        table: sa.Table,
        *,
        not_before: sa.ColumnElement[int] | None = None,
        in_turn: Callable[[int], sa.ColumnElement[bool]] = lambda _: sa.true(),
    ) -> None:
        self.table, self._in_turn = table, in_turn
        self._not_before = sa.literal(0) if not_before is None else not_before
        self._insertion = lru_cache(self._new_insertion)

    def put(
        self,
        connection: sa.Connection,
        values: dict[str, Any],
        at: int,
        *,
        needless: str | None = None,
    ) -> bool:
        """Store work. Work of the same id is kept; if it failed, it is replaced.

        ``values`` has ``id``, ``installation``, ``body`` and the columns that only this table has.
        The body is compressed; it is encrypted here, unless empty. ``at`` is the current time.
        ``needless`` is the reason why no work is needed, so that it is stored as done; None if work
        is needed.

        Returns:
            Whether the work was stored.
        """
        done = needless is not None
        if body := values["body"]:
            body = cipher_of(connection).encrypt(body, place_of(self.table.c.body, values["id"]))
        row = values | {
            "body": body,
            "state": "done" if done else "waiting",
            "finished_at": at if done else None,
            "reason": needless,
            "at": at,
            "due": None if done else at,
        }
        return connection.scalar(self._insertion(connection.dialect.name), row) is not None

    def _new_insertion(self, dialect: str) -> sa.Executable:
        """Build the statement once: GitHub waits ten seconds for a burst of 200 deliveries."""

        def later(name: str) -> sa.ColumnElement[int]:
            at = sa.bindparam(name, type_=sa.BigInteger)
            return sa.case((self._not_before > at, self._not_before), else_=at)

        values: dict[str, Any] = {one.name: sa.bindparam(one.name) for one in self.table.c}
        values |= {
            "tries": sa.literal(0, literal_execute=True),
            "node": sa.null(),
            "created_at": later("at"),
            "next_try_at": later("due"),
        }
        statement = insert_into(dialect, self.table).values(**values)
        return statement.on_conflict_do_update(
            index_elements=[self.table.c.id],
            set_={name: statement.excluded[name] for name in values if name != "id"},
            where=self.table.c.state == "failed",
        ).returning(self.table.c.id)

    def is_any_due(self, connection: sa.Connection, at: int) -> bool:
        """Return whether work is due; the work may still have to wait for other work."""
        due = sa.and_(self.table.c.state == "waiting", is_time(self.table, at))
        return bool(connection.scalar(sa.select(sa.exists().where(due))))

    def claim(
        self,
        connection: sa.Connection,
        node: str,
        alive: Collection[str],
        at: int,
        *,
        most: int,
        per_installation: int,
        busy: Collection[str] = (),
    ) -> list[Claimed]:
        """Claim up to ``most`` pieces of work that are due, oldest first.

        Two nodes never claim the same work. With :data:`CLAIMS`, the other limits hold across nodes
        too. One node at a time works for an installation.

        ``alive`` has the ids of the nodes that are alive, and ``at`` is the current time.
        ``per_installation`` limits the work in progress of an installation. The work with the ids
        ``busy``, which ``node`` is still processing under an earlier claim, is not claimed.
        """
        rows = self.table.c
        order = (rows.created_at, rows.id)
        at_work = (
            sa.select(rows.installation, sa.func.count().label("number"))
            .where(rows.state == "working")
            .group_by(rows.installation)
            .subquery()
        )
        same = at_work.c.installation.is_not_distinct_from(rows.installation)
        place = sa.func.row_number().over(partition_by=rows.installation, order_by=order)
        ready = (
            sa.select(*order, (place + sa.func.coalesce(at_work.c.number, 0)).label("place"))
            .select_from(self.table.outerjoin(at_work, same))
            .where(
                rows.state == "waiting",
                is_time(self.table, at),
                rows.id.not_in(busy),
                _is_free(rows.installation, node, alive, at),
                self._in_turn(at),
            )
            .subquery()
        )
        chosen = connection.scalars(
            sa.select(ready.c.id)
            .where(ready.c.place <= per_installation)
            .order_by(ready.c.created_at, ready.c.id)
            .limit(most)
        ).all()
        claimed = connection.execute(
            sa.update(self.table)
            .where(rows.id.in_(chosen), rows.state == "waiting")
            .values(state="working", node=node, tries=rows.tries + 1, next_try_at=None)
            .returning(rows.id, rows.tries)
        )
        found = (Claimed(row.id, row.tries) for row in claimed)
        return sorted(found, key=lambda one: chosen.index(one.id))

    def abandoned(
        self, connection: sa.Connection, node: str, alive: Collection[str], busy: Collection[str]
    ) -> list[Claimed]:
        """Return the claimed work that no node is processing.

        ``alive`` has the ids of live nodes, and ``busy`` those of the work that ``node`` is
        processing.
        """
        rows = self.table.c
        query = sa.select(rows.id, rows.tries).where(
            rows.state == "working",
            rows.id.not_in(busy),
            sa.or_(rows.node == node, rows.node.not_in(alive)),
        )
        return [Claimed(row.id, row.tries) for row in connection.execute(query)]

    def body(self, connection: sa.Connection, work: str) -> bytes:
        """Return the compressed body; empty if the work is finished or missing.

        Raises:
            UnreadableError: the key of the body is missing, or the body is damaged.
        """
        query = sa.select(self.table.c.body).where(self.table.c.id == work)
        stored = connection.scalar(query) or b""
        return cipher_of(connection).decrypt(stored, place_of(self.table.c.body, work))

    def complete(
        self, connection: sa.Connection, claimed: Claimed, at: int, reason: str | None = None
    ) -> bool:
        """Mark the work as done.

        Returns:
            Whether ``claimed`` was still valid.
        """
        return self._settle(connection, claimed, at, state="done", reason=reason, body=b"")

    def fail(self, connection: sa.Connection, claimed: Claimed, at: int, reason: str) -> bool:
        """Mark the work as failed; return whether ``claimed`` was still valid.

        Failed work is not retried unless it is put again.
        """
        return self._settle(connection, claimed, at, state="failed", reason=reason, body=b"")

    def retry(
        self, connection: sa.Connection, claimed: Claimed, at: int, reason: str, *, until: int
    ) -> bool:
        """Postpone the work to ``until``; return whether ``claimed`` was still valid."""
        waiting: dict[str, Any] = {"state": "waiting", "next_try_at": until}
        return self._settle(connection, claimed, at, reason=reason, **waiting)

    def _settle(
        self,
        connection: sa.Connection,
        claimed: Claimed,
        at: int,
        **values: Any,  # noqa: ANN401
    ) -> bool:
        rows = self.table.c
        is_valid = (rows.id == claimed.id, rows.state == "working", rows.tries == claimed.tries)
        changed = sa.update(self.table).where(*is_valid).values(finished_at=at, **values)
        return rows_changed(connection.execute(changed)) > 0


def is_time(rows: sa.FromClause, at: int) -> sa.ColumnElement[bool]:
    """Return the condition of rows whose next attempt is due."""
    return sa.or_(rows.c.next_try_at <= at, rows.c.next_try_at > at + LONGEST_PAUSE_MS)


def _is_free(
    installation: sa.Column[int], node: str, alive: Collection[str], at: int
) -> sa.ColumnElement[bool]:
    """Return the condition that no other live node works, or just worked, for an installation."""
    taken = [
        sa.select(table.c.installation).where(
            table.c.installation.is_not(None),
            table.c.node.in_([other for other in alive if other != node]),
            when,
        )
        for table in (DELIVERIES, PUBLICATIONS)
        for when in (table.c.state == "working", table.c.finished_at.between(at - GAP_MS, at))
    ]
    return sa.or_(installation.is_(None), installation.not_in(sa.union_all(*taken)))
