"""Deliveries that fail are retried after a backoff, or fail permanently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from reviewbot.errors import ConfigError, DiffError
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
from reviewbot.github.client.errors import (
    BadCredentialsError,
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
    UnavailableError,
    UncertainWriteError,
)
from reviewbot.store import nodes
from reviewbot.store.database import StoreError
from reviewbot.store.queue import LONGEST_PAUSE_MS, Queue
from reviewbot.store.tables import DELIVERIES
from tests.server.webhooks import (
    Clock,
    Handler,
    claim,
    inbox,
    new,
    opened,
    pull_request,
    put,
    raising,
    row_of,
    until,
    until_state,
    working,
)

if TYPE_CHECKING:
    from pathlib import Path

HOUR_S = 3600.0


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "POLL_S", 0.02)


async def test_a_delivery_that_fails_is_retried_later(database: str) -> None:
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


async def test_a_permanent_error_fails_at_once_with_its_reason(database: str) -> None:
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


async def test_a_delivery_that_failed_is_as_new_when_it_is_sent_again(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
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
            assert "NotFoundError: GitHub does not show it to reviewbot" in caplog.text
            await one.take("d1", "pull_request", pull_request())
            await until_state(store, "done", "d1")
            row = await row_of(store, "d1")
    assert len(handler.begun) == FEW_TRIES + 1
    assert (row.tries, row.reason) == (1, None)
    assert row.created_at > before.created_at


async def test_a_delivery_whose_completion_could_not_be_stored_is_processed_again(
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


async def test_an_inbox_survives_a_database_outage_and_errors_of_its_own(
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


async def test_a_clock_that_was_set_back_delays_no_delivery(database: str) -> None:
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


def test_the_backoff_doubles_up_to_ten_minutes_and_ends_after_about_two_hours() -> None:
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
def test_errors_that_may_pass_are_retried_for_long(
    error: Exception | None,
) -> None:
    assert pause_after(error, MOST_TRIES - 1) == LONGEST_PAUSE_S
    assert pause_after(error, MOST_TRIES) is None


def test_a_refusal_is_retried_while_copies_of_github_may_lag() -> None:
    error = NotFoundError("nothing there", status=404)
    assert pause_after(error, 1) == 1
    assert pause_after(error, FEW_TRIES - 1) is not None
    assert pause_after(error, FEW_TRIES) is None


def test_no_limit_is_waited_for_longer_than_limits_last() -> None:
    assert pause_after(RateLimitedError("", seconds=1e9), 1) == LONGEST_LIMIT_S
    assert pause_after(RateLimitedError("", seconds=0), 4) == 8
    assert LONGEST_LIMIT_S * 1000 <= LONGEST_PAUSE_MS


def test_a_rate_limit_does_not_fail_a_delivery() -> None:
    assert pause_after(RateLimitedError("", seconds=60), MOST_TRIES) == LONGEST_PAUSE_S
    assert pause_after(RateLimitedError("", seconds=60), LIMITED_TRIES) is None


def test_the_reason_is_our_own_sentence_or_no_more_than_the_kind_of_error() -> None:
    assert sentence(UnavailableError("GitHub is away")) == "GitHub is away"
    assert sentence(DiffError("x" * 5000, line=1)).startswith("line 1 of the diff: xxx")
    assert len(sentence(DiffError("x" * 5000, line=1))) <= 1000
    assert "\0" not in sentence(UnavailableError("a\0b"))
    assert sentence(ValueError("s3cret")) == "ValueError; see the server's log"
