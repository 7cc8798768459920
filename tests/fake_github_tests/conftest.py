"""A fake GitHub with one pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fake_github import FakeGitHub
from tests.support.github_clients import BASE, HEAD

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.fake_github import PullRequest


@pytest.fixture
async def github() -> AsyncIterator[FakeGitHub]:
    async with FakeGitHub(check_answers=True) as fake:
        yield fake
        assert fake.answer_complaints == []


@pytest.fixture
def pull(github: FakeGitHub) -> PullRequest:
    return github.pull(BASE, HEAD, by="mona", title="Five")
