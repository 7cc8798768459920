"""Statistics of a tenant: sums, slow reviews and failed reviews, on both databases."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from reviewbot.store import reviews, statistics
from reviewbot.store.reviews import NewReview
from reviewbot.store.statistics import DAY_MS, MOST_REVIEWS
from reviewbot.store.tables import EVENTS, REVIEWS
from tests.server.webhooks import opened

if TYPE_CHECKING:
    from reviewbot.store.database import Database
    from reviewbot.store.statistics import Statistics, Totals

DAY = 20_000


async def stored(
    store: Database,
    review_id: str,
    *,
    tenant: str = "key",
    subject: str | None = None,
    day: int = DAY,
    seconds: float = 1.0,
    reasons: tuple[str, ...] = (),
    counts: tuple[int, int, int] = (0, 0, 0),
    cost_usd: float | None = 0.0,
    **changes: Any,
) -> None:
    """Store a finished review, changed by ``changes``."""
    at = day * DAY_MS + 1_000
    entry = {
        "counts": dict(zip(("error", "warning", "note"), counts, strict=True)),
        "files": 1,
        "cost_usd": cost_usd,
    }
    values = {
        "state": "finished",
        "outcome": "findings",
        "last_seq": 7,
        "started_at": at + 500,
        "finished_at": at + 500 + round(seconds * 1000),
        "entry": json.dumps(entry),
        **changes,
    }
    new = NewReview(
        id=review_id,
        tenant=tenant,
        diff=reviews.packed(b"diff"),
        plan="{}",
        options="{}",
        request_hash="",
        title=f"Title of {review_id}",
        subject=subject,
    )

    def change(connection: sa.Connection) -> None:
        reviews.insert(connection, new, at, last_seq=0)
        connection.execute(sa.update(REVIEWS).where(REVIEWS.c.id == review_id).values(values))
        if values["state"] == "finished":
            end = {"time_to_first_finding_s": 0.25, "reasons": reasons}
            connection.execute(
                sa.insert(EVENTS).values(
                    review_id=review_id, seq=7, type="review.finished", data=json.dumps(end)
                )
            )

    await store.write(change)


async def read(
    store: Database, tenant: str = "key", since: int = DAY, most: int = MOST_REVIEWS
) -> Statistics:
    query = partial(statistics.statistics, tenant=tenant, since=since * DAY_MS, most=most)
    return await store.read(query)


def by_key(found: Statistics) -> dict[tuple[int, str, str | None], Totals]:
    return {(totals.day, totals.subject_start, totals.outcome): totals for totals in found.totals}


async def test_reviews_are_summed_by_day_repository_and_outcome(database: str) -> None:
    async with opened(database) as store:
        await stored(store, "a", subject="octo/hello#7", counts=(1, 2, 3), cost_usd=0.5)
        await stored(store, "b", subject="octo/hello#12", counts=(1, 0, 0), cost_usd=0.25)
        await stored(store, "c", subject="octo/hello#7", outcome="clean")
        await stored(store, "d", subject="octo/hello#7", day=DAY + 1)
        await stored(store, "e", subject="a branch 12")
        await stored(store, "f")
        totals = by_key(await read(store))
        both = totals.pop((DAY, "octo/hello#", "findings"))
        assert (both.reviews, both.error, both.warning, both.note) == (2, 2, 2, 3)
        assert (both.usd, both.unpriced) == (0.75, 0)
        assert {key: one.reviews for key, one in totals.items()} == {
            (DAY, "octo/hello#", "clean"): 1,
            (DAY + 1, "octo/hello#", "findings"): 1,
            (DAY, "", "findings"): 2,
        }


async def test_an_unfinished_review_counts_without_findings_and_cost(database: str) -> None:
    async with opened(database) as store:
        await stored(store, "a", state="running", outcome=None, entry=None, finished_at=None)
        found = await read(store)
        (total,) = found.totals
        assert (total.outcome, total.reviews, total.error, total.usd) == (None, 1, 0, 0.0)
        assert total.unpriced == 0
        assert found.slowest == found.failed == ()


async def test_a_cost_that_is_unknown_is_counted_and_not_taken_for_zero(database: str) -> None:
    async with opened(database) as store:
        await stored(store, "a", cost_usd=None)
        await stored(store, "b", cost_usd=0.5)
        (total,) = (await read(store)).totals
        assert (total.usd, total.unpriced) == (0.5, 1)


async def test_reviews_of_another_tenant_and_older_reviews_are_not_read(database: str) -> None:
    async with opened(database) as store:
        await stored(store, "a", tenant="other", outcome="incomplete", seconds=99)
        await stored(store, "b", day=DAY - 1, outcome="incomplete", seconds=99)
        found = await read(store)
        assert (found.totals, found.slowest, found.failed) == ((), (), ())
        assert [review.id for review in (await read(store, "other")).slowest] == ["a"]


async def test_the_ten_slowest_reviews_are_listed_with_their_first_finding(database: str) -> None:
    async with opened(database) as store:
        for number in range(12):
            await stored(store, f"r{number:02}", seconds=number)
        await stored(store, "stopped", seconds=99, outcome="cancelled")
        await stored(store, "unstarted", started_at=None, outcome="incomplete")
        slowest = (await read(store)).slowest
        assert [review.id for review in slowest] == [f"r{number:02}" for number in range(11, 1, -1)]
        assert slowest[0].first_finding_s == 0.25
        assert slowest[0].title == "Title of r11"


async def test_the_last_ten_incomplete_reviews_are_listed_with_reasons(database: str) -> None:
    async with opened(database) as store:
        for number in range(12):
            await stored(
                store, f"r{number:02}", day=DAY + number, outcome="incomplete", reasons=("Busy.",)
            )
        await stored(store, "good", day=DAY + 20)
        failed = (await read(store)).failed
        assert [review.id for review in failed] == [f"r{number:02}" for number in range(11, 1, -1)]
        assert failed[0].reasons == ("Busy.",)


async def test_the_newest_reviews_are_used_if_there_are_too_many(database: str) -> None:
    async with opened(database) as store:
        for number in range(4):
            await stored(store, f"r{number}", day=DAY + number)
        found = await read(store, most=2)
        assert found.truncated
        assert {totals.day for totals in found.totals} == {DAY + 2, DAY + 3}
        assert {review.id for review in found.slowest} == {"r2", "r3"}
        assert not (await read(store, most=4)).truncated
