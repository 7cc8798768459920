"""Ctrl-C once lets a server come to its end; twice ends it at once, and loses nothing either."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.fake_anthropic import Answer, FakeAnthropic, Hang, Recorded, Reply
from tests.server.nodes import (
    APART,
    START_S,
    Node,
    assert_whole,
    file_of,
    findings_for,
    follow,
    long_diff,
    node,
    post,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path

AT_ONCE_S = 10.0
"""It takes about a second. Waiting for reviews or the database would take 60 s."""


async def press(one: Node) -> None:
    assert one.process is not None
    one.process.send_signal(signal.SIGINT)


async def exit_code(one: Node) -> int:
    assert one.process is not None
    return await asyncio.wait_for(one.process.wait(), START_S)


async def until_it_winds_down(one: Node) -> None:
    async with one.client() as client, asyncio.timeout(START_S):
        while (await client.get("/readyz")).status_code != 503:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        # The line of a request can come after its answer.
        await until(lambda: '"status": 503' in one.log)


def states(folder: Path) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(folder / "reviewbot.db")
    try:
        return connection.execute(
            "SELECT state, node, breaks FROM rb_reviews ORDER BY created_at"
        ).fetchall()
    finally:
        connection.close()


@pytest.mark.slow
async def test_a_second_ctrl_c_ends_at_once_and_its_reviews_go_on_at_the_next_start(
    tmp_path: Path,
) -> None:
    hanging = True

    def respond(request: Recorded) -> Reply:
        if hanging and file_of(request) != "file_0.py":
            return Answer([], before=[Hang()])
        return Answer(findings_for(file_of(request)))

    async with (
        FakeAnthropic(respond) as fake,
        node(
            tmp_path, "--grace-s", "60", "--reviews-at-once", "1", fake=fake, settings=APART
        ) as one,
    ):
        running, queued = [await post(one, long_diff(3)), await post(one, long_diff(1))]
        before = await follow(one, running, until="finding")
        await until(lambda: len(fake.requests) == 3)
        reading = asyncio.create_task(follow(one, running, after=len(before)))
        await press(one)
        await until_it_winds_down(one)
        told = len(one.log)
        await press(one)
        pressed = time.monotonic()
        assert await exit_code(one) == 130
        assert time.monotonic() - pressed < AT_ONCE_S
        await asyncio.gather(reading, return_exceptions=True)

        messages = [json.loads(line) for line in one.log[told:].splitlines()]
        assert not [record for record in messages if "exception" in record]
        assert [
            record for record in messages if record["logger"] == "reviewbot.server.http.process"
        ] == [messages[0]]
        assert "stopping now" in messages[0]["message"]
        assert states(tmp_path) == [("queued", None, 0), ("queued", None, 0)]

        hanging = False
        one.process = None
        await one.start()
        for review_id in (running, queued):
            assert_whole(await follow(one, review_id))
        assert sum(file_of(request) == "file_0.py" for request in fake.requests) == 1


@pytest.mark.slow
async def test_a_second_ctrl_c_ends_at_once_when_the_database_does_not_answer(
    tmp_path: Path,
) -> None:
    async with (
        FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake,
        node(tmp_path, "--grace-s", "60", fake=fake, settings=APART) as one,
    ):
        review_id = await post(one, long_diff(1))
        await until(lambda: len(fake.requests) == 1)
        other = sqlite3.connect(tmp_path / "reviewbot.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        await press(one)
        await until_it_winds_down(one)
        await press(one)
        pressed = time.monotonic()
        assert await exit_code(one) == 130
        assert time.monotonic() - pressed < AT_ONCE_S
        assert "Traceback" not in one.log
        assert '"exception"' not in one.log
        other.execute("ROLLBACK")
        other.close()
        assert states(tmp_path)[0][0] == "running"
        one.process = None
        await one.start()
        await until(lambda: len(fake.requests) == 2)  # the next start takes it up
        async with one.client() as client:
            assert (await client.delete(f"/v1/reviews/{review_id}")).status_code == 204


@pytest.mark.slow
async def test_one_ctrl_c_lets_reviews_come_to_their_end(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(lambda request: Answer(findings_for(file_of(request)), pace=0.005)) as fake,
        node(tmp_path, fake=fake, settings=APART) as one,
    ):
        review_id = await post(one, long_diff(1))
        await follow(one, review_id, until="chunk.started")
        reading = asyncio.create_task(follow(one, review_id))
        await asyncio.sleep(0.05)
        await press(one)
        assert await exit_code(one) == 0
        assert_whole(await reading)
        assert "stopping now" not in one.log
