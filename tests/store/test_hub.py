"""Following a review that another node writes: no event is late, and no wait is endless."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from reviewbot.core.events.events import Event, ReviewProgress, Usage
from reviewbot.store import eventlog, hub, reviews
from reviewbot.store.database import Database, StoreError, open_database
from reviewbot.store.eventlog import insert_events, stored
from reviewbot.store.hub import Hub
from reviewbot.store.tables import REVIEWS
from tests.server.nodes import until
from tests.support.store_keys import CIPHER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

ID = "a" * 32
SOON_S = 2.0
"""Well below the poll of a database that notifies, which would hide what is missing."""


class Held:
    """A database whose answers are on their way for as long as the test says."""

    postgres = True

    def __init__(self, database: Database) -> None:
        self._database = database
        self.on_their_way = 0
        self.arrive = asyncio.Event()
        self.arrive.set()
        self.away = False
        self.reads = 0

    async def read(self, query: Callable[[Any], Any]) -> Any:
        if self.away:
            raise StoreError("away")
        self.reads += 1
        answer = await self._database.read(query)
        arrive = self.arrive
        self.on_their_way += 1
        try:
            await arrive.wait()
        finally:
            self.on_their_way -= 1
        return answer

    def hold(self) -> asyncio.Event:
        """Hold back what is answered from now on, until the event is set."""
        self.arrive = asyncio.Event()
        return self.arrive

    def let_through(self) -> None:
        """Hold back no more of what is asked from now on."""
        self.arrive = asyncio.Event()
        self.arrive.set()

    async def until_held(self) -> None:
        async with asyncio.timeout(SOON_S):
            await until(lambda: self.on_their_way > 0)


class Other:
    """The node that writes the review."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.seq = 0
        with database.engine.begin() as connection:
            new = reviews.NewReview(ID, "local", b"", "{}", "{}", "")
            reviews.insert(connection, new, 1, last_seq=0)

    def write(self, count: int = 1) -> None:
        """Commit that many events."""
        events = [
            stored(event(number), seq=number, review_id=ID, at=1)
            for number in range(self.seq + 1, self.seq + count + 1)
        ]
        self.seq += count
        with self._database.engine.begin() as connection:
            insert_events(connection, ID, events)
            connection.execute(
                sa.update(REVIEWS).where(REVIEWS.c.id == ID).values(last_seq=self.seq)
            )

    def delete(self) -> None:
        with self._database.engine.begin() as connection:
            reviews.delete(connection, [ID])


def event(number: int) -> Event:
    return ReviewProgress(0, 1, 0, 1, number, Usage(), 0.0)


class Reader:
    """Follows the review; ``seqs`` are the numbers that it has got."""

    def __init__(self, of: Hub, after: int = 0) -> None:
        self.seqs: list[int] = []
        self._hub, self._after = of, after
        self.task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        async for data in self._hub.follow(ID, self._after):
            self.seqs += [
                int(line.removeprefix(b"id: "))
                for line in data.splitlines()
                if line.startswith(b"id: ")
            ]

    async def has(self, last: int) -> None:
        """Return once it has got everything up to ``last``, which must be soon."""
        async with asyncio.timeout(SOON_S):
            await until(lambda: last in self.seqs)
        assert self.seqs == list(range(self._after + 1, last + 1))

    async def ended(self) -> None:
        async with asyncio.timeout(SOON_S):
            await self.task

    async def leave(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'reviewbot.db'}", CIPHER)
    yield opened
    await opened.close()


@pytest.fixture
def other(database: Database) -> Other:
    return Other(database)


@pytest.fixture
def held(database: Database) -> Held:
    return Held(database)


@pytest.fixture
async def node(held: Held) -> AsyncIterator[Hub]:
    made = Hub(held)  # type: ignore[arg-type]
    yield made
    made.close()


async def test_what_is_noticed_while_the_first_reader_reads_is_not_left_for_the_poll(
    other: Other, held: Held, node: Hub
) -> None:
    other.write()
    arrive = held.hold()
    reader = Reader(node)
    await held.until_held()
    other.write()  # after what the reader was answered, before the reader has the answer
    await node.notice(ID)
    held.let_through()
    arrive.set()
    await reader.has(2)
    await reader.leave()


async def test_what_is_noticed_while_a_notice_is_read_is_not_left_for_the_poll(
    other: Other, held: Held, node: Hub
) -> None:
    other.write()
    reader = Reader(node)
    await reader.has(1)
    arrive = held.hold()
    first = asyncio.create_task(node.notice(ID))  # of what the reader has already
    await held.until_held()
    other.write()
    await node.notice(ID)
    held.let_through()
    arrive.set()
    await first
    await reader.has(2)
    await reader.leave()


async def test_a_reader_that_leaves_while_it_looks_once_more_leaves_that_to_another(
    other: Other, held: Held, node: Hub
) -> None:
    other.write()
    arrive = held.hold()
    first = Reader(node)
    await held.until_held()
    other.write()
    await node.notice(ID)
    held.hold()
    arrive.set()
    await first.has(1)
    await held.until_held()  # it looks once more
    second = Reader(node, after=1)
    await asyncio.sleep(0.01)
    held.let_through()
    await first.leave()
    await second.has(2)
    await second.leave()


async def test_a_first_reader_that_waits_for_an_empty_log_hears_of_the_first_event(
    other: Other, held: Held, node: Hub
) -> None:
    reader = Reader(node)
    await asyncio.sleep(0.05)
    assert held.reads
    other.write()
    await node.notice(ID)
    await reader.has(1)
    await reader.leave()


@pytest.mark.parametrize("kept", [0, 1], ids=["nothing kept", "a tail kept"])
async def test_what_one_reader_was_first_to_see_the_others_see_too(
    other: Other, node: Hub, kept: int
) -> None:
    """The later reader's answer is newer than what the earlier one and the notices know."""
    other.write(2)
    early = Reader(node)
    await early.has(2)
    for _ in range(kept):
        other.write()
        await node.notice(ID)
        await early.has(other.seq)
    other.write(2)  # the notice is still on its way
    late = Reader(node)
    await late.has(other.seq)
    later = Reader(node, after=other.seq)
    await asyncio.sleep(0.02)
    await node.notice(ID)
    await early.has(other.seq)
    for reader in (early, late, later):
        await reader.leave()


async def test_a_reader_that_comes_back_ahead_of_the_others_holds_up_nobody(
    other: Other, held: Held, node: Hub
) -> None:
    other.write()
    arrive = held.hold()
    early = Reader(node)
    await held.until_held()
    held.let_through()
    other.write(2)
    ahead = Reader(node, after=3)  # it read them on another node
    await asyncio.sleep(0.05)
    arrive.set()
    await early.has(3)
    assert not ahead.seqs
    for reader in (early, ahead):
        await reader.leave()


async def test_notices_in_any_order_leave_no_gap_and_nothing_twice(
    other: Other, node: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eventlog, "PAGE", 7)
    monkeypatch.setattr(hub, "TAIL", 5)
    other.write(20)
    readers = [Reader(node, after) for after in (0, 3, 19, 20)]
    for number in range(30):
        other.write(1 + number % 3)
        await asyncio.gather(*(node.notice(ID) for _ in range(number % 4)))
        if number % 5 == 0:
            readers.append(Reader(node, other.seq - 1))
    await node.notice(ID)
    await asyncio.gather(*(reader.has(other.seq) for reader in readers))
    await asyncio.gather(*(reader.leave() for reader in readers))
    assert not node.readers


async def test_two_hundred_readers_that_wait_cost_one_query_a_notice(
    other: Other, held: Held, node: Hub
) -> None:
    other.write()
    readers = [Reader(node) for _ in range(200)]
    await asyncio.gather(*(reader.has(1) for reader in readers))
    await asyncio.sleep(0.05)
    reads = held.reads
    other.write()
    await node.notice(ID)
    await asyncio.gather(*(reader.has(2) for reader in readers))
    assert held.reads == reads + 1
    await asyncio.gather(*(reader.leave() for reader in readers))


async def test_a_review_that_is_deleted_while_it_is_waited_for_ends_its_streams(
    other: Other, node: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "POLL_NOTIFIED_S", 0.02)
    other.write()
    readers = [Reader(node), Reader(node, after=1)]
    await readers[0].has(1)
    watching = asyncio.create_task(node.watch())
    await asyncio.sleep(0.05)
    assert not any(reader.task.done() for reader in readers)
    other.delete()
    for reader in readers:
        await reader.ended()
    assert not node.readers
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_a_review_that_is_deleted_between_two_pages_ends_the_stream(
    other: Other, node: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eventlog, "PAGE", 5)
    other.write(8)
    pages = node.follow(ID, 0)
    assert (await anext(pages)).count(b"\nid: ") == 5
    other.delete()
    async with asyncio.timeout(SOON_S):
        assert [data async for data in pages] == []
    assert not node.readers


async def test_a_log_that_cannot_be_read_ends_no_other_stream_and_is_read_again(
    other: Other, held: Held, node: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "POLL_NOTIFIED_S", 0.02)
    other.write()
    reader = Reader(node)
    await reader.has(1)
    await asyncio.sleep(0.01)
    held.away = True
    other.write()
    with pytest.raises(StoreError):
        await node.notice(ID)
    watching = asyncio.create_task(node.watch())
    await asyncio.sleep(0.05)
    held.away = False
    await reader.has(2)
    watching.cancel()
    await reader.leave()
