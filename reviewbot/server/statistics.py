"""The call ``GET /v1/statistics``: sums, slow reviews and failed reviews of the caller's tenant."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from starlette.responses import JSONResponse

from reviewbot.core.events.events import Outcome
from reviewbot.core.findings.finding import SEVERITIES
from reviewbot.core.render.inert import well_formed
from reviewbot.server.problems import Problem
from reviewbot.store import statistics
from reviewbot.store.eventlog import rfc3339
from reviewbot.store.reviews import now_ms
from reviewbot.store.statistics import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request
    from starlette.responses import Response

    from reviewbot.jobs.service import ReviewService
    from reviewbot.server.access import Access
    from reviewbot.store.statistics import EndedReview, Statistics, Totals

Json = dict[str, Any]

PERIODS: Final = (7, 30, 90)
"""Supported numbers of days."""
MOST_REPOSITORIES: Final = 20
"""Maximum number of repositories that are listed one by one."""
MOST_REASONS: Final = 3
_REPOSITORY: Final = re.compile(r"(?:github/)?([A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100})#")


class StatisticsApi:
    """Handler of the call.

    One query runs at a time, since a query may read many reviews: other calls keep the other
    connections of the database. Requests of a tenant for the same period share a query, so that
    one tenant cannot fill the queue.
    """

    def __init__(self, service: ReviewService, access: Access) -> None:
        self._service, self._access = service, access
        self._running = asyncio.Lock()
        self._tasks: dict[tuple[str, int], asyncio.Task[Json]] = {}

    async def show(self, request: Request) -> Response:
        """Answer ``GET /v1/statistics``."""
        caller = await self._access.caller(request)
        text = request.query_params.get("days", "30")
        if text not in map(str, PERIODS):
            raise Problem(400, "days must be 7, 30 or 90", parameter="days")
        key = (caller.tenant, int(text))
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(self._document(*key))
            task.add_done_callback(lambda _: self._tasks.pop(key, None))
        return JSONResponse(await asyncio.shield(task))  # the others may wait for it, too

    async def _document(self, tenant: str, days: int) -> Json:
        async with self._running:
            today = now_ms() // DAY_MS
            since = (today - days + 1) * DAY_MS
            found = await self._service.database.read(
                partial(statistics.statistics, tenant=tenant, since=since)
            )
        kept = self._service.config.retention_days or None
        return await asyncio.to_thread(
            statistics_document, found, days=days, today=today, kept_days=kept
        )


def statistics_document(found: Statistics, *, days: int, today: int, kept_days: int | None) -> Json:
    """Return statistics as JSON.

    Args:
        found: the statistics.
        days: number of days of the period.
        today: last day of the period, in days since 1970-01-01.
        kept_days: days that finished reviews are kept; None without a limit.
    """
    totals = found.totals
    outcomes = Counter[str | None]()
    for total in totals:
        outcomes[total.outcome] += total.reviews
    document = {
        "days": days,
        "since": _day(today - days + 1),
        "until": _day(today),
        "kept_days": kept_days,
        "truncated": found.truncated,
        "open": outcomes[None],
        "outcomes": {name: outcomes[name] for name in get_args(Outcome)},
        **_sums(totals),
        "by_day": [
            {"day": _day(day), **_sums(total for total in totals if total.day == day)}
            for day in range(today - days + 1, today + 1)
        ],
        **_repositories(totals),
        "slowest": [
            {
                **_review(review),
                "seconds": (review.finished_at - (review.started_at or review.created_at)) / 1000,
                "first_finding_s": review.first_finding_s,
            }
            for review in found.slowest
        ],
        "failed": [
            {**_review(review), "reasons": list(review.reasons[:MOST_REASONS])}
            for review in found.failed
        ],
    }
    return cast("Json", well_formed(document))  # JSON must be UTF-8, but a title may not be


def _sums(totals: Iterable[Totals]) -> Json:
    rows = tuple(totals)
    return {
        "reviews": sum(row.reviews for row in rows),
        "findings": {name: sum(getattr(row, name) for row in rows) for name in SEVERITIES},
        "cost_usd": sum(row.usd for row in rows),
        "unpriced": sum(row.unpriced for row in rows),
    }


def _repositories(totals: Iterable[Totals]) -> Json:
    """Return the sums by repository, the most expensive first, and the sums of the others."""
    by_name: dict[str | None, list[Totals]] = {}
    for total in totals:
        known = _REPOSITORY.fullmatch(total.subject_start)
        by_name.setdefault(known[1] if known else None, []).append(total)
    ranked = sorted(
        by_name.items(),
        key=lambda item: (
            -sum(row.usd for row in item[1]),
            -sum(row.reviews for row in item[1]),
            item[0] or "",
        ),
    )
    others = ranked[MOST_REPOSITORIES:]
    rest = _sums(row for _, rows in others for row in rows)
    return {
        "by_repository": [
            {"repository": name, **_sums(rows)} for name, rows in ranked[:MOST_REPOSITORIES]
        ],
        "other_repositories": {"repositories": len(others), **rest} if others else None,
    }


def _review(review: EndedReview) -> Json:
    return {
        "id": review.id,
        "title": review.title,
        "subject": review.subject,
        "outcome": review.outcome,
        "created_at": rfc3339(review.created_at),
    }


def _day(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_MS / 1000, UTC).date().isoformat()
