"""Read repositories and their commits with git, without a checkout."""

from __future__ import annotations

import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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


@dataclass(frozen=True, slots=True)
class FileChange:
    """A changed file of a commit, with its numbers of lines. Binary files have none."""

    path: str
    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit."""

    id: str
    subject: str


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


def _listed(kind: Kind) -> dict[str, dict[str, str]]:
    entries: list[dict[str, str]] = tomllib.loads(LISTED.read_text("utf-8"))[kind]
    return {one["name"]: one for one in entries}


def commits_of(repository: Repository, *, limit: int, since: str | None = None) -> list[Commit]:
    """Return the newest commits that are not merges, newest first.

    Args:
        repository: the repository.
        limit: maximum number of commits.
        since: an older revision; only later commits are returned.
    """
    span = repository.start if since is None else f"{since}..{repository.start}"
    arguments = ("log", "--no-merges", f"--max-count={limit}", "--format=%H%x00%s")
    text = run_git(repository.path, *arguments, "--end-of-options", span, "--")
    lines = text.decode("utf-8", "replace").rstrip("\n").split("\n")
    return [Commit(*line.split("\0", 1)) for line in filter(None, lines)]


def changes_of(repository: Repository, commit: Commit) -> tuple[FileChange, ...] | None:
    """Return the changed files of a commit; None if the copy of the repository lacks one of them.

    A snapshot may lack its largest files.
    """
    arguments = ("diff-tree", "-r", "--root", "--no-commit-id", "--no-renames", "--numstat")
    try:
        text = run_git(repository.path, *arguments, commit.id).decode("utf-8", "replace")
    except subprocess.CalledProcessError:
        return None
    return tuple(_changes(text.rstrip("\n").split("\n")))


def _changes(lines: Sequence[str]) -> Iterator[FileChange]:
    for line in filter(None, lines):
        added, removed, path = line.split("\t", 2)
        numbers = [int(one) if one.isdecimal() else 0 for one in (added, removed)]
        yield FileChange(path, *numbers)


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
