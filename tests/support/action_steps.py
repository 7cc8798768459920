"""Steps of the Action."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.composite_runner import pairs
from tests.support.action_files import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


SCRIPT = ROOT / "requirements" / "install-action.sh"


def install(
    env: Mapping[str, str], folder: Path, script: Path = SCRIPT
) -> tuple[int, str, dict[str, str]]:
    """Run the first step in a folder and return its exit code, its log and its outputs."""
    output = folder / "output"
    output.write_text("")
    done = subprocess.run(
        ["/bin/sh", str(script)],
        env={**env, "GITHUB_OUTPUT": str(output)},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
    )
    return done.returncode, done.stdout, pairs(output.read_text())
