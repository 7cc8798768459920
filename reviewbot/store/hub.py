"""Who follows a review, and what wakes them: one hub a node, for all its readers.

A reader asks for what comes after the last number it has, so it can neither miss nor double an
event, however it was woken. What was written last is kept in memory for as long as someone
follows, so that two hundred readers cost one query.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from reviewbot.core.render.sse import frame
from reviewbot.store import eventlog, reviews
from reviewbot.store.database import StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from reviewbot.store.database import Database
    from reviewbot.store.eventlog import Stored

TAIL: Final = 512
"""Events of a review that are kept for its readers."""
POLL_SHARED_S: Final = 0.2
"""How often SQLite is asked whether another process has written."""
POLL_NOTIFIED_S: Final = 5.0
"""The same for Postgres, which notifies: in case that a notice was lost."""
END: Final = "review.finished"


class _Channel:
    """One review that someone follows."""

    def __init__(self) -> None:
        self.readers = 0
        self.seen = 0  # the last number that a reader here has got or could get
        self.refreshing = False
        self.tail: deque[tuple[int, str, bytes]] = deque(maxlen=TAIL)
        self.woken = asyncio.Event()

    def take(self, events: Sequence[Stored]) -> None:
        """Keep ``events`` if they continue what is kept, and wake the readers."""
        for event in events:
            if self.tail and event.seq <= self.tail[-1][0]:
                continue
            if self.tail and event.seq != self.tail[-1][0] + 1:
                self.tail.clear()
            self.tail.append((event.seq, event.type, frame(event.type, event.seq, event.data)))
            self.seen = max(self.seen, event.seq)
        self.wake()

    def wake(self) -> None:
        self.woken.set()
        self.woken = asyncio.Event()

    def after(self, seq: int) -> list[tuple[int, str, bytes]] | None:
        """What there is after ``seq``; None if the log must be asked."""
        if self.seen and seq >= self.seen:
            return []
        if not self.tail or self.tail[0][0] > seq + 1:
            return None
        return [one for one in self.tail if one[0] > seq]


class Hub:
    """The readers of a node. ``listen`` is Postgres's way to hear of other nodes' events."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._channels: dict[str, _Channel] = {}
        self.closing = asyncio.Event()

    @property
    def readers(self) -> int:
        """How many streams are open."""
        return sum(channel.readers for channel in self._channels.values())

    def followed(self, review_id: str) -> bool:
        """Whether someone here follows it."""
        return review_id in self._channels

    def publish(self, review_id: str, events: Sequence[Stored]) -> None:
        """Hand what was just stored to the readers on this node."""
        channel = self._channels.get(review_id)
        if channel is not None:
            channel.take(events)

    async def notice(self, review_id: str) -> None:
        """There may be new events of ``review_id``: read them once for all its readers.

        Raises:
            StoreError: the log cannot be read.
        """
        channel = self._channels.get(review_id)
        if channel is None or channel.refreshing or not channel.seen:
            return  # the first reader asks the log itself
        channel.refreshing = True
        try:
            while found := await self._stored_after(review_id, channel.seen):
                channel.take(found)
        finally:
            channel.refreshing = False

    @contextmanager
    def _joined(self, review_id: str) -> Iterator[_Channel]:
        channel = self._channels.setdefault(review_id, _Channel())
        channel.readers += 1
        try:
            yield channel
        finally:
            channel.readers -= 1
            if not channel.readers:
                del self._channels[review_id]

    async def follow(self, review_id: str, after: int) -> AsyncIterator[bytes]:
        """The events of a review after number ``after``, as server-sent events, several at a time.

        Ends behind ``review.finished``, or when the node shuts down.

        Raises:
            StoreError: the log cannot be read.
        """
        with self._joined(review_id) as channel:
            while not self.closing.is_set():
                woken = channel.woken
                known = channel.after(after)
                if known is None:
                    found = await self._stored_after(review_id, after)
                    known = [
                        (one.seq, one.type, frame(one.type, one.seq, one.data)) for one in found
                    ]
                    if len(known) < eventlog.PAGE:  # there is no more
                        channel.seen = max(channel.seen, known[-1][0] if known else after)
                if known:
                    after = known[-1][0]
                    yield b"".join(data for _, _, data in known)
                    if known[-1][1] == END:
                        return
                    continue
                await woken.wait()

    async def _stored_after(self, review_id: str, after: int) -> list[Stored]:
        return await self._database.read(
            lambda connection: eventlog.events_after(connection, review_id, after)
        )

    async def watch(self) -> None:
        """Notice what other nodes write, until cancelled."""
        every = POLL_NOTIFIED_S if self._database.postgres else POLL_SHARED_S
        while True:
            await asyncio.sleep(every)
            ids = list(self._channels)
            if not ids:
                continue
            with suppress(StoreError):  # it was logged; the next round tries again
                seqs = await self._database.read(partial(reviews.last_seqs, ids=ids))
                for review_id, seq in seqs.items():
                    channel = self._channels.get(review_id)
                    if channel and channel.seen < seq:
                        await self.notice(review_id)

    def close(self) -> None:
        """End all streams; their readers come back to another node, or later."""
        self.closing.set()
        for channel in self._channels.values():
            channel.wake()
