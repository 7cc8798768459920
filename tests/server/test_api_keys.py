"""API keys: who may call, and the limits of each key."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.store import keys
from reviewbot.store.database import open_database
from reviewbot.store.keys import Limits
from tests.fake_anthropic import Answer, FakeAnthropic, Hang
from tests.server.nodes import APART, DEMO, Node, file_of, findings_for, long_diff, node, until
from tests.support.api_problems import problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2 as httpx


# --- Keys and budgets


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[Any]:
    """Makes keys in the database of ``tmp_path``."""
    database = open_database(f"sqlite:///{tmp_path / 'reviewbot.db'}")

    with database.engine.begin() as connection:
        keys.add(connection, "so that there is one", Limits())

    def make(**limits: Any) -> str:
        with database.engine.begin() as connection:
            _, secret = keys.add(connection, "test", Limits(**limits))
        return secret

    yield make
    database.engine.dispose()


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}", "Content-Type": "text/x-diff"}


@pytest.mark.slow
async def test_without_a_known_key_nothing_of_the_api_is_answered(
    tmp_path: Path, keyed: Any
) -> None:
    secret = keyed()
    async with node(tmp_path, "--require-keys") as one, one.client() as client:
        for headers in (
            {},
            {"Authorization": "Bearer"},
            {"Authorization": f"Basic {secret}"},
            {"Authorization": f"Bearer {secret}x"},
            {"Authorization": "Bearer rb_" + "é" * 43},
        ):
            values = [(name.encode(), text.encode()) for name, text in headers.items()]
            answer = await client.get("/v1/reviews", headers=values)
            problem(answer, 401)
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert secret not in answer.text
        assert (await client.get("/v1/reviews", headers=bearer(secret))).status_code == 200
        assert (await client.get("/healthz")).status_code == 200
    assert secret not in one.log


@pytest.mark.slow
async def test_nothing_of_another_key_is_seen_or_touched(tmp_path: Path, keyed: Any) -> None:
    mine, other = keyed(), keyed()
    async with node(tmp_path, "--require-keys") as one, one.client() as client:
        answer = await client.post("/v1/reviews", content=DEMO, headers=bearer(mine))
        path = answer.headers["location"]
        for call in ("", "/events", "/diff", "/sarif", "/markdown"):
            problem(await client.get(f"{path}{call}", headers=bearer(other)), 404)
        problem(await client.post(f"{path}/rerun", headers=bearer(other)), 404)
        problem(await client.delete(path, headers=bearer(other)), 404)
        assert (await client.get("/v1/reviews", headers=bearer(other))).json()["reviews"] == []
        # The same idempotency key of another tenant is another key.
        again = {"Idempotency-Key": "k"}
        first = await client.post("/v1/reviews", content=DEMO, headers=bearer(mine) | again)
        second = await client.post("/v1/reviews", content=DEMO, headers=bearer(other) | again)
        assert first.json()["id"] != second.json()["id"]


@pytest.mark.slow
async def test_a_revoked_key_is_of_no_use_from_then_on(tmp_path: Path, keyed: Any) -> None:
    secret = keyed()
    async with node(tmp_path, "--require-keys") as one, one.client() as client:
        assert (await client.get("/v1/reviews", headers=bearer(secret))).status_code == 200
        database = open_database(f"sqlite:///{tmp_path / 'reviewbot.db'}")
        with database.engine.begin() as connection:
            key = keys.everyone(connection)[-1]
            assert keys.revoke(connection, key.id)
        database.engine.dispose()
        problem(await client.get("/v1/reviews", headers=bearer(secret)), 401)


@pytest.mark.slow
async def test_a_public_address_is_not_listened_on_without_a_key(tmp_path: Path) -> None:
    one = Node(tmp_path, ("--host", "0.0.0.0"))  # noqa: S104 - that is what is refused
    with pytest.raises(AssertionError, match="reviewbot keys add"):
        await one.start()


@pytest.mark.slow
async def test_limits_of_a_key_hold_under_concurrency(tmp_path: Path, keyed: Any) -> None:
    async with (
        FakeAnthropic(lambda request: Answer(findings_for(file_of(request)))) as fake,
        node(tmp_path, "--require-keys", fake=fake, settings=APART) as one,
        one.client() as client,
    ):
        secret = keyed(tokens_per_day=60_000)

        async def ask(number: int) -> httpx.Response:
            return await client.post(
                f"/v1/reviews?title={number}", content=long_diff(1), headers=bearer(secret)
            )

        answers = await asyncio.gather(*(ask(number) for number in range(12)))
        taken = [answer for answer in answers if answer.status_code == 201]
        refused = [answer for answer in answers if answer.status_code != 201]
        assert 0 < len(taken) < 12
        for answer in refused:
            assert "budget" in problem(answer, 429)["detail"]
            assert 0 < int(answer.headers["retry-after"]) <= 86_400
            assert answer.headers["x-tokens-remaining"].isdigit()
        spent = 0
        for answer in taken:
            path = answer.headers["location"]
            await until_state_with(client, path, secret)
            spent += sum((await client.get(path, headers=bearer(secret))).json()["usage"].values())
        answer = await client.get("/v1/reviews", headers=bearer(secret))
        used, left = (int(answer.headers[f"x-tokens-{name}"]) for name in ("used", "remaining"))
        assert used == spent > 0
        assert used + left == 60_000  # what was set aside and not used is free again


async def until_state_with(client: httpx.AsyncClient, path: str, secret: str) -> None:
    async def finished() -> bool:
        answer = await client.get(path, headers=bearer(secret))
        return bool(answer.json()["state"] == "finished")

    async with asyncio.timeout(30):
        while not await finished():  # noqa: ASYNC110 - another process brings it about
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_requests_of_a_minute_and_reviews_at_once_are_limited(
    tmp_path: Path, keyed: Any
) -> None:
    async with (
        FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake,
        node(tmp_path, "--require-keys", fake=fake, settings=APART) as one,
        one.client() as client,
    ):
        secret = keyed(requests_per_minute=3)
        answers = [
            await client.post("/v1/reviews", content=DEMO, headers=bearer(secret))
            for _ in range(10)
        ]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert 4 <= len(refused) <= 7  # they may fall into two minutes
        assert all(0 < int(answer.headers["retry-after"]) <= 60 for answer in refused)
        assert {answer.status_code for answer in answers} == {201, 429}
        secret = keyed(reviews_at_once=2)
        answers = await asyncio.gather(
            *(
                client.post("/v1/reviews", content=long_diff(1), headers=bearer(secret))
                for _ in range(5)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [201, 201, 429, 429, 429]


@pytest.mark.slow
async def test_a_limit_in_dollars_holds_under_concurrency(tmp_path: Path, keyed: Any) -> None:
    async with (
        FakeAnthropic(lambda request: Answer(findings_for(file_of(request)))) as fake,
        node(tmp_path, "--require-keys", fake=fake, settings=APART) as one,
        one.client() as client,
    ):
        secret = keyed(usd_per_day=0.15)
        answers = await asyncio.gather(
            *(
                client.post(
                    f"/v1/reviews?title={number}", content=long_diff(1), headers=bearer(secret)
                )
                for number in range(12)
            )
        )
        taken = [answer for answer in answers if answer.status_code == 201]
        assert 0 < len(taken) < 12
        spent = 0.0
        for answer in taken:
            path = answer.headers["location"]
            await until_state_with(client, path, secret)
            spent += (await client.get(path, headers=bearer(secret))).json()["cost_usd"]
        assert 0 < spent <= 0.15
        for answer in answers:
            if answer.status_code != 201:
                assert "of $0.15 are used" in problem(answer, 429)["detail"]
        # What was set aside and not used is free again: there is room for one more.
        more = await client.post("/v1/reviews", content=long_diff(1), headers=bearer(secret))
        assert more.status_code == 201


@pytest.mark.slow
async def test_a_repeated_request_is_a_replay_and_not_one_too_many(
    tmp_path: Path, keyed: Any
) -> None:
    async with (
        FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake,
        node(tmp_path, "--require-keys", fake=fake, settings=APART) as one,
        one.client() as client,
    ):
        secret = keyed(reviews_at_once=1)
        headers = {**bearer(secret), "Idempotency-Key": "once"}
        answers = await asyncio.gather(
            *(client.post("/v1/reviews", content=long_diff(1), headers=headers) for _ in range(6))
        )
        assert [answer.status_code for answer in answers] == [201] * 6
        assert len({answer.headers["location"] for answer in answers}) == 1
        # A rerun is one more review.
        rerun = await client.post(f"{answers[0].headers['location']}/rerun", headers=bearer(secret))
        problem(rerun, 429)


@pytest.mark.slow
async def test_revoking_a_key_ends_what_it_has_at_work(tmp_path: Path, keyed: Any) -> None:
    database = f"sqlite:///{tmp_path / 'reviewbot.db'}"
    async with (
        FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake,
        node(
            tmp_path, "--require-keys", "--reviews-at-once", "1", fake=fake, settings=APART
        ) as one,
        one.client() as client,
    ):
        leaked, kept = keyed(), keyed()
        await client.post("/v1/reviews", content=long_diff(1), headers=bearer(leaked))
        await until(lambda: len(fake.requests) == 1)
        for secret in (leaked, kept):
            await client.post("/v1/reviews", content=long_diff(1), headers=bearer(secret))
        opened = open_database(database)
        with opened.engine.connect() as connection:
            key = keys.known(connection, leaked)
        opened.engine.dispose()
        assert key is not None
        revoking = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "reviewbot", "keys", "revoke", key.id, "--database", database),
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await revoking.communicate()
        assert b"2 reviews of this key will be cancelled" in said
        async with asyncio.timeout(10):
            await until(lambda: len(fake.requests) == 2)  # the other key's has its turn
        assert fake.requests[0].ended == "client closed"
        assert fake.requests[1].ended is None


@pytest.mark.slow
async def test_a_request_above_its_tokens_is_refused_or_cut_from_its_middle(
    tmp_path: Path, keyed: Any
) -> None:
    async with (
        FakeAnthropic(lambda request: Answer(findings_for(file_of(request)))) as fake,
        node(tmp_path, "--require-keys", fake=fake, settings=APART) as one,
        one.client() as client,
    ):
        secret = keyed(tokens_per_request=40_000)
        answer = await client.post("/v1/reviews", content=long_diff(6), headers=bearer(secret))
        found = problem(answer, 413)
        assert found["tokens"] > found["limit"] == 40_000
        assert fake.requests == []
        answer = await client.post(
            "/v1/reviews?truncate=middle", content=long_diff(6), headers=bearer(secret)
        )
        assert answer.status_code == 201
        path = answer.headers["location"]
        await until_state_with(client, path, secret)
        review = (await client.get(path, headers=bearer(secret))).json()
        assert review["outcome"] == "incomplete"
        left_out = [one["path"] for one in review["coverage"] if one["status"] == "failed"]
        assert left_out
        assert {"file_0.py", "file_5.py"}.isdisjoint(left_out)
        asked = {file_of(request) for request in fake.requests}
        assert asked == {f"file_{number}.py" for number in range(6)} - set(left_out)
        assert all(
            "Left out" in one["reason"] for one in review["coverage"] if one["path"] in left_out
        )


# --- Pages of other sites


PLAIN = {"Content-Type": "text/plain"}


@pytest.mark.slow
async def test_every_answer_to_a_key_says_what_is_left_of_its_day(
    tmp_path: Path, keyed: Any
) -> None:
    secret = keyed(tokens_per_day=1_000, requests_per_minute=1)
    async with node(tmp_path, "--require-keys") as one, one.client(**bearer(secret)) as client:
        await until(lambda: time.time() % 60 < 45)  # both reviews are in one minute of the clock
        answers = [
            await client.get("/v1/reviews"),
            await client.get("/v1/reviews?limit=0"),
            await client.get(f"/v1/reviews/{'0' * 32}"),
            await client.post("/v1/reviews", content=b"no diff", headers=PLAIN),
            await client.post("/v1/reviews", content=DEMO, headers=PLAIN),
            await client.get("/metrics"),
        ]
        assert [answer.status_code for answer in answers] == [200, 400, 404, 400, 429, 403]
        for answer in answers:
            assert answer.headers["x-tokens-used"] == "0"
            assert answer.headers["x-tokens-remaining"] == "1000"
            assert 0 < int(answer.headers["x-tokens-reset"]) <= 86_400
            assert answer.headers["cache-control"].startswith("no-")
        stranger = await client.get("/v1/reviews", headers=bearer("rb_unknown"))
        assert stranger.status_code == 401
        assert "x-tokens-used" not in stranger.headers
