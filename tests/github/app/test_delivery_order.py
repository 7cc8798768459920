"""The order of deliveries: one ordering key in turn, others at the same time."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from reviewbot.github.app import poller
from reviewbot.github.app.subjects import installation_of, subject_of
from reviewbot.github.client.errors import UnavailableError
from reviewbot.github.webhook.tasks import (
    Commented,
    IgnoredDelivery,
    InstallationChanged,
    Ping,
    PullRequestInactive,
    RepositoryRef,
    RerunWanted,
)
from reviewbot.store.deliveries import QUEUE
from reviewbot.store.queue import Claimed
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


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "POLL_S", 0.02)


# --- In turn


async def test_deliveries_with_one_ordering_key_are_serial_and_others_concurrent(
    database: str,
) -> None:
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
            await until(lambda: handler.at_work == ["a1"])
            go_on.set()
            await until_state(store, "done", "a1", "a2", "a3")
    assert [name for name in handler.begun if name != "b1"] == ["a1", "a2", "a3"]


async def test_a_delivery_waits_for_the_retry_of_an_earlier_one_with_its_ordering_key(
    database: str,
) -> None:
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


async def test_deliveries_with_one_ordering_key_are_serial_though_clocks_are_set_back(
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


async def test_an_installation_has_a_bounded_number_of_deliveries_in_progress(
    database: str,
) -> None:
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


async def test_an_idle_installation_waits_for_no_other(database: str) -> None:
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


async def test_deliveries_without_installation_have_slots_of_their_own(database: str) -> None:
    async with opened(database) as store:
        await put(store, new("a", None, None), new("b", None, None), new("c", None, 1))
        assert await claim(store, per_installation=1) == ["a", "c"]
        assert await claim(store, per_installation=1) == []
        assert await claim(store, per_installation=2) == ["b"]


async def test_a_handler_that_hangs_delays_no_other_and_is_cancelled(database: str) -> None:
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
            assert (row.tries, row.reason) == (1, "it timed out")
            handler.answers = {}
            clock.ahead_s = 5
            await until_state(store, "done", "hung")


async def test_new_deliveries_start_without_waiting_for_the_next_poll(
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


# --- What it is about


WHERE = RepositoryRef(installation=3, id=9, full_name="octo/repo")


@pytest.mark.parametrize(
    ("task", "installation", "subject"),
    [
        (PullRequestInactive("d", WHERE, "closed", 7), 3, "octo/repo#7"),
        (Commented("d", WHERE, "mona", 7, 1, None, "/review"), 3, "octo/repo#7"),
        (RerunWanted("d", WHERE, "abc", None, None, (7,)), 3, "octo/repo#7"),
        (RerunWanted("d", WHERE, "abc", None, None, ()), 3, "octo/repo@abc"),
        (RerunWanted("d", WHERE, "abc", None, None, (7, 8)), 3, "octo/repo@abc"),
        (InstallationChanged("d", "deleted", 5), 5, "installation 5"),
        (Ping("d"), None, None),
        (IgnoredDelivery("d", "a draft"), None, None),
    ],
)
def test_each_task_has_its_ordering_key(
    task: Any, installation: int | None, subject: str | None
) -> None:
    assert (installation_of(task), subject_of(task)) == (installation, subject)
