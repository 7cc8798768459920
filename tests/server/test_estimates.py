"""``POST /v1/estimates`` and ``GET /v1/models``: the model and its cost before a review starts."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from reviewbot.store import keys
from reviewbot.store.database import open_database
from reviewbot.store.keys import Limits
from tests.fake_anthropic import Answer, FakeAnthropic
from tests.server.nodes import APART, DEMO, Node, follow, node, post
from tests.server.test_openapi import validator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DIFF = {"Content-Type": "text/x-diff"}


async def test_an_estimate_is_that_of_the_review_and_starts_none(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(lambda _: Answer([])) as fake,
        node(tmp_path, fake=fake, settings=f"{APART}\nbudget_usd: 0.5\n") as one,
    ):
        async with one.client() as client:
            answer = await client.post("/v1/estimates", content=DEMO, headers=DIFF)
            listed = (await client.get("/v1/reviews")).json()
        assert answer.status_code == 200
        found = answer.json()
        assert not [*validator("/components/schemas/ReviewEstimate").iter_errors(found)]
        assert listed["reviews"] == []
        assert fake.requests == []
        started = (await follow(one, await post(one)))[0]
        for name in ("requests", "input_tokens", "output_tokens", "cost_usd"):
            assert found[name] == started["estimate"][name]
        assert found["cost_usd"] > 0
        assert (found["files"], found["budget_usd"]) == (4, 0.5)


async def test_an_estimate_takes_json_and_the_rules_cost_nothing(server: Node) -> None:
    body = {"diff": DEMO.decode(), "options": {"model": "offline", "budget_usd": 0.1}}
    async with server.client() as client:
        answer = await client.post("/v1/estimates", json=body)
    found = answer.json()
    assert (found["models"], found["cost_usd"], found["budget_usd"]) == (["offline"], 0, 0.1)
    assert (found["requests"] > 0, found["output_tokens"]) == (True, 0)


async def test_what_a_review_would_refuse_an_estimate_refuses_too(server: Node) -> None:
    async with server.client() as client:
        for content, status in ((b"", 400), (b"hello", 400), (b"x" * 11_000_000, 413)):
            answers = [
                await client.post(path, content=content, headers=DIFF)
                for path in ("/v1/estimates", "/v1/reviews")
            ]
            assert [answer.status_code for answer in answers] == [status, status]
            assert answers[0].json()["detail"] == answers[1].json()["detail"]


async def test_a_key_gets_one_estimate_at_a_time_beside_its_limit_of_reviews(server: Node) -> None:
    database = open_database(f"sqlite:///{server.folder / 'reviewbot.db'}")
    with database.engine.begin() as connection:
        _, secret = keys.add(connection, "few", Limits(requests_per_minute=1))
    database.engine.dispose()
    headers = {**DIFF, "Authorization": f"Bearer {secret}"}
    begun, rest = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield DEMO[:100]
        begun.set()
        await rest.wait()
        yield DEMO[100:]

    async with server.client() as client, asyncio.timeout(60):
        first = asyncio.create_task(client.post("/v1/estimates", content=slow(), headers=headers))
        await begun.wait()
        statuses: list[int] = []
        while 429 not in statuses and len(statuses) < 10:
            answer = await client.post("/v1/estimates", content=DEMO, headers=headers)
            statuses.append(answer.status_code)
        rest.set()
        # If the first one arrived beside another one, it is the one that is refused.
        statuses.append((await first).status_code)
        assert statuses.count(429) == 1
        answer = await client.post("/v1/estimates", content=DEMO, headers=headers)
        assert answer.status_code == 200


async def test_the_models_of_a_server_are_listed_with_their_prices(tmp_path: Path) -> None:
    settings = "models: {local: {prices: {input: 1, output: 2, cache_read: 0, cache_write: 1}}}"
    async with (
        FakeAnthropic(lambda _: Answer([])) as fake,
        node(tmp_path, fake=fake, settings=settings) as one,
        one.client() as client,
    ):
        answer = await client.get("/v1/models")
    found = answer.json()
    assert not [*validator("/components/schemas/ModelList").iter_errors(found)]
    assert found["models"][0]["name"] == found["default"]
    by_name = {each["name"]: each for each in found["models"]}
    assert by_name["local"]["prices"] == {"input": 1, "output": 2}
    assert by_name["offline"]["offline"]
    assert fake.key not in json.dumps(found)
    assert fake.base_url not in json.dumps(found)


async def test_another_method_than_post_is_refused_as_such(server: Node) -> None:
    async with server.client() as client:
        answer = await client.get("/v1/estimates")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
