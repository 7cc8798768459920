"""Cases from the history of a repository: small fixes in reverse, and changes that lasted.

A fix in reverse is a change that brings a known problem in. The lines that the fix changed are the
golden data. A change whose files no later fix touched is a clean case. Only source files are shown:
the tests and the change log of a fix would tell what to find.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from reviewbot.code.git_command import run_git, safe_environment
from reviewbot.code.git_repository import open_repository
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.diff.write import file_diff_text
from reviewbot.core.plan.categories import kind_of
from reviewbot.core.plan.languages import is_source
from reviewbot.errors import SourceError
from reviewbot.eval.cases import Case, Golden, diff_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.findings.finding import Side

MOST_LINES: Final = 20
"""Changed lines in source files above which a fix is not small."""
MOST_FILES: Final = 2
_ASIDE: Final = ("tests", "docs")
_FIX: Final = re.compile(r"fix|bug", re.IGNORECASE)
_REPAIR: Final = re.compile(r"fix|bug|revert", re.IGNORECASE)


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

    @property
    def is_fix(self) -> bool:
        """True if the subject begins as that of a fix."""
        return _FIX.match(self.subject) is not None

    @property
    def is_repair(self) -> bool:
        """True if the subject begins as that of a fix or of a revert."""
        return _REPAIR.match(self.subject) is not None


class History:
    """The commits of a repository, without a checkout.

    Args:
        directory: a git directory or a working tree.
        start: the newest commit to read.

    Raises:
        SourceError: git is missing or too old.
    """

    def __init__(self, directory: Path, start: str = "HEAD") -> None:
        self.directory, self._start = directory, start
        self._environment, _ = safe_environment(directory)

    def commits(self, *, limit: int, since: str | None = None) -> list[Commit]:
        """Return the newest commits that are not merges, newest first.

        Args:
            limit: maximum number of commits.
            since: an older revision; only later commits are returned.

        Raises:
            SourceError: there is no repository, or no such revision.
        """
        span = self._start if since is None else f"{since}..{self._start}"
        arguments = ("log", "--no-merges", f"--max-count={limit}", "--format=%H%x00%s")
        text = self._git(*arguments, "--end-of-options", span, "--").decode("utf-8", "replace")
        lines = text.rstrip("\n").split("\n")
        return [Commit(*line.split("\0", 1)) for line in filter(None, lines)]

    def changes(self, commit: Commit) -> tuple[FileChange, ...] | None:
        """Return the changed files of a commit; None if the repository lacks one of them.

        A partial copy may lack its largest files.
        """
        arguments = ("diff-tree", "-r", "--root", "--no-commit-id", "--no-renames", "--numstat")
        try:
            text = self._git(*arguments, commit.id).decode("utf-8", "replace")
        except SourceError:
            return None
        return tuple(_changes(text.rstrip("\n").split("\n")))

    def _git(self, *arguments: str) -> bytes:
        return run_git(self.directory, self._environment, "-c", "core.quotePath=false", *arguments)


def _changes(lines: Sequence[str]) -> Iterator[FileChange]:
    for line in filter(None, lines):
        added, removed, path = line.split("\t", 2)
        numbers = [int(one) if one.isdecimal() else 0 for one in (added, removed)]
        yield FileChange(path, *numbers)


def fixed_files(changes: Sequence[FileChange]) -> list[FileChange]:
    """Return the source files of a small fix, without tests; empty if the fix is not small.

    Args:
        changes: all files that the fix changes.
    """
    files = [one for one in changes if is_source(one.path) and kind_of(one.path) not in _ASIDE]
    changed = sum(one.added + one.removed for one in files)
    return files if changed <= MOST_LINES and len(files) <= MOST_FILES else []


def import_history(history: History, name: str, *, limit: int) -> list[Case]:
    """Return a case for each small fix among the newest commits, and at most as many clean ones.

    A clean case is a small change in the older half of these commits, whose files no later fix and
    no later revert has changed.

    Args:
        history: the repository.
        name: its name, such as ``owner/name``.
        limit: maximum number of commits to read.
    """
    commits = history.commits(limit=limit)
    faulty: list[Case] = []
    lasting: list[tuple[Commit, Sequence[FileChange]]] = []
    repaired: set[str] = set()
    for later, commit in enumerate(commits):
        if not commit.is_repair and 2 * later < len(commits):
            continue
        changes = history.changes(commit) or ()
        files = fixed_files(changes)
        if commit.is_repair:
            repaired |= {one.path for one in changes}
        elif files and not repaired & {one.path for one in files}:
            lasting.append((commit, files))
        if commit.is_fix and files:
            faulty += _cases(history.directory, name, commit, files)
    clean = (
        case
        for commit, files in lasting
        for case in _cases(history.directory, name, commit, files, is_clean=True)
    )
    return [*faulty, *islice(clean, len(faulty))]


def _cases(
    directory: Path,
    name: str,
    commit: Commit,
    files: Sequence[FileChange],
    *,
    is_clean: bool = False,
) -> Iterator[Case]:
    """Yield the case of a commit: itself if it is clean, otherwise its reverse.

    There is none for a first commit, and if no line of the files changed.
    """
    old, new = f"{commit.id}^", commit.id
    try:
        repository = open_repository(
            directory, span=f"{old}..{new}" if is_clean else f"{new}..{old}"
        )
    except SourceError:  # the first commit has no parent
        return
    paths = {one.path for one in files}
    shown = [
        replace(file, old_mode=None, new_mode=None)  # a mode that changed is not the fix
        for file in parse_diff(repository.changes())
        if file.path in paths and file.status == "modified" and file.hunks
    ]
    if shown:
        golden = (one for file in shown for one in _golden(file, commit.subject))
        yield Case(
            id=f"{name}@{commit.id[:12]}",
            diff=diff_text(b"".join(map(file_diff_text, shown))),
            golden=() if is_clean else tuple(golden),
            repository=name,
            base=repository.start,
            head=repository.end or "",
        )


def _golden(file: FileDiff, text: str) -> Iterator[Golden]:
    """Yield a golden comment for each hunk, from its first to its last changed line.

    It is on the lines that come in, or, where the fix only added lines, on those that go.
    """
    for hunk in file.hunks:
        changed = [line for line in hunk.lines if line.kind != "context"]
        new = [line.new_no for line in changed if line.new_no is not None]
        old = [line.old_no for line in changed if line.old_no is not None]
        side: Side = "RIGHT" if new else "LEFT"
        numbers = new or old
        yield Golden(file.path, min(numbers), max(numbers), side=side, text=text)
