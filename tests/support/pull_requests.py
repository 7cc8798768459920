"""The command on a pull request of the fake GitHub."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.fake_github import FakeGitHub
from tests.support.commands import Done, run_command

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.fake_github import PullRequest


GOOD = "def drop(orders):\n    orders.clear()\n"


WORSE = "def drop(orders):\n    for key in orders.keys():\n        del orders[key]\n"


NAME = "octo/hello#1"


async def review(folder: Path, *arguments: str, **variables: str) -> Done:
    """Run the command in ``folder`` with these variables and none of this machine's."""
    return await run_command(folder, "review", *arguments, **variables)


@asynccontextmanager
async def opened(
    base: dict[str, Any] | None = None, head: dict[str, Any] | None = None, **more: Any
) -> AsyncGenerator[tuple[FakeGitHub, PullRequest, dict[str, str]]]:
    """A pull request, and the variables of somebody who may read it."""
    base = {"app.py": GOOD} | (base or {})
    async with FakeGitHub(enterprise=more.pop("enterprise", False)) as github:
        pull = github.pull(base, base | {"app.py": WORSE} | (head or {}), **more)
        token = github.token(pull.repo).value
        yield github, pull, {"GITHUB_API_URL": github.url, "GITHUB_TOKEN": token}
