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
from reviewbot.store import budgets, keys
from reviewbot.store.database import StoreError, StoreHooks, open_database
from reviewbot.store.keys import Limits
from reviewbot.store.tables import META, RATES, UPGRADES, USAGE, VERSION
from tests.server.databases import postgres_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("reviewbot.db", "no database URL"),
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
        with pytest.raises(ConfigError, match="later reviewbot"):
            open_database(database)
        gc.collect()


def downgraded(url: str) -> str:
    """Turn the database into one of version 1 with one key, and return the key."""
    engine = open_database(url).engine
    with engine.begin() as connection:
        _, secret = keys.add(connection, "ci", Limits(tokens_per_day=7))
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
        patch.setitem(UPGRADES, 1, (UPGRADES[1][0], "ALTER TABLE rb_none ADD COLUMN x TEXT"))
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
