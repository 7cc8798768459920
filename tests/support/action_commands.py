"""``reviewbot action``, run by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.commands import Done, run_command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_github import FakeGitHub, PullRequest


async def act(folder: Path, *arguments: str, **variables: str) -> Done:
    return await run_command(folder, "action", *arguments, **variables)


def recorded(github: FakeGitHub, pull: PullRequest, folder: Path) -> str:
    path = folder / "event.json"
    path.write_text(json.dumps(github.delivery("pull_request", "opened", pull=pull).payload))
    return str(path)
