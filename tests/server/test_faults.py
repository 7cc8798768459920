"""What may happen around a server: a full disk, a database that is locked, away, restarted."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.routing import Route

from reviewbot.core.events.events import ReviewProgress, Usage
from reviewbot.server.faults import HANDLERS
from reviewbot.store import eventlog, reviews, turns
from reviewbot.store.connect import psycopg_url
from reviewbot.store.database import StoreError, open_database
from reviewbot.store.eventlog import EventLog, FencedError
from reviewbot.store.hub import Hub
from reviewbot.store.tables import REVIEWS
from tests.fake_anthropic import Answer, FakeAnthropic, Recorded, Reply
from tests.server.databases import postgres_url
from tests.server.nodes import (
    APART,
    assert_whole,
    file_of,
    findings_for,
    follow,
    long_diff,
    node,
    post,
)
from tests.support.store_keys import CIPHER

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response


def answer(request: Recorded) -> Reply:
    return Answer(findings_for(file_of(request)), delta_size=40, pace=0.01)


def assert_found(records: list[dict[str, Any]], files: int) -> None:
    """The stream is whole, and has the findings of each file once."""
    assert_whole(records)
    assert records[-1]["outcome"] == "findings"
    assert sum(one["type"] == "finding" for one in records) == 3 * files


@pytest.mark.slow
@pytest.mark.real_time
async def test_a_database_that_is_locked_for_seconds_delays_a_review_and_no_more(
    tmp_path: Path,
) -> None:
    async with FakeAnthropic(answer) as fake, node(tmp_path, fake=fake, settings=APART) as one:
        review_id = await post(one, long_diff(3))
        await follow(one, review_id, until="finding")
        other = sqlite3.connect(tmp_path / "reviewbot.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(2)
        other.execute("ROLLBACK")
        other.close()
        assert_found(await follow(one, review_id), 3)
        assert len(fake.requests) == 3


@pytest.mark.slow
@pytest.mark.real_time
async def test_a_full_disk_makes_a_review_wait_and_loses_none_of_it(tmp_path: Path) -> None:
    async with FakeAnthropic(answer) as fake, node(tmp_path, fake=fake, settings=APART) as one:
        review_id = await post(one, long_diff(3))
        await follow(one, review_id, until="finding")
        assert one.process is not None
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        # No file may grow: what a full disk is to SQLite.
        resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, (1, hard))
        await asyncio.sleep(1.5)
        async with one.client() as client:
            refused = await client.post(
                "/v1/reviews", content=long_diff(1), headers={"Content-Type": "text/x-diff"}
            )
            assert refused.status_code == 503
            assert refused.headers["retry-after"]
            assert refused.headers["content-type"] == "application/problem+json"
        resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert_found(await follow(one, review_id), 3)


@pytest.mark.slow
@pytest.mark.real_time
async def test_connections_that_a_postgres_ends_are_made_anew(tmp_path: Path) -> None:
    database = postgres_url()
    engine = sa.create_engine(psycopg_url(database))
    async with (
        FakeAnthropic(answer) as fake,
        node(tmp_path, "--database", database, fake=fake, settings=APART) as one,
    ):
        review_id = await post(one, long_diff(4))
        await follow(one, review_id, until="finding")
        for _ in range(3):
            with engine.begin() as connection:
                connection.execute(
                    sa.text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )
            await asyncio.sleep(0.2)
        records: list[dict[str, Any]] = []
        async with asyncio.timeout(60):
            while not records or records[-1]["type"] != "review.finished":
                records += await follow(one, review_id, after=len(records))
        assert_found(records, 4)
    engine.dispose()


@pytest.mark.slow
async def test_a_restart_in_the_middle_of_a_replay_leaves_no_gap(tmp_path: Path) -> None:
    async with FakeAnthropic(answer) as fake, node(tmp_path, fake=fake, settings=APART) as one:
        review_id = await post(one, long_diff(3))
        whole = await follow(one, review_id)
        part = await follow(one, review_id, until="finding")
        await one.kill()
        await one.start()
        assert part + await follow(one, review_id, after=len(part)) == whole


def progress(findings: int) -> ReviewProgress:
    return ReviewProgress(0, 1, 0, 1, findings, Usage(), 0.0)


@pytest.fixture
def log_of(database: str) -> Any:
    """Makes event logs of one review that is in the database."""
    opened = open_database(database, CIPHER)
    with opened.engine.begin() as connection:
        new = reviews.NewReview("r" * 32, "local", b"", "{}", "{}", "")
        reviews.insert(connection, new, 1, last_seq=0)
        claimed = turns.claim(connection, new.id, 1, "node")
        assert claimed is not None
    yield lambda row=claimed: EventLog(opened, Hub(opened), row)
    opened.engine.dispose()


async def test_times_never_go_back_when_the_clock_does(
    log_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([5_000_000, 4_000_000, 9_000_000, 1, 9_000_001])
    monkeypatch.setattr(eventlog, "now_ms", lambda: next(times))
    log = log_of()
    for number in range(5):
        await log.put(progress(number))
    await log.flush()
    found = await log._database.read(lambda connection: eventlog.records_of(connection, "r" * 32))
    at = [record["at"] for record in found]
    assert at == sorted(at)
    assert [record["findings"] for record in found] == [0, 1, 2, 3, 4]
    await log._database.close()


async def test_a_writer_that_was_replaced_can_write_no_more(log_of: Any) -> None:
    old, before = log_of(), log_of()
    await before.put(progress(1))
    await before.flush()
    with before._database.engine.begin() as connection:
        turns.requeue(connection, "r" * 32, 1, breaks=1)
        claimed = turns.claim(connection, "r" * 32, 2, "other")
        assert claimed
    await before.put(progress(2))
    with pytest.raises(FencedError):
        await before.flush()
    await old.put(progress(3))
    with pytest.raises(FencedError):
        await old.flush()
    new = log_of(claimed)
    await new.put(progress(4))
    await new.flush()
    found = await new._database.read(lambda connection: eventlog.records_of(connection, "r" * 32))
    assert [record["findings"] for record in found] == [1, 4]
    await new._database.close()


async def test_a_commit_whose_answer_was_lost_is_done_once(
    log_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways: the write was done, and the write was not done."""
    log = log_of()
    write, turns = log._database.write, iter(["stored", "lost", "told"] * 9)
    monkeypatch.setattr(eventlog, "RETRY_S", (0.0,) * 5)

    async def unreliable(change: Any, *, tenant: str) -> Any:
        turn = next(turns)
        result = None if turn == "lost" else await write(change, tenant=tenant)
        if turn != "told":
            raise StoreError("no answer")
        return result

    log._database.write = unreliable
    for number in range(3):
        await log.put(progress(number))
        await log.flush()
        log.change(
            lambda connection: connection.execute(
                sa.update(REVIEWS).values(held_tokens=REVIEWS.c.held_tokens + 1)
            )
        )
        await log.flush()
    log._database.write = write
    found = await log._database.read(lambda connection: eventlog.records_of(connection, "r" * 32))
    assert [record["findings"] for record in found] == [0, 1, 2]
    held = await log._database.read(
        lambda connection: connection.scalar(sa.select(REVIEWS.c.held_tokens))
    )
    assert held == 3
    await log._database.close()


async def test_the_503_of_a_database_says_that_the_review_may_have_started() -> None:
    """As the response of a commit may be lost, a client must not send the diff again blindly."""

    async def create(_request: Request) -> Response:
        raise StoreError("no answer")

    app = Starlette(routes=[Route("/", create, methods=["POST"])], exception_handlers=HANDLERS)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        refused = await client.post("/")
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    assert "may have started" in refused.json()["detail"]
    assert "Idempotency-Key" in refused.json()["detail"]
