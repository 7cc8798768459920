"""Queries that claim, requeue, postpone and stop reviews."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import sqlalchemy as sa

from reviewbot.store.database import rows_changed
from reviewbot.store.reviews import OPEN, find, now_ms, rows_where
from reviewbot.store.tables import REVIEWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reviewbot.core.events.events import Outcome
    from reviewbot.store.reviews import ReviewRow


def claim(connection: sa.Connection, review_id: str, run: int, node: str) -> ReviewRow | None:
    """Claim a review for its ``run``-th run; earlier claimers can no longer write to it.

    Returns:
        The review; None if it is finished or ``run`` is not its latest run.
    """
    changed = rows_changed(
        connection.execute(
            sa.update(REVIEWS)
            .where(
                REVIEWS.c.id == review_id,
                REVIEWS.c.state != "finished",
                REVIEWS.c.runs == run,
            )
            .values(
                epoch=REVIEWS.c.epoch + 1,
                state="running",
                node=node,
                queue_position=None,
                next_try_at=None,
                started_at=sa.func.coalesce(REVIEWS.c.started_at, now_ms()),
            )
        )
    )
    return find(connection, review_id) if changed else None


def postpone(connection: sa.Connection, review_id: str, run: int, until: int) -> None:
    """Postpone a queued review to ``until`` instead of its ``run``-th run."""
    connection.execute(
        sa.update(REVIEWS)
        .where(REVIEWS.c.id == review_id, REVIEWS.c.runs == run, REVIEWS.c.state == "queued")
        .values(state="waiting", next_try_at=until)
    )


def requeue(connection: sa.Connection, review_id: str, run: int, *, breaks: int) -> int | None:
    """Requeue a review for another run, if ``run`` is still its latest run.

    ``breaks`` is 1 if the run was interrupted, else 0.

    Returns:
        The number of the new run; None if ``run`` is not the latest, or the review is finished.
    """
    changed = rows_changed(
        connection.execute(
            sa.update(REVIEWS)
            .where(REVIEWS.c.id == review_id, REVIEWS.c.runs == run, REVIEWS.c.state.in_(OPEN))
            .values(
                state="queued",
                runs=run + 1,
                breaks=REVIEWS.c.breaks + breaks,
                node=None,
                next_try_at=None,
            )
        )
    )
    return run + 1 if changed else None


def got_on(connection: sa.Connection, review_id: str) -> None:
    """Reset the interruptions of a review, after a batch was finished."""
    connection.execute(sa.update(REVIEWS).where(REVIEWS.c.id == review_id).values(breaks=0))


def ask_to_stop(connection: sa.Connection, ids: Iterable[str], outcome: Outcome) -> list[str]:
    """Request the stop of the open reviews among ``ids``; the first requested outcome is kept.

    Returns:
        The ids of the open reviews.
    """
    wanted = list(ids)
    connection.execute(
        sa.update(REVIEWS)
        .where(REVIEWS.c.id.in_(wanted), REVIEWS.c.state.in_(OPEN), REVIEWS.c.stop.is_(None))
        .values(stop=outcome)
    )
    return list(
        connection.scalars(
            sa.select(REVIEWS.c.id).where(REVIEWS.c.id.in_(wanted), REVIEWS.c.state.in_(OPEN))
        )
    )


def stops(connection: sa.Connection, ids: Sequence[str]) -> dict[str, Outcome]:
    """Return the requested outcomes of the reviews among ``ids`` that must stop."""
    rows = connection.execute(
        sa.select(REVIEWS.c.id, REVIEWS.c.stop).where(
            REVIEWS.c.id.in_(ids), REVIEWS.c.stop.is_not(None)
        )
    )
    return {row.id: row.stop for row in rows}


def open_of(connection: sa.Connection, tenant: str, subject: str | None = None) -> list[str]:
    """Return the ids of the open reviews of a tenant, all or those of a subject."""
    query = sa.select(REVIEWS.c.id).where(REVIEWS.c.tenant == tenant, REVIEWS.c.state.in_(OPEN))
    if subject is not None:
        query = query.where(REVIEWS.c.subject == subject)
    return list(connection.scalars(query))


def running(connection: sa.Connection) -> list[ReviewRow]:
    """Return the reviews in the state ``running``."""
    return rows_where(connection, REVIEWS.c.state == "running")


def due(connection: sa.Connection, at: int, longest_ms: int) -> list[ReviewRow]:
    """Return the waiting reviews whose next attempt is due, or whose stop was requested.

    ``at`` is the current time. A wait longer than ``longest_ms`` means that the clock was set back.
    """
    return rows_where(
        connection,
        sa.and_(
            REVIEWS.c.state == "waiting",
            sa.or_(
                REVIEWS.c.next_try_at <= at,
                REVIEWS.c.next_try_at > at + longest_ms,
                REVIEWS.c.stop.is_not(None),
            ),
        ),
    )


def queued(connection: sa.Connection) -> list[ReviewRow]:
    """Return the queued reviews in the expected order: first the oldest review of each tenant.

    The second oldest of each tenant follow, and so on, as a free slot goes to a waiting tenant.
    """
    before: Counter[str] = Counter()
    turns = []
    for row in rows_where(connection, REVIEWS.c.state == "queued"):
        turns.append((before[row.tenant], row))
        before[row.tenant] += 1
    return [row for _, row in sorted(turns, key=lambda turn: turn[0])]
