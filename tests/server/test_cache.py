"""The review cache on a server: nothing is paid for twice, nothing crosses from key to key."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from reviewbot.core.cache.entry import Entry, HunkRange
from reviewbot.core.cache.keys import ChunkKey, bands
from reviewbot.store import cache, keys
from reviewbot.store.cache import DatabaseCache
from reviewbot.store.database import Database, open_database
from reviewbot.store.keys import Limits
from reviewbot.store.tables import CACHE, CACHE_BANDS, CACHE_SIZES
from tests.fake_anthropic import Answer, FakeAnthropic
from tests.server.nodes import APART, file_of, findings_for, follow, long_diff, node, post

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.mark.slow
async def test_what_was_reviewed_before_is_not_asked_again_and_says_so(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(lambda request: Answer(findings_for(file_of(request)))) as fake,
        node(tmp_path, fake=fake, settings=APART) as one,
    ):
        first = await follow(one, await post(one, long_diff(2)))
        assert len(fake.requests) == 2
        again = await follow(one, await post(one, long_diff(3)))
        assert [file_of(request) for request in fake.requests[2:]] == ["file_2.py"]
        found = [event["finding"] for event in again if event["type"] == "finding"]
        cached = {finding["title"] for finding in found if finding["cached"]}
        assert cached == {e["finding"]["title"] for e in first if e["type"] == "finding"}
        assert {f["title"] for f in found} - cached == {f"file_2.py {n}" for n in (1, 40, 160)}
        ends = {e["path"]: e["cached"] for e in again if e["type"] == "chunk.finished"}
        assert ends == {"file_0.py": True, "file_1.py": True, "file_2.py": False}
        await follow(one, await post(one, long_diff(1), cache="false"))
        assert len(fake.requests) == 4


@pytest.mark.slow
async def test_another_number_of_examples_is_another_prompt(tmp_path: Path) -> None:
    async with FakeAnthropic(lambda request: Answer(findings_for(file_of(request)))) as fake:
        for settings in (APART, f"{APART}examples: 0\n"):
            async with node(tmp_path, fake=fake, settings=settings) as one:
                await follow(one, await post(one, long_diff(1)))
        assert ["<example>" in request.text for request in fake.requests] == [True, False]


@pytest.mark.slow
async def test_it_can_be_turned_off_for_a_server(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(lambda request: Answer(findings_for(file_of(request)))) as fake,
        node(tmp_path, "--cache-mb", "0", fake=fake, settings=APART) as one,
    ):
        for _ in range(2):
            await follow(one, await post(one, long_diff(1)))
        assert len(fake.requests) == 2


EXTENTS = (HunkRange(0, 0, 1, 1), HunkRange(0, 0, 5, 1))


def entry(number: int) -> Entry:
    """An entry of its own, of about the same size as the others."""
    key = ChunkKey(exact=f"{number:064x}", family="f", hunks=(f"{number:032x}", "same"))
    return Entry(
        key=key,
        model="m",
        prompt_version="p",
        tokens=1,
        extents=EXTENTS,
        salt="s",
        lines=("", ""),
        drafts=(),
    )


@pytest.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    """An open, empty database."""
    one = open_database(database)
    yield one
    await one.close()


async def test_entries_are_found_by_key_and_by_band_newest_first(opened: Database) -> None:
    store = DatabaseCache(opened, "a", limit=1_000_000)
    await store.put([entry(1), entry(2)])
    await store.put([entry(3)])
    assert await store.exact([entry(1).key.exact, "0" * 64]) == {entry(1).key.exact: entry(1)}
    found = await store.similar(bands(entry(9).key), limit=2)
    assert len(found) == 2
    assert found[0] == entry(3)
    assert await store.similar(["x"], limit=2) == []


async def test_an_entry_that_is_put_again_is_replaced(opened: Database) -> None:
    store = DatabaseCache(opened, "a", limit=1_000_000)
    await store.put([entry(1)])
    await store.put([replace(entry(1), tokens=7)])
    assert (await store.exact([entry(1).key.exact]))[entry(1).key.exact].tokens == 7


async def test_nothing_is_found_of_another_tenant(opened: Database) -> None:
    await DatabaseCache(opened, "a", limit=1_000_000).put([entry(1)])
    other = DatabaseCache(opened, "b", limit=1_000_000)
    assert await other.exact([entry(1).key.exact]) == {}
    assert await other.similar(bands(entry(1).key), limit=5) == []


def kept(opened: Database, tenant: str) -> int:
    """The bytes of a tenant, as they are counted; fails unless that is what there is."""
    with opened.engine.connect() as connection:
        there = connection.execute(
            sa.select(CACHE.c.key, CACHE.c.size).where(CACHE.c.tenant == tenant)
        ).all()
        counted = connection.scalar(
            sa.select(CACHE_SIZES.c.bytes).where(CACHE_SIZES.c.tenant == tenant)
        )
        found = connection.scalars(
            sa.select(CACHE_BANDS.c.key).where(CACHE_BANDS.c.tenant == tenant)
        )
        assert set(found) == {row.key for row in there}
    assert (counted or 0) == sum(row.size for row in there)
    return counted or 0


def watched(
    opened: Database, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[int, int]]:
    """How many entries of ``tenant`` there are before and after each write from now on."""
    write, seen = opened.write, list[tuple[int, int]]()

    def count(connection: sa.Connection) -> int:
        query = sa.select(sa.func.count()).where(CACHE.c.tenant == tenant)
        return connection.scalar(query) or 0

    async def watch(change: Any, **options: Any) -> Any:
        def both(connection: sa.Connection) -> Any:
            before = count(connection)
            result = change(connection)
            seen.append((before, count(connection)))
            return result

        return await write(both, **options)

    monkeypatch.setattr(opened, "write", watch)
    return seen


@pytest.mark.slow
async def test_whatever_is_put_it_is_below_its_limit_after_and_counted_right(
    opened: Database,
) -> None:
    chance = random.Random(7)  # noqa: S311 - no secret, and the same in each run
    for _ in range(60):
        tenant = chance.choice("ab")
        limit = chance.choice((3_000, 20_000, 60_000))
        store = DatabaseCache(opened, tenant, limit=limit)
        numbers = chance.sample(range(150), chance.choice((1, 3, 90)))
        await store.put(
            [replace(entry(number), model="m" * chance.randrange(2_000)) for number in numbers]
        )
        await store.exact([entry(number).key.exact for number in range(0, 150, 10)])
        assert kept(opened, tenant) <= limit
        kept(opened, "a" if tenant == "b" else "b")


async def test_nodes_that_put_the_same_at_once_count_it_once(
    database: str, opened: Database
) -> None:
    other = open_database(database)
    try:
        stores = [
            DatabaseCache(one, tenant, limit=30_000) for one in (opened, other) for tenant in "ab"
        ]
        for first in range(0, 60, 6):
            entries = [entry(number) for number in range(first, first + 6)]
            await asyncio.gather(
                *(store.put(some) for store in stores for some in (entries, entries[::-1]))
            )
        for tenant in "ab":
            assert 0 < kept(opened, tenant) <= 30_000
    finally:
        await other.close()


async def test_room_is_made_in_small_steps_and_not_all_of_it_by_one_put(
    opened: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "STEPS", 3)
    await DatabaseCache(opened, "a", limit=10_000_000).put([entry(number) for number in range(700)])
    seen = watched(opened, "a", monkeypatch)
    smaller = DatabaseCache(opened, "a", limit=10_000)
    puts = 0
    while kept(opened, "a") > 10_000:
        before = len(seen)
        await smaller.put([entry(700 + puts)])
        puts += 1
        assert len(seen) - before <= 4
    assert puts == 3
    assert all(before - after <= cache.STEP for before, after in seen)


async def test_a_put_does_not_go_through_all_that_there_is(opened: Database) -> None:
    store = DatabaseCache(opened, "a", limit=1_000_000)
    said: list[str] = []

    @sa.event.listens_for(opened.engine, "before_cursor_execute")
    def listen(*heard: Any) -> None:
        said.append(" ".join(heard[2].replace('"', "").split()))

    await store.put([entry(1), entry(2)])
    of_cache = [one for one in said if "FROM rb_cache " in one]
    assert of_cache
    assert all("rb_cache.key IN" in one for one in of_cache)


async def test_a_total_that_is_wrong_after_rows_were_deleted_by_hand_is_found_out(
    opened: Database,
) -> None:
    store = DatabaseCache(opened, "a", limit=20_000)
    await store.put([entry(number) for number in range(15)])
    with opened.engine.begin() as connection:
        connection.execute(sa.delete(CACHE))
        connection.execute(sa.delete(CACHE_BANDS))
    for number in range(30):
        await store.put([entry(number)])
    assert await store.exact([entry(29).key.exact])
    assert 0 < kept(opened, "a") <= 20_000


async def test_what_nobody_used_for_so_long_goes_and_all_of_a_revoked_key(
    opened: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened.engine.begin() as connection:
        ours, gone = (keys.add(connection, name, Limits())[0].id for name in ("ours", "gone"))
        keys.revoke(connection, gone)
    days, day_ms = 30, 24 * 3600 * 1000
    now = 100 * day_ms
    monkeypatch.setattr(cache, "now_ms", lambda: now)
    tenants = ("local", ours, gone)
    stores = {name: DatabaseCache(opened, name, limit=10_000_000) for name in tenants}
    old = [entry(number) for number in range(150)]
    for store in stores.values():
        await store.put(old)
    now += days * day_ms
    for store in stores.values():
        await store.put([entry(1000)])
        await store.exact([entry(0).key.exact])  # it is in use
    now += 1

    async def left(tenant: str) -> int:
        kept(opened, tenant)
        every = [one.key.exact for one in (*old, entry(1000))]
        return len(await stores[tenant].exact(every))

    seen = watched(opened, ours, monkeypatch)
    await cache.clean_up(opened, days=days)
    assert [await left(tenant) for tenant in tenants] == [2, 2, 0]
    assert cache.STEP < 149
    assert sum(before - after for before, after in seen) == 149
    assert all(before - after <= cache.STEP for before, after in seen)


async def test_a_retention_of_0_keeps_what_nobody_uses_but_not_what_nobody_may(
    opened: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened.engine.begin() as connection:
        gone = keys.add(connection, "gone", Limits())[0].id
        keys.revoke(connection, gone)
    monkeypatch.setattr(cache, "now_ms", lambda: 1)
    for tenant in ("local", gone):
        await DatabaseCache(opened, tenant, limit=1_000_000).put([entry(1)])
    await cache.clean_up(opened, days=0)
    assert kept(opened, "local") > 0
    assert kept(opened, gone) == 0


async def test_it_stays_within_its_size_and_the_least_used_go_first(
    opened: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000_000_000
    monkeypatch.setattr(cache, "now_ms", lambda: now)
    store = DatabaseCache(opened, "a", limit=25_000)
    for number in range(20):
        now += 1
        await store.put([entry(number)])
    now += cache.TOUCH_MS + 100
    assert await store.exact([entry(0).key.exact])  # it is in use
    for number in range(20, 30):
        now += 1
        await store.put([entry(number)])
    with opened.engine.connect() as connection:
        kept = connection.execute(CACHE.select()).mappings().all()
    assert sum(row["size"] for row in kept) <= 25_000
    keys = {row["key"] for row in kept}
    assert entry(0).key.exact in keys
    assert entry(29).key.exact in keys
    assert entry(1).key.exact not in keys
    assert await store.similar(bands(entry(29).key), limit=100)


async def test_a_damaged_entry_is_as_if_it_were_not_there(opened: Database) -> None:
    store = DatabaseCache(opened, "a", limit=1_000_000)
    await store.put([entry(1), entry(2)])
    with opened.engine.begin() as connection:
        connection.execute(
            CACHE.update().where(CACHE.c.key == entry(1).key.exact).values(entry="{")
        )
    found = await store.exact([entry(1).key.exact, entry(2).key.exact])
    assert set(found) == {entry(2).key.exact}
