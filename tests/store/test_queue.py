"""A queue: one node claims a task, in order, and the end of a node loses none."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
import sqlalchemy as sa

from reviewbot.store import deliveries
from reviewbot.store.queue import CLAIMS, GAP_MS, LONGEST_PAUSE_MS, Claimed, Queue
from reviewbot.store.tables import RATES
from tests.server.webhooks import opened
from tests.support.queues import OWN, record

if TYPE_CHECKING:
    from reviewbot.store.database import Database

both = pytest.mark.parametrize("queue", OWN, ids=lambda queue: queue.table.name)


async def put(
    store: Database, queue: Queue, *ids: str, at: int = 1, installation: int | None = 1
) -> None:
    for number, name in enumerate(ids):
        values = {"id": name, "installation": installation, "body": b"body", **OWN[queue]}
        assert await store.write(partial(queue.put, values=values, at=at + number))


async def claim(store: Database, queue: Queue, at: int = 100, **options: Any) -> list[Claimed]:
    options = {"node": "a", "alive": ("a", "b"), "most": 99, "per_installation": 99, **options}
    return await store.write(partial(queue.claim, at=at, **options), tenant=CLAIMS)


async def names(store: Database, queue: Queue, at: int = 100, **options: Any) -> list[str]:
    return [one.id for one in await claim(store, queue, at, **options)]


async def row(store: Database, queue: Queue, name: str) -> Any:
    query = sa.select(queue.table).where(queue.table.c.id == name)
    return await store.read(lambda connection: connection.execute(query).one())


# --- Put


@both
async def test_work_whose_transaction_fails_is_not_stored(queue: Queue, database: str) -> None:
    def change(connection: sa.Connection) -> None:
        values = {"id": "1", "installation": 1, "body": b"", **OWN[queue]}
        assert queue.put(connection, values, 1)
        raise ZeroDivisionError

    async with opened(database) as store:
        with pytest.raises(ZeroDivisionError):
            await store.write(change)
        assert await claim(store, queue) == []


@both
async def test_work_that_is_put_twice_is_stored_once_until_it_has_failed(
    queue: Queue, database: str
) -> None:
    values = {"id": "1", "installation": 1, "body": b"body", **OWN[queue]}
    again = partial(queue.put, values=values, at=2)
    async with opened(database) as store:
        await put(store, queue, "1")
        assert not await store.write(again)
        [one] = await claim(store, queue)
        assert not await store.write(again)
        assert await store.write(partial(queue.fail, claimed=one, at=3, reason="no"))
        assert (await row(store, queue, "1")).body == b""
        assert await store.write(again)
        assert await store.read(partial(queue.body, work="1")) == b"body"
        [one] = await claim(store, queue)
        assert await store.write(partial(queue.complete, claimed=one, at=4))
        assert not await store.write(again)
        assert await store.read(partial(queue.body, work="1")) == b""


# --- Claimed


@both
async def test_work_is_claimed_oldest_first_and_no_more_than_asked_for(
    queue: Queue, database: str
) -> None:
    async with opened(database) as store:
        await put(store, queue, "c", "a", at=10)
        await put(store, queue, "b", at=10, installation=2)
        assert await names(store, queue, most=2) == ["b", "c"]
        assert await names(store, queue) == ["a"]


@both
async def test_an_installation_has_no_more_at_work_than_its_limit(
    queue: Queue, database: str
) -> None:
    async with opened(database) as store:
        await put(store, queue, "1", "2", "3")
        await put(store, queue, "other", at=9, installation=2)
        first, second, _ = await claim(store, queue, per_installation=2)
        assert (first.id, second.id) == ("1", "2")
        assert await claim(store, queue, per_installation=2) == []
        assert await store.write(partial(queue.complete, claimed=first, at=100))
        assert await names(store, queue, per_installation=2) == ["3"]


@both
async def test_another_node_claims_for_an_installation_only_after_a_gap(
    queue: Queue, database: str
) -> None:
    async with opened(database) as store:
        await put(store, queue, "1", "2")
        await put(store, queue, "other", at=3, installation=2)
        await put(store, queue, "nobody", at=4, installation=None)
        [one] = await claim(store, queue, most=1)
        assert one.id == "1"
        assert await names(store, queue, node="b") == ["other", "nobody"]
        assert await store.write(partial(queue.complete, claimed=one, at=200))
        assert await names(store, queue, at=200 + GAP_MS, node="b") == []
        assert await names(store, queue, at=201 + GAP_MS, node="b") == ["2"]
        await put(store, queue, "3", at=202 + GAP_MS)
        assert await names(store, queue, at=3 * GAP_MS + 203) == []  # "b" still has "2"
        assert await names(store, queue, at=3 * GAP_MS + 203, alive=("a",)) == ["3"]


@both
async def test_two_nodes_that_claim_at_once_share_all_work_and_keep_to_the_limit(
    queue: Queue, database: str
) -> None:
    claimed: list[str] = []
    at_work: dict[str, Counter[int]] = {"a": Counter(), "b": Counter()}

    async def work(store: Database, node: str) -> None:
        other = at_work["b" if node == "a" else "a"]
        while len(claimed) < 60:
            found = await claim(store, queue, node=node, most=3, per_installation=2)
            claimed.extend(one.id for one in found)
            at_work[node].update(int(one.id) % 6 for one in found)
            for one in found:
                installation = int(one.id) % 6
                assert at_work[node][installation] <= 2
                assert other[installation] == 0
                await asyncio.sleep(0)
                at_work[node][installation] -= 1
                # So long ago that the other node need not wait for the gap.
                settle = partial(queue.complete, claimed=one, at=100 - 2 * GAP_MS)
                assert await store.write(settle)

    async with opened(database) as a, opened(database) as b:
        for installation in range(6):
            ids = [str(number) for number in range(60) if number % 6 == installation]
            await put(a, queue, *ids, installation=installation)
        async with asyncio.timeout(60):
            await asyncio.gather(work(a, "a"), work(b, "b"))
    assert sorted(map(int, claimed)) == list(range(60))


# --- Tried again


@both
async def test_work_that_is_tried_again_waits_and_lets_other_work_go_first(
    queue: Queue, database: str
) -> None:
    async with opened(database) as store:
        await put(store, queue, "1", "2")
        [one] = await claim(store, queue, most=1)
        assert await store.write(partial(queue.retry, claimed=one, at=100, reason="no", until=500))
        assert (await row(store, queue, "1")).reason == "no"
        assert await names(store, queue, at=499) == ["2"]
        assert not await store.read(partial(queue.is_any_due, at=499))
        assert await store.read(partial(queue.is_any_due, at=500))
        assert await claim(store, queue, at=500) == [Claimed("1", 2)]


@both
async def test_work_does_not_wait_for_a_clock_that_was_set_back(
    queue: Queue, database: str
) -> None:
    async with opened(database) as store:
        await put(store, queue, "1")
        [one] = await claim(store, queue)
        retry = partial(queue.retry, claimed=one, at=LONGEST_PAUSE_MS + 200, reason="no")
        assert await store.write(partial(retry, until=LONGEST_PAUSE_MS + 201))
        assert await names(store, queue, at=200) == ["1"]


@both
async def test_only_the_latest_claim_settles_work(queue: Queue, database: str) -> None:
    async with opened(database) as store:
        await put(store, queue, "1")
        [before] = await claim(store, queue)
        assert await store.write(partial(queue.retry, claimed=before, at=1, reason="", until=1))
        [now] = await claim(store, queue, node="b", alive=("b",))
        for settle in (
            partial(queue.complete, at=2),
            partial(queue.fail, at=2, reason="no"),
            partial(queue.retry, at=2, reason="no", until=2),
        ):
            assert not await store.write(partial(settle, claimed=before))
        assert await store.write(partial(queue.complete, claimed=now, at=2))


@both
async def test_work_is_abandoned_if_its_node_is_gone_or_has_lost_it(
    queue: Queue, database: str
) -> None:
    async with opened(database) as store:
        await put(store, queue, "gone", "lost", "busy", "theirs")
        for name, node in (("gone", "x"), ("lost", "a"), ("busy", "a"), ("theirs", "b")):
            assert await names(store, queue, node=node, alive=(node,), most=1) == [name]
        for alive, expected in (
            (("a", "b"), ["gone", "lost"]),
            (("a",), ["gone", "lost", "theirs"]),
            ((), ["gone", "lost", "theirs"]),
        ):
            find = partial(queue.abandoned, node="a", alive=alive, busy=("busy",))
            assert sorted(one.id for one in await store.read(find)) == expected


# --- Killed


NODE: Final = """
import os, signal, sys
import sqlalchemy as sa
from reviewbot.store.database import open_database
from reviewbot.store.deliveries import QUEUE
from tests.support.queues import OWN, record
from tests.support.store_keys import CIPHER

url, last = sys.argv[1:]
engine = open_database(url, CIPHER).engine

def at(step):
    if step == last:
        os.kill(os.getpid(), signal.SIGKILL)

with engine.begin() as connection:
    QUEUE.put(connection, {"id": "1", "installation": 1, "body": b"body", **OWN[QUEUE]}, 1)
    at("put")
at("put, committed")
with engine.begin() as connection:
    [claimed] = QUEUE.claim(connection, "killed", (), 10, most=9, per_installation=9)
    at("claim")
at("claim, committed")
with engine.begin() as connection:
    record(connection)
    assert QUEUE.complete(connection, claimed, 20)
    at("complete")
at("complete, committed")
"""


@pytest.mark.parametrize("step", ["put", "claim", "complete"])
@pytest.mark.parametrize("committed", ["", ", committed"], ids=["before", "after"])
async def test_a_node_killed_at_any_step_loses_no_work_and_does_none_twice(
    step: str, committed: str, database: str
) -> None:
    queue = deliveries.QUEUE
    async with opened(database) as store:
        ended = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", NODE, database, step + committed],
            check=False,
            timeout=60,
        )
        assert ended.returncode == -signal.SIGKILL
        values = {"id": "1", "installation": 1, "body": b"body", **OWN[queue]}
        stored = not await store.write(partial(queue.put, values=values, at=30))
        assert stored == (step + committed != "put")
        find = partial(queue.abandoned, node="a", alive=("a",), busy=())
        abandoned = await store.read(find)
        held = (step, committed) in (("claim", ", committed"), ("complete", ""))
        assert abandoned == ([Claimed("1", 1)] if held else [])
        for one in abandoned:
            retry = partial(queue.retry, claimed=one, at=40, reason="its node ended", until=40)
            assert await store.write(retry)
        for one in await claim(store, queue):

            def work(connection: sa.Connection, one: Claimed = one) -> bool:
                record(connection)
                return queue.complete(connection, one, 200)

            assert await store.write(work)
        done = await row(store, queue, "1")
        assert (done.state, done.tries) == ("done", 2 if held else 1)
        assert await store.read(lambda it: it.scalar(sa.select(sa.func.count(RATES.c.tenant)))) == 1
