"""The tools that check workflows, as the tests run them: offline, from the locked requirements."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAMS: Final = Path(sys.executable).parent
"""Where the requirements put their programs; jactionlint finds shellcheck there, too."""


COPIED_WORKFLOWS: Final = Path(__file__).parent / "zizmor-copied-workflows.yml"
"""Configuration of zizmor for the workflows that users copy, with the reason of each exception."""


def zizmor(*paths: Path, config: Path | None = None) -> str:
    """Return what zizmor reports with its auditor persona, which is its strictest."""
    options = ["--config", str(config)] if config else ["--no-config"]
    command = ["zizmor", "--offline", "--persona=auditor", "--strict-collection", "--quiet"]
    return run([*command, *options], paths)


def jactionlint(*paths: Path) -> str:
    """Keys, events, types of expressions, inputs of actions, and shellcheck on each script."""
    return run(["jactionlint", "--strict-exit", "--no-color"], paths)


def schema(name: str, *paths: Path) -> str:
    """Whether files fit a schema that GitHub's files are published with."""
    return run(["check-jsonschema", "--builtin-schema", f"vendor.{name}"], paths)


def shellcheck(*paths: Path) -> str:
    """What a shell would take otherwise than it was meant."""
    return run(["shellcheck"], paths)


def run(command: Sequence[str], paths: Sequence[Path]) -> str:
    """What a tool says against files: nothing where it is content."""
    assert paths, "there is nothing to check"
    done = subprocess.run(
        [str(PROGRAMS / command[0]), *command[1:], "--", *map(str, paths)],
        env={"PATH": f"{PROGRAMS}:/usr/bin:/bin", "LANG": "C.UTF-8"},
        capture_output=True,
        check=False,
        text=True,
    )
    return done.stdout + done.stderr if done.returncode else ""
