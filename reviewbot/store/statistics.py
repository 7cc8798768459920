"""Statistics of a tenant's reviews: sums by day, repository and outcome, slow and failed reviews.

All queries read, and use the index on the tenant and the time. They cover the newest reviews of a
period, at most :data:`MOST_REVIEWS`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from reviewbot.core.findings.finding import SEVERITIES
from reviewbot.store.tables import EVENTS, REVIEWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.events.events import Outcome

DAY_MS: Final = 86_400_000
MOST_REVIEWS: Final = 100_000
LISTED: Final = 10
"""Maximum number of reviews in the list of slow reviews, and in the list of failed reviews."""
_STOPPED: Final = ("cancelled", "superseded")
_DIGITS: Final = "0123456789"


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of the reviews of one day, repository and outcome.

    Attributes:
        day: days since 1970-01-01, UTC.
        subject_start: common start of the subjects, up to the number of the pull request, such as
            ``octo/hello#``; empty for reviews whose subject names no pull request.
        outcome: None for reviews that are not finished.
        unpriced: finished reviews whose cost is unknown. They add nothing to ``usd``.
    """

    day: int
    subject_start: str
    outcome: Outcome | None
    reviews: int
    error: int
    warning: int
    note: int
    usd: float
    unpriced: int


@dataclass(frozen=True, slots=True)
class EndedReview:
    """A finished review of a list. Times are Unix milliseconds.

    ``first_finding_s`` is the time to the first finding in seconds, None without a finding.
    ``reasons`` are the sentences about its outcome.
    """

    id: str
    title: str
    subject: str | None
    outcome: Outcome
    created_at: int
    started_at: int | None
    finished_at: int
    first_finding_s: float | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of the reviews of a period. ``truncated`` is true if it has too many reviews."""

    totals: tuple[Totals, ...]
    slowest: tuple[EndedReview, ...]
    failed: tuple[EndedReview, ...]
    truncated: bool


def statistics(
    connection: sa.Connection, tenant: str, since: int, *, most: int = MOST_REVIEWS
) -> Statistics:
    """Return the statistics of the reviews of ``tenant``.

    Args:
        connection: an open connection.
        tenant: the tenant; reviews of other tenants are not read.
        since: Unix milliseconds; older reviews are ignored.
        most: maximum number of reviews; the newest are used.
    """
    mine = sa.and_(REVIEWS.c.tenant == tenant, REVIEWS.c.created_at >= since)
    edge = connection.scalar(
        sa.select(REVIEWS.c.created_at)
        .where(mine)
        .order_by(REVIEWS.c.created_at.desc())
        .offset(most)
        .limit(1)
    )
    if edge is not None:
        mine = sa.and_(REVIEWS.c.tenant == tenant, REVIEWS.c.created_at > edge)
    ran = sa.and_(
        REVIEWS.c.state == "finished",
        REVIEWS.c.started_at.is_not(None),
        REVIEWS.c.outcome.not_in(_STOPPED),
    )
    longest = (REVIEWS.c.finished_at - REVIEWS.c.started_at).desc()
    return Statistics(
        totals=_totals(connection, mine),
        slowest=_ended(connection, sa.and_(mine, ran), longest),
        failed=_ended(
            connection,
            sa.and_(mine, REVIEWS.c.outcome == "incomplete"),
            REVIEWS.c.created_at.desc(),
        ),
        truncated=edge is not None,
    )


def _totals(connection: sa.Connection, mine: sa.ColumnElement[bool]) -> tuple[Totals, ...]:
    """Return the sums of the reviews that meet a condition."""
    # Postgres has operators for JSON only; SQLite reads JSON from text.
    is_postgres = connection.dialect.name == "postgresql"
    entry = (
        sa.cast(REVIEWS.c.entry, postgresql.JSON)
        if is_postgres
        else sa.type_coerce(REVIEWS.c.entry, sa.JSON)
    )
    cost = entry["cost_usd"].as_float()
    ended_unpriced = sa.and_(REVIEWS.c.entry.is_not(None), cost.is_(None))
    start = sa.func.rtrim(REVIEWS.c.subject, _DIGITS)

    def severity(name: str) -> sa.ColumnElement[int]:
        return sa.func.coalesce(sa.func.sum(entry["counts", name].as_integer()), 0).label(name)

    query = (
        sa.select(
            (REVIEWS.c.created_at // DAY_MS).label("day"),
            sa.case((start.like("%/%#"), start), else_="").label("subject_start"),
            REVIEWS.c.outcome,
            sa.func.count().label("reviews"),
            *map(severity, SEVERITIES),
            sa.func.coalesce(sa.func.sum(cost), 0.0).label("usd"),
            sa.func.sum(sa.case((ended_unpriced, 1), else_=0)).label("unpriced"),
        )
        .where(mine)
        .group_by("day", "subject_start", REVIEWS.c.outcome)
    )
    return tuple(Totals(**found) for found in connection.execute(query).mappings())


def _ended(
    connection: sa.Connection,
    condition: sa.ColumnElement[bool],
    order: sa.ColumnElement[Any],
) -> tuple[EndedReview, ...]:
    """Return the first finished reviews that meet a condition, in an order."""
    query = (
        sa.select(
            REVIEWS.c.id,
            REVIEWS.c.title,
            REVIEWS.c.subject,
            REVIEWS.c.outcome,
            REVIEWS.c.created_at,
            REVIEWS.c.started_at,
            REVIEWS.c.finished_at,
            REVIEWS.c.last_seq,
        )
        .where(condition)
        .order_by(order, REVIEWS.c.id.desc())
        .limit(LISTED)
    )
    rows = [dict(found) for found in connection.execute(query).mappings()]
    ends = _ends(connection, [(row["id"], row.pop("last_seq")) for row in rows])
    return tuple(
        EndedReview(
            **row,
            first_finding_s=ends.get(row["id"], {}).get("time_to_first_finding_s"),
            reasons=tuple(ends.get(row["id"], {}).get("reasons", ())),
        )
        for row in rows
    )


def _ends(connection: sa.Connection, last: Sequence[tuple[str, int]]) -> dict[str, dict[str, Any]]:
    """Return the last events by review; ``last`` has the ids of reviews and the event numbers."""
    query = sa.select(EVENTS.c.review_id, EVENTS.c.data).where(
        sa.tuple_(EVENTS.c.review_id, EVENTS.c.seq).in_(last)
    )
    return {row.review_id: json.loads(row.data) for row in connection.execute(query)}
