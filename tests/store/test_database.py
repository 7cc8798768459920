"""Opening databases, and what is written to them at once."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import warnings
from functools import partial
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from reviewbot.errors import ConfigError
from reviewbot.store import budgets, deliveries, keys, publications
from reviewbot.store.database import StoreError, StoreHooks, open_database
from reviewbot.store.keys import Limits
from reviewbot.store.queue import Claimed
from reviewbot.store.tables import (
    DELIVERIES,
    META,
    PUBLICATIONS,
    RATES,
    UPGRADES,
    USAGE,
    VERSION,
)
from tests.server.databases import postgres_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("reviewbot.db", "not a database URL"),
        ("mysql://localhost/x", "sqlite:///PATH or postgresql://"),
        ("sqlite://", "sqlite:///PATH or postgresql://"),
        ("sqlite:////no/such/folder/x.db", "unable to open"),
        ("postgresql://me:s3cret@127.0.0.1:1/x", "cannot be opened"),
    ],
)
def test_a_database_that_cannot_be_opened_is_named_without_its_password(
    url: str, sentence: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        open_database(url)
    assert sentence in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes" * 1000, "utf-8")
    with pytest.raises(ConfigError, match="file is not a database"):
        open_database(f"sqlite:///{path}")
    assert path.read_text("utf-8") == "my notes" * 1000


async def test_a_database_of_a_later_version_is_refused_and_nothing_stays_open(
    database: str,
) -> None:
    opened = open_database(database)
    with opened.engine.begin() as connection:
        connection.execute(sa.update(META).values(version=VERSION + 1))
    await opened.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConfigError, match="newer reviewbot"):
            open_database(database)
        gc.collect()


def to_version_2(connection: sa.Connection) -> None:
    """Turn the database into one of version 2."""
    for change in (
        "rb_deliveries RENAME COLUMN created_at TO received_at",
        "rb_publications RENAME COLUMN id TO review_id",
        "rb_publications RENAME COLUMN body TO diff",
    ):
        connection.execute(sa.text(f"ALTER TABLE {change}"))
    connection.execute(sa.update(META).values(version=2))


def downgraded(url: str) -> str:
    """Turn the database into one of version 1 with one key, and return the key."""
    engine = open_database(url).engine
    with engine.begin() as connection:
        _, secret = keys.add(connection, "ci", Limits(tokens_per_day=7))
        to_version_2(connection)
        connection.execute(sa.text("ALTER TABLE rb_keys DROP COLUMN scope"))
        connection.execute(sa.update(META).values(version=1))
    engine.dispose()
    return secret


def test_keys_of_version_1_get_the_scope_reviews(database: str) -> None:
    secret = downgraded(database)
    for _ in range(2):
        engine = open_database(database).engine
        with engine.begin() as connection:
            assert connection.scalars(sa.select(META.c.version)).all() == [VERSION]
            key = keys.known(connection, secret)
            assert key is not None
            assert (key.scope, key.limits) == ("reviews", Limits(tokens_per_day=7))
            keys.add(connection, "prometheus", Limits(), scope="metrics")
        engine.dispose()


async def test_open_work_of_version_2_is_claimed_after_the_upgrade(database: str) -> None:
    engine = open_database(database).engine
    row = {"installation": 7, "tries": 1, "next_try_at": 2}
    delivery = {**row, "event": "push", "subject": "octo/repo#1"}
    publication = {**row, "created_at": 1, "target": '{"head": "abc"}', "diff": b"diff"}
    with engine.begin() as connection:
        to_version_2(connection)
        for name, state, node, at in (
            ("first", "working", "gone", 1),
            ("second", "waiting", None, 2),
            ("third", "done", "gone", 3),
        ):
            values = {"id": name, "state": state, "node": node, "received_at": at, "body": b"body"}
            connection.execute(insertion("rb_deliveries", delivery | values))
            values = {"review_id": name, "state": state, "node": node}
            connection.execute(insertion("rb_publications", publication | values))
    engine.dispose()

    opened = open_database(database)
    try:
        for queue in (deliveries.QUEUE, publications.QUEUE):
            claim = partial(queue.claim, node="here", alive=(), at=9, most=9, per_installation=9)
            gone = await opened.read(partial(queue.abandoned, node="here", alive=(), busy=()))
            assert gone == [Claimed("first", 1)]
            back = partial(queue.retry, claimed=gone[0], at=9, reason="gone", until=9)
            assert await opened.write(back)
            done = []
            while claimed := await opened.write(claim):
                for one in claimed:
                    assert await opened.write(partial(queue.complete, claimed=one, at=9))
                    done.append((one.id, one.tries))
            assert done == [("first", 2), ("second", 2)]
        assert await opened.read(partial(deliveries.read, delivery="third")) == ("push", b"body")
        stored = await opened.read(partial(publications.read, review_id="third"))
        assert stored == (7, {"head": "abc"})
    finally:
        await opened.close()


def insertion(table: str, values: dict[str, object]) -> sa.Insert:
    return sa.insert(sa.table(table, *map(sa.column, values))).values(values)


def test_a_database_of_version_2_that_has_no_queues_yet_gets_them(database: str) -> None:
    engine = open_database(database).engine
    with engine.begin() as connection:
        DELIVERIES.drop(connection)
        PUBLICATIONS.drop(connection)
        connection.execute(sa.update(META).values(version=2))
    engine.dispose()
    engine = open_database(database).engine
    with engine.connect() as connection:
        assert not deliveries.QUEUE.is_any_due(connection, 1)
        assert not publications.QUEUE.is_any_due(connection, 1)
    engine.dispose()


async def test_nodes_that_start_at_once_upgrade_a_database_once(database: str) -> None:
    downgraded(database)
    opened = await asyncio.gather(*[asyncio.to_thread(open_database, database) for _ in range(4)])
    for one in opened:
        assert await one.read(lambda connection: len(keys.everyone(connection))) == 1
        await one.close()


def test_a_failed_upgrade_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    secret = downgraded(url)
    with monkeypatch.context() as patch:
        patch.setitem(UPGRADES, 1, (UPGRADES[1][0], ("rb_keys", "ADD COLUMN scope TEXT")))
        with pytest.raises(ConfigError, match="cannot be opened"):
            open_database(url)
    engine = open_database(url).engine
    with engine.connect() as connection:
        assert keys.known(connection, secret) is not None
    engine.dispose()


async def test_a_change_that_fails_is_undone_alone(database: str) -> None:
    opened = open_database(database)
    groups = []
    opened.hooks = StoreHooks(committed=lambda writes, _failed, _seconds: groups.append(writes))

    def insert(minute: int) -> Callable[[sa.Connection], int]:
        def change(connection: sa.Connection) -> int:
            connection.execute(sa.insert(RATES).values(tenant="a", minute=minute))
            if minute % 10 == 3:
                raise ValueError(minute)
            return minute

        return change

    try:
        results = await asyncio.gather(
            *(opened.write(insert(minute)) for minute in range(100)), return_exceptions=True
        )
        failed = [one for one in results if isinstance(one, ValueError)]
        assert [one.args[0] for one in failed] == list(range(3, 100, 10))
        assert groups == [100]  # and no other one waited longer for that
        stored = await opened.read(
            lambda connection: connection.scalars(sa.select(RATES.c.minute)).all()
        )
        assert sorted(stored) == [one for one in range(100) if one % 10 != 3]
    finally:
        await opened.close()


async def test_what_was_asked_for_and_given_up_keeps_no_other_write(database: str) -> None:
    opened = open_database(database)
    try:
        given_up = asyncio.create_task(opened.write(lambda _: None))
        other = asyncio.create_task(opened.write(lambda _: "done"))
        await asyncio.sleep(0)
        given_up.cancel()
        assert await other == "done"
    finally:
        await opened.close()


async def test_an_error_of_the_database_tells_no_values(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    opened = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("DROP TABLE rb_rates")
    connection.close()
    try:
        with pytest.raises(StoreError) as failed:
            await opened.write(
                lambda connection: connection.execute(
                    sa.insert(RATES).values(tenant="s3cret", minute=1)
                )
            )
        assert "s3cret" not in str(failed.value) + caplog.text
    finally:
        await opened.close()


@pytest.mark.slow
async def test_nodes_that_book_the_same_tenants_at_once_do_not_block_each_other() -> None:
    url = postgres_url()
    nodes = [open_database(url), open_database(url)]
    tenants = [f"tenant {number}" for number in range(8)]

    async def books(node: int, number: int) -> None:
        tenant = tenants[(number * 3 if node else -number * 5) % 8]
        await nodes[node].write(
            partial(budgets.hold, tenant=tenant, limits=Limits(), tokens=1, usd=0.0),
            tenant=tenant,
        )

    await asyncio.gather(*(books(node, number) for node in (0, 1) for number in range(300)))

    def held(connection: sa.Connection) -> tuple[int, int]:
        deadlocks = sa.text(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
        total = connection.scalar(sa.select(sa.func.sum(USAGE.c.held_tokens)))
        return int(total), int(connection.scalar(deadlocks))

    assert await nodes[0].read(held) == (600, 0)
    for node in nodes:
        await node.close()
