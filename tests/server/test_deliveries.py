"""Deliveries of GitHub: none is lost, none done twice, and none keeps others waiting."""

from __future__ import annotations

import asyncio
import logging
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from reviewbot.errors import ConfigError, DiffError
from reviewbot.github.app import inbox as inboxes
from reviewbot.github.app import poller
from reviewbot.github.app.retries import (
    FEW_TRIES,
    LIMITED_TRIES,
    LONGEST_LIMIT_S,
    LONGEST_PAUSE_S,
    MOST_TRIES,
    pause_after,
    sentence,
)
from reviewbot.github.app.subjects import installation_of, subject_of
from reviewbot.github.client.errors import (
    BadCredentialsError,
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
    UnavailableError,
    UncertainWriteError,
)
from reviewbot.github.webhook import parse as webhook
from reviewbot.github.webhook.tasks import (
    Commented,
    IgnoredDelivery,
    InstallationChanged,
    Ping,
    PullRequestInactive,
    RepositoryRef,
    RerunWanted,
)
from reviewbot.server.telemetry.logs import FIELDS
from reviewbot.store import deliveries, nodes
from reviewbot.store.database import StoreError
from reviewbot.store.deliveries import QUEUE, NewDelivery
from reviewbot.store.load import load
from reviewbot.store.queue import CLAIMS, LONGEST_PAUSE_MS, Claimed, Queue
from reviewbot.store.tables import DELIVERIES, PUBLICATIONS
from tests.server.databases import postgres_url
from tests.server.webhooks import (
    Clock,
    Handler,
    hangs,
    inbox,
    opened,
    pull_request,
    raising,
    state_of,
    until,
    until_state,
    working,
)

if TYPE_CHECKING:
    from pathlib import Path

    from reviewbot.store.database import Database

HOUR_S = 3600.0


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "POLL_S", 0.02)


async def row_of(database: Database, delivery: str) -> Any:
    statement = sa.select(DELIVERIES).where(DELIVERIES.c.id == delivery)
    return await database.read(lambda connection: connection.execute(statement).one())


def new(delivery: str, subject: str | None = None, installation: int | None = 1) -> NewDelivery:
    return NewDelivery(delivery, "pull_request", installation, subject, b"packed")


async def put(database: Database, *them: NewDelivery, at: int = 1) -> None:
    for number, one in enumerate(them):
        assert await database.write(partial(deliveries.insert, new=one, at=at + number))


async def claim(database: Database, at: int = 10, **options: Any) -> list[str]:
    options = {"node": "here", "alive": (), "most": 100, "per_installation": 100, **options}
    found = await database.write(partial(QUEUE.claim, at=at, **options))
    return [one.id for one in found]


# --- Taken


async def test_a_delivery_is_stored_when_it_is_taken(database: str) -> None:
    async with opened(database) as store:
        await inbox(store).take("d1", "pull_request", pull_request(number=7, installation=3))
        row = await row_of(store, "d1")
    assert (row.state, row.tries, row.event) == ("waiting", 0, "pull_request")
    assert (row.subject, row.installation) == ("octo/repo#7", 3)


async def test_a_database_that_was_there_before_gets_the_table(database: str) -> None:
    async with opened(database) as store:
        with store.engine.begin() as connection:
            DELIVERIES.drop(connection)
    async with opened(database) as store:
        await inbox(store).take("d1", "pull_request", pull_request())
        assert await state_of(store, "d1") == "waiting"


async def test_a_repeat_does_nothing_while_the_first_waits_is_at_work_and_after_it(
    database: str,
) -> None:
    go_on = asyncio.Event()
    async with opened(database) as store:
        handler = Handler({"d1": go_on.wait})
        one = inbox(store, handler)
        take = partial(one.take, "d1", "pull_request", pull_request())
        await take()
        await take()
        assert (await store.read(load)).deliveries == {"waiting": 1, "working": 0, "failed": 0}
        async with working(one):
            await until(lambda: handler.begun == ["d1"])
            await take()
            assert await state_of(store, "d1") == "working"
            go_on.set()
            await until_state(store, "done", "d1")
            await take()
            await one.take("d2", "pull_request", pull_request(number=8))
            await until_state(store, "done", "d1", "d2")
    assert handler.begun == ["d1", "d2"]


async def test_what_needs_nothing_is_done_at_once_and_remembered(database: str) -> None:
    async with opened(database) as store:
        handler = Handler()
        async with working(inbox(store, handler)) as one:
            await one.take("d1", "star", b"{}")
            await one.take("d2", "pull_request", pull_request(draft=True))
            await one.take("d3", "pull_request", b"not JSON")
            await one.take("d4", "pull_request", pull_request())
            await until_state(store, "done", "d1", "d2", "d3", "d4")
        rows = [await row_of(store, name) for name in ("d1", "d2", "d3")]
        assert [row.reason for row in rows] == [
            "star: nothing to do",
            "pull_request: a draft",
            "pull_request: the payload is not JSON that can be read",
        ]
        assert [row.tries for row in rows] == [0, 0, 0]
    assert handler.begun == ["d4"]


async def test_what_is_done_keeps_its_id_and_not_its_payload(database: str) -> None:
    async with opened(database) as store:
        async with working(inbox(store)) as one:
            await one.take("d1", "pull_request", pull_request())
            assert (await row_of(store, "d1")).body != b""
            await until_state(store, "done", "d1")
        assert (await row_of(store, "d1")).body == b""


async def test_a_large_payload_is_read_and_packed_beside_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def watched(*arguments: Any) -> Any:
        threads.append(threading.current_thread() is threading.main_thread())
        return webhook.read(*arguments)

    monkeypatch.setattr(inboxes, "read", watched)
    async with opened(f"sqlite:///{tmp_path / 'x.db'}") as store:
        handler = Handler()
        async with working(inbox(store, handler)) as one:
            noise = "".join(f"{number:x}" for number in range(100_000))
            await one.take("d1", "pull_request", pull_request(body=noise))
            await until_state(store, "done", "d1")
            await one.take("d2", "pull_request", pull_request(number=8))
            await until_state(store, "done", "d2")
    assert threads == [False, False, True, True]
    assert handler.begun == ["d1", "d2"]


# --- In turn


async def test_deliveries_of_one_subject_go_in_turn_and_others_beside_them(database: str) -> None:
    go_on = asyncio.Event()
    async with opened(database) as store:
        handler = Handler({"a1": go_on.wait})
        one = inbox(store, handler)
        for name, action, number in (
            ("a1", "opened", 1),
            ("a2", "synchronize", 1),
            ("a3", "closed", 1),
            ("b1", "opened", 2),
        ):
            await one.take(name, "pull_request", pull_request(action, number))
        async with working(one):
            await until_state(store, "done", "b1")
            assert handler.at_work == ["a1"]
            go_on.set()
            await until_state(store, "done", "a1", "a2", "a3")
    assert [name for name in handler.begun if name != "b1"] == ["a1", "a2", "a3"]


async def test_the_next_of_a_subject_waits_for_one_that_is_tried_again(database: str) -> None:
    clock = Clock()
    async with opened(database) as store:
        handler = Handler({"a1": raising(UnavailableError("away"))})
        one = inbox(store, handler, clock=clock)
        await one.take("a1", "pull_request", pull_request("opened"))
        await one.take("a2", "pull_request", pull_request("closed"))
        await one.take("b1", "pull_request", pull_request("opened", 2))
        async with working(one):
            await until_state(store, "done", "b1")
            assert await state_of(store, "a2") == "waiting"
            clock.ahead_s = 5
            await until_state(store, "done", "a1", "a2")
    assert [name for name in handler.begun if name != "b1"] == ["a1", "a1", "a2"]


async def test_no_two_of_a_subject_come_at_the_same_time_though_clocks_are_set_back(
    database: str,
) -> None:
    async with opened(database) as store:
        for number, at in enumerate((500, 500, 100, 900)):
            await put(store, new(f"d{9 - number}", "octo/repo#1"), at=at)
        order = []
        while claimed := await claim(store, at=1000, most=100):
            order += claimed
            (name,) = claimed
            tried = Claimed(name, 1)
            assert await store.write(partial(QUEUE.complete, claimed=tried, at=1000))
    assert order == ["d9", "d8", "d7", "d6"]


async def test_an_installation_has_so_many_at_work_and_no_more(database: str) -> None:
    go_on = asyncio.Event()
    async with opened(database) as store:
        busy = [f"busy{number}" for number in range(10)]
        handler = Handler(dict.fromkeys(busy, go_on.wait))
        one = inbox(store, handler, at_once=6, per_installation=4)
        for number, name in enumerate(busy):
            await one.take(name, "pull_request", pull_request(number=number + 1, installation=1))
        async with working(one):
            await until(lambda: len(handler.at_work) == 4)
            await one.take("other", "pull_request", pull_request(number=99, installation=2))
            await until_state(store, "done", "other")
            assert sorted(handler.at_work) == busy[:4]
            go_on.set()
            await until_state(store, "done", *busy)
    assert sorted(handler.begun) == [*busy, "other"]


async def test_an_installation_that_has_none_at_work_waits_for_no_other(database: str) -> None:
    """All places may be held by those that wait for GitHub."""
    go_on = asyncio.Event()
    async with opened(database) as store:
        busy = [f"busy{number}" for number in range(8)]
        handler = Handler(dict.fromkeys([*busy, "quiet"], go_on.wait))
        one = inbox(store, handler, at_once=4, per_installation=2)
        for number, name in enumerate(busy):
            body = pull_request(number=number + 1, installation=1 + number // 2)
            await one.take(name, "pull_request", body)
        async with working(one):
            # Four places, and one more for each installation that has none of them.
            await until(lambda: len(handler.at_work) == 6)
            await one.take("quiet", "pull_request", pull_request(number=99, installation=9))
            await until(lambda: "quiet" in handler.at_work)
            assert sorted(handler.at_work) == [*busy[:5], "busy6", "quiet"]
            go_on.set()
            await until_state(store, "done", *busy, "quiet")


async def test_what_belongs_to_no_installation_has_places_of_its_own(database: str) -> None:
    async with opened(database) as store:
        await put(store, new("a", None, None), new("b", None, None), new("c", None, 1))
        assert await claim(store, per_installation=1) == ["a", "c"]
        assert await claim(store, per_installation=1) == []
        assert await claim(store, per_installation=2) == ["b"]


async def test_a_handler_that_hangs_keeps_no_other_waiting_and_is_ended(database: str) -> None:
    clock = Clock()
    async with opened(database) as store:
        handler = Handler({"hung": hangs})
        one = inbox(store, handler, clock=clock, limit_s=0.2, at_once=2)
        async with working(one):
            await one.take("hung", "pull_request", pull_request())
            await until(lambda: handler.begun == ["hung"])
            names = [f"d{number}" for number in range(5)]
            for number, name in enumerate(names):
                await one.take(name, "pull_request", pull_request(number=10 + number))
            await until_state(store, "done", *names)
            await until_state(store, "waiting", "hung")
            row = await row_of(store, "hung")
            assert (row.tries, row.reason) == (1, "it was not done in time")
            handler.answers = {}
            clock.ahead_s = 5
            await until_state(store, "done", "hung")


async def test_nothing_waits_for_the_next_look_but_what_another_node_has_to_do_with(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "POLL_S", 600.0)
    async with opened(database) as store:
        handler = Handler()
        async with working(inbox(store, handler, at_once=1)) as one:
            for name in ("d1", "d2", "d3"):
                await one.take(name, "pull_request", pull_request())
            await until_state(store, "done", "d1", "d2", "d3")
            await one.take("d4", "pull_request", pull_request())
            await until_state(store, "done", "d4")
    assert handler.begun == ["d1", "d2", "d3", "d4"]


# --- Restarts, and other nodes


async def test_what_a_restart_breaks_off_is_worked_off_after_it(database: str) -> None:
    clock = Clock()
    async with opened(database) as store:
        broken = Handler({"d1": hangs})
        async with working(inbox(store, broken, node="before")) as one:
            await one.take("d1", "pull_request", pull_request())
            await one.take("d2", "pull_request", pull_request("closed"))
            await until(lambda: broken.begun == ["d1"])
    async with opened(database) as store:
        row = await row_of(store, "d1")
        assert (row.state, row.node) == ("working", "before")
        handler = Handler()
        async with working(inbox(store, handler, node="after", clock=clock)):
            await until_state(store, "waiting", "d1")
            clock.ahead_s = 5
            await until_state(store, "done", "d1", "d2")
    assert broken.ended == []
    assert handler.begun == ["d1", "d2"]


async def test_what_is_nearly_done_at_the_end_is_given_a_moment(database: str) -> None:
    go_on = asyncio.Event()
    async with opened(database) as store:
        handler = Handler({"d1": go_on.wait, "d2": hangs})
        one = inbox(store, handler, grace_s=0.3)
        await one.take("d1", "pull_request", pull_request(number=1))
        await one.take("d2", "pull_request", pull_request(number=2))
        work = asyncio.create_task(one.work())
        await until(lambda: sorted(handler.begun) == ["d1", "d2"])
        work.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.wait([work])
        assert await state_of(store, "d1") == "done"
        assert await state_of(store, "d2") == "working"
    assert work.cancelled()


async def test_what_was_claimed_and_never_begun_is_put_back(database: str) -> None:
    """As if the answer to the claim had been lost."""
    clock = Clock()
    async with opened(database) as store:
        handler = Handler()
        one = inbox(store, handler, clock=clock)
        await one.take("d1", "pull_request", pull_request())
        now = await store.read(nodes.clock)
        assert await claim(store, at=now + 1000) == ["d1"]
        async with working(one):
            await until_state(store, "waiting", "d1")
            clock.ahead_s = 5
            await until_state(store, "done", "d1")


async def test_the_node_that_publishes_for_an_installation_has_its_deliveries_too(
    database: str,
) -> None:
    row = {"id": "r", "installation": 1, "state": "working", "node": "a"}
    empty = {"created_at": 1, "target": "{}", "body": b""}
    async with opened(database) as store:
        await store.write(lambda it: it.execute(sa.insert(PUBLICATIONS).values(**row, **empty)))
        await put(store, new("d1"), new("d2", "a pull request"))
        assert await claim(store, node="b", alive=("a", "b")) == []
        assert await claim(store, node="a", alive=("a", "b")) == ["d1", "d2"]


async def test_a_node_does_not_begin_again_what_it_is_still_at(database: str) -> None:
    """It was slow, another one took it for dead, and put back what it works on."""
    clock = Clock()
    go_on = asyncio.Event()
    async with opened(database) as store:
        handler = Handler({"d1": go_on.wait})
        async with working(inbox(store, handler, clock=clock)) as one:
            await one.take("d1", "pull_request", pull_request())
            await until(lambda: handler.begun == ["d1"])
            tried = Claimed("d1", 1)
            back = partial(QUEUE.retry, claimed=tried, at=1, until=1, reason="gone")
            assert await store.write(back)
            await one.take("d2", "pull_request", pull_request(number=8))
            await until_state(store, "done", "d2")
            assert handler.begun == ["d1", "d2"]
            go_on.set()
            await until_state(store, "done", "d1")
    assert handler.begun == ["d1", "d2", "d1"]


@pytest.mark.slow
async def test_two_nodes_never_work_on_the_same_nor_on_too_many_together() -> None:
    url = postgres_url()
    per_installation, most, subjects = 3, [0], 7
    at_work: dict[int, int] = {}
    current: set[str] = set()

    async def watched(task: Any) -> None:
        owner, subject = installation_of(task), subject_of(task)
        assert owner is not None
        assert subject is not None
        at_work[owner] = at_work.get(owner, 0) + 1
        most[0] = max(most[0], at_work[owner])
        assert subject not in current, "two of one subject at once"
        current.add(subject)
        await asyncio.sleep(0.002)
        current.discard(subject)
        at_work[owner] -= 1
        handled.append(task.delivery)

    handled: list[str] = []
    async with opened(url) as a, opened(url) as b:
        for store, node in ((a, "a"), (b, "b")):
            await store.write(partial(nodes.beat, node=node))
        one, other = (
            inbox(store, watched, node=node, per_installation=per_installation)
            for store, node in ((a, "a"), (b, "b"))
        )
        names = [f"d{number}" for number in range(200)]
        async with working(one), working(other):
            await asyncio.gather(
                *(
                    (one, other)[number % 2].take(
                        name,
                        "pull_request",
                        pull_request(
                            number=number % subjects + 100 * (number % 3) + 1,
                            installation=number % 3 + 1,
                        ),
                    )
                    for number, name in enumerate(names, 1)
                )
            )
            await until_state(a, "done", *names)
        tries = await a.read(
            lambda connection: connection.scalars(sa.select(DELIVERIES.c.tries)).all()
        )
    assert sorted(handled) == sorted(names)
    assert set(tries) == {1}
    assert most[0] == per_installation


@pytest.mark.slow
async def test_claims_at_the_very_same_time_give_each_delivery_once() -> None:
    url = postgres_url()
    async with opened(url) as a, opened(url) as b:
        await put(a, *(new(f"d{number:03}", None, number) for number in range(300)))

        taken: list[str] = []

        async def claims(store: Database, node: str) -> None:
            while len(taken) < 300:
                taken.extend(await claim(store, at=1000, node=node, most=5))

        async with asyncio.timeout(20):
            await asyncio.gather(claims(a, "a"), claims(b, "b"))
    assert sorted(taken) == [f"d{number:03}" for number in range(300)]


@pytest.mark.slow
async def test_a_node_claims_only_while_no_other_does() -> None:
    """Otherwise each could miss what the other one takes: of a subject, or of an installation."""
    async with opened(postgres_url()) as store:
        handler = Handler()
        with store.engine.begin() as other:
            other.execute(
                sa.text("SELECT pg_advisory_xact_lock(7282, hashtext(:name))"), {"name": CLAIMS}
            )
            work = asyncio.create_task(inbox(store, handler).work())
            await inbox(store).take("d1", "pull_request", pull_request())
            waits = sa.text(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            )
            async with asyncio.timeout(20):
                while not await store.read(lambda connection: connection.scalar(waits)):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert await state_of(store, "d1") == "waiting"
        await until_state(store, "done", "d1")
        work.cancel()
        await asyncio.wait([work])
    assert handler.begun == ["d1"]


# --- What goes wrong


async def test_what_fails_is_tried_again_later_and_then_done(database: str) -> None:
    clock = Clock()
    errors = (UnavailableError("away"), StoreError("away"), ZeroDivisionError(), None)
    async with opened(database) as store:
        handler = Handler({"d1": raising(*errors)})
        async with working(inbox(store, handler, clock=clock)) as one:
            await one.take("d1", "pull_request", pull_request())
            for tries in range(1, 4):
                await until(lambda tries=tries: len(handler.begun) == tries)  # type: ignore[misc]
                await until_state(store, "waiting", "d1")
                clock.ahead_s += 2 ** (tries - 1)
            await until_state(store, "done", "d1")
            row = await row_of(store, "d1")
    assert (row.tries, row.reason) == (4, None)
    assert len(set(map(str, handler.tasks))) == 1


async def test_a_rate_limit_is_waited_for_as_long_as_github_says(database: str) -> None:
    clock = Clock()
    async with opened(database) as store:
        handler = Handler({"d1": raising(RateLimitedError("slow down", seconds=1200))})
        async with working(inbox(store, handler, clock=clock)) as one:
            await one.take("d1", "pull_request", pull_request())
            await until(lambda: len(handler.begun) == 1)
            await until_state(store, "waiting", "d1")
            row = await row_of(store, "d1")
            waits_ms = row.next_try_at - await store.read(nodes.clock)
            assert 1_100_000 < waits_ms <= 1_200_000
            clock.ahead_s = 1200
            await until_state(store, "done", "d1")


async def test_what_cannot_be_cured_fails_at_once_and_says_why(database: str) -> None:
    async with opened(database) as store:
        handler = Handler({"d1": raising(ConfigError("no such model", key="model"))})
        async with working(inbox(store, handler)) as one:
            await one.take("d1", "pull_request", pull_request())
            await one.take("d2", "pull_request", pull_request("closed"))
            await until_state(store, "failed", "d1")
            await until_state(store, "done", "d2")  # it keeps none of its subject waiting
        row = await row_of(store, "d1")
    assert row.reason == "failed permanently after 1 attempt: model: no such model"
    assert row.body == b""


async def test_a_delivery_that_failed_is_as_new_when_it_is_sent_again(database: str) -> None:
    clock = Clock()
    async with opened(database) as store:
        handler = Handler({"d1": raising(*[NotFoundError("gone", status=404)] * FEW_TRIES)})
        async with working(inbox(store, handler, clock=clock)) as one:
            await one.take("d1", "pull_request", pull_request())
            for tries in range(1, FEW_TRIES + 1):
                await until(lambda tries=tries: len(handler.begun) == tries)  # type: ignore[misc]
                await until_state(store, "waiting" if tries < FEW_TRIES else "failed", "d1")
                clock.ahead_s += 60
            before = await row_of(store, "d1")
            assert before.reason == f"failed permanently after {FEW_TRIES} attempts: gone"
            await one.take("d1", "pull_request", pull_request())
            await until_state(store, "done", "d1")
            row = await row_of(store, "d1")
    assert len(handler.begun) == FEW_TRIES + 1
    assert (row.tries, row.reason) == (1, None)
    assert row.created_at > before.created_at


async def test_work_whose_end_could_not_be_noted_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice is the same as once for whoever handles it; never would not be."""
    clock = Clock()
    lost: list[bool] = []
    done = Queue.complete

    def away(*arguments: Any) -> bool:
        if len(lost) < 2:  # together with others, then alone
            lost.append(True)
            raise StoreError("away")
        return done(*arguments)

    monkeypatch.setattr(Queue, "complete", away)
    async with opened(f"sqlite:///{tmp_path / 'x.db'}") as store:
        handler = Handler()
        async with working(inbox(store, handler, clock=clock)) as one:
            await one.take("d1", "pull_request", pull_request())
            await until(lambda: bool(lost))
            await until_state(store, "waiting", "d1")
            clock.ahead_s = 5
            await until_state(store, "done", "d1")
    assert handler.ended == ["d1", "d1"]


async def test_an_inbox_outlives_a_database_that_is_away_and_errors_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Exception] = [StoreError("away"), ZeroDivisionError()]
    is_any_due = Queue.is_any_due

    def unlucky(*arguments: Any) -> bool:
        if errors:
            raise errors.pop()
        return is_any_due(*arguments)

    monkeypatch.setattr(Queue, "is_any_due", unlucky)
    async with opened(f"sqlite:///{tmp_path / 'x.db'}") as store, working(inbox(store)) as one:
        await one.take("d1", "pull_request", pull_request())
        await until_state(store, "done", "d1")
    assert errors == []


async def test_a_clock_that_was_set_back_keeps_no_delivery_waiting(database: str) -> None:
    async with opened(database) as store:
        await put(store, new("soon"), new("never"), new("now"))
        then = {"soon": 20, "never": 20 + LONGEST_PAUSE_MS, "now": 10}
        for name, at in then.items():
            await store.write(
                lambda connection, name=name, at=at: connection.execute(  # type: ignore[misc]
                    sa.update(DELIVERIES).where(DELIVERIES.c.id == name).values(next_try_at=at)
                )
            )
        assert sorted(await claim(store, at=10)) == ["never", "now"]


def test_pauses_double_up_to_ten_minutes_and_end_after_about_two_hours() -> None:
    error = UnavailableError("away")
    pauses = [pause_after(error, tries) for tries in range(1, MOST_TRIES + 1)]
    assert pauses[:5] == [1, 2, 4, 8, 16]
    assert pauses[-1] is None
    waited = [one for one in pauses if one is not None]
    assert len(waited) == MOST_TRIES - 1
    assert waited == sorted(waited)
    assert waited[-1] == LONGEST_PAUSE_S
    assert 1.5 * HOUR_S < sum(waited) < 2 * HOUR_S


@pytest.mark.parametrize(
    "error",
    [
        None,
        BadCredentialsError("the key", status=401),
        ForbiddenError("a permission"),
        UncertainWriteError("perhaps"),
        OSError(),
        TimeoutError(),
    ],
)
def test_what_somebody_can_mend_and_what_nobody_knows_is_tried_for_long(
    error: Exception | None,
) -> None:
    assert pause_after(error, MOST_TRIES - 1) == LONGEST_PAUSE_S
    assert pause_after(error, MOST_TRIES) is None


def test_what_github_refuses_is_tried_while_its_copies_may_lag() -> None:
    error = NotFoundError("nothing there", status=404)
    assert pause_after(error, 1) == 1
    assert pause_after(error, FEW_TRIES - 1) is not None
    assert pause_after(error, FEW_TRIES) is None


def test_no_limit_is_waited_for_longer_than_limits_last() -> None:
    assert pause_after(RateLimitedError("", seconds=1e9), 1) == LONGEST_LIMIT_S
    assert pause_after(RateLimitedError("", seconds=0), 4) == 8
    assert LONGEST_LIMIT_S * 1000 <= LONGEST_PAUSE_MS


def test_what_a_limit_holds_up_is_not_given_up_for_it() -> None:
    assert pause_after(RateLimitedError("", seconds=60), MOST_TRIES) == LONGEST_PAUSE_S
    assert pause_after(RateLimitedError("", seconds=60), LIMITED_TRIES) is None


def test_the_reason_is_our_own_sentence_or_no_more_than_the_kind_of_error() -> None:
    assert sentence(UnavailableError("GitHub is away")) == "GitHub is away"
    assert sentence(DiffError("x" * 5000, line=1)).startswith("line 1 of the diff: xxx")
    assert len(sentence(DiffError("x" * 5000, line=1))) <= 1000
    assert "\0" not in sentence(UnavailableError("a\0b"))
    assert sentence(ValueError("s3cret")) == "ValueError; the server's log has more"


# --- What it is about

WHERE = RepositoryRef(installation=3, id=9, full_name="octo/repo")


@pytest.mark.parametrize(
    ("task", "installation", "subject"),
    [
        (PullRequestInactive("d", WHERE, "mona", "closed", 7), 3, "octo/repo#7"),
        (Commented("d", WHERE, "mona", 7, 1, None, "/review"), 3, "octo/repo#7"),
        (RerunWanted("d", WHERE, "mona", "abc", None, None, (7,)), 3, "octo/repo#7"),
        (RerunWanted("d", WHERE, "mona", "abc", None, None, ()), 3, "octo/repo@abc"),
        (RerunWanted("d", WHERE, "mona", "abc", None, None, (7, 8)), 3, "octo/repo@abc"),
        (InstallationChanged("d", "deleted", 5), 5, "installation 5"),
        (Ping("d"), None, None),
        (IgnoredDelivery("d", "a draft"), None, None),
    ],
)
def test_what_a_task_is_about(task: Any, installation: int | None, subject: str | None) -> None:
    assert (installation_of(task), subject_of(task)) == (installation, subject)


# --- What is told and kept


async def test_the_log_has_ids_and_no_word_of_a_payload_or_of_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "reviewbot")
    async with opened(f"sqlite:///{tmp_path / 'x.db'}") as store:
        handler = Handler(
            {
                "d1": raising(ConfigError("s3cret of octo")),
                "d2": raising(UnavailableError("s3cret of octo")),
            }
        )
        async with working(inbox(store, handler)) as one:
            await one.take("d1", "pull_request", pull_request(number=1, title="s3cret"))
            await one.take("d2", "pull_request", pull_request(number=2, title="s3cret"))
            await one.take("d3", "pull_request", pull_request(number=3, title="s3cret"))
            await until_state(store, "failed", "d1")
            await until_state(store, "done", "d3")
            await until(lambda: "retrying in 1 s" in caplog.text)
    assert "delivery_id" in FIELDS
    assert [one.message for one in caplog.records if "delivery_id" not in one.__dict__] == []
    assert {record.__dict__["delivery_id"] for record in caplog.records} == {"d1", "d2", "d3"}
    assert "s3cret" not in caplog.text
    assert "octo" not in caplog.text


async def test_old_ones_are_forgotten_and_none_that_github_could_send_again(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inboxes, "CLEAN_EVERY_S", 0.0)
    day_s = 24 * HOUR_S
    clock = Clock()
    async with opened(database) as store:
        handler = Handler({"failed": raising(ConfigError("no"))})
        async with working(inbox(store, handler, clock=clock)) as one:
            for number, name in enumerate(("old", "failed")):
                await one.take(name, "pull_request", pull_request(number=number + 1))
            await until_state(store, "done", "old")
            await until_state(store, "failed", "failed")
            clock.ahead_s = 4 * day_s
            await one.take("recent", "pull_request", pull_request(number=3))
            await until_state(store, "done", "recent", "old")
            handler.answers = {"open": hangs}
            await one.take("open", "pull_request", pull_request(number=4))
            await until(lambda: "open" in handler.begun)
            clock.ahead_s = 8 * day_s
            while await state_of(store, "old") or await state_of(store, "failed"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert (await store.read(load)).deliveries == {
                "waiting": 0,
                "working": 1,
                "failed": 0,
            }
            assert await state_of(store, "recent") == "done"


async def test_many_old_ones_are_deleted_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "BATCH", 3)
    deleted = []
    delete = deliveries.delete_finished

    def watched(*arguments: Any) -> int:
        deleted.append(delete(*arguments))
        return deleted[-1]

    monkeypatch.setattr(deliveries, "delete_finished", watched)
    async with opened(f"sqlite:///{tmp_path / 'x.db'}") as store:
        done = NewDelivery("", "ping", None, None, b"", "nothing to do")
        for number in range(7):
            named = NewDelivery(f"d{number}", done.event, None, None, b"", done.reason)
            await put(store, named, at=1)
        async with working(inbox(store)):
            await until(lambda: sum(deleted) == 7)
    assert deleted[:3] == [3, 3, 1]
