"""Outbox: results of reviews that await publication on GitHub."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from reviewbot.store import nodes
from reviewbot.store.queue import Queue
from reviewbot.store.tables import PUBLICATIONS, REVIEWS

QUEUE: Final = Queue(PUBLICATIONS)


@dataclass(frozen=True, slots=True)
class NewPublication:
    """A new publication: ``target`` is JSON, ``diff`` is packed by ``reviews.packed``."""

    installation: int
    target: dict[str, Any]
    diff: bytes = field(repr=False)


def insert(connection: sa.Connection, review_id: str, new: NewPublication) -> None:
    """Store a publication, which a node claims once it has a free slot."""
    values = {"installation": new.installation, "target": json.dumps(new.target), "body": new.diff}
    QUEUE.put(connection, {"id": review_id, **values}, nodes.clock(connection))


def read(connection: sa.Connection, review_id: str) -> tuple[int, dict[str, Any]]:
    """Return the installation that a review is published for, and its target."""
    found = find(connection, review_id)
    if found is None:
        raise LookupError(f"review {review_id} has no publication")
    return found


def find(connection: sa.Connection, review_id: str) -> tuple[int, dict[str, Any]] | None:
    """Return installation and target of a review; None if it is not published on GitHub."""
    columns = (PUBLICATIONS.c.installation, PUBLICATIONS.c.target)
    row = connection.execute(sa.select(*columns).where(PUBLICATIONS.c.id == review_id)).first()
    return None if row is None else (row.installation, json.loads(row.target))


def is_over(connection: sa.Connection, review_id: str) -> bool:
    """Return whether the publication of a review is finished, failed or missing."""
    query = sa.select(PUBLICATIONS.c.state).where(PUBLICATIONS.c.id == review_id)
    return connection.scalar(query) not in ("waiting", "working")


def published_after(connection: sa.Connection, review_id: str) -> list[dict[str, Any]]:
    """Return the targets of the newer published reviews of the same subject and tenant.

    Cancelled and superseded reviews do not count.
    """
    columns = (REVIEWS.c.tenant, REVIEWS.c.subject, REVIEWS.c.created_at)
    own = connection.execute(sa.select(*columns).where(REVIEWS.c.id == review_id)).first()
    if own is None:
        return []
    newer = sa.select(PUBLICATIONS.c.target).where(
        PUBLICATIONS.c.id == REVIEWS.c.id,
        PUBLICATIONS.c.state == "done",
        REVIEWS.c.tenant == own.tenant,
        REVIEWS.c.subject == own.subject,
        REVIEWS.c.outcome.not_in(("cancelled", "superseded")),
        sa.tuple_(REVIEWS.c.created_at, REVIEWS.c.id) > sa.tuple_(own.created_at, review_id),
    )
    return [json.loads(target) for target in connection.scalars(newer)]
