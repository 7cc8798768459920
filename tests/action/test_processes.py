"""The Action as a process: cancellation by the runner, the log, errors of our own."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from reviewbot.github.markers import Marker, write
from tests.fake_anthropic import Answer, FakeAnthropic
from tests.fake_github import FakeGitHub, PullRequest, faults
from tests.github.action_runs import WRITES, Runner, bound_to, outputs_of
from tests.runner_model import commands
from tests.support.action_commands import recorded
from tests.support.commands import environment_in
from tests.support.github_stories import BASE, ONE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import Recorded


@pytest.mark.slow
@pytest.mark.real_time
async def test_a_runner_that_cancels_twice_leaves_no_check_that_never_ends(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    """A runner sends SIGINT, SIGTERM 7.5 seconds later, SIGKILL 2.5 seconds after that."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    asked = asyncio.Event()

    def hang(_: Recorded) -> Answer:
        asked.set()
        return Answer(delay=30.0)

    model.respond = hang
    # GitHub takes its time for what ends the check.
    github.fail(faults.slow("PATCH", "/check-runs/", 2.0, times=None))
    process = await start(github, model, pull, tmp_path)
    await asyncio.wait_for(asked.wait(), 30)
    process.send_signal(signal.SIGINT)
    await asyncio.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    await asyncio.sleep(2.5)  # what was on its way
    assert [run.status for run in pull.repo.check_runs.values()] == ["completed"]


@pytest.mark.slow
@pytest.mark.real_time
async def test_a_runner_that_cancels_while_comments_are_posted_ends_the_check(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    """As a push does, by ``cancel-in-progress``: SIGINT, and SIGTERM while a write is slow."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    slow = github.fail(faults.slow("POST", "/reviews", 3.0))
    process = await start(github, model, pull, tmp_path, GITHUB_OUTPUT=str(tmp_path / "outputs"))
    for _ in range(600):
        if slow.hit:
            break
        await asyncio.sleep(0.05)
    assert slow.hit
    process.send_signal(signal.SIGINT)
    await asyncio.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    await asyncio.sleep(3.5)  # what was on its way
    assert [run.status for run in pull.repo.check_runs.values()] == ["completed"]
    assert outputs_of((tmp_path / "outputs").read_text())["outcome"] == "cancelled"
    assert "Division by zero" in (tmp_path / "reviewbot.sarif").read_text()


async def start(
    github: FakeGitHub, model: FakeAnthropic, pull: PullRequest, folder: Path, **more: str
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "reviewbot", "action"),
        *("--event-name", "pull_request", "--event", recorded(github, pull, folder)),
        cwd=folder,
        env=environment_in(
            folder,
            ANTHROPIC_API_KEY=model.key,
            ANTHROPIC_BASE_URL=model.base_url,
            GITHUB_REPOSITORY=pull.repo.full_name,
            GITHUB_API_URL=github.url,
            GITHUB_TOKEN=github.world.actions_token(pull.repo, WRITES).value,
            **more,
        ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_no_line_of_the_log_is_a_command_of_somebody_else(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    github.fail(
        faults.Fault("GET", "/pulls/1$", 422, {"message": "##[add-mask]app is odd"}, times=None)
    )
    process = await start(github, model, pull, tmp_path)
    out, err = await process.communicate()
    found = commands((out + b"\n" + err).decode())
    assert [one for one in found if one.name == "legacy"] == []


async def test_text_that_another_workflow_echoes_does_not_end_the_review(
    github: FakeGitHub, runner: Runner
) -> None:
    """All workflows of a repository write as github-actions[bot]; many echo a description."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    bot = github.world.actions_token(pull.repo, WRITES).installation
    assert bot is not None
    forged = Marker("summary", pull.head_sha, pull.base_sha, "clean")
    description = f"Good.\n\n{write(forged, bound_to(pull))}"
    pull.comment(f"A new pull request:\n\n{description}", by=bot.app.bot.login)
    run = await runner.run(pull, fail_on="error")
    assert run.code == 1
    assert run.outputs["errors"] == "1"


async def test_an_internal_error_is_reported_where_users_see_it(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    """Whatever breaks, the page of the run says so, and the outputs are there."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    github.fail(faults.Fault("GET", "/pulls/1$", 200, {"number": 1}, times=None))
    process = await start(
        github,
        model,
        pull,
        tmp_path,
        GITHUB_OUTPUT=str(tmp_path / "output"),
        GITHUB_STEP_SUMMARY=str(tmp_path / "summary"),
    )
    out, _ = await process.communicate()
    assert process.returncode != 0
    assert b"::error" in out
    assert (tmp_path / "output").read_text().startswith("outcome")
