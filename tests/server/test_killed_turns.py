"""Nodes that die in the middle of a turn: the review goes on from its last finished turn."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from reviewbot.models.exchange import TURN
from reviewbot.store.connect import psycopg_url
from reviewbot.store.tables import BATCHES
from tests.fake_anthropic import Answer, FakeAnthropic, Hang
from tests.server.conversations import (
    CODE,
    PRIVATE,
    TURNS,
    conversation,
    turn_of,
    turns_paid_twice,
)
from tests.server.databases import postgres_url
from tests.server.nodes import (
    APART,
    Node,
    assert_whole,
    file_of,
    follow,
    get,
    long_diff,
    post,
    read_until_it_breaks,
    until,
)
from tests.support.served_code import HELD, HOLD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import Recorded

pytestmark = pytest.mark.slow

PATIENCE_S = 60.0
MOMENTS = {
    "while the model streams": 2,
    "after the answer, before the look-ups": 2,
    "after the look-ups, before the next answer": 3,
    "after interim findings were shown": 3,
    "while the model streams its last turn": TURNS,
}
"""When a node is killed, and the turn that is asked for then."""
DIFF = long_diff(2)


class Death:
    """A model whose server helps to kill a node in a turn about the first file.

    Args:
        moment: when.
        folder: that of the node.
    """

    def __init__(self, moment: str, folder: Path) -> None:
        self.moment, self._folder = moment, folder
        self.reached = asyncio.Event()

    def respond(self, request: Recorded) -> Answer:
        """Answer a request; the first one for the turn of the moment only as far as that."""
        is_here = file_of(request) == "file_0.py" and turn_of(request) == MOMENTS[self.moment]
        if self.reached.is_set() or not is_here:
            return conversation(request)
        self.reached.set()
        match self.moment.partition(",")[0]:
            case "while the model streams" | "while the model streams its last turn":
                return conversation(request, cut_at=1_200, cut=Hang())
            case "after the answer":
                (self._folder / HOLD).touch()
                return conversation(request)
            case "after the look-ups":
                return conversation(request, before=[Hang()])
            case _:
                return conversation(
                    request, message_stop=False, cut_at=sys.maxsize, cut=Hang(), delta_size=None
                )

    async def wait(self, seen: list[dict[str, Any]]) -> None:
        """Return when the node may be killed; ``seen`` is what its subscriber gets."""
        async with asyncio.timeout(PATIENCE_S):
            await self.reached.wait()
            if self.moment.startswith("after the answer"):
                await until((self._folder / HELD).exists)
            if self.moment.startswith("after interim"):
                await until(lambda: "file_0.py 40" in titles(seen))

    def allow(self) -> None:
        (self._folder / HOLD).unlink(missing_ok=True)


def titles(records: list[dict[str, Any]]) -> list[str]:
    return [record["finding"]["title"] for record in records if record["type"] == "finding"]


def stored(database: str) -> dict[str, str]:
    """The stored turns, encrypted, by name."""
    engine = sa.create_engine(psycopg_url(database))
    try:
        with engine.connect() as connection:
            rows = connection.execute(sa.select(BATCHES.c.batch, BATCHES.c.result))
            return {row.batch: str(row.result) for row in rows if TURN in row.batch}
    finally:
        engine.dispose()


def holding(word: str, folder: Path) -> list[Path]:
    """The files below a folder, databases included, that have a word."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if word.encode() in path.read_bytes()]


def server(folder: Path, database: str, fake: FakeAnthropic) -> Node:
    environment = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
    return Node(folder, ("--database", database), environment, APART, code=CODE)


async def undisturbed(folder: Path) -> dict[str, Any]:
    """The review of a node that nobody kills."""
    async with FakeAnthropic(conversation) as fake:
        node = server(folder, f"sqlite:///{folder / 'reviewbot.db'}", fake)
        await node.start()
        try:
            review_id = await post(node, DIFF)
            await follow(node, review_id)
            return await get(node, review_id)
        finally:
            await node.kill()


def said(review: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(review["findings"], key=lambda finding: (finding["path"], finding["line"]))


async def kill_in_a_turn(moment: str, folder: Path, database: str, *, takeover: bool) -> None:
    """Kill a node at a moment; it, or another one, goes on. Hold all that follows to its promise.

    Raises:
        AssertionError: something was shown or paid twice, lost, or left in the database.
    """
    expected = await undisturbed(folder / "undisturbed")
    death = Death(moment, folder / "first")
    async with FakeAnthropic(death.respond) as fake:
        first = server(folder / "first", database, fake)
        other = server(folder / "other", database, fake) if takeover else first
        await first.start()
        seen: list[dict[str, Any]] = []
        review_id = await post(first, DIFF)
        reading = asyncio.create_task(read_until_it_breaks(first, review_id, seen))
        await death.wait(seen)
        await first.kill()
        await reading
        death.allow()
        turns, plain = stored(database), holding(PRIVATE, folder)
        await other.start()
        try:
            async with asyncio.timeout(2 * PATIENCE_S):
                seen += await follow(other, review_id, after=len(seen))
            assert seen == await follow(other, review_id)
            review = await get(other, review_id)
        finally:
            await other.kill()
    assert turns
    assert not any(PRIVATE in text for text in turns.values())
    assert [*plain, *holding(PRIVATE, folder)] == []
    assert stored(database) == {}
    assert_whole(seen)
    assert len(titles(seen)) == len(set(titles(seen))) == 6
    assert seen[-1]["outcome"] == "findings"
    assert seen[-1]["lookups"]["count"] == 6
    assert said(review) == said(expected)
    assert [finding["rests_on"][0]["path"] for finding in said(review) if finding["rests_on"]] == [
        "lib/rate.py",
        "lib/rate.py",
    ]
    assert turns_paid_twice(fake.requests) == 0
    assert len(fake.requests) == 2 * TURNS + 1 + interrupted(fake)


def interrupted(fake: FakeAnthropic) -> int:
    """Requests about the second file that the death of the node interrupted, too."""
    turns = [turn_of(request) for request in fake.requests if file_of(request) == "file_1.py"]
    return len(turns) - len(set(turns))


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_node_that_is_killed_in_a_turn_goes_on_from_the_turn_before(
    moment: str, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path / 'reviewbot.db'}"
    await kill_in_a_turn(moment, tmp_path, database, takeover=False)


@pytest.mark.parametrize("moment", MOMENTS)
async def test_another_node_goes_on_from_the_last_finished_turn_of_a_dead_one(
    moment: str, tmp_path: Path
) -> None:
    await kill_in_a_turn(moment, tmp_path, postgres_url(), takeover=True)
