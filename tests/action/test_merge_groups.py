"""The job of a merge group passes or fails by the checks of its pull requests."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from reviewbot.errors import ConfigError
from reviewbot.github.publish.merge_group import WAIT_S
from tests.fake_github import faults, workflow_runs
from tests.fake_github.merge_queue import QueueEntry, enqueue
from tests.github.action_runs import WRITES
from tests.support.merge_groups import end_check, group_checks, pulls, put_check

if TYPE_CHECKING:
    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub, PullRequest
    from tests.fake_github.people import App
    from tests.github.action_runs import Run, Runner

WORKFLOW = "octo/hello/.github/workflows/reviewbot.yml@refs/heads/gh-readonly-queue/main/pr-1-x"


def actions(github: FakeGitHub) -> App:
    """The App that all jobs write as."""
    repo = github.repository("octo/hello")
    github.world.actions_token(repo, {})
    return github.world.app("github-actions")


def queued(*made: PullRequest) -> QueueEntry:
    return [enqueue(pull) for pull in made][-1]


async def job(runner: Runner, entry: QueueEntry, action: str = "checks_requested") -> Run:
    """Run the job of a merge group."""
    pull, github = entry.pull, runner.github
    about = {"entry": entry, "repo": pull.repo, "sender": pull.user}
    payload = github.delivery("merge_group", action, **about).payload
    payload.pop("installation", None)
    env = runner.environment(pull) | {
        "GITHUB_EVENT_NAME": "merge_group",
        "GITHUB_WORKFLOW_REF": WORKFLOW,
    }
    del env["ANTHROPIC_API_KEY"]
    (runner.folder / "event.json").write_text(json.dumps(payload))
    return await runner.step(env)


async def test_a_group_of_one_passes_without_a_key_and_asks_no_model(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    (pull,) = pulls(github, 1)
    put_check(pull, "success", by=actions(github))
    run = await job(runner, queued(pull))
    assert (run.code, run.outputs) == (0, {"outcome": "skipped"})
    assert "::notice title=reviewbot::Passed: #1." in capsys.readouterr().out
    assert model.requests == []
    (own,) = group_checks(pull)
    assert (own.name, own.conclusion, own.title) == ("reviewbot", "success", "Passed: #1")


async def test_a_group_of_three_gets_the_worst_result(
    github: FakeGitHub, runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    made = pulls(github, 3)
    for pull, conclusion in zip(made, ("success", "failure", "neutral"), strict=True):
        put_check(pull, conclusion, by=actions(github))
    run = await job(runner, queued(*made))
    assert run.code == 1
    assert "::error title=reviewbot::Failed: #2. Neutral: #3. Passed: #1.\n" in (
        capsys.readouterr().out
    )
    assert "[#2](https://github.com/octo/hello/pull/2)" in run.summary


async def test_a_neutral_result_passes(github: FakeGitHub, runner: Runner) -> None:
    made = pulls(github, 2)
    put_check(made[0], "neutral", by=actions(github))
    put_check(made[1], "success", by=actions(github))
    run = await job(runner, queued(*made))
    assert (run.code, group_checks(made[0])[-1].conclusion) == (0, "neutral")


async def test_a_missing_check_fails_the_job_and_is_named(
    github: FakeGitHub, runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    made = pulls(github, 2)
    put_check(made[0], "success", by=actions(github))
    run = await job(runner, queued(*made))
    assert (run.code, run.outputs) == (3, {"outcome": "incomplete"})
    assert "::error title=reviewbot::No result: #2. Passed: #1." in capsys.readouterr().out
    assert "there is no check and no run of this workflow" in run.summary


@pytest.mark.parametrize(
    ("conclusion", "code"),
    [("success", 0), ("failure", 1), ("cancelled", 3), ("skipped", 3), ("action_required", 3)],
)
async def test_a_head_of_a_fork_is_judged_by_the_newest_run_of_the_workflow(
    github: FakeGitHub, runner: Runner, conclusion: str, code: int
) -> None:
    (pull,) = pulls(github, 1, fork="mallory", by="mallory")
    workflow_runs.add(pull, "failure" if code == 0 else "success")
    workflow_runs.add(pull, conclusion)
    workflow_runs.add(pull, "success", path=".github/workflows/other.yml")
    workflow_runs.add(pull, "success", event="push")
    run = await job(runner, queued(pull))
    assert run.code == code
    assert "else by the newest run of this workflow" in run.summary


async def test_a_run_for_another_pull_request_with_the_same_head_does_not_count(
    github: FakeGitHub, runner: Runner
) -> None:
    (pull,) = pulls(github, 1)
    workflow_runs.add(pull, "success")
    repo = pull.repo
    repo.branches["next"] = repo.tip
    other = repo.open_pull(head=pull.head_sha, base="next", branch="other")
    pull.state = "closed"  # so that GitHub names only the other one
    entry = queued(pull)
    assert other.head_sha == pull.head_sha
    assert (await job(runner, entry)).code == 3


async def test_a_run_of_the_workflow_is_waited_for(github: FakeGitHub, runner: Runner) -> None:
    (pull,) = pulls(github, 1, fork="mona", by="mona")
    run = workflow_runs.add(pull, None)
    asyncio.get_running_loop().call_later(100, setattr, run, "conclusion", "success")
    assert (await job(runner, queued(pull))).code == 0


async def test_a_check_that_still_runs_is_waited_for(github: FakeGitHub, runner: Runner) -> None:
    (pull,) = pulls(github, 1)
    review = put_check(pull, None, by=actions(github))
    asyncio.get_running_loop().call_later(300, end_check, review, "success")
    assert (await job(runner, queued(pull))).code == 0


@pytest.mark.unended
async def test_a_check_that_never_ends_fails_the_job_after_ten_minutes(
    github: FakeGitHub, runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    (pull,) = pulls(github, 1)
    put_check(pull, None, by=actions(github))
    loop = asyncio.get_running_loop()
    began = loop.time()
    run = await job(runner, queued(pull))
    assert WAIT_S <= loop.time() - began < WAIT_S + 60
    assert run.code == 3
    assert "::error title=reviewbot::Still running: #1." in capsys.readouterr().out
    assert "Still running after 10 minutes" in run.summary


async def test_without_actions_read_a_fork_fails_and_the_permission_is_named(
    github: FakeGitHub, runner: Runner
) -> None:
    (pull,) = pulls(github, 1, fork="mona", by="mona")
    workflow_runs.add(pull, "success")
    less = {name: level for name, level in WRITES.items() if name != "actions"}
    runner.token = github.world.actions_token(pull.repo, less)
    run = await job(runner, queued(pull))
    assert run.code == 3
    assert "must grant the permission actions: read" in run.summary


async def test_without_checks_write_the_runs_of_the_workflow_decide(
    github: FakeGitHub, runner: Runner
) -> None:
    (pull,) = pulls(github, 1)
    workflow_runs.add(pull, "success")
    runner.token = github.world.actions_token(pull.repo, WRITES | {"checks": "read"})
    run = await job(runner, queued(pull))
    assert run.code == 0
    assert "of its pull requests, by the newest run of this workflow." in run.summary


async def test_an_unreadable_queue_fails_the_job(github: FakeGitHub, runner: Runner) -> None:
    (pull,) = pulls(github, 1)
    put_check(pull, "success", by=actions(github))
    github.fail(faults.error("POST", "/graphql", 502, times=None))
    run = await job(runner, queued(pull))
    assert run.code == 3
    assert "The merge queue could not be read" in run.summary


async def test_a_destroyed_group_is_skipped(github: FakeGitHub, runner: Runner) -> None:
    (pull,) = pulls(github, 1)
    run = await job(runner, queued(pull), "destroyed")
    assert (run.code, run.outputs) == (0, {"outcome": "skipped"})


async def test_an_event_without_a_group_is_no_success(github: FakeGitHub, runner: Runner) -> None:
    (pull,) = pulls(github, 1)
    with pytest.raises(ConfigError, match="merge_group event cannot be used"):
        await job(runner, queued(pull), "something_new")
