"""Replies to findings, answered by a job of the Action as readers of the pull request see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reviewbot.action.command import NotAnsweredError
from reviewbot.github.dialogue.answer import RERUN
from tests.fake_anthropic import StatusError
from tests.github.dialogue.replying import GUARD, Replying, answer, thread, verdict
from tests.support.github_stories import BASE, ONE, conclusions, job, summary_of, titles

if TYPE_CHECKING:
    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub, PullRequest
    from tests.github.action_runs import Runner

ANSWERED = "Answered by `claude-sonnet-5-5`."


@pytest.fixture
def replying(model: FakeAnthropic) -> Replying:
    return Replying.of(model)


@pytest.fixture
async def pull(github: FakeGitHub, runner: Runner, replying: Replying) -> PullRequest:
    """A pull request that was reviewed: one finding, in a thread of its own."""
    found = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(found, fail_on="error")
    assert titles(found) == ["**error: Division by zero**"]
    assert conclusions(found) == ["failure"]
    replying.checks.clear()
    return found


async def test_a_withdrawal_updates_the_check_run_and_says_to_run_the_job_again(
    runner: Runner, pull: PullRequest, replying: Replying
) -> None:
    comment = pull.reply(pull.review_comments[0], "Line 9 prevents it.", by="octo")
    run = await job(runner, pull, comment, REVIEWBOT_ACTION_FAIL_ON="error")
    assert (run.code, run.outputs["outcome"]) == (0, "clean")
    [said] = thread(pull)
    assert said.startswith("Withdrawn. Line 9 sets it before.\n\n[`app.py:9`](")
    assert said.endswith(f"> ```\n> {GUARD}\n> ```\n\n{RERUN}\n\n{ANSWERED}")
    assert conclusions(pull)[-1] == "success"
    assert "1 finding withdrawn after a reply." in summary_of(pull)
    assert (len(replying.replies), len(replying.checks)) == (1, 1)


async def test_a_repeated_job_answers_nothing_again(
    runner: Runner, pull: PullRequest, replying: Replying
) -> None:
    replying.said = answer("stands")
    comment = pull.reply(pull.review_comments[0], "I do not think so.", by="octo")
    for _ in range(2):
        run = await job(runner, pull, comment)
        assert (run.code, run.outputs["outcome"]) == (0, "skipped")
    assert len(thread(pull)) == len(replying.replies) == 1


async def test_a_second_check_that_disagrees_leaves_the_finding_open(
    runner: Runner, pull: PullRequest, replying: Replying
) -> None:
    replying.checked = verdict("cannot_tell")
    await job(runner, pull, pull.reply(pull.review_comments[0], "It cannot.", by="octo"))
    [said] = thread(pull)
    assert said.startswith("I looked again, and could not confirm this from the code: a second")
    assert RERUN not in said
    assert conclusions(pull) == ["failure"]


async def test_a_stranger_gets_no_answer(
    runner: Runner, pull: PullRequest, replying: Replying
) -> None:
    await job(runner, pull, pull.reply(pull.review_comments[0], "No!", by="mallory"))
    assert thread(pull) == []
    assert replying.replies == []


async def test_a_reply_on_a_pull_request_of_a_fork_sends_no_request(
    github: FakeGitHub, runner: Runner, replying: Replying
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, fork="mona", by="mona")
    comment = pull.reply(pull.review_comment("app.py", 10, "Why?", by="octo"), "So.", by="octo")
    github.requests.clear()
    run = await job(runner, pull, comment)
    assert "the pull request comes from a fork" in run.summary
    assert github.requests == []
    assert replying.replies == []


async def test_without_a_model_a_reply_is_skipped(runner: Runner, pull: PullRequest) -> None:
    comment = pull.reply(pull.review_comments[0], "No!", by="octo")
    run = await job(runner, pull, comment, REVIEWBOT_ACTION_MODEL="offline")
    assert "replies are answered by a model" in run.summary
    assert thread(pull) == []


async def test_an_overloaded_model_is_said_once_and_fails_the_job(
    runner: Runner, pull: PullRequest, replying: Replying
) -> None:
    replying.said = StatusError(529)
    comment = pull.reply(pull.review_comments[0], "No!", by="octo")
    with pytest.raises(NotAnsweredError):
        await job(runner, pull, comment)
    await job(runner, pull, comment)
    assert thread(pull) == [
        "I could not look at the code: The model service is overloaded; try again later. The"
        " finding stays open."
    ]
