"""Replies to findings, answered by the App as readers of the pull request see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fake_anthropic import FakeAnthropic
from tests.fake_github import FakeGitHub
from tests.github.app_runs import AppServer
from tests.github.dialogue.replying import GUARD, Replying, thread
from tests.support.github_stories import BASE, ONE, conclusions, summary_of, titles

if TYPE_CHECKING:
    from tests.fake_github import PullRequest


@pytest.fixture
def replying(model: FakeAnthropic) -> Replying:
    """What the model says to replies and about withdrawals."""
    return Replying.of(model)


@pytest.fixture
async def pull(github: FakeGitHub, server: AppServer, replying: Replying) -> PullRequest:
    """A pull request that was reviewed: one finding, in a thread of its own."""
    found = github.pull(base=BASE, head=BASE | ONE)
    await server.settle()
    assert titles(found) == ["**error: Division by zero**"]
    assert replying.checks == []
    return found


async def test_a_right_reply_whose_quotes_are_good_withdraws_the_finding(
    github: FakeGitHub, pull: PullRequest, server: AppServer, replying: Replying
) -> None:
    assert conclusions(pull) == ["failure"]
    github.requests.clear()
    pull.reply(pull.review_comments[0], "This cannot happen: see line 9.", by="octo")
    await server.settle()
    head = pull.head_sha
    page = f"{github.url.removesuffix('/api/v3')}/octo/hello/blob/{head}/app.py#L9"
    assert thread(pull) == [
        f"Withdrawn. Line 9 sets it before.\n\n[`app.py:9`]({page}):\n\n> ```\n> {GUARD}\n> ```"
        "\n\nAnswered by `claude-sonnet-5-5`."
    ]
    assert conclusions(pull) == ["failure", "success"]
    assert "1 finding withdrawn after a reply." in summary_of(pull)
    assert (len(replying.replies), len(replying.checks)) == (1, 1)
    assert 'message: "' in replying.checks[0].text
    assert "This cannot happen" not in replying.checks[0].text
    for one in github.requests:
        print(one.key)
    print(replying.replies[0].system)
    print(replying.replies[0].text)
    print(replying.checks[0].text)
    print(summary_of(pull))
    assert 0
