"""Forks, Dependabot and jobs without a token: what is reviewed, and what the log says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reviewbot.errors import ConfigError
from tests.github.action_runs import WRITES, Runner
from tests.support.github_stories import BASE, ONE, titles

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub


@pytest.mark.unposted("there is no token")
async def test_without_a_token_a_public_pull_request_is_reviewed_in_the_log(
    github: FakeGitHub, runner: Runner
) -> None:
    """The Action says so itself: there is no github-token, so nothing is posted."""
    pull = github.pull(base=BASE, head=BASE | ONE, private=False)
    runner.event(pull)
    run = await runner.step(runner.environment(pull) | {"GITHUB_TOKEN": ""})
    assert run.outputs["errors"] == "1"


async def test_a_fork_whose_token_may_write_gets_its_comments(
    github: FakeGitHub, runner: Runner
) -> None:
    """«Send write tokens to workflows from pull requests», a setting of private repositories."""
    pull = github.pull(base=BASE, head=BASE | ONE, fork="mona", by="mona")
    await runner.run(pull)
    assert titles(pull) == ["**error: Division by zero**"]


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target"])
async def test_a_fork_whose_job_may_make_no_check_run_gets_its_comments(
    github: FakeGitHub, runner: Runner, event: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, fork="mona", by="mona")
    runner.token = github.world.actions_token(pull.repo, WRITES | {"checks": "none"})
    runner.event(pull)
    run = await runner.step(runner.environment(pull) | {"GITHUB_EVENT_NAME": event})
    assert titles(pull) == ["**error: Division by zero**"]
    assert "There is no check run" in run.summary
    assert "comes from a fork" not in run.summary


@pytest.mark.parametrize("head", [ONE, {"b.py": "x = 1\n"}], ids=["findings", "clean"])
@pytest.mark.parametrize("off", [{"summary_comment": "false"}, {"review_comments": "false"}, {}])
async def test_a_fork_is_told_so_whatever_is_posted(
    github: FakeGitHub, runner: Runner, head: dict[str, str], off: dict[str, str]
) -> None:
    pull = github.pull(base=BASE, head=BASE | head, fork="mona", by="mona", private=False)
    if head is ONE:  # another workflow has reviewed it, with more rights
        await runner.run(pull)
    runner.token = github.world.actions_token(pull.repo, dict.fromkeys(WRITES, "read"))
    run = await runner.run(pull, **off)
    assert run.summary.count("comes from a fork") == 1
    assert "permissions:" not in run.summary


@pytest.mark.unposted("the token may not write")
async def test_a_fork_is_told_so_although_no_check_run_was_asked_for(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, fork="mona", by="mona", private=False)
    runner.token = github.world.actions_token(pull.repo, dict.fromkeys(WRITES, "read"))
    run = await runner.run(pull, check_run="false")
    assert "comes from a fork" in run.summary
    assert "permissions:" not in run.summary


async def test_dependabot_without_a_key_is_told_where_its_secrets_are(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, by="dependabot[bot]")
    runner.event(pull)
    env = runner.environment(pull) | {"ANTHROPIC_API_KEY": ""}
    with pytest.raises(ConfigError, match="Secrets and variables, Dependabot"):
        await runner.step(env)
