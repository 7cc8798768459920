"""``/ignore`` dismisses a finding, if its author may write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.github_stories import BASE, ONE, TWO, summary_of

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner


@pytest.mark.parametrize(
    ("role", "counted"), [("admin", "0"), ("write", "0"), ("triage", "1"), ("read", "1")]
)
async def test_a_finding_is_ignored_only_if_somebody_who_may_write_says_so(
    github: FakeGitHub, runner: Runner, role: str, counted: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.repo.allow("hubot", role)
    pull.reply(pull.review_comments[0], "/ignore it is a test", by="hubot")
    run = await runner.run(pull)
    assert run.outputs["errors"] == counted
    assert ("1 finding dismissed by hubot" in summary_of(pull)) == (counted == "0")
    pull.push(TWO)
    again = await runner.run(pull)
    assert again.outputs["errors"] == counted
    assert again.outputs["warnings"] == "1"


async def test_an_ignored_finding_counts_again_once_its_comment_is_gone(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    said = pull.reply(pull.review_comments[0], "/ignore", by="octo")
    assert (await runner.run(pull)).outputs["errors"] == "0"
    said.body = "never mind"
    assert (await runner.run(pull)).outputs["errors"] == "1"


async def test_a_finding_beside_the_diff_can_be_ignored_by_its_id(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    found = pull.review_comments[0].body.split("findings=")[1][:16]
    pull.comment(f"/ignore {found} as agreed", by="octo")
    assert (await runner.run(pull)).outputs["errors"] == "0"
