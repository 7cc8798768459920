"""Read repositories and their commits with git, without a checkout."""

from __future__ import annotations

import subprocess
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

from reviewbot.eval.history import History

Kind = Literal["repository", "ordinary"]
"""A list of ``repositories.toml``."""
LISTED: Final = Path(__file__).with_name("repositories.toml")


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository to measure.

    ``start`` is the newest commit to read. ``repositories.toml`` explains the values of ``group``;
    it is ``unlisted`` if that file does not name the repository.
    """

    name: str
    path: Path
    start: str = "HEAD"
    group: str = "unlisted"

    @property
    def history(self) -> History:
        """The commits of the repository."""
        return History(self.path, self.start)


def listed_repositories(folder: Path, kind: Kind = "repository") -> list[Repository]:
    """Return the repositories of ``repositories.toml`` that are in a folder.

    Args:
        folder: folder with the repositories as ``OWNER+NAME``, ``OWNER+NAME/repo`` or the same
            with ``/.git``.
        kind: the list to read: well-kept repositories, or ordinary ones.
    """
    places = (folder / name.replace("/", "+") for name in _listed(kind))
    return [named_repository(place) for place in places if place.is_dir()]


def named_repository(path: Path) -> Repository:
    """Return the repository at a path, at the commit that ``repositories.toml`` names.

    Args:
        path: a git directory, a working tree, or a folder that contains one of them as ``repo``.
    """
    path = path.resolve()
    inner = next((path / name for name in ("repo/.git", "repo") if (path / name).is_dir()), path)
    folder = next(one for one in (path, *path.parents) if one.name not in ("repo", ".git"))
    name = folder.name.replace("+", "/", 1).removesuffix(".git")
    known = (_listed("repository") | _listed("ordinary")).get(name)
    if known is None:
        return Repository(name, inner)
    return Repository(name, inner, known["commit"], known["group"])


@cache
def _listed(kind: Kind) -> dict[str, dict[str, str]]:
    entries: list[dict[str, str]] = tomllib.loads(LISTED.read_text("utf-8"))[kind]
    return {one["name"]: one for one in entries}


def file_at(directory: Path, revision: str, path: str) -> bytes:
    """Return the content of a file at a revision."""
    return run_git(directory, "cat-file", "blob", f"{revision}:{path}")


def run_git(directory: Path, *arguments: str) -> bytes:
    """Return the output of git.

    Raises:
        subprocess.CalledProcessError: git failed.
    """
    command = ["git", "-C", str(directory), "-c", "core.quotePath=false", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout
