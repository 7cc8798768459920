"""Unfinished work on all nodes together, for the metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from reviewbot.store.reviews import OPEN, now_ms
from reviewbot.store.tables import DELIVERIES, PUBLICATIONS, REVIEWS

if TYPE_CHECKING:
    from collections.abc import Mapping


DAY_MS: Final = 24 * 3600 * 1000
UNDONE: Final = ("waiting", "working", "failed")
"""States of unfinished or failed deliveries and publications."""


@dataclass(frozen=True, slots=True)
class Load:
    """Numbers of open reviews by state, and the age of the oldest in seconds.

    ``deliveries`` and ``publications`` are the numbers of unfinished GitHub deliveries and
    publications by state. Failed ones count for a day.
    """

    reviews: Mapping[str, int]
    oldest_s: Mapping[str, float]
    deliveries: Mapping[str, int] = field(default_factory=dict)
    publications: Mapping[str, int] = field(default_factory=dict)


def load(connection: sa.Connection) -> Load:
    """Return the unfinished work."""
    rows = connection.execute(
        sa.select(
            REVIEWS.c.state, sa.func.count().label("reviews"), sa.func.min(REVIEWS.c.created_at)
        )
        .where(REVIEWS.c.state.in_(OPEN))
        .group_by(REVIEWS.c.state)
    ).all()
    now = now_ms()
    return Load(
        reviews=dict.fromkeys(OPEN, 0) | {state: number for state, number, _ in rows},
        oldest_s=dict.fromkeys(OPEN, 0.0)
        | {state: max(0, now - since) / 1000 for state, _, since in rows},
        deliveries=_undone(connection, DELIVERIES, now),
        publications=_undone(connection, PUBLICATIONS, now),
    )


def _undone(connection: sa.Connection, table: sa.Table, now: int) -> dict[str, int]:
    lately = sa.or_(table.c.finished_at.is_(None), table.c.finished_at > now - DAY_MS)
    rows = connection.execute(
        sa.select(table.c.state, sa.func.count().label("number"))
        .where(table.c.state.in_(UNDONE), lately)
        .group_by(table.c.state)
    )
    return dict.fromkeys(UNDONE, 0) | {row.state: row.number for row in rows}
