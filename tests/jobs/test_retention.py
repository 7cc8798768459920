"""The janitor deletes what is old, and nothing else."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from reviewbot.jobs.admission import ReviewRequest
from reviewbot.jobs.janitor import Janitor
from reviewbot.server.telemetry.instrumentation import Telemetry
from reviewbot.store import publications, reviews
from reviewbot.store.budgets import KEPT_DAYS
from reviewbot.store.connect import psycopg_url, queue_url
from reviewbot.store.database import open_database
from reviewbot.store.eventlog import records_of
from reviewbot.store.publications import NewPublication
from reviewbot.store.reviews import now_ms
from reviewbot.store.tables import (
    CACHE,
    CACHE_SIZES,
    METADATA,
    PUBLICATIONS,
    RATES,
    REVIEWS,
    USAGE,
)
from tests.server.in_process import reviewed, service
from tests.server.nodes import DEMO, follow, node, post, until_state
from tests.support.store_keys import CIPHER

if TYPE_CHECKING:
    from pathlib import Path

DAY_MS = 24 * 3600 * 1000


def rows_of(url: str, review_id: str) -> dict[str, int]:
    """How many rows of each table are of a review, those of the queue included."""
    found = {}
    for address in {psycopg_url(url), queue_url(url)}:
        engine = sa.create_engine(address)
        with engine.connect() as connection:
            inspected = sa.MetaData()
            schemas = [None, "dbos"] if engine.dialect.name == "postgresql" else [None]
            for schema in schemas:
                inspected.reflect(connection, schema=schema)
            for table in inspected.tables.values():
                texts = [one for one in table.c if isinstance(one.type, sa.String | sa.Text)]
                count = connection.scalar(
                    sa.select(sa.func.count())
                    .select_from(table)
                    .where(sa.or_(sa.false(), *(one.startswith(review_id) for one in texts)))
                )
                if count:
                    found[table.name] = count
        engine.dispose()
    return found


def changed(url: str, statement: Any) -> None:
    engine = open_database(url).engine
    with engine.begin() as connection:
        connection.execute(statement)
    engine.dispose()


@pytest.mark.slow
async def test_old_reviews_are_deleted_with_all_that_is_theirs(
    database: str, tmp_path: Path
) -> None:
    arguments = ("--database", database, "--retention-days", "2")
    async with node(tmp_path, *arguments) as one:
        old, recent = [await post(one, DEMO, title=title) for title in ("old", "recent")]
        for review_id in (old, recent):
            await until_state(one, review_id, "finished")
        async with asyncio.timeout(20):
            while not all(  # noqa: ASYNC110 - the queue records the end after the review
                "workflow_output" in rows_of(database, each) for each in (old, recent)
            ):
                await asyncio.sleep(0.05)
    before = rows_of(database, old)
    assert {"rb_reviews", "rb_events", "rb_batches", "workflow_status"} <= before.keys()
    assert before.keys() == rows_of(database, recent).keys()
    three_days_ago = now_ms() - 3 * DAY_MS
    changed(
        database,
        sa.update(REVIEWS).where(REVIEWS.c.id == old).values(finished_at=three_days_ago),
    )
    changed(database, sa.insert(RATES).values(tenant="local", minute=three_days_ago // 60_000))
    async with node(tmp_path, *arguments) as one, one.client() as client:
        async with asyncio.timeout(20):
            while (await client.get(f"/v1/reviews/{old}")).status_code != 404:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert len(await follow(one, recent)) > 5
        async with asyncio.timeout(20):
            while rows_of(database, old):  # noqa: ASYNC110 - the node brings it about
                await asyncio.sleep(0.05)
    assert rows_of(database, recent) == before
    engine = open_database(database, CIPHER).engine
    with engine.connect() as connection:
        assert connection.scalars(sa.select(RATES.c.minute)).all() == []
    engine.dispose()


@pytest.mark.parametrize("retention", [0, 2])
async def test_an_open_review_is_kept_however_old_it_is(retention: int, tmp_path: Path) -> None:
    async with service(tmp_path, Telemetry()) as one:
        row, _ = await one.create(ReviewRequest("local", DEMO))
        await one.database.write(lambda it: it.execute(sa.update(REVIEWS).values(created_at=1)))
        janitor = Janitor(one.database, one._engine, one.runner, one.hub, retention_days=retention)
        await janitor.clean_up()
        kept = await one.database.read(partial(reviews.find, review_id=row.id))
        assert kept
        assert await one.runner.run(row.id, row.runs) == "finished"


async def test_a_retention_of_0_keeps_everything(tmp_path: Path) -> None:
    async with service(tmp_path, Telemetry()) as one:
        records = await reviewed(one)
        review_id = records[0]["review_id"]
        await one.database.write(lambda it: it.execute(sa.update(REVIEWS).values(finished_at=1)))
        await Janitor(one.database, one._engine, one.runner, one.hub, retention_days=0).clean_up()
        assert await one.database.read(partial(records_of, review_id=review_id)) == records


def test_every_table_of_a_review_is_one_that_is_cleaned() -> None:
    """A new table with a review's id must be added to what is deleted with a review."""
    of_reviews = {table.name for table in METADATA.sorted_tables if "review_id" in table.c}
    assert of_reviews == {
        *("rb_batches", "rb_events", "rb_questions", "rb_spent", "rb_whole_files"),
    }


def test_a_deleted_review_leaves_no_publication(database: str) -> None:
    engine = open_database(database, CIPHER).engine
    with engine.begin() as connection:
        for review_id in ("old", "recent"):
            publications.insert(connection, review_id, NewPublication(1, {}, b"diff"))
        reviews.delete(connection, ["old"])
        assert connection.scalars(sa.select(PUBLICATIONS.c.id)).all() == ["recent"]
    engine.dispose()


@pytest.mark.parametrize(("retention", "kept"), [(2, ["recent"]), (0, ["old", "recent"])])
async def test_a_clean_up_also_forgets_days_long_past_and_cached_chunks_long_unused(
    retention: int, kept: list[str], tmp_path: Path
) -> None:
    def put(connection: sa.Connection) -> None:
        now = now_ms()
        for age in (0, KEPT_DAYS, KEPT_DAYS + 1):
            day = now // DAY_MS - age
            connection.execute(sa.insert(USAGE).values(tenant="local", day=day, tokens=age))
        entry = {"tenant": "local", "entry": "{}", "size": 5, "made_at": 0}
        for name, used_at in (("old", now - 3 * DAY_MS), ("recent", now)):
            connection.execute(sa.insert(CACHE).values(key=name, used_at=used_at, **entry))
        connection.execute(sa.insert(CACHE_SIZES).values(tenant="local", bytes=10))

    async with service(tmp_path, Telemetry()) as one:
        await one.database.write(put)
        janitor = Janitor(one.database, one._engine, one.runner, one.hub, retention_days=retention)
        await janitor.clean_up()

        def left(connection: sa.Connection) -> tuple[Any, ...]:
            queries = (USAGE.c.tokens, CACHE.c.key, CACHE_SIZES.c.bytes)
            return tuple(sorted(connection.scalars(sa.select(query))) for query in queries)

        found = await one.database.read(left)
    assert found == ([0, KEPT_DAYS], kept, [5 * len(kept)])
