"""Events that start a review or a command, and those that start nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from reviewbot.errors import ReviewbotError
from tests.support.action_commands import act
from tests.support.github_stories import BASE, ONE, TWO, titles

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner


async def test_a_comment_of_a_stranger_starts_no_review_though_the_input_names_the_pull_request(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    """``pull-request: ${{ github.event.issue.number }}`` is what many a workflow would have."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    comment = pull.comment("nice work", by="mallory")
    runner.event(pull, "issue_comment", "created", comment=comment, sender=github.user("mallory"))
    env = runner.environment(pull, pull_request="1") | {"GITHUB_EVENT_NAME": "issue_comment"}
    assert (await runner.step(env)).outputs["outcome"] == "skipped"
    assert model.requests == []


async def test_a_closed_pull_request_costs_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    pull.close()
    env = runner.environment(pull, pull_request="1") | {"GITHUB_EVENT_NAME": "workflow_dispatch"}
    run = await runner.step(env)
    assert model.requests == []
    assert "meanwhile" not in run.summary


async def test_a_command_on_a_closed_pull_request_costs_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    pull.close()
    comment = pull.comment("/review", by="octo")
    runner.event(pull, "issue_comment", "created", comment=comment, sender=github.user("octo"))
    env = runner.environment(pull) | {"GITHUB_EVENT_NAME": "issue_comment"}
    await runner.step(env)
    assert model.requests == []


@pytest.mark.parametrize("action", ["labeled", "edited", "review_requested", "assigned"])
async def test_an_event_that_the_workflow_asked_for_is_reviewed_or_fails(
    github: FakeGitHub, runner: Runner, action: str
) -> None:
    """``types:`` of the workflow says when; a green check for nothing is none."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    runner.event(pull)
    path = runner.folder / "event.json"
    payload = json.loads(path.read_text()) | {"action": action}
    path.write_text(json.dumps(payload))
    env = runner.environment(pull, fail_on="error")
    assert (await runner.step(env)).code != 0


async def test_a_review_of_a_person_is_an_event_of_a_pull_request(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    runner.event(pull)
    env = runner.environment(pull) | {"GITHUB_EVENT_NAME": "pull_request_review"}
    try:
        await runner.step(env)
    except ReviewbotError as error:
        assert "is about no pull request" not in str(error)


async def test_a_notice_names_what_a_workflow_has(github: FakeGitHub, runner: Runner) -> None:
    base = BASE | {
        ".reviewbot.yml": "summary: false\nroutes: [{categories: [docs], model: small-one}]\n"
    }
    pull = github.pull(base=base, head=base | {"new.js": "if (x == NaN) {\n  go();\n}\n"})
    run = await runner.run(pull, model="offline")
    assert "--model" not in run.summary


async def test_an_event_file_that_cannot_be_read_is_no_success(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    (runner.folder / "event.json").write_text('{"action": "opened", "pull_request": ')
    with pytest.raises(ReviewbotError):
        await runner.step(runner.environment(pull))


async def test_a_recorded_event_is_reviewed_in_the_repository_that_it_is_of(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    other = github.pull(base=BASE, head=BASE | TWO, repository="octo/other")
    runner.event(pull)
    try:
        await runner.step(runner.environment(other))
    except ReviewbotError:
        return
    assert titles(other) == []


async def test_a_path_with_a_dot_before_it_is_the_path(github: FakeGitHub, runner: Runner) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    run = await runner.run(pull, config="./.reviewbot.yml")
    assert run.outputs["errors"] == "1"


@pytest.mark.slow
async def test_by_hand_the_help_says_what_is_posted_and_how_inputs_are_given(
    tmp_path: Path,
) -> None:
    done = await act(tmp_path, "--help")
    assert "REVIEWBOT_ACTION_" in done.out
    assert "post" in done.out.lower() or "comment" in done.out.lower()
