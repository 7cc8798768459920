"""A repository whose pull requests are read as a change, by its files and by the diff."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from reviewbot.config.settings import SecretText
from reviewbot.core.diff.parse import FileDiff, parse_diff
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.change.fetch import get_change
from reviewbot.github.client.rate_limit import Pace
from tests.fake_github import FakeGitHub, Fault, PullRequest

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


LARGE = "".join(f"value_{number} = {number}\n" for number in range(3_000))
EDITED = LARGE.replace("value_7 = 7\n", "value_7 = 8\nmore = 1\n").replace("_2999 = 2999", "_x = 0")


def reasons(change: Change) -> dict[str, str | None]:
    assert {one.status for one in change.missing} <= {"failed"}
    return {one.path: one.reason for one in change.missing}


async def listing(github: FakeGitHub, api: Api) -> list[dict[str, Any]]:
    """The list of files as it is sent, to be changed; from now on no comparison has it."""
    github.rules.compared_files = 0
    await get_change(api, REPO, 1)
    sent: list[dict[str, Any]] = json.loads(github.called("GET", "/files")[-1].answer)
    return sent


def lists(github: FakeGitHub, listed: list[dict[str, Any]]) -> None:
    """From now on GitHub has this list."""
    body, kind = json.dumps(listed).encode(), {"content-type": "application/json"}
    github.fail(Fault("GET", "/files$", 200, body, kind, times=None))


@asynccontextmanager
async def large_ones(**names: str) -> AsyncGenerator[tuple[FakeGitHub, PullRequest, Api]]:
    """Files that have to be compared here, and a small one; by name and content at the head."""
    base: dict[str, Any] = {f"{name}.py": LARGE for name in names}
    head = {f"{name}.py": content for name, content in names.items()}
    async with opened(base | {"s.py": "x\n"}, head | {"s.py": "y\n"}) as (github, pull, api):
        github.rules.patch_lines = 2
        by_list(github)
        yield github, pull, api
