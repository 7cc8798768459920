"""Reviews whose node stopped or crashed are resumed, and not blamed for it."""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from reviewbot.core.events.events import ChunkFinished, ChunkStarted
from reviewbot.jobs import janitor as janitors
from reviewbot.jobs.admission import ReviewRequest
from reviewbot.jobs.janitor import Janitor
from reviewbot.jobs.run import MOST_BREAKS, _broke_off
from reviewbot.server.telemetry.instrumentation import Telemetry
from reviewbot.store import checkpoints, nodes, reviews, turns
from reviewbot.store.connect import psycopg_url, queue_url
from reviewbot.store.database import StoreError, open_database
from reviewbot.store.eventlog import insert_events, records_of, stored
from reviewbot.store.reviews import NewReview, now_ms
from reviewbot.store.tables import NODES, REVIEWS
from tests.fake_anthropic import Answer, FakeAnthropic, Hang
from tests.server.in_process import service
from tests.server.nodes import (
    APART,
    DEMO,
    ROOT,
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
from tests.support.store_keys import CIPHER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reviewbot.core.events.events import Event
    from tests.fake_anthropic.requests import Recorded


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
    async with service(tmp_path, Telemetry()) as one:
        await one.create(ReviewRequest("local", DEMO))
        await one.database.write(
            lambda connection: connection.execute(
                sa.update(REVIEWS).values(state="finished", finished_at=1)
            )
        )

        def heartbeat(_connection: sa.Connection, **_: object) -> None:
            nonlocal beats
            beats += engine.cleaning.is_set()

        monkeypatch.setattr(nodes, "heartbeat", heartbeat)
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
    async with service(tmp_path, Telemetry()) as one:
        row, _ = await one.create(ReviewRequest("local", DEMO))
        await one.database.write(
            lambda connection: connection.execute(sa.update(REVIEWS).values(breaks=MOST_BREAKS - 1))
        )
        assert await one.runner.run(row.id, 1) == "finished"
        assert await breaks_of(one, row.id) == 0
        found = await one.find(row.id)
        assert found is not None
        assert found.outcome == "findings"


async def test_a_review_that_only_ever_breaks_off_is_ended_and_says_so(tmp_path: Path) -> None:
    async with service(tmp_path, Telemetry()) as one:
        row, _ = await one.create(ReviewRequest("local", DEMO))
        await one.database.write(
            lambda connection: connection.execute(
                # Damaged: it cannot even be begun.
                sa.update(REVIEWS).values(breaks=MOST_BREAKS - 1, diff=b"no zlib")
            )
        )
        assert await one.runner.run(row.id, 1) == "left"
        await one.database.write(partial(turns.requeue, review_id=row.id, run=1, breaks=1))
        assert await one.runner.run(row.id, 2) == "finished"
        found = await one.find(row.id)
        assert found is not None
        assert found.outcome == "incomplete"
        end = (await one.database.read(partial(records_of, review_id=row.id)))[-1]
        reason = "The review stopped unexpectedly 3 times while no file was being reviewed."
        assert end["reasons"] == [reason]
        assert reason in {file["reason"] for file in end["coverage"]}


async def test_of_reviews_that_may_break_a_node_one_runs_at_a_time(tmp_path: Path) -> None:
    async with FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake:
        settings = {
            "model": "claude-sonnet-5-5",
            "env": {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url},
        }
        async with service(tmp_path, Telemetry(), **settings) as one:
            rows = [
                (await one.create(ReviewRequest("local", DEMO, title=str(number))))[0]
                for number in range(3)
            ]
            await one.database.write(
                lambda connection: connection.execute(
                    sa.update(REVIEWS).where(REVIEWS.c.id != rows[2].id).values(breaks=1)
                )
            )
            first = asyncio.create_task(one.runner.run(rows[0].id, 1))
            await until(lambda: len(fake.requests) == 1)
            assert await one.runner.run(rows[1].id, 1) == "waiting"
            waiting = await one.find(rows[1].id)
            assert waiting is not None
            assert (waiting.state, waiting.breaks) == ("waiting", 1)
            assert (waiting.next_try_at or 0) > now_ms()
            beside = asyncio.create_task(one.runner.run(rows[2].id, 1))
            await until(lambda: len(fake.requests) == 2)
            for row in (rows[0], rows[2]):
                one.runner.stop(row.id, "cancelled")
            assert (await first, await beside) == ("finished", "finished")


def first_file_only(request: Recorded) -> Answer:
    """Answer about the first file of a long diff, and hold the requests about the others."""
    path = file_of(request)
    return Answer(findings_for(path)) if path == "file_0.py" else Answer([], before=[Hang()])


async def test_a_review_that_broke_off_runs_one_batch_at_a_time_and_then_lets_others_on(
    tmp_path: Path,
) -> None:
    async with FakeAnthropic(first_file_only) as fake:
        settings = {
            "model": "claude-sonnet-5-5",
            "env": {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url},
        }
        (tmp_path / ".reviewbot.yml").write_text(APART)
        async with service(tmp_path, Telemetry(), **settings) as one:
            rows = [
                (await one.create(ReviewRequest("local", long_diff(3), title=str(number))))[0]
                for number in range(2)
            ]
            await one.database.write(
                lambda connection: connection.execute(sa.update(REVIEWS).values(breaks=2))
            )
            first = asyncio.create_task(one.runner.run(rows[0].id, 1))
            await until(lambda: len(fake.requests) == 2)
            async with asyncio.timeout(20):
                while await breaks_of(one, rows[0].id):  # noqa: ASYNC110 - the database has no event
                    await asyncio.sleep(0.01)
            second = asyncio.create_task(one.runner.run(rows[1].id, 1))
            await until(lambda: len(fake.requests) == 3)  # its first batch is in the cache
            asked_about = [file_of(request) for request in fake.requests]
            assert asked_about == ["file_0.py", "file_1.py", "file_1.py"]
            for row in rows:
                one.runner.stop(row.id, "cancelled")
            assert (await first, await second) == ("finished", "finished")


@pytest.mark.slow
async def test_a_batch_on_which_three_processes_die_ends_the_review_and_is_named(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'reviewbot.db'}"

    async with FakeAnthropic(first_file_only) as fake:
        environment = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        one = Node(tmp_path, ("--grace-s", "0"), environment, APART)
        await one.start()
        review_id = await post(one, long_diff(3))
        # One file is reviewed, the two others are at work: two batches at a time.
        await until(lambda: sorted(map(file_of, fake.requests))[-1:] == ["file_2.py"])
        await follow(one, review_id, until="chunk.finished")
        await one.kill()
        for number, (kill, breaks) in enumerate(((False, 1), (True, 1), (True, 2)), 4):
            await one.start()
            await until(lambda: len(fake.requests) == number)  # noqa: B023 - it waits here
            await until(lambda: all(request.ended for request in fake.requests[:-1]))
            assert file_of(fake.requests[-1]) == "file_1.py"
            await until_state(one, review_id, "running")
            (row,) = asked(url, sa.select(REVIEWS.c.breaks))
            assert row.breaks == breaks
            if kill:
                await one.kill()
            else:
                assert await one.stop() == 0  # as a deploy does: it does not count
        requests = len(fake.requests)
        await one.start()
        try:
            found = await until_state(one, review_id, "finished")
            records = await follow(one, review_id)
        finally:
            await one.kill()
        assert len(fake.requests) == requests
    assert_whole(records)
    reason = "The review stopped unexpectedly 3 times while it reviewed file_1.py."
    end = records[-1]
    assert (end["outcome"], end["reasons"]) == ("incomplete", [reason])
    assert {file["path"]: (file["status"], file["reason"]) for file in end["coverage"]} == {
        "file_0.py": ("reviewed", None),
        "file_1.py": ("failed", reason),
        "file_2.py": ("failed", "The review ended before it was reached."),
    }
    assert sum(end["findings"].values()) == 3
    assert {one["path"] for one in found["findings"]} == {"file_0.py"}


async def test_the_files_in_flight_are_those_of_the_batch_that_was_asked_last(
    tmp_path: Path,
) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'reviewbot.db'}")

    def started(batch: str, *paths: str) -> list[Event]:
        return [ChunkStarted(f"{batch}{path}", path, batch, "m", 1) for path in paths]

    def ended(batch: str, path: str) -> Event:
        return ChunkFinished(f"{batch}{path}", path, "reviewed", "m", 1)

    for events, files in (
        ([], ()),
        ([*started("b1", "a", "b"), *started("b2", "c")], ("c",)),
        ([*started("b2", "c"), *started("b1", "a", "b"), *started("b1", "a", "b")], ("a", "b")),
        ([*started("b1", "a", "b"), ended("b1", "a")], ("b",)),
        ([*started("b2", "c"), *started("b1", "a"), ended("b1", "a")], ()),
    ):

        def found(connection: sa.Connection, events: list[Event] = events) -> tuple[str, ...]:
            review_id = secrets.token_hex(16)
            rows = [
                stored(event, seq=number, review_id=review_id, at=1)
                for number, event in enumerate(events, 1)
            ]
            if rows:
                insert_events(connection, review_id, rows)
            return checkpoints.in_flight(connection, review_id)

        assert await database.write(found) == files
    await database.close()


def test_many_files_in_flight_are_counted() -> None:
    assert _broke_off(3, [f"{number}.py" for number in range(8)]) == (
        "The review stopped unexpectedly 3 times while it reviewed"
        " 0.py, 1.py, 2.py, 3.py, 4.py and 3 more files."
    )


# --- Clocks, and answers that are lost


async def test_a_clock_that_was_set_back_keeps_no_review_waiting(database: str) -> None:
    opened = open_database(database, CIPHER)
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
    async with service(tmp_path, Telemetry()) as one:
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


@pytest.mark.slow
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


def test_the_documented_time_of_a_takeover_is_that_of_heartbeats_and_rounds() -> None:
    page = " ".join((ROOT / "docs" / "server.md").read_text("utf-8").split())
    dead_s = nodes.TTL_MS / 1000
    first_s, last_s = dead_s - janitors.BEAT_EVERY_S, dead_s + janitors.ROUND_EVERY_S
    assert f"another continues its reviews after {first_s:g} to {last_s:g} seconds" in page
    assert f"a node counts as dead {dead_s:g} seconds after its last heartbeat" in page
