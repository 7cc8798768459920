"""The backfill requests the redelivery of failed deliveries alone, and not too often."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette

from reviewbot.config.settings import SecretText
from reviewbot.errors import ConfigError
from reviewbot.github.api.app import Delivery
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.app import backfill as sweeps
from reviewbot.github.app.backfill import MOST_AGAIN, WHOLE_LOOK_BACK, Backfill, failed_deliveries
from reviewbot.github.app.manifest import WEBHOOK_PATH as PATH
from reviewbot.github.client.auth import AppCredentials
from reviewbot.github.client.errors import (
    GitHubError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    UnavailableError,
)
from reviewbot.github.client.rate_limit import Pace
from reviewbot.github.webhook.payload import App
from reviewbot.server.faults import HANDLERS
from reviewbot.server.github.webhook import webhook_routes
from reviewbot.store import deliveries, nodes
from reviewbot.store.database import StoreError
from reviewbot.store.deliveries import NewDelivery
from tests.fake_github import FakeGitHub, faults
from tests.server import serving
from tests.server.webhooks import (
    Handler,
    inbox,
    opened,
    raising,
    state_of,
    until_state,
    working,
)
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable
    from pathlib import Path

    from reviewbot.store.database import Database
    from tests.fake_github import PullRequest, Sent

NOBODY = "http://127.0.0.1:9/webhooks/github"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
AT_ONCE = Pace(gap_s=0.0, created_an_hour=1)  # no delivery is content


class Bot:
    """A server of the App under test, which GitHub reaches, and its sweep."""

    def __init__(
        self, github: FakeGitHub, pull: PullRequest, store: Database, gateway: Gateway
    ) -> None:
        self.github, self.pull, self.store = github, pull, store
        self.handler = Handler()
        self.sweep = Backfill(store, gateway.app, node="here")

    async def lost(self, *, ago: timedelta = 2 * MINUTE, to: str = NOBODY) -> Sent:
        """A delivery that did not come, a while ago."""
        sent = await self.github.deliver(
            self.github.delivery("pull_request", "opened", pull=self.pull), to
        )
        self.github.app.deliveries[-1] = replace(sent, at=sent.at - ago.total_seconds())
        return sent

    async def lost_long_ago(self, number: int) -> list[str]:
        """Deliveries that did not come, older than what a sweep looks at each time."""
        return [
            (await self.lost(ago=20 * HOUR - one * MINUTE)).delivery.guid for one in range(number)
        ]

    async def swept(self) -> int:
        """Sweep, and let come what was asked for."""
        asked = await self.sweep.run_once()
        await asyncio.gather(*self.github._redeliveries)
        return asked


@asynccontextmanager
async def bot(folder: Path) -> AsyncGenerator[Bot]:
    async with (
        FakeGitHub() as github,
        opened(f"sqlite:///{folder / 'reviewbot.db'}") as store,
    ):
        pull = github.pull({"a.py": "x = 1\n"}, {"a.py": "x = 2\n"})
        github.install(pull.repo)
        credentials = AppCredentials(str(github.app.id), SecretText(github.app.private_key))
        async with Gateway(credentials, base_url=github.url, pace=AT_ONCE) as gateway:
            one = Bot(github, pull, store, gateway)
            box = inbox(store, one.handler, app=App(str(github.app.id), github.app.slug))
            secret = SecretText(github.app.webhook_secret or "")
            routes = webhook_routes(lambda: (box, [secret]))
            app = Starlette(routes=routes, exception_handlers=HANDLERS)
            async with serving(app) as port, working(box):
                github.app.webhook_url = f"http://127.0.0.1:{port}{PATH}"
                yield one


# --- End to end


async def test_a_failed_delivery_is_redelivered_and_processed(tmp_path: Path) -> None:
    async with bot(tmp_path) as one:
        sent = await one.lost()
        assert await one.swept() == 1
        await until_state(one.store, "done", sent.delivery.guid)
        assert one.handler.ended == [sent.delivery.guid]
        assert await one.swept() == 0
        listed = [(each.redelivery, each.status_code) for each in one.github.app.deliveries]
    assert listed == [(False, 502), (True, 202)]


async def test_a_delivery_that_timed_out_and_then_failed_is_redelivered_as_new(
    tmp_path: Path,
) -> None:
    """GitHub had no answer in time, though it was taken; the work on it then failed."""
    async with bot(tmp_path) as one:
        sent = await one.lost()
        guid = sent.delivery.guid
        one.handler.answers = {guid: raising(ConfigError("no key"))}
        await one.github.deliver(sent.delivery)
        await until_state(one.store, "failed", guid)
        one.github.app.deliveries.pop()  # what GitHub noted is the first try alone
        assert await one.swept() == 1
        await until_state(one.store, "done", guid)
    assert one.handler.begun == [guid, guid]


@pytest.mark.parametrize("state", ["waiting", "working", "done"])
async def test_a_stored_delivery_is_not_requested_though_github_calls_it_failed(
    tmp_path: Path, state: str
) -> None:
    async with bot(tmp_path) as one:
        guid = (await one.lost()).delivery.guid
        held = asyncio.Event()
        one.handler.answers = {guid: held.wait}
        if state == "waiting":
            at = await one.store.read(nodes.clock) + 600_000
            new = NewDelivery(guid, "pull_request", None, None, b"")
            await one.store.write(partial(deliveries.insert, new=new, at=at))
        else:
            await one.github.deliver(one.github.app.deliveries.pop().delivery)
            one.github.app.deliveries[-1] = replace(
                one.github.app.deliveries[-1], status_code=504, at=one.github.clock.now() - 120
            )
            await until_state(one.store, "working", guid)
        if state == "done":
            held.set()
            await until_state(one.store, "done", guid)
        assert await state_of(one.store, guid) == state
        assert await one.swept() == 0
        held.set()


async def test_a_delivery_that_has_just_failed_is_left_alone_for_a_minute(tmp_path: Path) -> None:
    async with bot(tmp_path) as one:
        await one.lost(ago=0.5 * MINUTE)
        assert await one.swept() == 0
        await one.lost(ago=1.5 * MINUTE)
        assert await one.swept() == 1


async def test_a_delivery_that_github_no_longer_has_delays_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with bot(tmp_path) as one:
        first, second = await one.lost(ago=9 * MINUTE), await one.lost(ago=8 * MINUTE)
        one.github.fail(faults.error("POST", f"/{first.id}/attempts", 404))
        assert await one.swept() == 1
        await until_state(one.store, "done", second.delivery.guid)
        (told,) = (each for each in caplog.records if "could not redeliver" in each.message)
        assert told.__dict__["delivery_id"] == first.delivery.guid


async def test_a_backfill_requests_no_more_than_it_has_time_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps, "MOST_AT_ONCE", 2)
    async with bot(tmp_path) as one:
        lost = [(await one.lost(ago=n * MINUTE)).delivery.guid for n in (4, 9, 2)]
        assert await one.swept() == 2
        await until_state(one.store, "done", lost[0], lost[1])
        assert await state_of(one.store, lost[2]) is None
        assert await one.swept() == 1


async def test_an_old_failed_delivery_is_redelivered_however_many_backfills_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps, "MOST_AT_ONCE", 2)
    async with bot(tmp_path) as one:
        lost = await one.lost_long_ago(5)
        assert [await one.swept() for _ in range(4)] == [2, 2, 1, 0]
        await until_state(one.store, "done", *lost)


async def test_an_old_failed_delivery_is_redelivered_though_a_backfill_is_interrupted(
    tmp_path: Path,
) -> None:
    async with bot(tmp_path) as one:
        lost = await one.lost_long_ago(3)
        fault = one.github.fail(faults.error("POST", "/attempts", 403, times=None))
        with pytest.raises(GitHubError):
            await one.swept()
        assert fault.hit
        one.github.faults.clear()
        assert await one.swept() == 3
        await until_state(one.store, "done", *lost)


async def test_a_delivery_that_is_gone_is_requested_only_once(
    tmp_path: Path,
) -> None:
    async with bot(tmp_path) as one:
        await one.lost_long_ago(1)
        one.github.fail(faults.error("POST", "/attempts", 404, times=None))
        assert [await one.swept() for _ in range(4)] == [0, 0, 0, 0]
        assert len(one.github.called("POST", "/attempts")) == 1


async def test_only_one_node_runs_the_backfill(tmp_path: Path) -> None:
    async with bot(tmp_path) as one:
        await one.lost()
        for node in ("elsewhere", "here"):
            await one.store.write(partial(nodes.heartbeat, node=node))
        assert await one.swept() == 0
        assert one.github.called("GET", "/deliveries") == []
        await one.store.write(partial(nodes.leave, node="elsewhere"))
        assert await one.swept() == 1


# --- Which, and when

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def tried(guid: str, number: int, ago: timedelta, status: int = 502, **changes: Any) -> Delivery:
    redelivery = changes.pop("redelivery", False)
    return Delivery(number, guid, NOW - ago, redelivery, status)


def again(guid: str, number: int, ago: timedelta, status: int = 502) -> Delivery:
    return tried(guid, number, ago, status, redelivery=True)


def due(*tries: Delivery) -> list[int]:
    """By the ids of their latest tries; GitHub lists the newest first."""
    listed = sorted(tries, key=lambda one: one.delivered_at, reverse=True)
    return [one.latest.id for one in failed_deliveries(listed) if one.due <= NOW]


def test_the_distance_grows_and_tries_come_to_an_end() -> None:
    tries = [tried("a", 1, timedelta(hours=70))]
    waited = []
    for number in range(MOST_AGAIN):
        (one,) = failed_deliveries(tries)
        waited.append((one.due - one.latest.delivered_at) / MINUTE)
        tries.append(again("a", number + 2, NOW - one.due))
    assert waited == [1, 4, 16, 64, 256, *[720] * 5]
    assert sum(waited) * MINUTE < WHOLE_LOOK_BACK
    assert failed_deliveries(tries) == []


def test_a_delivery_that_succeeded_once_is_not_requested_again() -> None:
    assert due(tried("a", 1, 9 * MINUTE), again("a", 2, 8 * MINUTE, 202)) == []
    assert due(tried("a", 1, 9 * MINUTE, 202), again("a", 2, 8 * MINUTE)) == []


@pytest.mark.parametrize("status", [0, 400, 401, 404, 413, 421, 500, 503])
def test_any_error_status_counts_as_failed(status: int) -> None:
    assert due(tried("a", 1, 2 * MINUTE, status)) == [1]


def test_the_oldest_comes_first_each_as_its_latest_try() -> None:
    assert due(
        tried("young", 4, 2 * MINUTE),
        tried("old", 1, 60 * MINUTE),
        again("old", 3, 50 * MINUTE),
        tried("fine", 2, 55 * MINUTE, 202),
    ) == [3, 4]


def test_of_one_whose_first_try_is_out_of_sight_nothing_is_asked() -> None:
    assert due(again("a", 7, 600 * MINUTE)) == []


# --- Going on


class Away:
    """What GitHub does for an App whose server cannot be reached until a time.

    Args:
        tries: those that failed before.
    """

    def __init__(self, tries: Iterable[Delivery], *, until: datetime) -> None:
        self.now, self.until, self.tries = NOW, until, list(tries)

    async def deliveries(self, since: datetime) -> tuple[Delivery, ...]:
        return tuple(one for one in self.tries[::-1] if one.delivered_at >= since)

    async def redeliver(self, delivery: int) -> None:
        one = next(one for one in self.tries if one.id == delivery)
        status, number = 202 if self.now >= self.until else 502, len(self.tries) + 1
        self.tries.append(Delivery(number, one.guid, self.now, redelivery=True, status_code=status))

    async def swept_for(self, hours: int, one: Backfill) -> None:
        for _ in range(hours * 12):
            await one.run_once()
            self.now += 5 * MINUTE


@pytest.mark.slow
@pytest.mark.sample(2)
@pytest.mark.parametrize("away", [1, 10, 30, 60])
async def test_however_long_the_server_cannot_be_reached_what_was_lost_comes(
    tmp_path: Path, away: int
) -> None:
    """It sweeps all the while: GitHub answers it, and does not get through to it."""
    github = Away(
        [tried(f"{number}", number, timedelta(minutes=40 - number)) for number in range(1, 31)],
        until=NOW + away * HOUR,
    )
    async with opened(f"sqlite:///{tmp_path / 'x.db'}") as store:
        one = Backfill(store, github, node="here", now=lambda: github.now)  # type: ignore[arg-type]
        await github.swept_for(70, one)
    assert len({each.guid for each in github.tries if each.succeeded}) == 30
    assert len([each for each in github.tries if each.succeeded]) == 30


async def test_hundreds_that_were_lost_while_no_server_ran_all_come(tmp_path: Path) -> None:
    github = Away(
        [tried(f"{number}", number, 30 * HOUR - number * MINUTE) for number in range(1, 901)],
        until=NOW,
    )
    async with opened(f"sqlite:///{tmp_path / 'x.db'}") as store:
        one = Backfill(store, github, node="here", now=lambda: github.now)  # type: ignore[arg-type]
        await github.swept_for(1, one)
    assert len({each.guid for each in github.tries if each.succeeded}) == 900


class Unwilling(Away):
    """As :class:`Away`, but some deliveries cannot be had."""

    error: GitHubError

    async def redeliver(self, delivery: int) -> None:
        if any(one.id == delivery and one.guid.startswith("no") for one in self.tries):
            raise self.error
        await super().redeliver(delivery)


@pytest.mark.parametrize(
    ("error", "number"),
    [(NotFoundError("gone"), 300), (InvalidError("odd"), 300), (UnavailableError("away"), 2)],
)
async def test_deliveries_that_are_gone_delay_no_others(
    tmp_path: Path, error: GitHubError, number: int
) -> None:
    bad = [tried(f"no {one}", one, 40 * HOUR - one * MINUTE) for one in range(1, number + 1)]
    good = [tried(f"{one}", 1_000 + one, 20 * HOUR - one * MINUTE) for one in range(3)]
    github = Unwilling([*bad, *good], until=NOW)
    github.error = error
    async with opened(f"sqlite:///{tmp_path / 'x.db'}") as store:
        one = Backfill(store, github, node="here", now=lambda: github.now)  # type: ignore[arg-type]
        await github.swept_for(1, one)
    assert len({each.guid for each in github.tries if each.succeeded}) == 3


async def test_a_github_that_is_away_is_not_asked_for_each_delivery(tmp_path: Path) -> None:
    """And those of which one cannot be had come, though there are as many of these."""
    bad = [tried(f"no {one}", one, 40 * HOUR - one * MINUTE) for one in range(1, 9)]
    good = [tried(f"{one}", 1_000 + one, 20 * HOUR - one * MINUTE) for one in range(3)]
    github = Unwilling([*bad, *good], until=NOW)
    github.error = UnavailableError("away")
    async with opened(f"sqlite:///{tmp_path / 'x.db'}") as store:
        one = Backfill(store, github, node="here", now=lambda: github.now)  # type: ignore[arg-type]
        for _ in range(2):
            with pytest.raises(UnavailableError):
                await one.run_once()
            assert not any(each.succeeded for each in github.tries)
        with pytest.raises(UnavailableError):
            await one.run_once()
    assert len({each.guid for each in github.tries if each.succeeded}) == 3


async def test_after_hours_without_a_backfill_it_looks_back_for_days_again(tmp_path: Path) -> None:
    """GitHub did not answer, or another node swept and is gone."""
    github = Away([], until=NOW)
    async with opened(f"sqlite:///{tmp_path / 'x.db'}") as store:
        one = Backfill(store, github, node="here", now=lambda: github.now)  # type: ignore[arg-type]
        await one.run_once()
        github.now += 20 * HOUR
        github.tries.append(tried("a", 1, -1 * HOUR))
        await one.run_once()
    assert [each.succeeded for each in github.tries] == [False, True]


class Listed:
    """What GitHub does for an App, as a test says."""

    def __init__(self, *answers: Exception | int) -> None:
        self.answers = list(answers)
        self.since: list[datetime] = []

    async def deliveries(self, since: datetime) -> tuple[Delivery, ...]:
        self.since.append(since)
        if self.answers and isinstance(error := self.answers.pop(0), Exception):
            raise error
        return ()

    async def redeliver(self, delivery: int) -> None:
        raise AssertionError(delivery)


def sweep(store: Database, app: Listed, node: str = "here") -> Backfill:
    return Backfill(store, app, node=node, now=lambda: NOW)  # type: ignore[arg-type]


async def test_the_first_backfill_looks_back_for_days_and_later_ones_for_hours(
    tmp_path: Path,
) -> None:
    app = Listed()
    async with opened(f"sqlite:///{tmp_path / 'x.db'}") as store:
        one = sweep(store, app)
        for _ in range(3):
            await one.run_once()
    assert [NOW - since for since in app.since] == [
        timedelta(hours=70),
        timedelta(hours=12),
        timedelta(hours=12),
    ]


@in_virtual_time
async def test_a_limit_is_waited_for_before_all_is_listed_again(tmp_path: Path) -> None:
    app = Listed(RateLimitedError("used up", seconds=1_000.0))
    async with opened(f"sqlite:///{tmp_path / 'x.db'}") as store:
        work = asyncio.create_task(sweep(store, app).work())
        await asyncio.sleep(61 + 1_000 + 299)
        assert len(app.since) == 1
        await asyncio.sleep(2)
        assert len(app.since) == 2
        work.cancel()
        await asyncio.wait([work])


@in_virtual_time
async def test_the_backfill_runs_every_few_minutes_whatever_fails(tmp_path: Path) -> None:
    app = Listed(UnavailableError("away"), StoreError("away"), ZeroDivisionError())
    async with opened(f"sqlite:///{tmp_path / 'x.db'}") as store:
        work = asyncio.create_task(sweep(store, app).work())
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(59)
        assert app.since == []
        await asyncio.sleep(2 + 4 * 300)
        work.cancel()
        await asyncio.wait([work])
    assert len(app.since) == 5
    assert asyncio.get_running_loop().time() - began < 1300
