"""Runs without a model key, and tokens that may not do everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reviewbot.errors import ConfigError
from tests.github.action_runs import WRITES, Runner
from tests.support.github_stories import BASE, ONE

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub


@pytest.mark.unposted("the token may not write")
async def test_a_fork_gets_its_review_where_a_token_that_can_only_read_lets_it(
    github: FakeGitHub, runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, fork="mona", by="mona", private=False)
    runner.token = github.world.actions_token(pull.repo, dict.fromkeys(WRITES, "read"))
    run = await runner.run(pull)
    printed = capsys.readouterr().out
    assert run.outputs["outcome"] == "findings"
    assert "::error file=app.py,line=10" in printed
    assert "comes from a fork" in run.summary
    writes = [one.path for one in github.requests if one.method != "GET"]
    # What the token may write is known by asking, each twice.
    pulls, issues = "/repos/octo/hello/pulls/1", "/repos/octo/hello/issues/1"
    asked = ["/repos/octo/hello/check-runs", f"{pulls}/reviews", f"{issues}/comments"]
    assert [path for path in writes if "graphql" not in path] == [
        path for path in asked for _ in range(2)
    ]
    assert pull.repo.check_runs == {}


async def test_no_key_is_an_error_with_the_sentence_that_helps(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    runner.event(pull)
    env = runner.environment(pull) | {"ANTHROPIC_API_KEY": ""}
    with pytest.raises(ConfigError, match=r"pass anthropic-api-key: \${{ secrets.ANTHROPIC_API"):
        await runner.step(env)
    assert pull.repo.check_runs == {}


async def test_a_route_without_a_key_has_the_same_sentence(
    github: FakeGitHub, runner: Runner
) -> None:
    routed = "model: offline\nroutes:\n  - paths: ['*.py']\n    model: claude-sonnet-5-5\n"
    base = BASE | {".reviewbot.yml": routed}
    pull = github.pull(base=base, head=base | ONE)
    runner.event(pull)
    env = runner.environment(pull) | {"ANTHROPIC_API_KEY": "", "ANTHROPIC_BASE_URL": ""}
    with pytest.raises(ConfigError, match="pass anthropic-api-key"):
        await runner.step(env)


async def test_the_offline_rules_review_without_a_key_if_asked_for(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | {"new.js": "if (x == NaN) {\n  go();\n}\n"})
    runner.event(pull)
    env = runner.environment(pull, model="offline") | {"ANTHROPIC_API_KEY": ""}
    run = await runner.step(env)
    assert run.outputs["outcome"] == "findings"


@pytest.mark.parametrize(
    ("lacking", "told"),
    [
        ({"checks"}, "There is no check run"),
        ({"pull_requests"}, "The review could not be posted"),
        pytest.param(
            {"pull_requests", "issues", "checks"},
            "There is no check run",
            marks=pytest.mark.unposted("the token may not write"),
        ),
    ],
)
async def test_a_missing_permission_is_reported_and_the_rest_is_done(
    github: FakeGitHub, runner: Runner, lacking: set[str], told: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    granted = {name: "read" if name in lacking else level for name, level in WRITES.items()}
    runner.token = github.world.actions_token(pull.repo, granted)
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"
    assert told in run.summary
    assert "pull_requests" not in lacking or not pull.review_comments
    assert ("checks" in lacking) != bool(pull.repo.check_runs)
