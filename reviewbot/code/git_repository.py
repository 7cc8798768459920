"""Changes and files of a git repository, read with git.

git reads ``.gitattributes`` from the base commit, so that a change cannot hide a part of itself.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from reviewbot.code.at_commit import FoundLine
from reviewbot.code.git_command import run_git, safe_environment, start_of_output
from reviewbot.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DIFF: Final = (
    "diff",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--no-relative",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--submodule=short",
    # To check for dirty submodules, git would run the submodule's own filters.
    "--ignore-submodules=dirty",
    "--find-renames",
    "--unified=3",
    "--inter-hunk-context=0",
    "--diff-algorithm=histogram",
)
_SEARCH: Final = (
    "grep",
    "--fixed-strings",
    "--word-regexp",
    "--line-number",
    "--no-column",
    "--full-name",
    "--null",
    "-I",
    "--no-color",
    "--no-textconv",
    "--no-recurse-submodules",
    "--threads=1",
)
_MORE_LINES: Final = "--unified=10000"
"""Option that overrides ``--unified=3``; 10,000 lines cover nearly every file."""

ATTRIBUTES_LIMIT: Final = 1_000_000
"""Maximum bytes to read of a ``.gitattributes``."""


@dataclass(frozen=True, slots=True)
class GitRepository:
    """The git repository around a folder, and the base commit of the diff under review.

    Attributes:
        directory: a folder within the repository.
        start: object id of the base commit; the empty tree before the first commit.
        end: object id of the last commit of a range; None for the working tree.
        empty: whether the repository has no commit.
        notices: notices for the reader about how git was run.
    """

    directory: Path
    start: str
    end: str | None
    empty: bool
    notices: tuple[str, ...]
    _environment: Mapping[str, str] = field(repr=False)

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment to run git with, as of :func:`safe_environment`."""
        return self._environment

    def changes(self, untracked: Sequence[str] = ()) -> bytes:
        """Return the changes of the range, or of the working tree since :attr:`start`.

        Args:
            untracked: untracked files to show as new ones, as in :meth:`untracked`.

        Raises:
            SourceError: the repository has no commit.
        """
        if self.empty:
            raise SourceError("the repository has no commit yet; use --staged")
        if not untracked:
            return self._git(*_DIFF, *self._ends, "--")
        with TemporaryDirectory(prefix="reviewbot-") as folder:
            # git shows untracked files once they are in an index, and the user's stays as it is.
            index = Path(folder, "index")
            own = os.fsdecode(self._git("rev-parse", "--git-path", "index")).rstrip("\n")
            with suppress(FileNotFoundError):
                index.write_bytes((self.directory / own).read_bytes())
            environment = {**self._environment, "GIT_INDEX_FILE": str(index)}
            # Unlike git add, this takes files outside of a sparse checkout, too.
            add = ("update-index", "-z", "--add", "--replace", "--index-info")
            empty = self._git("hash-object", "-t", "blob", "--stdin").strip()
            entries = (b"100644 %b 0\t%b\0" % (empty, os.fsencode(name)) for name in untracked)
            run_git(self.directory, environment, *add, entered=b"".join(entries))
            return run_git(self.directory, environment, *_DIFF, self.start, "--")

    @property
    def _ends(self) -> tuple[str, ...]:
        return (self.start,) if self.end is None else (self.start, self.end)

    def staged(self) -> bytes:
        """Return the staged changes."""
        return self._git(*_DIFF, "--cached", self.start, "--")

    def whole(self, paths: Sequence[str], *, staged: bool) -> bytes:
        """Return the changes of some files, with the whole file as context, renames as additions.

        Args:
            paths: paths relative to the root of the repository.
            staged: whether to return staged changes only.
        """
        which = ("--cached",) if staged else ()
        names = (f":(top,literal){path}" for path in paths)
        return self._git(*_DIFF, "--no-renames", _MORE_LINES, *which, *self._ends, "--", *names)

    def changed(self, *, staged: bool) -> tuple[str, ...]:
        """Return the paths of the changed files; a rename has both paths."""
        options = ("--no-renames", "--name-only", "-z", *(("--cached",) if staged else ()))
        listed = self._git(*_DIFF, *options, *self._ends, "--").split(b"\0")
        return tuple(os.fsdecode(path) for path in listed if path)

    def message(self) -> tuple[str, str]:
        """Return subject and body of the commit :attr:`end`; both are empty without it."""
        if self.end is None:
            return "", ""
        text = self._git("log", "-1", "--format=%s%x00%b", self.end, "--").decode(errors="replace")
        subject, _, body = text.partition("\0")
        return subject, body.strip()

    def attributes(self) -> str:
        """Return the ``.gitattributes`` at the root of :attr:`start`; empty if there is none."""
        data = self.file(".gitattributes") or b""
        return data[:ATTRIBUTES_LIMIT].decode("utf-8", "replace")

    def file(self, path: str) -> bytes | None:
        """Return the content of a file in :attr:`start`.

        Args:
            path: path relative to the root of the repository.

        Returns:
            The content; None if the file is missing or not a regular file.
        """
        entry = self._git("ls-tree", "-z", "--full-tree", self.start, "--", f":(literal){path}")
        mode, _, rest = entry.partition(b" ")
        if not mode.startswith(b"100"):
            return None
        return self._git("cat-file", "blob", rest.split(b"\t")[0].split(b" ")[1].decode())

    def reviewed(self) -> GitRepository | None:
        """Return the repository at the last commit of the range, else ``HEAD``; None if empty."""
        if self.empty:
            return None
        commit = self.end or _commit(self.directory, self._environment, "HEAD")
        return replace(self, start=commit)

    def search(self, word: str) -> list[FoundLine]:
        """Return the lines with a word in the text files of :attr:`start`.

        ``word`` is an identifier. Symbolic links and submodules are not searched. Of many lines,
        only the first are returned.

        Raises:
            SourceError: git is missing, or cannot search.
        """
        arguments = (*_SEARCH, "-e", word, self.start, "--", ":/")
        output = start_of_output(self.directory, self._environment, *arguments)
        if output.code not in (0, 1, None):
            raise SourceError("git could not search the code")
        prefix = f"{self.start}:".encode()
        lines = (line.split(b"\0") for line in output.stdout.split(b"\n")[:-1])
        return [
            FoundLine(os.fsdecode(line[0].removeprefix(prefix)), line[2].decode(errors="replace"))
            for line in lines
            if len(line) == 3 and line[0].startswith(prefix)
        ]

    def tree(self) -> dict[str, tuple[str, str]]:
        """Return mode and object id of each file in :attr:`start`, by path from the root."""
        listed = self._git("ls-tree", "-r", "-z", "--full-tree", self.start).split(b"\0")
        entries = (entry.partition(b"\t") for entry in listed if entry)
        return {
            os.fsdecode(path): (kind.split(b" ")[0].decode(), kind.split(b" ")[2].decode())
            for kind, _, path in entries
        }

    def blob(self, name: str, *, max_bytes: int) -> bytes | None:
        """Return the content of a blob; None if it has more than ``max_bytes`` bytes.

        Args:
            name: its object id, as in :meth:`tree`.
            max_bytes: the limit.
        """
        if int(self._git("cat-file", "-s", name)) > max_bytes:
            return None
        return self._git("cat-file", "blob", name)

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the names of the regular files in a folder of :attr:`start`.

        Args:
            folder: path relative to the root of the repository.
        """
        listed = self._git("ls-tree", "-z", "--full-tree", self.start, "--", f"{folder}/")
        entries = (entry.partition(b"\t") for entry in listed.split(b"\0") if entry)
        return tuple(
            os.fsdecode(path).rpartition("/")[2]
            for kind, _, path in entries
            if kind.startswith(b"100")
        )

    def folders(self) -> tuple[str, ...]:
        """Return :attr:`directory` and its parents from the root: ``a/b/``, ``a/``, ``""``."""
        prefix = os.fsdecode(self._git("rev-parse", "--show-prefix")).rstrip("\n")
        steps = prefix.split("/")[:-1]
        return tuple(
            "".join(f"{step}/" for step in steps[:end]) for end in range(len(steps), -1, -1)
        )

    def tracks(self, name: str) -> bool:
        """Return whether git tracks a file in :attr:`directory`."""
        return bool(self._git("ls-files", "-z", "--", f":(literal){name}"))

    def untracked(self) -> dict[str, int | None]:
        """Return the bytes of untracked files that are not ignored, by path from the root.

        The size of a file that cannot be read is None. Other repositories in the working tree are
        left out.
        """
        names = self._git("ls-files", "--others", "--exclude-standard", "--full-name", "-z", ":/")
        paths = [os.fsdecode(name) for name in names.split(b"\0") if name]
        root = self._git("rev-parse", "--show-toplevel") if paths else b""
        found: dict[str, int | None] = {}
        for path in paths:
            whole = Path(os.fsdecode(root).rstrip("\n"), path)
            with suppress(OSError):  # it is gone by now
                size = whole.lstat().st_size
                readable = whole.is_symlink() or os.access(whole, os.R_OK)
                found[path] = size if readable else None
        return {path: size for path, size in found.items() if not path.endswith("/")}

    def _git(self, *arguments: str) -> bytes:
        return run_git(self.directory, self._environment, *arguments)


def open_repository(
    directory: Path, base: str | None = None, *, commit: str | None = None, span: str | None = None
) -> GitRepository:
    """Open the repository around ``directory``.

    Without a revision, the changes are the uncommitted ones.

    Args:
        directory: a folder.
        base: revision from which the branch started.
        commit: revision whose own changes are meant, compared with its first parent.
        span: a range ``A..B``, or ``A...B`` from the merge base on; an empty side is ``HEAD``.

    Raises:
        SourceError: git is missing or too old, there is no repository, or a revision does not exist
            or shares no history with the other one.
    """
    environment, notices = safe_environment(directory)
    end = None
    if commit is not None or span is not None:
        start, end = _range(directory, environment, commit, span)
        empty = False
    else:
        start = _start(directory, environment, base)
        empty = not start
    start = start or _empty_tree(directory, environment)
    environment["GIT_ATTR_SOURCE"] = start
    return GitRepository(directory, start, end, empty, notices, environment)


def open_commit(directory: Path, commit: str) -> GitRepository | None:
    """Return the repository around ``directory`` at a commit; None if it is not available.

    Args:
        directory: a folder, perhaps with an untrusted checkout. Files are read only from the
            commit, not from the checkout.
        commit: the full hash.
    """
    if re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", commit) is None:
        return None
    try:
        found = open_repository(directory)
        _commit(directory, found._environment, commit)  # noqa: SLF001 - of this module
    except SourceError:
        return None
    return replace(found, start=commit, end=commit, empty=False)


def _start(directory: Path, environment: Mapping[str, str], base: str | None) -> str:
    """Return the base commit; empty if the repository has no commit."""
    if base is not None:
        revision = _commit(directory, environment, base)
        return run_git(directory, environment, "merge-base", "HEAD", revision).decode().strip()
    run_git(directory, environment, "rev-parse", "--git-dir")  # fails without a repository
    try:
        return _commit(directory, environment, "HEAD")
    except SourceError:
        return ""


def _range(
    directory: Path, environment: Mapping[str, str], commit: str | None, span: str | None
) -> tuple[str, str]:
    """Return the first and last commit of a range; the first is empty for a root commit."""
    if commit is not None:
        end = _commit(directory, environment, commit)
        parents = run_git(directory, environment, "rev-parse", f"{end}^@").decode().split()
        if not parents and b"\nparent " in run_git(directory, environment, "cat-file", "-p", end):
            raise SourceError(
                "the checkout is shallow and does not have the parent of this commit; fetch it"
                " (git fetch --deepen 1)"
            )
        return parents[0] if parents else "", end
    left, dots, right = (span or "").partition("..")
    symmetric = right.startswith(".")
    end = _commit(directory, environment, right.removeprefix(".") or "HEAD")
    start = _commit(directory, environment, left or "HEAD")
    if symmetric and dots:
        start = run_git(directory, environment, "merge-base", start, end).decode().strip()
    return start, end


def _empty_tree(directory: Path, environment: Mapping[str, str]) -> str:
    return run_git(directory, environment, "hash-object", "-t", "tree", "--stdin").decode().strip()


def _commit(directory: Path, environment: Mapping[str, str], revision: str) -> str:
    arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return run_git(directory, environment, *arguments).decode().strip()
