"""The inbox: each delivery is stored once, processed once, and survives the end of a node."""

from __future__ import annotations

import asyncio
import logging
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from reviewbot.errors import ConfigError
from reviewbot.github.app import inbox as inboxes
from reviewbot.github.app import poller
from reviewbot.github.app.subjects import installation_of, subject_of
from reviewbot.github.client.errors import UnavailableError
from reviewbot.github.webhook import parse as webhook
from reviewbot.server.telemetry.logs import FIELDS
from reviewbot.store import deliveries, nodes
from reviewbot.store.deliveries import QUEUE, NewDelivery
from reviewbot.store.load import load
from reviewbot.store.queue import CLAIMS, Claimed
from reviewbot.store.tables import DELIVERIES, PUBLICATIONS
from tests.server.databases import postgres_url
from tests.server.webhooks import (
    Clock,
    Handler,
    claim,
    hangs,
    inbox,
    new,
    opened,
    pull_request,
    put,
    raising,
    row_of,
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


# --- Taken


async def test_a_delivery_is_stored_when_it_is_accepted(database: str) -> None:
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


async def test_a_repeated_delivery_does_nothing_in_any_state_of_the_first(
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


async def test_a_delivery_without_a_task_is_done_at_once_and_stored(database: str) -> None:
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
            "pull_request: the payload is not valid JSON",
        ]
        assert [row.tries for row in rows] == [0, 0, 0]
    assert handler.begun == ["d4"]


async def test_a_processed_delivery_keeps_its_id_and_not_its_payload(database: str) -> None:
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


# --- Restarts, and other nodes


async def test_a_delivery_that_a_restart_interrupts_is_processed_after_it(database: str) -> None:
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


async def test_a_delivery_that_is_nearly_done_at_shutdown_is_given_a_moment(database: str) -> None:
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


async def test_a_delivery_that_was_claimed_and_not_started_is_requeued(database: str) -> None:
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


async def test_a_node_does_not_start_again_what_it_is_processing(database: str) -> None:
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
async def test_two_nodes_never_process_the_same_delivery_nor_too_many_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nodes, "TTL_MS", 600_000)  # both live to the end of the test
    url = postgres_url()
    per_installation, subjects = 3, 7
    at_work: dict[int, int] = {}
    most: dict[int, int] = {}
    full = {installation: asyncio.Event() for installation in (1, 2, 3)}
    current: set[str] = set()

    async def watched(task: Any) -> None:
        owner, subject = installation_of(task), subject_of(task)
        assert owner is not None
        assert subject is not None
        at_work[owner] = at_work.get(owner, 0) + 1
        most[owner] = max(most.get(owner, 0), at_work[owner])
        if at_work[owner] == per_installation:
            full[owner].set()
        assert subject not in current, "two of one subject at once"
        current.add(subject)
        await full[owner].wait()  # the first tasks end only once there are as many as allowed
        await asyncio.sleep(0.002)
        current.discard(subject)
        at_work[owner] -= 1
        handled.append(task.delivery)

    handled: list[str] = []
    async with opened(url) as a, opened(url) as b:
        for store, node in ((a, "a"), (b, "b")):
            await store.write(partial(nodes.heartbeat, node=node))
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
    assert most == dict.fromkeys(full, per_installation)


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


# --- Reports and stored results


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


async def test_old_deliveries_are_deleted_unless_github_could_send_them_again(
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


async def test_many_old_deliveries_are_deleted_in_small_batches(
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
