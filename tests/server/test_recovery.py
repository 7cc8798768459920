"""Reviews whose node stopped, died or stumbled at an unlucky moment: none is lost, or blamed."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from reviewbot.jobs import janitor as janitors
from reviewbot.jobs.admission import ReviewRequest
from reviewbot.jobs.janitor import Janitor, pause_after_breaks
from reviewbot.jobs.run import MOST_BREAKS
from reviewbot.jobs.runner import SUSPECT_BREAKS
from reviewbot.server.observed import Observed
from reviewbot.store import nodes, reviews, turns
from reviewbot.store.connect import psycopg_url, queue_url
from reviewbot.store.database import StoreError, open_database
from reviewbot.store.reviews import NewReview, now_ms
from reviewbot.store.tables import NODES, REVIEWS
from tests.fake_anthropic import Answer, FakeAnthropic, Hang
from tests.server.in_process import service
from tests.server.nodes import (
    APART,
    DEMO,
    Node,
    assert_whole,
    file_of,
    findings_for,
    follow,
    get,
    long_diff,
    node,
    post,
    until,
    until_state,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def asked(url: str | sa.URL, statement: Any) -> Sequence[Any]:
    """The rows of a statement, or none."""
    engine = sa.create_engine(psycopg_url(url) if isinstance(url, str) else url)
    try:
        with engine.begin() as connection:
            found = connection.execute(statement)
            return found.all() if found.returns_rows else []
    finally:
        engine.dispose()


# --- Deploys


@pytest.mark.slow
async def test_a_deploy_is_no_break_however_long_a_connection_lingers(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'reviewbot.db'}"
    async with FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake:
        environment = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        one = Node(tmp_path, ("--grace-s", "0", "--reviews-at-once", "2"), environment, APART)
        for start in range(2):
            await one.start()
            if not start:
                for number in range(5):
                    await post(one, long_diff(1), title=str(number))
            await until(lambda: sum(request.ended is None for request in fake.requests) == 2)
            parts = urlsplit(one.url)
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(
                b"POST /v1/reviews HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/x-diff\r\n"
                b"Content-Length: 100000\r\n\r\nabc"
            )
            await writer.drain()
            assert await one.stop() == 0
            writer.close()
            rows = asked(url, sa.select(REVIEWS.c.state, REVIEWS.c.breaks))
            assert [tuple(row) for row in rows] == [("queued", 0)] * 5


# --- What only the queue has noted


def forget_queue(folder: Path) -> None:
    for path in folder.glob("reviewbot.queue.db*"):
        path.unlink()


def workflow(url: str) -> sa.Table:
    """The queue's own table."""
    engine = sa.create_engine(queue_url(url))
    schema = "dbos" if engine.dialect.name == "postgresql" else None
    with engine.connect() as connection:
        table = sa.Table("workflow_status", sa.MetaData(), schema=schema, autoload_with=connection)
    engine.dispose()
    return table


@pytest.mark.slow
async def test_a_node_that_died_with_a_run_that_was_over_keeps_no_place(
    database: str, tmp_path: Path
) -> None:
    arguments = ("--database", database, "--reviews-per-key", "2")
    async with node(tmp_path, *arguments) as one:
        for _ in range(2):
            await until_state(one, await post(one), "finished")
    # As after a SIGKILL between our commit and the queue's.
    table = workflow(database)
    pending = {"status": "PENDING", "queue_name": "reviews", "executor_id": "gone"}
    asked(
        queue_url(database),
        sa.update(table).where(table.c.queue_partition_key == "local").values(pending),
    )
    async with node(tmp_path, *arguments) as one:
        async with asyncio.timeout(25):
            await until_state(one, await post(one), "finished")


@pytest.mark.slow
async def test_the_queue_is_filled_again_from_the_reviews_that_are_open(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(lambda request: Answer(findings_for(file_of(request)), pace=0.02)) as fake,
        node(tmp_path, "--reviews-at-once", "1", fake=fake, settings=APART) as one,
    ):
        ids = [await post(one, long_diff(1), title=str(number)) for number in range(3)]
        await follow(one, ids[0], until="finding")
        await one.kill()
        forget_queue(tmp_path)
        await one.start()
        for review_id in ids:
            records = await follow(one, review_id)
            assert_whole(records)
            assert records[-1]["outcome"] == "findings"


@pytest.mark.slow
async def test_a_run_that_was_taken_and_never_begun_is_queued_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'reviewbot.db'}"
    async with (
        FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake,
        node(tmp_path, "--reviews-at-once", "1", fake=fake, settings=APART) as one,
    ):
        first = await post(one, long_diff(1))
        await until(lambda: len(fake.requests) == 1)
        second = await post(one, long_diff(1))
        # As after an error between the queue's taking it and its beginning it.
        (row,) = asked(url, sa.select(NODES.c.id))
        table = workflow(url)
        asked(
            queue_url(url),
            sa.update(table)
            .where(table.c.workflow_uuid == f"{second}-1")
            .values(status="PENDING", executor_id=row.id),
        )
        async with one.client() as client:
            await client.delete(f"/v1/reviews/{first}")
        async with asyncio.timeout(25):
            await until(lambda: len(fake.requests) == 2)
        assert (await get(one, second))["state"] == "running"
        rows = asked(url, sa.select(REVIEWS.c.breaks).where(REVIEWS.c.id == second))
        assert rows[0].breaks == 0


class IdleEngine:
    """A queue with nothing in it, whose clean-up never ends."""

    def __init__(self) -> None:
        self.cleaning = asyncio.Event()

    async def held(self) -> list[Any]:
        return []

    async def forget(self, _ids: Sequence[str]) -> None:
        self.cleaning.set()
        await asyncio.Event().wait()


async def test_a_clean_up_that_takes_long_does_not_keep_a_node_from_beating(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(janitors, "BEAT_EVERY_S", 0.01)
    engine, beats = IdleEngine(), 0
    async with service(tmp_path, Observed()) as one:
        await one.create(ReviewRequest("local", DEMO))
        await one.database.write(
            lambda connection: connection.execute(
                sa.update(REVIEWS).values(state="finished", finished_at=1)
            )
        )

        def beat(_connection: sa.Connection, **_: object) -> None:
            nonlocal beats
            beats += engine.cleaning.is_set()

        monkeypatch.setattr(nodes, "beat", beat)
        janitor = Janitor(
            one.database,
            engine,  # type: ignore[arg-type]
            one.runner,
            one.hub,
            retention_days=1,
        )
        working = asyncio.create_task(janitor.work())
        await until(lambda: beats > 3)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


# --- What breaks its node, and what was only there


async def breaks_of(one: Any, review_id: str) -> int:
    row = await one.find(review_id)
    return int(row.breaks)


async def test_a_review_that_gets_on_is_not_blamed_for_earlier_breaks(tmp_path: Path) -> None:
    async with service(tmp_path, Observed()) as one:
        row, _ = await one.create(ReviewRequest("local", DEMO))
        await one.database.write(
            lambda connection: connection.execute(sa.update(REVIEWS).values(breaks=MOST_BREAKS))
        )
        assert await one.runner.run(row.id, 1) == "finished"
        assert await breaks_of(one, row.id) == 0
        found = await one.find(row.id)
        assert found is not None
        assert found.outcome == "findings"


def test_a_review_whose_nodes_keep_ending_waits_longer_each_time() -> None:
    pauses = [pause_after_breaks(number) for number in range(1, MOST_BREAKS + 1)]
    assert pauses[:4] == [0, 2, 4, 8]
    assert pauses == sorted(pauses)
    assert max(pauses) == 300
    assert sum(pauses) > 20 * 60


async def test_a_review_that_only_ever_breaks_off_is_ended_and_says_so(tmp_path: Path) -> None:
    async with service(tmp_path, Observed()) as one:
        row, _ = await one.create(ReviewRequest("local", DEMO))
        await one.database.write(
            lambda connection: connection.execute(
                # Damaged: it cannot even be begun.
                sa.update(REVIEWS).values(breaks=MOST_BREAKS, diff=b"no zlib")
            )
        )
        assert await one.runner.run(row.id, 1) == "left"
        await one.database.write(partial(turns.requeue, review_id=row.id, run=1, breaks=1))
        assert await one.runner.run(row.id, 2) == "finished"
        found = await one.find(row.id)
        assert found is not None
        assert found.outcome == "incomplete"


async def test_of_reviews_that_may_break_a_node_one_runs_at_a_time(tmp_path: Path) -> None:
    async with FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake:
        settings = {
            "model": "claude-sonnet-5-5",
            "env": {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url},
        }
        async with service(tmp_path, Observed(), **settings) as one:
            rows = [
                (await one.create(ReviewRequest("local", DEMO, title=str(number))))[0]
                for number in range(3)
            ]
            await one.database.write(
                lambda connection: connection.execute(
                    sa.update(REVIEWS)
                    .where(REVIEWS.c.id != rows[2].id)
                    .values(breaks=SUSPECT_BREAKS)
                )
            )
            first = asyncio.create_task(one.runner.run(rows[0].id, 1))
            await until(lambda: len(fake.requests) == 1)
            assert await one.runner.run(rows[1].id, 1) == "waiting"
            waiting = await one.find(rows[1].id)
            assert waiting is not None
            assert (waiting.state, waiting.breaks) == ("waiting", SUSPECT_BREAKS)
            assert (waiting.next_try_at or 0) > now_ms()
            beside = asyncio.create_task(one.runner.run(rows[2].id, 1))
            await until(lambda: len(fake.requests) == 2)
            for row in (rows[0], rows[2]):
                one.runner.stop(row.id, "cancelled")
            assert (await first, await beside) == ("finished", "finished")


# --- Clocks, and answers that are lost


async def test_a_clock_that_was_set_back_keeps_no_review_waiting(database: str) -> None:
    opened = open_database(database)
    minute = 60_000

    def due(connection: sa.Connection) -> list[str]:
        for name, again in (("past", -1), ("soon", 4), ("never", 60)):
            new = NewReview(name, "local", b"", "{}", "{}", "")
            reviews.insert(connection, new, 1, last_seq=0)
            connection.execute(
                sa.update(REVIEWS)
                .where(REVIEWS.c.id == name)
                .values(state="waiting", next_try_at=now_ms() + again * minute)
            )
        rows = turns.due(connection, at=now_ms(), longest_ms=5 * minute)
        return sorted(row.id for row in rows)

    assert await opened.write(due) == ["never", "past"]
    await opened.close()


async def test_a_review_that_was_stored_is_told_though_the_answer_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(tmp_path, Observed()) as one:
        write = one.database.write

        async def lost(change: Any, *, tenant: str = "") -> Any:
            await write(change, tenant=tenant)
            raise StoreError("no answer")

        monkeypatch.setattr(one.database, "write", lost)
        row, replayed = await one.create(ReviewRequest("local", DEMO))
        assert (row.state, replayed) == ("queued", False)

        async def never(*_: object, **__: object) -> Any:
            raise StoreError("no answer")

        monkeypatch.setattr(one.database, "write", never)
        with pytest.raises(StoreError):
            await one.create(ReviewRequest("local", DEMO, title="another"))


async def test_cancelling_before_a_review_began_needs_nothing_but_its_events(
    tmp_path: Path,
) -> None:
    async with (
        FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake,
        node(tmp_path, "--reviews-at-once", "1", fake=fake, settings=APART) as one,
    ):
        await post(one, long_diff(1))
        await until(lambda: len(fake.requests) == 1)
        review_id = await post(one, long_diff(2))
        async with one.client() as client:
            assert (await client.delete(f"/v1/reviews/{review_id}")).status_code == 204
        records = await follow(one, review_id)
        assert_whole(records)
        assert records[-1]["outcome"] == "cancelled"
        assert {file["status"] for file in records[-1]["coverage"]} == {"failed"}
        assert len(records[-1]["coverage"]) == 2
