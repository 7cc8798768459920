"""The check run of a review: its newest state, not often, and its end before all else."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.config.settings import SecretText
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.client.errors import UnavailableError
from reviewbot.github.client.rate_limit import Pace
from reviewbot.github.publish import check_run
from reviewbot.github.publish.check_reporter import EVERY_S, CheckReporter
from tests.fake_github import FakeGitHub, faults
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.fake_github import PullRequest

AT = "2026-11-26T00:00:00Z"
END = check_run.ended("neutral", "It is over.", completed_at=AT)


def state(title: str) -> dict[str, Any]:
    return {"status": "in_progress", "output": {"title": title, "summary": title}}


@asynccontextmanager
async def reporter(
    permissions: dict[str, str] | None = None,
) -> AsyncIterator[tuple[FakeGitHub, PullRequest, CheckReporter]]:
    async with FakeGitHub() as github:
        pull = github.pull(base={"a": "1\n"}, head={"a": "2\n"})
        token = github.token(pull.repo, permissions)
        first = check_run.created(head_sha=pull.head_sha, external_id="1:x", started_at=AT)
        async with Gateway(
            SecretText(token.value), base_url=github.url, pace=Pace(gap_s=1.0)
        ) as way:
            made = CheckReporter(way.holder(), pull.repo.full_name, first)
            try:
                yield github, pull, made
            finally:
                await made.stop()


def shown(pull: PullRequest) -> list[str]:
    """The titles that the one check run has had."""
    [run] = pull.repo.check_runs.values()
    return [body["output"]["title"] for body in run.history]


@in_virtual_time
async def test_of_many_states_the_newest_is_sent_and_not_often() -> None:
    async with reporter() as (_, pull, check):
        await check.begin()
        for second in range(30):
            check.update(lambda second=second: state(f"second {second}"))  # type: ignore[misc]
            await asyncio.sleep(1)
        await check.end([END])
        titles = shown(pull)
    assert titles[0] == "Review has begun"
    assert titles[-1] == "It is over."
    told = [int(title.removeprefix("second ")) for title in titles[1:-1]]
    assert 2 <= len(told) <= 30 / EVERY_S
    assert told == sorted(told)


@in_virtual_time
async def test_the_end_drops_what_was_still_to_be_told() -> None:
    async with reporter() as (_, pull, check):
        await check.begin()
        check.update(lambda: state("nearly there"))
        await check.end([END])
        await asyncio.sleep(60)
        assert shown(pull) == ["Review has begun", "It is over."]


@in_virtual_time
async def test_beginning_again_goes_on_with_the_run_that_is_there() -> None:
    async with reporter() as (_, pull, check):
        await check.begin()
        await check.begin()
        assert len(pull.repo.check_runs) == 1


@in_virtual_time
async def test_progress_that_github_does_not_take_is_no_reason_to_end() -> None:
    async with reporter() as (github, pull, check):
        await check.begin()
        github.fail(faults.error("PATCH", "/check-runs/", 422, times=1))
        check.update(lambda: state("lost"))
        await asyncio.sleep(EVERY_S * 2)
        check.update(lambda: state("found"))
        await asyncio.sleep(EVERY_S * 2)
        await check.end([END])
        assert shown(pull) == ["Review has begun", "found", "It is over."]


@in_virtual_time
async def test_without_permission_for_check_runs_every_call_does_nothing() -> None:
    async with reporter({"checks": "read"}) as (_, pull, check):
        await check.begin()
        assert check.refused is not None
        assert "checks" in check.refused.for_author
        check.update(lambda: state("nobody sees it"))
        await check.end([END])
        assert pull.repo.check_runs == {}


@in_virtual_time
async def test_an_end_that_github_does_not_take_is_raised() -> None:
    async with reporter() as (github, pull, check):
        await check.begin()
        github.fail(faults.error("PATCH", "/check-runs/", 500, times=None))
        with pytest.raises(UnavailableError):
            await check.end([END])
        github.faults.clear()
        await check.end([END])
        assert shown(pull)[-1] == "It is over."
