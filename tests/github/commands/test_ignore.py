"""``/ignore`` dismisses a finding if the person may write; the author sets it aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.github_stories import BASE, ONE, TWO, conclusions, replies, summary_of

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub, PullRequest
    from tests.github.action_runs import Runner
    from tests.github.app_runs import AppServer


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


ASIDE = "“None is returned” is set aside: the summary folds it."
"""Beginning of the reply to the author of a pull request."""


def is_resolved(pull: PullRequest) -> bool:
    return pull.threads[0].resolved_by is not None


async def test_the_author_sets_a_warning_aside_and_it_still_counts(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    await server.settle()
    error, warning = pull.review_comments
    pull.reply(error, "/ignore", by="octocat")
    pull.reply(warning, "/ignore", by="octocat")
    await server.settle()
    first, second = replies(pull)
    assert first == (
        "“Division by zero” is an error. Only people who may write here can dismiss it."
    )
    assert second.startswith(ASIDE)
    summary = summary_of(pull)
    fold = "<summary>More open findings (1)</summary>"
    assert f"{fold}\n\nSet aside by the author, and still counted:" in summary
    assert "1 error and 1 warning are open" in summary
    assert [thread.resolved_by for thread in pull.threads] == [None, None]
    assert conclusions(pull)[-1] == "failure"
    pull.reply(warning, "/ignore undo", by="octocat")
    await server.settle()
    assert replies(pull)[2] == "“None is returned” is reported again."
    assert "Set aside" not in summary_of(pull)


async def test_the_author_cannot_undo_the_dismissal_of_somebody_who_may_write(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await server.settle()
    pull.reply(pull.review_comments[0], "/ignore", by="octo")
    pull.reply(pull.review_comments[0], "/ignore undo", by="octocat")
    await server.settle()
    assert replies(pull)[-1] == (
        "octo dismissed “Division by zero”. Only people who may write here can undo this."
    )
    assert conclusions(pull)[-1] == "success"


@pytest.mark.parametrize("where", ["thread", "below"])
async def test_an_undone_dismissal_counts_again_and_reopens_the_thread(
    github: FakeGitHub, server: AppServer, where: str
) -> None:
    [installation] = github.world.installations.values()
    installation.permissions["contents"] = "write"
    pull = github.pull(base=BASE, head=BASE | ONE)
    await server.settle()
    comment = pull.review_comments[0]
    pull.reply(comment, "/ignore it is a test", by="octo")
    await server.settle()
    assert replies(pull)[-1].startswith("“Division by zero” is ignored from now on")
    assert is_resolved(pull)
    assert conclusions(pull)[-1] == "success"
    if where == "thread":
        pull.reply(comment, "/ignore undo", by="octo")
    else:
        pull.comment(f"/ignore undo {comment.body.split('findings=')[1][:16]}", by="octo")
    await server.settle()
    assert "“Division by zero” is reported again." in replies(pull)
    assert not is_resolved(pull)
    assert conclusions(pull)[-1] == "failure"
    pull.reply(comment, "/ignore", by="octo")
    await server.settle()
    assert conclusions(pull)[-1] == "success"


async def test_a_thread_that_a_person_resolved_is_not_undone_by_a_comment(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await server.settle()
    pull.resolve(pull.threads[0], by="octo")
    pull.reply(pull.review_comments[0], "/ignore undo", by="octo")
    await server.settle()
    assert replies(pull) == [
        "octo resolved the thread of “Division by zero”. Unresolve it to undo this."
    ]


async def test_without_the_permission_a_dismissed_thread_stays_as_it_is(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await server.settle()
    pull.reply(pull.review_comments[0], "/ignore", by="octo")
    await server.settle()
    assert not is_resolved(pull)
    assert conclusions(pull)[-1] == "success"


async def test_a_stranger_gets_a_reaction_and_no_reply(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    await server.settle()
    asked = pull.reply(pull.review_comments[1], "/ignore", by="mallory")
    await server.settle()
    assert [reaction.content for reaction in asked.reactions] == ["confused"]
    assert replies(pull) == []
    assert "Set aside" not in summary_of(pull)
