"""How much is at work on all nodes together: what a scrape of the metrics asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from reviewbot.store.reviews import OPEN, now_ms
from reviewbot.store.tables import REVIEWS

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Load:
    """The open reviews by state, and the seconds that the oldest of each state is there already."""

    reviews: Mapping[str, int]
    oldest_s: Mapping[str, float]


def load(connection: sa.Connection) -> Load:
    """What is at work now."""
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
    )
