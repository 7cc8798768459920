"""Several nodes on one Postgres: what one of them is asked holds for all."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.store import keys
from reviewbot.store.database import open_database
from reviewbot.store.keys import Limits
from tests.fake_anthropic import Answer, FakeAnthropic, Hang
from tests.server.databases import postgres_url
from tests.server.nodes import (
    APART,
    DEMO,
    assert_whole,
    endless_answer,
    file_of,
    findings_for,
    follow,
    long_diff,
    node,
    post,
    until,
    until_state,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx2 as httpx

    from tests.fake_anthropic.requests import Recorded
    from tests.server.nodes import Node

pytestmark = pytest.mark.slow

SOON_S = 20.0
"""For what takes a second at most; what it is told to stop would go on for ever."""


@asynccontextmanager
async def two_nodes(
    folder: Path, *arguments: str, fake: FakeAnthropic | None = None, database: str | None = None
) -> AsyncIterator[tuple[Node, Node]]:
    url = database or postgres_url()
    async with (
        node(folder / "a", "--database", url, *arguments, fake=fake, settings=APART) as first,
        node(folder / "b", "--database", url, *arguments, fake=fake, settings=APART) as second,
    ):
        yield first, second


def slow_answer(request: Recorded) -> Answer:
    return Answer(findings_for(file_of(request)), delta_size=20, pace=0.05)


async def test_delete_on_another_node_stops_the_model_call(tmp_path: Path) -> None:
    async with FakeAnthropic(endless_answer) as fake, two_nodes(tmp_path, fake=fake) as nodes:
        review_id = await post(nodes[0], long_diff(2))
        await follow(nodes[0], review_id, until="finding")
        runs_on = nodes[0] if f'"{review_id}"' in nodes[0].log else nodes[1]
        (other,) = (one for one in nodes if one is not runs_on)
        async with other.client() as client:
            assert (await client.delete(f"/v1/reviews/{review_id}")).status_code == 204
        async with asyncio.timeout(SOON_S):
            await until(lambda: all(request.ended for request in fake.requests))
        assert {request.ended for request in fake.requests} == {"client closed"}
        records = await follow(other, review_id)
        assert_whole(records)
        assert records[-1]["outcome"] == "cancelled"


async def test_an_idempotency_key_makes_one_review_on_all_nodes(tmp_path: Path) -> None:
    async with two_nodes(tmp_path) as nodes:

        async def ask(number: int) -> httpx.Response:
            async with nodes[number % 2].client(**{"Idempotency-Key": "the-same"}) as client:
                return await client.post("/v1/reviews", content=DEMO, headers=RAW)

        answers = await asyncio.gather(*map(ask, range(16)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.headers["location"] for answer in answers}) == 1
        replayed = Counter(answer.headers.get("idempotent-replayed") for answer in answers)
        assert replayed == {None: 1, "true": 15}
        async with nodes[0].client() as client:
            assert len((await client.get("/v1/reviews")).json()["reviews"]) == 1


async def test_budgets_and_limits_hold_for_all_nodes_together(tmp_path: Path) -> None:
    database = postgres_url()
    opened = open_database(database)
    with opened.engine.begin() as connection:
        _, budget = keys.add(connection, "budget", Limits(tokens_per_day=60_000))
        _, at_once = keys.add(connection, "at once", Limits(reviews_at_once=3))
        _, a_minute = keys.add(connection, "a minute", Limits(requests_per_minute=5))
    await opened.close()
    async with (
        FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake,
        two_nodes(tmp_path, "--require-keys", fake=fake, database=database) as nodes,
    ):

        async def ask(secret: str, number: int, **options: Any) -> int:
            async with nodes[number % 2].client(Authorization=f"Bearer {secret}") as client:
                answer = await client.post(
                    f"/v1/reviews?title={number}",
                    content=long_diff(1),
                    headers=RAW,
                    params=options,
                )
                return answer.status_code

        # One review takes about 11,000 tokens with its answer: five fit, on whichever node.
        found = Counter(await asyncio.gather(*(ask(budget, number) for number in range(12))))
        alone = Counter(await asyncio.gather(*(ask(at_once, number) for number in range(12))))
        minute = Counter(await asyncio.gather(*(ask(a_minute, number) for number in range(12))))
        held = 60_000 // found[201]
        assert found[201] + found[429] == 12
        assert 2 <= found[201] < 12
        assert held >= 5_000
        assert alone == {201: 3, 429: 9}
        assert minute[201] + minute[429] == 12
        assert 5 <= minute[201] <= 10  # the minute may have ended


async def test_a_newer_review_on_another_node_supersedes_the_older_one(tmp_path: Path) -> None:
    async with FakeAnthropic(endless_answer) as fake, two_nodes(tmp_path, fake=fake) as nodes:
        first, second = nodes
        older = await post(first, long_diff(2), subject="acme/shop#12")
        await follow(first, older, until="finding")
        await post(second, long_diff(3), subject="acme/shop#12")
        async with asyncio.timeout(SOON_S):
            records = await follow(second, older)
        assert_whole(records)
        assert records[-1]["outcome"] == "superseded"


async def test_reviews_of_one_subject_at_the_same_moment_leave_one(tmp_path: Path) -> None:
    async with FakeAnthropic(slow_answer) as fake, two_nodes(tmp_path, fake=fake) as nodes:
        ids = await asyncio.gather(
            *(post(nodes[number % 2], long_diff(1), subject="acme/shop#12") for number in range(6))
        )
        ended = [await until_state(nodes[0], review_id, "finished") for review_id in ids]
        assert Counter(one["outcome"] for one in ended) == {"superseded": 5, "findings": 1}


RAW = {"Content-Type": "text/x-diff"}
