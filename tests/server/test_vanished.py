"""A database that says nothing any more: nobody waits for ever, and nothing happens twice."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from reviewbot.core.events.events import ReviewProgress, Usage
from reviewbot.jobs import service as jobs_service
from reviewbot.jobs.admission import ReviewRequest
from reviewbot.server.telemetry.instrumentation import Telemetry
from reviewbot.store import database as store_database
from reviewbot.store import eventlog, reviews, turns
from reviewbot.store.connect import psycopg_url
from reviewbot.store.database import Database, StoreError, open_database
from reviewbot.store.eventlog import EventLog
from reviewbot.store.hub import Hub
from reviewbot.store.tables import RATES
from tests.server.databases import postgres_url
from tests.server.in_process import service
from tests.server.nodes import DEMO, START_S, node, post, until, until_state
from tests.support.store_keys import CIPHER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

PATIENCE_S = 0.3


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_database, "PATIENCE_S", PATIENCE_S)
    monkeypatch.setattr(jobs_service, "PATIENCE_S", PATIENCE_S)


class Hole:
    """A way to Postgres on which everything can be lost that is sent, without a word of it."""

    def __init__(self, url: str) -> None:
        self._to = sa.make_url(url)
        self._open = asyncio.Event()
        self._open.set()
        self.port = 0

    @property
    def url(self) -> str:
        through = self._to.set(host="127.0.0.1", port=self.port, query={})
        return through.render_as_string(hide_password=False)

    def swallow(self) -> None:
        self._open.clear()

    def pass_on(self) -> None:
        self._open.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        folder = self._to.query["host"]
        path = f"{folder}/.s.PGSQL.{self._to.port or 5432}"
        there, back = await asyncio.open_unix_connection(path)
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def hole() -> AsyncIterator[Hole]:
    made = Hole(postgres_url())
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        made.pass_on()
        server.close()


def one_more(minute: int) -> Callable[[sa.Connection], int]:
    def change(connection: sa.Connection) -> int:
        connection.execute(sa.insert(RATES).values(tenant="a", minute=minute))
        return minute

    return change


def minutes(connection: sa.Connection) -> list[int]:
    return list(connection.scalars(sa.select(RATES.c.minute).order_by(RATES.c.minute)))


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
async def test_a_postgres_that_says_nothing_is_given_up_and_asked_again_once_it_does() -> None:
    async with hole() as way:
        opened = await asyncio.to_thread(open_database, way.url, CIPHER)
        assert await opened.read(minutes) == []
        assert await opened.write(one_more(1)) == 1
        way.swallow()
        async with asyncio.timeout(10 * PATIENCE_S):
            begun = asyncio.create_task(opened.write(one_more(2)))
            await asyncio.sleep(0.05)
            answers = await asyncio.gather(
                begun,
                opened.write(one_more(3)),
                *(opened.read(minutes) for _ in range(8)),
                return_exceptions=True,
            )
        assert {str(one) for one in answers} == {"the database did not answer: TimeoutError"}
        assert all(isinstance(one, StoreError) for one in answers)
        way.pass_on()
        assert await opened.write(one_more(4)) == 4
        # What was begun was done, before what was asked for later. What was not begun never is.
        assert await opened.read(minutes) == [1, 2, 4]
        await opened.close()


class Stuck:
    """A change, or query, that does not come back until it is let."""

    def __init__(self) -> None:
        self.begun, self.let = threading.Event(), threading.Event()

    def __call__(self, connection: sa.Connection) -> list[int]:
        self.begun.set()
        assert self.let.wait(START_S)
        return minutes(connection)


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Database]:
    made = open_database(f"sqlite:///{tmp_path / 'reviewbot.db'}", CIPHER)
    yield made
    await made.close()


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    made = Stuck()
    yield made
    made.let.set()


@pytest.mark.usefixtures("impatient")
async def test_a_write_that_was_given_up_before_it_was_begun_is_never_done(
    opened: Database, stuck: Stuck
) -> None:
    first = asyncio.create_task(opened.write(stuck))
    await asyncio.to_thread(stuck.begun.wait)
    async with asyncio.timeout(10 * PATIENCE_S):
        with pytest.raises(StoreError):
            await opened.write(one_more(1))
        with pytest.raises(StoreError):
            await first
    later = asyncio.create_task(opened.write(one_more(2)))
    stuck.let.set()
    assert await later == 2
    assert await opened.read(minutes) == [2]


@pytest.mark.usefixtures("impatient")
async def test_reads_that_were_given_up_keep_no_later_one(opened: Database) -> None:
    all_of_them = [Stuck() for _ in range(store_database.READERS)]
    async with asyncio.timeout(10 * PATIENCE_S):
        answers = await asyncio.gather(
            opened.read(minutes),
            *(opened.read(one) for one in all_of_them),
            opened.read(minutes),
            return_exceptions=True,
        )
    assert answers[0] == []
    assert all(isinstance(one, StoreError) for one in answers[1:])
    for one in all_of_them:
        one.let.set()
    assert await opened.read(minutes) == []


async def test_what_runs_out_of_time_in_a_change_is_not_taken_for_the_database(
    opened: Database,
) -> None:
    def change(_: sa.Connection) -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await opened.write(change)


@pytest.mark.real_time
@pytest.mark.usefixtures("impatient")
async def test_events_whose_write_was_given_up_are_stored_once_and_in_order(
    opened: Database, stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eventlog, "RETRY_S", (0.01,) * 20)
    new = reviews.NewReview("r" * 32, "local", b"", "{}", "{}", "")
    with opened.engine.begin() as connection:
        reviews.insert(connection, new, 1, last_seq=0)
        row = turns.claim(connection, new.id, 1, "node")
    assert row is not None
    log = EventLog(opened, Hub(opened), row)
    log.change(stuck)
    for number in range(5):
        await log.put(ReviewProgress(0, 1, 0, 1, number, Usage(), 0.0))
    await asyncio.sleep(4 * PATIENCE_S)
    stuck.let.set()
    await log.flush()
    records = await opened.read(lambda connection: eventlog.records_of(connection, new.id))
    assert [one["findings"] for one in records] == [0, 1, 2, 3, 4]
    assert [one["seq"] for one in records] == [1, 2, 3, 4, 5]


@pytest.mark.usefixtures("impatient")
async def test_a_queue_that_does_not_answer_keeps_no_request(tmp_path: Path) -> None:
    class Silent:
        async def enqueue(self, *_: object) -> None:
            await asyncio.Event().wait()

    async with service(tmp_path, Telemetry()) as one:
        one._engine = Silent()  # type: ignore[assignment]
        async with asyncio.timeout(10 * PATIENCE_S):
            row, _ = await one.create(ReviewRequest("local", DEMO))
        assert row.state == "queued"  # the janitor looks for it


def option(connection: sa.Connection, name: int) -> int:
    driver: Any = connection.connection.driver_connection
    with socket.socket(fileno=socket.dup(driver.fileno())) as one:
        return one.getsockopt(socket.IPPROTO_TCP, name)


@pytest.mark.slow
async def test_a_connection_notices_within_seconds_that_the_other_side_is_gone() -> None:
    async with hole() as way:
        opened = await asyncio.to_thread(open_database, way.url, CIPHER)
        named = await asyncio.to_thread(open_database, f"{way.url}?keepalives_idle=77")
        names = [
            *(socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT),
            socket.TCP_USER_TIMEOUT,
        ]
        found = await opened.read(lambda connection: [option(connection, name) for name in names])
        assert found == [5, 2, 3, 10_000]
        # What the URL says holds.
        assert await named.read(lambda connection: option(connection, socket.TCP_KEEPIDLE)) == 77
        await opened.close()
        await named.close()


def watched_s(port: int) -> list[float]:
    """Of each connection to ``port``, in how many seconds it is looked whether it is still there.

    See proc_net_tcp.txt of Linux: what follows ``tr`` is a timer in hundredths of a second.
    """
    found = []
    for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]:
        _, _, remote, state, _, timer, *_ = line.split()
        kind, when = timer.split(":")
        if remote == f"0100007F:{port:04X}" and state == "01":
            found.append(int(when, 16) / 100 if kind == "02" else float("inf"))
    return found


@pytest.mark.slow
async def test_each_connection_of_a_node_is_watched_that_of_its_queue_too(tmp_path: Path) -> None:
    async with hole() as way, node(tmp_path, "--database", way.url) as one:
        await until_state(one, await post(one), "finished")
        # One each that is idle: of the store, of the queue, and both that hear of events.
        async with asyncio.timeout(START_S):
            await until(lambda: len(watched_s(way.port)) >= 4)
            await until(lambda: max(watched_s(way.port)) <= 5)
        await one.stop()


@pytest.mark.slow
@pytest.mark.real_time
async def test_no_statement_and_no_lock_is_waited_for_for_ever_but_the_schema() -> None:
    url = postgres_url()
    opened = open_database(url)
    limits = ("statement_timeout", "idle_in_transaction_session_timeout")

    def shown(connection: sa.Connection) -> list[Any]:
        return [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in limits]

    assert await opened.read(shown) == ["30s", "30s"]
    other = sa.create_engine(psycopg_url(url))
    short = f"{url}{'&' if '?' in url else '?'}options=-c%20statement_timeout%3D300"
    with other.connect() as holder:
        holder.exec_driver_sql("SELECT pg_advisory_xact_lock(7281)")
        opening = asyncio.create_task(asyncio.to_thread(open_database, short))
        await asyncio.sleep(0.6)
        assert not opening.done()
        holder.rollback()
        hasty = await opening
        assert await hasty.read(shown) == ["300ms", "30s"]  # what the URL says holds
        holder.exec_driver_sql("LOCK TABLE rb_rates")
        async with asyncio.timeout(20):
            with pytest.raises(StoreError, match="QueryCanceled 57014"):
                await hasty.write(one_more(1))
        holder.rollback()
    assert await hasty.write(one_more(2)) == 2
    assert await opened.read(minutes) == [2]
    other.dispose()
    await hasty.close()
    await opened.close()
