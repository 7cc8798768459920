"""``reviewbot action``, run by hand."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.forks import run_fork

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub, PullRequest


ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


async def act(folder: Path, *arguments: str, **environment: str) -> Done:
    clean = {"PATH": os.environ["PATH"], "HOME": str(folder), "REVIEWBOT_STATE_DIR": str(folder)}
    variables = {**clean, "PYTHONPATH": str(ROOT), **environment}
    command = ("action", *arguments)
    done = await asyncio.to_thread(run_fork, command, environment=variables, folder=folder)
    return Done(done.returncode, done.stdout, done.stderr)


def recorded(github: FakeGitHub, pull: PullRequest, folder: Path) -> str:
    path = folder / "event.json"
    path.write_text(json.dumps(github.delivery("pull_request", "opened", pull=pull).payload))
    return str(path)
