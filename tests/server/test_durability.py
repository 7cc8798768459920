"""Whatever happens to nodes: no review lost, no finding doubled, nothing finished paid twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from reviewbot.jobs.run import MOST_BREAKS
from reviewbot.store.connect import psycopg_url
from reviewbot.store.tables import BATCHES, EVENTS, REVIEWS
from tests.fake_anthropic import Answer, FakeAnthropic, Hang, Recorded, Reply, StatusError
from tests.server.conversations import CODE, TURNS, conversation, turn_of, turns_paid_twice
from tests.server.databases import postgres_url
from tests.server.nodes import (
    APART,
    DEMO,
    Node,
    assert_whole,
    endless_answer,
    file_of,
    findings_for,
    follow,
    get,
    long_diff,
    node,
    post,
    read_until_it_breaks,
    until,
    until_state,
)
from tests.support.examples import PROFILE
from tests.support.reviews import numbered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = 6
KILLS = 12 if PROFILE == "nightly" else 6


def answer(request: Recorded, *, delta_size: int = 40, pace: float = 0.02) -> Reply:
    """Three findings for each file, written slowly enough to be interrupted.

    With look-ups, files of an odd number get a conversation.
    """
    path = file_of(request)
    if request.offers_lookups and path[-4] in "13579":
        return conversation(request, delta_size=delta_size, pace=pace)
    return Answer(findings_for(path), delta_size=delta_size, pace=pace)


def slow_answer(request: Recorded) -> Reply:
    """The same, for what takes longer."""
    return answer(request, delta_size=10, pace=0.05)


def expected_titles(files: int) -> set[str]:
    return {f"file_{number}.py {line}" for number in range(files) for line in (1, 40, 160)}


def titles(records: list[dict[str, Any]]) -> set[str]:
    return {one["finding"]["title"] for one in records if one["type"] == "finding"}


def checkpointed(database: str, review_id: str) -> set[int]:
    """The numbers of the batches that a model is done with, from 0, as the database has it."""
    engine = sa.create_engine(psycopg_url(database))
    try:
        with engine.connect() as connection:
            batches = connection.scalars(
                sa.select(BATCHES.c.batch).where(BATCHES.c.review_id == review_id)
            )
            reviewed = [batch for batch in batches if "/" not in batch]
            return {int(batch.removeprefix("b")) - 1 for batch in reviewed}
    finally:
        engine.dispose()


def may_be_killed(database: str) -> bool:
    """Return whether no review ends if its node is killed now: three in a row end it."""
    engine = sa.create_engine(psycopg_url(database))
    try:
        with engine.connect() as connection:
            broken = sa.and_(REVIEWS.c.state != "finished", REVIEWS.c.breaks >= MOST_BREAKS - 1)
            return connection.scalar(sa.select(REVIEWS.c.id).where(broken).limit(1)) is None
    finally:
        engine.dispose()


def diff_of(review: int) -> bytes:
    """A diff like :func:`long_diff`, of files that no other review has."""
    return "".join(
        numbered(f"file_{100 * review + number}.py", 160) for number in range(FILES)
    ).encode()


class Chaos:
    """Reviews, their subscribers, and what each kill found done: to count what was lost or doubled.

    Args:
        database: where what is done can be seen.
        fake: the model server.
    """

    def __init__(self, database: str, fake: FakeAnthropic) -> None:
        self._database, self._fake = database, fake
        self.reviews: dict[str, int] = {}
        self.seen: dict[str, list[dict[str, Any]]] = {}
        self._done: list[tuple[int, set[str]]] = []
        self.kills = 0

    async def post(self, one: Node) -> None:
        """Start another review."""
        number = len(self.reviews) + 1
        review_id = await post(one, diff_of(number))
        self.reviews[review_id], self.seen[review_id] = number, []

    def read(self, one: Node) -> asyncio.Future[Any]:
        """A subscriber of each review, which goes on from its last id, until the node is gone."""
        return asyncio.gather(
            *(read_until_it_breaks(one, review_id, seen) for review_id, seen in self.seen.items())
        )

    async def kill(self, one: Node) -> None:
        """Kill a node, and note which batches are done: they must not be asked about again."""
        await one.kill()
        self.kills += 1
        done = {
            f"file_{100 * number + batch}.py"
            for review_id, number in self.reviews.items()
            for batch in checkpointed(self._database, review_id)
        }
        self._done.append((len(self._fake.requests), done))

    async def counts(self, one: Node) -> Counter[str]:
        """Follow each review to its end, and count."""
        found = Counter({"kills": self.kills, "reviews": len(self.reviews)})
        for review_id, number in self.reviews.items():
            seen = self.seen[review_id]
            seen += await follow(one, review_id, after=len(seen))
            assert_whole(seen)
            assert seen == await follow(one, review_id)
            assert seen[-1]["outcome"] == "findings"
            told = Counter(
                event["finding"]["title"] for event in seen if event["type"] == "finding"
            )
            expected = {
                f"file_{100 * number + file}.py {line}"
                for file in range(FILES)
                for line in (1, 40, 160)
            }
            found["lost findings"] += len(expected - told.keys())
            found["doubled findings"] += sum(told.values()) - len(told)
        for asked, done in self._done:
            again = [file_of(request) for request in self._fake.requests[asked:]]
            found["batches paid twice"] += sum(path in done for path in again)
        found["turns paid twice"] = turns_paid_twice(self._fake.requests)
        assert any(turn_of(request) == TURNS for request in self._fake.requests)
        return found


async def asked_again(fake: FakeAnthropic) -> None:
    """Return once somebody asks the model."""
    before = len(fake.requests)
    await until(lambda: len(fake.requests) > before)


NOTHING_WRONG = {
    "lost findings": 0,
    "doubled findings": 0,
    "batches paid twice": 0,
    "turns paid twice": 0,
}


@pytest.mark.slow
@pytest.mark.real_time
async def test_kill_9_at_any_moment_loses_nothing_and_pays_nothing_twice(
    database: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    draw = random.Random(7)  # noqa: S311 - when it is killed, the same each time
    async with FakeAnthropic(answer) as fake:
        chaos = Chaos(database, fake)
        one = Node(
            tmp_path,
            ("--database", database),
            {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url},
            APART,
            code=CODE,
        )
        await one.start()
        for kill in range(KILLS):
            if kill % 4 == 0:  # at the first, killed as soon as it is there
                await chaos.post(one)
            reading = chaos.read(one)
            await asyncio.sleep(draw.uniform(0.0, 0.8) if kill else 0.0)
            await until(lambda: may_be_killed(database))
            await chaos.kill(one)
            await reading
            await one.start()
        counts = await chaos.counts(one)
        await one.kill()
    kind = database.partition(":")[0]
    record_property("chaos", f"{kind}: {dict(counts)}")
    assert counts == {"kills": KILLS, "reviews": (KILLS + 3) // 4, **NOTHING_WRONG}


@pytest.mark.slow
async def test_another_node_takes_over_within_30_seconds(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The first node takes over from the second one, too."""
    database = postgres_url()
    async with FakeAnthropic(slow_answer) as fake:
        chaos = Chaos(database, fake)
        environment = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        first, second = (
            Node(tmp_path / name, ("--database", database), environment, APART, code=CODE)
            for name in ("first", "second")
        )
        await first.start()
        await chaos.post(first)
        (review_id,) = chaos.reviews
        await follow(first, review_id, until="finding")
        for runs, other in ((first, second), (second, first)):
            await other.start()
            await chaos.kill(runs)
            async with asyncio.timeout(30):
                await asked_again(fake)
        fake.respond = answer  # nobody is killed any more
        async with asyncio.timeout(120):  # to its end: a loaded machine is slow
            counts = await chaos.counts(first)
        await first.kill()
    record_property("chaos", f"two nodes: {dict(counts)}")
    assert counts == {"kills": 2, "reviews": 1, **NOTHING_WRONG}


@pytest.mark.slow
async def test_a_reader_on_another_node_sees_everything_as_it_comes(tmp_path: Path) -> None:
    database = postgres_url()
    async with (
        FakeAnthropic(answer) as fake,
        node(tmp_path / "a", "--database", database, fake=fake, settings=APART) as first,
        node(tmp_path / "b", "--database", database, fake=fake, settings=APART) as second,
    ):
        review_id = await post(first, long_diff(3))
        here, there = await asyncio.gather(follow(first, review_id), follow(second, review_id))
        assert here == there
        assert_whole(here)


@pytest.mark.slow
async def test_a_deploy_strands_nothing(database: str, tmp_path: Path) -> None:
    async with FakeAnthropic(answer) as fake:
        environment = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        one = Node(tmp_path, ("--database", database, "--grace-s", "0"), environment, APART)
        await one.start()
        running = await post(one, long_diff(FILES))
        await follow(one, running, until="finding")
        assert await one.stop() == 0
        await one.start()
        records = await follow(one, running)
        assert_whole(records)
        assert titles(records) == expected_titles(FILES)
        await one.kill()


@pytest.mark.slow
@pytest.mark.real_time
async def test_shutting_down_ends_open_streams_and_takes_nothing_new(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake,
        node(tmp_path, "--grace-s", "2", fake=fake, settings=APART) as one,
    ):
        review_id = await post(one, long_diff(1))
        await until(lambda: len(fake.requests) == 1)
        reading = asyncio.create_task(follow(one, review_id))
        await follow(one, review_id, until="chunk.started")
        stopping = asyncio.create_task(one.stop())
        async with one.client() as client:
            await asyncio.sleep(0.5)
            headers = {"Content-Type": "text/x-diff"}
            refused = await client.post("/v1/reviews", content=DEMO, headers=headers)
            assert refused.status_code == 503
            assert refused.headers["retry-after"]
            assert (await client.get("/readyz")).status_code == 503
        async with asyncio.timeout(10):
            assert await stopping == 0
        records = await reading  # it ended as a stream ends, not as a connection breaks
        assert records[-1]["type"] == "chunk.started"


@pytest.mark.slow
async def test_shutting_down_lets_a_review_come_to_its_end(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(lambda request: Answer(findings_for(file_of(request)), pace=0.005)) as fake,
        node(tmp_path, fake=fake, settings=APART) as one,
    ):
        review_id = await post(one, long_diff(1))
        await follow(one, review_id, until="chunk.started")
        reading = asyncio.create_task(follow(one, review_id))
        await asyncio.sleep(0.05)
        assert await one.stop() == 0
        records = await reading
        assert_whole(records)
        assert len(fake.requests) == 1


@pytest.mark.slow
async def test_models_that_are_down_make_a_review_wait_and_go_on(
    database: str, tmp_path: Path
) -> None:
    down = True

    def respond(request: Recorded) -> Reply:
        if (
            down and file_of(request) != "file_2.py"
        ):  # which comes after as many as are asked at once
            return StatusError(529, retry_after=0)
        return Answer(findings_for(file_of(request)))

    async with (
        FakeAnthropic(respond) as fake,
        node(
            tmp_path,
            *("--database", database, "--first-wait-s", "0.3"),
            fake=fake,
            settings=APART + "max_attempts: 1\n",
        ) as one,
    ):
        review_id = await post(one, long_diff(3))
        found = await until_state(one, review_id, "waiting", "finished")
        assert found["state"] == "waiting"
        assert found["next_try_at"]
        assert "file_2.py" in map(file_of, fake.requests)
        assert found["progress"]["activity"].startswith(
            "The model service is overloaded; the next attempt is at "
        )
        down = False
        records = await follow(one, review_id)
        assert_whole(records)
        assert titles(records) == expected_titles(3)
        assert Counter(map(file_of, fake.requests))["file_2.py"] == 1


@pytest.mark.slow
async def test_a_review_that_waits_for_its_models_can_be_cancelled(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(lambda _: StatusError(529, retry_after=0)) as fake,
        node(
            tmp_path, "--first-wait-s", "600", fake=fake, settings=APART + "max_attempts: 1\n"
        ) as one,
    ):
        review_id = await post(one, long_diff(1))
        await until_state(one, review_id, "waiting")
        asked = len(fake.requests)
        async with one.client() as client:
            assert (await client.delete(f"/v1/reviews/{review_id}")).status_code == 204
        records = await follow(one, review_id)
        assert_whole(records)
        assert records[-1]["outcome"] == "cancelled"
        assert len(fake.requests) == asked


@pytest.mark.slow
async def test_models_that_stay_down_end_a_review_as_incomplete(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(lambda _: StatusError(529, retry_after=0)) as fake,
        node(
            tmp_path,
            *("--first-wait-s", "0.2", "--wait-limit-s", "1"),
            fake=fake,
            settings=APART + "max_attempts: 1\n",
        ) as one,
    ):
        records = await follow(one, await post(one, long_diff(1)))
        assert_whole(records)
        assert records[-1]["outcome"] == "incomplete"
        assert [file["status"] for file in records[-1]["coverage"]] == ["failed"]
        assert len(fake.requests) > 1


@pytest.mark.slow
async def test_delete_stops_the_model_call_at_once(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(endless_answer) as fake,
        node(tmp_path, fake=fake, settings=APART) as one,
    ):
        review_id = await post(one, long_diff(2))
        await follow(one, review_id, until="finding")
        async with one.client() as client:
            assert (await client.delete(f"/v1/reviews/{review_id}")).status_code == 204
        async with asyncio.timeout(20):
            await until(lambda: all(request.ended for request in fake.requests))
        assert {request.ended for request in fake.requests} == {"client closed"}
        records = await follow(one, review_id)
        assert_whole(records)
        assert records[-1]["outcome"] == "cancelled"


@pytest.mark.slow
async def test_a_newer_review_of_the_same_subject_supersedes_the_older_one(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(answer) as fake,
        node(tmp_path, fake=fake, settings=APART) as one,
    ):
        older = await post(one, long_diff(2), subject="acme/shop#12")
        other = await post(one, long_diff(1), subject="acme/shop#13")
        await follow(one, older, until="finding")
        newer = await post(one, long_diff(2) + DEMO, subject="acme/shop#12")
        assert (await follow(one, older))[-1]["outcome"] == "superseded"
        assert (await get(one, other))["outcome"] in (None, "findings")
        assert (await get(one, newer))["outcome"] is None


def test_an_event_is_stored_once() -> None:
    assert [column.name for column in EVENTS.primary_key] == ["review_id", "seq"]
