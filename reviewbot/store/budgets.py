"""Budgets of tenants: reserve before a model request, charge after the request.

Each check is part of the update that reserves, on one row per tenant and day. So neither two
concurrent requests nor two nodes can use the same part of a budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from reviewbot.errors import ReviewbotError
from reviewbot.store.database import insert_into, rows_changed
from reviewbot.store.reviews import OPEN, now_ms
from reviewbot.store.tables import RATES, REVIEWS, USAGE

if TYPE_CHECKING:
    from reviewbot.models.batch import Spent
    from reviewbot.store.keys import Limits

DAY_S: Final = 86_400
KEPT_DAYS: Final = 400
"""Days that the daily usage of a tenant is kept."""
SOON_S: Final = 5
"""Seconds to wait after too many concurrent reviews, as one of them may have ended."""


class OverLimitError(ReviewbotError):
    """A limit of a key does not admit the request.

    The message names the limit. ``retry_after`` is the number of seconds until a retry may succeed.
    """

    def __init__(self, message: str, *, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Used:
    """Usage of a tenant on the current day. ``reset_s`` is the seconds until the next day."""

    tokens: int
    held_tokens: int
    usd: float
    held_usd: float
    reset_s: int


def used_today(connection: sa.Connection, tenant: str) -> Used:
    """Return the used and reserved amounts of a tenant today."""
    day, reset = _today()
    found = (
        connection.execute(sa.select(USAGE).where(USAGE.c.tenant == tenant, USAGE.c.day == day))
        .mappings()
        .first()
    )
    if found is None:
        return Used(0, 0, 0.0, 0.0, reset)
    return Used(found["tokens"], found["held_tokens"], found["usd"], found["held_usd"], reset)


def count_request(connection: sa.Connection, tenant: str, limits: Limits) -> None:
    """Count one request in this minute.

    Raises:
        OverLimitError: the tenant sent too many requests in this minute.
    """
    if limits.requests_per_minute is None:
        return
    now = now_ms() // 1000
    minute = now // 60
    key = {"tenant": tenant, "minute": minute}
    _make_sure(connection, RATES, key)
    if not rows_changed(
        connection.execute(
            sa.update(RATES)
            .where(
                RATES.c.tenant == tenant,
                RATES.c.minute == minute,
                RATES.c.requests < limits.requests_per_minute,
            )
            .values(requests=RATES.c.requests + 1)
        )
    ):
        raise OverLimitError(
            f"this key is limited to {limits.requests_per_minute} requests per minute",
            retry_after=60 - now % 60,
        )


def hold(connection: sa.Connection, tenant: str, limits: Limits, *, tokens: int, usd: float) -> int:
    """Reserve the expected usage of a review.

    Returns:
        The day of the reservation, counted from 1970-01-01 in UTC.

    Raises:
        OverLimitError: the rest of the daily budget is too small, or too many reviews are open.
    """
    day, reset = _today()
    _make_sure(connection, USAGE, {"tenant": tenant, "day": day})
    room = [USAGE.c.tenant == tenant, USAGE.c.day == day]
    if limits.tokens_per_day is not None:
        room.append(USAGE.c.tokens + USAGE.c.held_tokens + tokens <= limits.tokens_per_day)
    if limits.usd_per_day is not None:
        room.append(USAGE.c.usd + USAGE.c.held_usd + usd <= limits.usd_per_day)
    if not rows_changed(
        connection.execute(
            sa.update(USAGE)
            .where(*room)
            .values(held_tokens=USAGE.c.held_tokens + tokens, held_usd=USAGE.c.held_usd + usd)
        )
    ):
        raise OverLimitError(_spent_sentence(connection, tenant, limits), retry_after=reset)
    # The update above locks the tenant's row: no other transaction can count at the same time.
    if limits.reviews_at_once is not None:
        at_work = connection.scalar(
            sa.select(sa.func.count())
            .select_from(REVIEWS)
            .where(REVIEWS.c.tenant == tenant, REVIEWS.c.state.in_(OPEN))
        )
        if (at_work or 0) >= limits.reviews_at_once:
            raise OverLimitError(
                f"this key is limited to {limits.reviews_at_once} concurrent reviews",
                retry_after=SOON_S,
            )
    return day


def spend(connection: sa.Connection, review_id: str, spent: Spent) -> None:
    """Charge the usage of a request, and release as much of the reservation of its review."""
    usage = spent.usage
    tokens = usage.input + usage.output + usage.cache_read + usage.cache_write
    usd = spent.cost_usd or 0.0
    review = _held(connection, review_id)
    if review is None:
        return
    tenant, held_tokens, held_usd, held_day = review
    _give_back(
        connection,
        review_id,
        tenant,
        held_day,
        tokens=min(held_tokens, tokens),
        usd=min(held_usd, usd),
    )
    day, _ = _today()
    _make_sure(connection, USAGE, {"tenant": tenant, "day": day})
    connection.execute(
        sa.update(USAGE)
        .where(USAGE.c.tenant == tenant, USAGE.c.day == day)
        .values(tokens=USAGE.c.tokens + tokens, usd=USAGE.c.usd + usd)
    )


def release(connection: sa.Connection, review_id: str) -> None:
    """Release the rest of the reservation of a review."""
    review = _held(connection, review_id)
    if review is not None:
        tenant, tokens, usd, day = review
        _give_back(connection, review_id, tenant, day, tokens=tokens, usd=usd)


def forget_old(connection: sa.Connection) -> None:
    """Delete daily usage older than :data:`KEPT_DAYS`, and requests older than an hour."""
    day, _ = _today()
    connection.execute(sa.delete(USAGE).where(USAGE.c.day < day - KEPT_DAYS))
    connection.execute(sa.delete(RATES).where(RATES.c.minute < now_ms() // 60_000 - 60))


def _held(connection: sa.Connection, review_id: str) -> tuple[str, int, float, int] | None:
    row = connection.execute(
        sa.select(
            REVIEWS.c.tenant, REVIEWS.c.held_tokens, REVIEWS.c.held_usd, REVIEWS.c.held_day
        ).where(REVIEWS.c.id == review_id)
    ).first()
    return None if row is None else (row.tenant, row.held_tokens, row.held_usd, row.held_day)


def _give_back(
    connection: sa.Connection, review_id: str, tenant: str, day: int, *, tokens: int, usd: float
) -> None:
    connection.execute(
        sa.update(REVIEWS)
        .where(REVIEWS.c.id == review_id)
        .values(held_tokens=REVIEWS.c.held_tokens - tokens, held_usd=REVIEWS.c.held_usd - usd)
    )
    connection.execute(
        sa.update(USAGE)
        .where(USAGE.c.tenant == tenant, USAGE.c.day == day)
        .values(held_tokens=USAGE.c.held_tokens - tokens, held_usd=USAGE.c.held_usd - usd)
    )


def _today() -> tuple[int, int]:
    now = now_ms() // 1000
    return now // DAY_S, DAY_S - now % DAY_S


def _make_sure(connection: sa.Connection, table: sa.Table, key: dict[str, object]) -> None:
    """Insert a row with ``key`` into ``table`` unless there is one."""
    connection.execute(
        insert_into(connection.dialect.name, table).values(**key).on_conflict_do_nothing()
    )


def _spent_sentence(connection: sa.Connection, tenant: str, limits: Limits) -> str:
    now = used_today(connection, tenant)
    parts = []
    if limits.tokens_per_day is not None:
        parts.append(
            f"{now.tokens:,} of {limits.tokens_per_day:,} tokens are used and {now.held_tokens:,}"
            " reserved for running reviews"
        )
    if limits.usd_per_day is not None:
        parts.append(f"${now.usd:.2f} of ${limits.usd_per_day:.2f} are used")
    return f"the day's budget has no room for this review: {'; '.join(parts)}"
