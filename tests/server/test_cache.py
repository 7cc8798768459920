"""The review cache on a server: nothing is paid for twice, nothing crosses from key to key."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.cache_entry import Entry, Extent
from reviewbot.core.chunk_keys import ChunkKey, bands
from reviewbot.store import cache
from reviewbot.store.cache import DatabaseCache
from reviewbot.store.database import Database, open_database
from reviewbot.store.tables import CACHE
from tests.fake_anthropic import Answer, FakeAnthropic
from tests.server.nodes import APART, file_of, findings_for, follow, long_diff, node, post

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


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


async def test_it_can_be_turned_off_for_a_server(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(lambda request: Answer(findings_for(file_of(request)))) as fake,
        node(tmp_path, "--cache-mb", "0", fake=fake, settings=APART) as one,
    ):
        for _ in range(2):
            await follow(one, await post(one, long_diff(1)))
        assert len(fake.requests) == 2


EXTENTS = (Extent(0, 0, 1, 1), Extent(0, 0, 5, 1))


def entry(number: int) -> Entry:
    """An entry of its own, of about the same size as the others."""
    key = ChunkKey(exact=f"{number:064x}", family="f", hunks=(f"{number:032x}", "same"))
    return Entry(key=key, model="m", prompt_version="p", tokens=1, extents=EXTENTS, drafts=())


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
    await other.put([entry(1)])
    with opened.engine.begin() as connection:
        cache.forget(connection, "b")
    assert await DatabaseCache(opened, "a", limit=1_000_000).exact([entry(1).key.exact])


async def test_it_stays_within_its_size_and_the_least_used_go_first(
    opened: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000_000_000
    monkeypatch.setattr(cache, "now_ms", lambda: now)
    store = DatabaseCache(opened, "a", limit=20_000)
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
    assert sum(row["size"] for row in kept) <= 20_000
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
