"""The command on a pull request of the fake GitHub."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.event_schema import assert_valid_event
from tests.fake_github import FakeGitHub
from tests.support.forks import run_fork

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.fake_github import PullRequest


ROOT = Path(__file__).parents[2]


GOOD = "def drop(orders):\n    orders.clear()\n"


WORSE = "def drop(orders):\n    for key in orders.keys():\n        del orders[key]\n"


NAME = "octo/hello#1"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """What a person reads, in one line."""
        return " ".join(self.out.split())

    @property
    def events(self) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.out.splitlines()]
        for one in found:
            assert_valid_event(one)
        return found


async def review(folder: Path, *arguments: str, **variables: str) -> Done:
    """Run the command in ``folder`` with these variables and none of this machine's."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "REVIEWBOT_STATE_DIR": str(folder / "state"),
        "HOME": str(folder),
        **variables,
    }
    command = ("review", *arguments)
    done = await asyncio.to_thread(run_fork, command, environment=environment, folder=folder)
    return Done(done.returncode, done.stdout, done.stderr)


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
