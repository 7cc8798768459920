"""Readers of event streams: one hub per node wakes the readers of its reviews.

A reader requests the events after its last number, so it neither misses nor repeats an event,
however it was woken. The latest events stay in memory while a review has readers, so that two
hundred readers need one query.
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
"""Maximum number of events of a review that are kept in memory for its readers."""
POLL_SHARED_S: Final = 0.2
"""Seconds between queries for new events of other processes on SQLite."""
POLL_NOTIFIED_S: Final = 5.0
"""Seconds between such queries on Postgres, in case a notification was lost."""
END: Final = "review.finished"
UNREAD: Final = -1
"""Value of ``seen`` before the first reader of a review has read."""


class _Channel:
    """A review with readers on this node."""

    def __init__(self) -> None:
        self.readers = 0
        self.seen = UNREAD  # the last number that is available to a reader here
        self.noticed = False  # there may be more events: a reader must query again
        self.refreshing = False
        self.gone = False  # the review was deleted
        # Ends with the event number `seen` if not empty; otherwise it would hide later events.
        self.tail: deque[tuple[int, str, bytes]] = deque(maxlen=TAIL)
        self.woken = asyncio.Event()

    def take(self, events: Sequence[Stored]) -> None:
        """Append new ``events`` to the tail, restart the tail after a gap, and wake the readers."""
        for event in events:
            if event.seq <= self.seen:
                continue
            if event.seq != self.seen + 1:
                self.tail.clear()
            self.tail.append((event.seq, event.type, frame(event.type, event.seq, event.data)))
            self.seen = event.seq
        self.wake()

    def reach(self, seq: int) -> None:
        """Record that a reader has read the log to its end, and wake the others."""
        if seq > self.seen:
            self.seen = seq
            self.tail.clear()
            self.wake()

    def wake(self) -> None:
        self.woken.set()
        self.woken = asyncio.Event()

    def end(self) -> None:
        """End the streams of a deleted review."""
        self.gone = True
        self.wake()

    def after(self, seq: int) -> list[tuple[int, str, bytes]] | None:
        """Return the events after ``seq``; None if the log must be read."""
        if seq >= self.seen > UNREAD:
            return []
        if not self.tail or self.tail[0][0] > seq + 1:
            return None
        return [one for one in self.tail if one[0] > seq]


class Hub:
    """The readers of a node."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._channels: dict[str, _Channel] = {}
        self.closing = asyncio.Event()

    @property
    def readers(self) -> int:
        """Number of open streams."""
        return sum(channel.readers for channel in self._channels.values())

    def followed(self, review_id: str) -> bool:
        """Return whether a review has readers on this node."""
        return review_id in self._channels

    def publish(self, review_id: str, events: Sequence[Stored]) -> None:
        """Pass newly stored events to the readers on this node."""
        channel = self._channels.get(review_id)
        if channel is not None:
            channel.take(events)

    async def notice(self, review_id: str) -> None:
        """Read new events of ``review_id`` once for all its readers.

        Raises:
            StoreError: the log cannot be read.
        """
        channel = self._channels.get(review_id)
        if channel is None:
            return
        channel.noticed = True
        if not channel.refreshing and channel.seen > UNREAD:
            await self._refresh(review_id, channel)
        # Otherwise a reader is reading, perhaps with a response from before this notice.

    async def _refresh(self, review_id: str, channel: _Channel) -> None:
        channel.refreshing = True
        try:
            while channel.noticed:
                channel.noticed = False
                found = await self._stored_after(review_id, channel.seen)
                if found:
                    channel.take(found)
                channel.noticed |= len(found) == eventlog.PAGE
        except asyncio.CancelledError:  # the refreshing reader has left: another reader continues
            channel.noticed = True
            channel.wake()
            raise
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
        """Yield the events of a review after number ``after``, as joined server-sent events.

        Ends after ``review.finished``, when the review is deleted, or when the node shuts down.

        Raises:
            StoreError: the log cannot be read.
        """
        with self._joined(review_id) as channel:
            while not (self.closing.is_set() or channel.gone):
                woken = channel.woken
                known = channel.after(after)
                if known is None:
                    found = await self._stored_after(review_id, after)
                    if not found and not await self._last_seqs([review_id]):
                        return  # the review was deleted between two pages
                    known = [
                        (one.seq, one.type, frame(one.type, one.seq, one.data)) for one in found
                    ]
                    if len(known) < eventlog.PAGE:  # the end of the log
                        channel.reach(known[-1][0] if known else after)
                if known:
                    after = known[-1][0]
                    yield b"".join(data for _, _, data in known)
                    if known[-1][1] == END:
                        return
                elif channel.noticed and not channel.refreshing:
                    await self._refresh(review_id, channel)
                else:
                    await woken.wait()

    async def _stored_after(self, review_id: str, after: int) -> list[Stored]:
        return await self._database.read(
            lambda connection: eventlog.events_after(connection, review_id, after)
        )

    async def _last_seqs(self, ids: list[str]) -> dict[str, int]:
        return await self._database.read(partial(reviews.last_seqs, ids=ids))

    async def watch(self) -> None:
        """Poll for events that other nodes store, until cancelled."""
        every = POLL_NOTIFIED_S if self._database.postgres else POLL_SHARED_S
        while True:
            await asyncio.sleep(every)
            ids = list(self._channels)
            if not ids:
                continue
            with suppress(StoreError):  # the database logged it; the next round retries
                seqs = await self._last_seqs(ids)
                for review_id in ids:
                    channel = self._channels.get(review_id)
                    if channel is None:
                        continue
                    if review_id not in seqs:
                        channel.end()
                    elif channel.seen < seqs[review_id]:
                        await self.notice(review_id)

    def close(self) -> None:
        """End all streams; their readers reconnect to another node, or later."""
        self.closing.set()
        for channel in self._channels.values():
            channel.wake()
