"""Who is let in: what it costs a caller that the use of a key is noted."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError
from starlette.requests import Request

from reviewbot.server.access import Access
from reviewbot.server.reviews import ReviewApi
from reviewbot.server.telemetry.instrumentation import Telemetry
from reviewbot.store import keys
from reviewbot.store.keys import Limits
from reviewbot.store.reviews import now_ms
from tests.server.in_process import service

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    import sqlalchemy as sa

    from reviewbot.jobs.service import ReviewService


def listing(secret: str) -> Request:
    """``GET /v1/reviews`` with a key."""
    headers = [(b"authorization", f"Bearer {secret}".encode())]
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/v1/reviews",
            "query_string": b"",
            "headers": headers,
        }
    )


async def made_key(one: ReviewService) -> str:
    _, secret = await one.database.write(lambda each: keys.add(each, "ci", Limits()))
    return secret


class Writer:
    """Stands for :func:`.keys.used`: notes wait until they may be written."""

    def __init__(self) -> None:
        self.may_write = threading.Event()
        self._used = keys.used

    def used(self, connection: sa.Connection, key_id: str) -> None:
        assert self.may_write.wait(20)
        self._used(connection, key_id)


async def last_use(one: ReviewService) -> int | None:
    (key,) = await one.database.read(keys.everyone)
    return key.used_at


async def until_noted(one: ReviewService) -> None:
    """Wait until the use of the key is noted."""
    async with asyncio.timeout(30):
        while await last_use(one) is None:  # noqa: ASYNC110 - it is in a thread
            await asyncio.sleep(0.01)


async def test_the_last_use_of_a_key_is_noted_but_not_with_every_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(tmp_path, Telemetry()) as one:
        secret = await made_key(one)
        access = Access(one.database, need_key=True)
        began = now_ms()
        writes = 0

        def wrote(number: int, *_: object) -> None:
            nonlocal writes
            writes += number

        one.database.hooks = type(one.database.hooks)(committed=wrote)

        async def twenty_requests(at: int) -> int:
            """Return how many writes 20 requests make that come before the first is done."""
            before = writes
            writer = Writer()
            with monkeypatch.context() as patch:
                patch.setattr(keys, "now_ms", lambda: at)
                patch.setattr(keys, "used", writer.used)
                for _ in range(20):
                    await access.caller(listing(secret))
                writer.may_write.set()
                await asyncio.gather(*access._notes.values())
            return writes - before

        assert await twenty_requests(began) == 1
        assert await last_use(one) == began
        assert await twenty_requests(began + keys.USED_EVERY_MS) == 0
        assert await twenty_requests(began + keys.USED_EVERY_MS + 1) == 1
        assert await last_use(one) == began + keys.USED_EVERY_MS + 1


async def test_a_call_that_only_reads_is_answered_while_nothing_can_be_written(
    tmp_path: Path,
) -> None:
    async with service(tmp_path, Telemetry()) as one:
        secret = await made_key(one)
        calls = ReviewApi(one, Access(one.database, need_key=True), body_limit=1000)
        other = sqlite3.connect(tmp_path / "reviewbot.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            async with asyncio.timeout(20):
                for _ in range(3):
                    assert (await calls.latest(listing(secret))).status_code == 200
        finally:
            other.execute("ROLLBACK")
            other.close()
        await until_noted(one)


async def test_a_use_that_cannot_be_noted_is_no_fault_of_the_call_and_is_noted_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("read-only"))

    async with service(tmp_path, Telemetry()) as one:
        secret = await made_key(one)
        calls = ReviewApi(one, Access(one.database, need_key=True), body_limit=1000)
        with monkeypatch.context() as patch:
            patch.setattr(one.database.engine, "begin", away)
            for _ in range(3):
                assert (await calls.latest(listing(secret))).status_code == 200
                await asyncio.sleep(0.05)
        assert await last_use(one) is None
        await calls.latest(listing(secret))
        await until_noted(one)
    gc.collect()
    assert "never retrieved" not in caplog.text
