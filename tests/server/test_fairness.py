"""One key's many reviews, and another's one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from reviewbot.store import keys
from reviewbot.store.database import open_database
from reviewbot.store.keys import Limits
from tests.fake_anthropic import Answer, FakeAnthropic, Hang
from tests.server.nodes import APART, follow, long_diff, node, until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
async def test_many_reviews_of_one_key_keep_no_other_key_waiting(tmp_path: Path) -> None:
    opened = open_database(f"sqlite:///{tmp_path / 'reviewbot.db'}")
    with opened.engine.begin() as connection:
        _, busy = keys.add(connection, "busy", Limits())
        _, other = keys.add(connection, "other", Limits())
    await opened.close()
    async with (
        FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake,
        node(
            tmp_path,
            *("--require-keys", "--reviews-at-once", "3", "--reviews-per-key", "2"),
            fake=fake,
            settings=APART,
        ) as one,
    ):

        async def ask(secret: str, title: str) -> str:
            async with one.client(Authorization=f"Bearer {secret}") as client:
                answer = await client.post(
                    "/v1/reviews",
                    params={"title": title},
                    content=long_diff(1),
                    headers={"Content-Type": "text/x-diff"},
                )
                assert answer.status_code == 201, answer.text
                return str(answer.json()["id"])

        many = [await ask(busy, f"busy {number}") for number in range(6)]
        await until(lambda: len(fake.requests) == 2)
        alone = await ask(other, "alone")
        async with asyncio.timeout(30):
            await follow(one, alone, until="chunk.started", secret=other)
            await until(lambda: len(fake.requests) == 3)
        again = await ask(other, "again")
        # Turn by turn: one of the busy key, then the other's, then the rest of the busy key's.
        told = await follow(one, again, until="review.progress", secret=other)
        assert told[-1]["activity"] == "queued: 1 review before it"
        told = await follow(one, many[5], until="review.progress", secret=busy)
        assert told[-1]["activity"] == "queued: 4 reviews before it"
