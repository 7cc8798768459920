"""Replies to findings, answered by the App as readers of the pull request see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fake_anthropic import FakeAnthropic
from tests.fake_github import FakeGitHub
from tests.github.app_runs import AppServer, app_server
from tests.github.dialogue.replying import Replying, thread
from tests.support.github_stories import BASE, ONE, conclusions, titles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

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
    pull: PullRequest, server: AppServer, replying: Replying
) -> None:
    assert conclusions(pull) == ["failure"]
    pull.reply(pull.review_comments[0], "This cannot happen: see line 9.", by="octo")
    await server.settle()
    assert thread(pull) == ["x"]
    assert conclusions(pull) == ["failure", "success"]
