"""``reviewbot`` as a command, with none of the variables of this machine."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.event_schema import assert_valid_event
from tests.support.forks import ROOT, run_fork

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

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


def environment_in(folder: Path, **variables: str) -> dict[str, str]:
    """Return the variables of a command whose home and state are in ``folder``."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "REVIEWBOT_STATE_DIR": str(folder / "state"),
        **variables,
    }


async def run_command(folder: Path, *arguments: str, **variables: str) -> Done:
    """Run ``reviewbot`` in ``folder`` to its end, as if no linter were installed."""
    return await _run(folder, arguments, variables, linters=False)


async def run_linted_command(folder: Path, *arguments: str, **variables: str) -> Done:
    """Run ``reviewbot`` in ``folder`` to its end, with the linters of this environment."""
    return await _run(folder, arguments, variables, linters=True)


async def _run(
    folder: Path, arguments: Sequence[str], variables: Mapping[str, str], *, linters: bool
) -> Done:
    environment = environment_in(folder, **variables)
    done = await asyncio.to_thread(
        run_fork, arguments, environment=environment, folder=folder, linters=linters
    )
    return Done(done.returncode, done.stdout, done.stderr)
