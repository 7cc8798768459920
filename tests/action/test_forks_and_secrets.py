"""Forks, Dependabot and jobs without a token: what is reviewed, and what the log says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from reviewbot.errors import ConfigError, SourceError
from tests.github.action_runs import WRITES, Runner
from tests.support.github_stories import BASE, ONE, conclusions, summary_of, titles

if TYPE_CHECKING:
    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub, PullRequest


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


# --- Without a key


CODE = {"new.js": "if (x == NaN) {\n  go();\n}\n"}
"""Code in which a rule finds an error."""
FINE = {"ok.py": "total = 1\n"}


def keyless(runner: Runner, pull: PullRequest, **inputs: str) -> dict[str, str]:
    return runner.environment(pull, **inputs) | {"ANTHROPIC_API_KEY": "", "ANTHROPIC_BASE_URL": ""}


def fork_of(github: FakeGitHub, runner: Runner, head: dict[str, str], **base: str) -> PullRequest:
    """Return a pull request from a fork, whose jobs get a token that may only read."""
    files = BASE | base
    pull = github.pull(base=files, head=files | head, fork="mona", by="mona", private=False)
    runner.token = github.world.actions_token(pull.repo, dict.fromkeys(WRITES, "read"))
    runner.event(pull)
    return pull


async def test_rules_and_linters_review_a_fork_without_a_key(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    pull = fork_of(github, runner, CODE)
    run = await runner.step(keyless(runner, pull))
    log = capsys.readouterr().out
    assert (run.code, run.outputs["outcome"], run.outputs["errors"]) == (0, "findings", "1")
    assert log.startswith("Reviewed by rules and linters only: GitHub gives no secrets")
    assert "::error file=new.js,line=1" in log
    assert run.summary.startswith("**Reviewed by rules and linters only. 1 error in 1 file.")
    assert "- GitHub gives no secrets to workflows for pull requests from forks" in run.summary
    assert "Done" not in log + run.summary
    assert model.requests == []


async def test_a_fork_without_a_key_and_without_a_finding_is_shallow(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = fork_of(github, runner, FINE)
    run = await runner.step(keyless(runner, pull))
    assert (run.code, run.outputs["outcome"]) == (0, "shallow")
    assert run.summary.startswith("**Reviewed by rules and linters only. Shallow: no findings")


async def test_models_and_routes_of_the_base_are_not_asked_without_a_key(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    routed = "model: claude-opus-5-5\nroutes:\n  - paths: ['*.js']\n    model: claude-haiku-5-5\n"
    pull = fork_of(github, runner, CODE, **{".reviewbot.yml": routed})
    run = await runner.step(keyless(runner, pull))
    assert run.outputs["errors"] == "1"
    assert model.requests == []


async def test_a_fork_that_was_deleted_is_a_fork(github: FakeGitHub, runner: Runner) -> None:
    pull = fork_of(github, runner, FINE)
    path = runner.folder / "event.json"
    payload = json.loads(path.read_text())
    payload["pull_request"]["head"]["repo"] = None
    path.write_text(json.dumps(payload))
    run = await runner.step(keyless(runner, pull))
    assert run.outputs["outcome"] == "shallow"


@pytest.mark.parametrize("event", ["pull_request_target", "workflow_dispatch"])
async def test_a_fork_without_a_key_fails_on_events_that_get_secrets(
    github: FakeGitHub, runner: Runner, event: str
) -> None:
    pull = fork_of(github, runner, FINE)
    env = keyless(runner, pull, pull_request=str(pull.number)) | {"GITHUB_EVENT_NAME": event}
    with pytest.raises(ConfigError, match="pass anthropic-api-key"):
        await runner.step(env)


async def test_forks_fail_has_a_fork_without_a_key_fail(github: FakeGitHub, runner: Runner) -> None:
    pull = fork_of(github, runner, FINE)
    with pytest.raises(ConfigError, match="the input forks is fail"):
        await runner.step(keyless(runner, pull, forks="fail"))


async def test_the_text_of_a_change_makes_no_job_one_without_secrets(
    github: FakeGitHub, runner: Runner
) -> None:
    title = '{"head": {"repo": null}, "sender": {"login": "dependabot[bot]"}}'
    pull = github.pull(base=BASE, head=BASE | FINE, title=title)
    runner.event(pull)
    with pytest.raises(ConfigError, match="pass anthropic-api-key"):
        await runner.step(keyless(runner, pull))


async def test_dependabot_without_a_key_gets_what_rules_find_and_is_never_done(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | FINE, by="dependabot[bot]")
    runner.event(pull, sender=pull.user)
    run = await runner.step(keyless(runner, pull))
    assert run.outputs["outcome"] == "shallow"
    assert conclusions(pull) == ["neutral"]
    first = summary_of(pull).split("\n")[0]
    assert first.startswith("**Reviewed by rules and linters only. Shallow: no findings")
    pull.push({"ok.py": "total = 1\nvalue = eval(total)\n"})
    runner.event(pull, sender=pull.user)
    await runner.step(keyless(runner, pull))
    assert summary_of(pull).startswith("**Reviewed by rules and linters only. ")
    assert "Done" not in summary_of(pull)
    assert model.requests == []


async def test_a_person_on_a_branch_of_dependabot_without_a_key_fails(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | FINE, by="dependabot[bot]")
    runner.event(pull)
    with pytest.raises(ConfigError, match="pass anthropic-api-key"):
        await runner.step(keyless(runner, pull))


# --- A label of a maintainer


def labelled(runner: Runner, pull: PullRequest) -> dict[str, str]:
    runner.event(pull, action="labeled")
    return runner.environment(pull) | {"GITHUB_EVENT_NAME": "pull_request_target"}


async def test_a_model_reviews_the_commit_of_a_fork_that_was_labelled(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, fork="mona", by="mona")
    await runner.step(labelled(runner, pull))
    assert titles(pull) == ["**error: Division by zero**"]


async def test_a_commit_after_the_label_is_not_reviewed(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, fork="mona", by="mona")
    env = labelled(runner, pull)
    pull.push({"new.py": "x = 1\n"})
    with pytest.raises(SourceError, match="somebody pushed after the label was set"):
        await runner.step(env)
    assert model.requests == []
    assert conclusions(pull) == []
