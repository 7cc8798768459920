"""Find the linters of this installation.

A linter is used only from the folder of scripts of the running interpreter: never from ``PATH`` or
the working folder, which the files of a pull request can reach.
"""

from __future__ import annotations

import os
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.config.installation import install_command
from reviewbot.models.linters.hadolint import HADOLINT
from reviewbot.models.linters.oxlint import OXLINT
from reviewbot.models.linters.ruff import RUFF
from reviewbot.models.linters.rules import wanted_versions
from reviewbot.models.linters.shellcheck import SHELLCHECK
from reviewbot.models.linters.zizmor import ZIZMOR

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from reviewbot.models.linters.base import Linter

LINTERS: Final[tuple[Linter, ...]] = (RUFF, OXLINT, SHELLCHECK, HADOLINT, ZIZMOR)


@dataclass(frozen=True, slots=True)
class Program:
    """A linter and its program.

    ``wanted`` is the version that reviewbot was tested with; no other version is used, because
    rules and formats change.
    """

    linter: Linter
    path: Path
    wanted: str

    @property
    def version(self) -> str | None:
        """The version of the installed package; None if there is none."""
        return _version_of(self.linter.package)

    @property
    def usable(self) -> bool:
        """True if the wanted version is installed."""
        return self.version == self.wanted and self.path.is_file()

    @property
    def state(self) -> str:
        """The version in use, or why there is none, in words."""
        name = self.linter.name
        if self.usable:
            return f"{name} {self.wanted}"
        if self.version is None:
            return f"{name} is not installed"
        if self.version != self.wanted:
            return f"{name} {self.version} is installed, and version {self.wanted} is needed"
        return f"{name} is not at {self.path}"


def find_programs() -> tuple[Program, ...]:
    """Return all linters with what is installed of them."""
    folder, suffix = Path(sysconfig.get_path("scripts")), ".exe" if os.name == "nt" else ""
    wanted = wanted_versions()
    return tuple(
        Program(
            linter,
            folder / f"{linter.name}{suffix}",
            wanted[linter.name],
        )
        for linter in LINTERS
    )


def describe_programs() -> str:
    """Return a sentence with the state of all linters."""
    programs = find_programs()
    states = ", ".join(one.state for one in programs)
    return (
        states if all(one.usable for one in programs) else f"{states}; {install_command('linters')}"
    )


def versions() -> dict[str, str]:
    """Return the versions of the linters that can be used, by name."""
    return {one.linter.name: one.wanted for one in find_programs() if one.usable}


def unconfined_notice(paths: Iterable[str], whole: Collection[str]) -> str | None:
    """Return a sentence if a linter will read a file without being confined; else None.

    Args:
        paths: the files to review.
        whole: those of them that are known in full.
    """
    programs = find_programs()
    if not any(
        program.linter.reads(path, "")
        and (path in whole or not program.linter.needs_whole)
        and program.usable
        for path in paths
        for program in programs
    ):
        return None
    from reviewbot.models.sandbox.confine import unconfined

    gaps = unconfined()
    return None if gaps is None else f"The linters run unconfined: {gaps}."


@cache
def _version_of(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version  # it takes milliseconds

    try:
        return version(package)
    except PackageNotFoundError:
        return None
