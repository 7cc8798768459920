"""The rows of what is to be published of reviews on GitHub: stored with them, done once.

A query or a change a function, for :meth:`Database.read` and :meth:`Database.write`. Times are Unix
milliseconds, by the clock of the database (:func:`reviewbot.store.nodes.clock`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from reviewbot.store import nodes
from reviewbot.store.database import rows_changed
from reviewbot.store.tables import PUBLICATIONS, REVIEWS
from reviewbot.store.writers import is_free

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, slots=True)
class NewPublication:
    """What is to be published of a review: ``target`` is JSON, ``diff`` of ``reviews.packed``."""

    installation: int
    target: dict[str, Any]
    diff: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A publication at work. Whoever claims it next has another number of ``tries``."""

    review_id: str
    installation: int
    tries: int
    target: dict[str, Any]


def insert(connection: sa.Connection, review_id: str, new: NewPublication) -> None:
    """Store it; it is claimed as soon as a node has room."""
    now = nodes.clock(connection)
    connection.execute(
        sa.insert(PUBLICATIONS).values(
            review_id=review_id,
            installation=new.installation,
            state="waiting",
            created_at=now,
            next_try_at=now,
            target=json.dumps(new.target),
            diff=new.diff,
        )
    )


def claim(
    connection: sa.Connection,
    node: str,
    alive: Collection[str],
    busy: Collection[str],
    *,
    most: int,
    per_installation: int,
) -> list[Claimed]:
    """Take up to ``most`` publications that wait, or whose node is gone; oldest first.

    One node at a time works for an installation.

    Args:
        connection: of a write, with :data:`~reviewbot.store.writers.CLAIMS`.
        node: who takes them.
        alive: the nodes that are.
        busy: those that are at work on ``node``; any other one that it has, it lost.
        most: how many, at most.
        per_installation: how many may be at work for an installation.
    """
    order = (PUBLICATIONS.c.created_at, PUBLICATIONS.c.review_id)
    at_work = (
        sa.select(PUBLICATIONS.c.installation, sa.func.count().label("number"))
        .where(PUBLICATIONS.c.review_id.in_(busy))
        .group_by(PUBLICATIONS.c.installation)
        .subquery()
    )
    place = sa.func.row_number().over(partition_by=PUBLICATIONS.c.installation, order_by=order)
    ready = (
        sa.select(*order, (place + sa.func.coalesce(at_work.c.number, 0)).label("place"))
        .select_from(
            PUBLICATIONS.outerjoin(at_work, at_work.c.installation == PUBLICATIONS.c.installation)
        )
        .where(_free(connection, node, alive, busy))
        .subquery()
    )
    chosen = connection.scalars(
        sa.select(ready.c.review_id)
        .where(ready.c.place <= per_installation)
        .order_by(ready.c.created_at, ready.c.review_id)
        .limit(most)
    ).all()
    taken = connection.execute(
        sa.update(PUBLICATIONS)
        .where(PUBLICATIONS.c.review_id.in_(chosen))
        .values(state="working", node=node, tries=PUBLICATIONS.c.tries + 1, next_try_at=None)
        .returning(
            PUBLICATIONS.c.review_id,
            PUBLICATIONS.c.installation,
            PUBLICATIONS.c.tries,
            PUBLICATIONS.c.target,
        )
    )
    found = [
        Claimed(row.review_id, row.installation, row.tries, json.loads(row.target)) for row in taken
    ]
    return sorted(found, key=lambda one: chosen.index(one.review_id))


def any_free(
    connection: sa.Connection, node: str, alive: Collection[str], busy: Collection[str]
) -> bool:
    """Whether it is worth the while to claim."""
    query = sa.select(sa.exists().where(_free(connection, node, alive, busy)))
    return bool(connection.scalar(query))


def _free(
    connection: sa.Connection, node: str, alive: Collection[str], busy: Collection[str]
) -> sa.ColumnElement[bool]:
    """Those that wait for nothing, and those at work that nobody works on."""
    at = nodes.clock(connection)
    own = sa.and_(PUBLICATIONS.c.state == "working", PUBLICATIONS.c.node == node)
    return sa.and_(
        PUBLICATIONS.c.review_id.not_in(busy),
        sa.or_(
            own,  # it lost it; and it is this node's that others wait for
            sa.and_(
                sa.or_(
                    sa.and_(PUBLICATIONS.c.state == "waiting", PUBLICATIONS.c.next_try_at <= at),
                    sa.and_(PUBLICATIONS.c.state == "working", PUBLICATIONS.c.node.not_in(alive)),
                ),
                is_free(PUBLICATIONS.c.installation, node, alive, at),
            ),
        ),
    )


def is_over(connection: sa.Connection, review_id: str) -> bool:
    """Whether nothing of a review is to be published any more."""
    query = sa.select(PUBLICATIONS.c.state).where(PUBLICATIONS.c.review_id == review_id)
    return connection.scalar(query) not in ("waiting", "working")


def is_overtaken(connection: sa.Connection, review_id: str) -> bool:
    """Whether a newer review of the same head of the pull request is published already.

    One of another head may have had nothing to post: the head has come back since.
    """
    columns = (REVIEWS.c.tenant, REVIEWS.c.subject, REVIEWS.c.created_at, PUBLICATIONS.c.target)
    both = PUBLICATIONS.c.review_id == REVIEWS.c.id
    own = connection.execute(sa.select(*columns).where(both, REVIEWS.c.id == review_id)).first()
    if own is None:
        return False
    newer = sa.select(PUBLICATIONS.c.target).where(
        both,
        PUBLICATIONS.c.state == "done",
        REVIEWS.c.tenant == own.tenant,
        REVIEWS.c.subject == own.subject,
        REVIEWS.c.outcome.not_in(("cancelled", "superseded")),
        sa.tuple_(REVIEWS.c.created_at, REVIEWS.c.id) > sa.tuple_(own.created_at, review_id),
    )
    head = json.loads(own.target).get("head")
    return any(json.loads(target).get("head") == head for target in connection.scalars(newer))


def diff_of(connection: sa.Connection, review_id: str) -> bytes:
    """The diff of the whole pull request, compressed; nothing once it is done."""
    query = sa.select(PUBLICATIONS.c.diff).where(PUBLICATIONS.c.review_id == review_id)
    return connection.scalar(query) or b""


def settle(
    connection: sa.Connection, claimed: Claimed, *, reason: str | None, pause_ms: int | None
) -> bool:
    """It is done (no reason), given up (no pause), or waits for the next try.

    Returns:
        Whether it was still ``claimed``'s.
    """
    now = nodes.clock(connection)
    over = reason is None or pause_ms is None
    values: dict[str, Any] = {
        "state": "done" if reason is None else "failed" if over else "waiting",
        "reason": reason,
        "next_try_at": None if over else now + (pause_ms or 0),
        "finished_at": now,
    }
    if over:
        values["diff"] = b""
    changed = connection.execute(
        sa.update(PUBLICATIONS)
        .where(
            PUBLICATIONS.c.review_id == claimed.review_id,
            PUBLICATIONS.c.state == "working",
            PUBLICATIONS.c.tries == claimed.tries,
        )
        .values(**values)
    )
    return rows_changed(changed) > 0
