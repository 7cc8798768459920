"""A repository whose pull requests are read as a change, by its files and by the diff."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from reviewbot.config.settings import SecretText
from reviewbot.core.diff.parse import FileDiff, parse_diff
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.client.rate_limit import Pace
from tests.fake_github import FakeGitHub, PullRequest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from reviewbot.github.api.gateway import Api
    from reviewbot.github.change.fetch import Change
    from tests.fake_github.git import Files


REPO = "octo/hello"


@asynccontextmanager
async def opened(
    base: Files, head: Files, *, token: str | None = None, **more: Any
) -> AsyncGenerator[tuple[FakeGitHub, PullRequest, Api]]:
    """A pull request between two trees, and somebody who may read it."""
    async with FakeGitHub() as github:
        pull = github.pull(base, head, **more)
        secret = SecretText(token or github.token(pull.repo).value)
        async with Gateway(secret, base_url=github.url, pace=Pace(patience_s=5)) as gateway:
            yield github, pull, gateway.holder()


def by_list(github: FakeGitHub) -> None:
    """From now on GitHub gives no diff in one piece."""
    github.rules.diff_files = 0


def by_path(change: Change) -> dict[str, FileDiff]:
    files = parse_diff(change.diff)
    found = {file.path: file for file in files}
    assert len(found) == len(files)
    return found


def texts(file: FileDiff) -> list[str]:
    marks = {"added": "+", "removed": "-", "context": " "}
    return [marks[line.kind] + line.text for hunk in file.hunks for line in hunk.lines]
