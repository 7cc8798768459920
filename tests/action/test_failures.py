"""Runs of the Action that are cancelled or fail: the check ends, and no finding is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reviewbot.errors import ReviewbotError
from tests.fake_github import FakeGitHub, faults
from tests.github.action_runs import Runner, find_marked
from tests.support.github_stories import BASE, ONE, TWO, conclusions, titles

if TYPE_CHECKING:
    from tests.fake_anthropic import Answer, FakeAnthropic, Recorded


async def test_a_run_that_is_cancelled_ends_its_check(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)

    def cancel(request: Recorded) -> Answer:
        """It is cancelled in the middle of the answer."""
        asyncio.get_running_loop().call_later(0.5, os.kill, os.getpid(), signal.SIGTERM)
        return replace(find_marked(request), delta_size=10, pace=0.1)

    model.respond = cancel
    run = await runner.run(pull)
    assert run.code == 130
    assert conclusions(pull) == ["cancelled"]
    assert pull.comments == []


async def test_an_error_of_github_ends_the_check_and_is_reported(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    runner.event(pull)
    env = runner.environment(pull)
    github.fail(faults.error("GET", "/issues/1/comments", 404, times=None))
    with pytest.raises(ReviewbotError):
        await runner.step(env)
    assert pull.repo.check_runs == {}


@pytest.mark.unposted("GitHub does not take it")
async def test_an_error_after_the_review_ends_the_check_as_a_failure_and_loses_no_finding(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)

    def break_github(request: Recorded) -> Answer:
        github.fail(faults.error("GET", "/issues/1/comments", 404, times=None))
        return find_marked(request)

    model.respond = break_github
    run = await runner.run(pull)
    assert run.code == 3
    assert "The review could not be posted" in run.summary
    assert "Division by zero" in run.summary
    assert len(run.sarif["runs"][0]["results"]) == 1
    assert conclusions(pull) == ["failure"]


async def test_a_check_that_cannot_be_ended_as_intended_is_a_failure_and_loses_no_finding(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    base = BASE | {".reviewbot.yml": "max_inline: 1\nsummary: false\n"}
    pull = github.pull(base=base, head=base | TWO)  # the warning is an annotation
    github.fail(faults.error("PATCH", "/check-runs/", 500, times=2))
    run = await runner.run(pull)
    assert run.code == 3
    assert "GitHub did not confirm it" in run.summary
    assert "PATCH" not in run.summary
    assert titles(pull) == ["**error: Division by zero**"]
    assert conclusions(pull) == ["failure"]
    await runner.run(pull)
    assert len(titles(pull)) == 1
    assert len(model.requests) == 1
