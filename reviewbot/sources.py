"""Where a diff comes from: a file, standard input, or git. The bytes are returned as they are.

git runs with everything switched off that could run a program named by the repository's own
configuration (external diffs, text conversion, file system monitors) or change the format.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from reviewbot.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

_GIT: Final = (
    "git",
    "--no-pager",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.quotePath=true",
    "-c",
    "diff.suppressBlankEmpty=false",
)
_DIFF: Final = (
    "diff",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--no-relative",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--submodule=short",
    "--ignore-submodules=none",
    "--find-renames",
    "--unified=3",
    "--inter-hunk-context=0",
    "--diff-algorithm=histogram",
)


ATTRIBUTES_LIMIT: Final = 1_000_000
"""Bytes of a ``.gitattributes`` that are read."""


def read_file(path: Path) -> bytes:
    """The bytes of a diff file.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from error


def read_stdin() -> bytes:
    """The bytes on standard input.

    Raises:
        SourceError: standard input is a terminal, so nobody would ever send anything.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise SourceError(
            "no diff on standard input; pipe one in, for example: git diff | reviewbot review -"
        )
    return sys.stdin.buffer.read()


def working_tree(directory: Path) -> bytes:
    """All changes of the working tree against the last commit, staged or not."""
    return _git(directory, *_DIFF, "HEAD", "--")


def staged(directory: Path) -> bytes:
    """What the next commit would change."""
    return _git(directory, *_DIFF, "--cached", "--")


def since(directory: Path, base: str) -> bytes:
    """All changes, uncommitted ones too, since the branch left ``base``.

    Raises:
        SourceError: ``base`` is no revision, or shares no history with the current commit.
    """
    return _git(directory, *_DIFF, "--merge-base", _commit(directory, base), "--")


def attributes(directory: Path, base: str | None = None) -> str:
    """The ``.gitattributes`` at the root of the base, so that a change cannot mark its own files.

    Args:
        directory: within the repository.
        base: the revision that a branch left; without one, the last commit.
    """
    commit = "HEAD"
    if base is not None:
        commit = _git(directory, "merge-base", "HEAD", _commit(directory, base)).decode().strip()
    try:
        data = _git(directory, "cat-file", "blob", f"{commit}:.gitattributes")
    except SourceError:  # there is none, or no commit yet
        return ""
    return data[:ATTRIBUTES_LIMIT].decode("utf-8", "replace")


def untracked(directory: Path) -> tuple[str, ...]:
    """Files that git does not know and does not ignore: no diff of git's shows them."""
    names = _git(directory, "ls-files", "--others", "--exclude-standard", "-z", "--", ":/")
    return tuple(os.fsdecode(name) for name in names.split(b"\0") if name)


def _commit(directory: Path, revision: str) -> str:
    arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return _git(directory, *arguments).decode().strip()


def _git(directory: Path, *arguments: str) -> bytes:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, no shell, revisions behind --end-of-options
            [*_GIT, *arguments], cwd=directory, env=environment, capture_output=True, check=False
        )
    except FileNotFoundError as error:
        raise SourceError("git is not installed; give a diff file or pipe a diff in") from error
    if done.returncode:
        raise SourceError(_explain(done.stderr.decode(errors="replace"), arguments))
    return done.stdout


def _explain(stderr: str, arguments: tuple[str, ...]) -> str:
    """Git's complaint as one sentence that says what to do."""
    if "not a git repository" in stderr:
        return "this is not a git repository; give a diff file or pipe a diff in"
    if arguments[0] == "rev-parse":
        base = arguments[-1].removesuffix("^{commit}")
        return f"git knows no revision {base!r}; fetch it, or name another with --base"
    if "bad revision 'HEAD'" in stderr or "ambiguous argument 'HEAD'" in stderr:
        return "the repository has no commit yet; use --staged"
    if "no merge base" in stderr:
        return (
            "the base shares no history with the current commit; fetch more (git fetch --unshallow)"
        )
    line = next(iter(stderr.strip().splitlines()), "git failed without a word")
    return f"git: {line.removeprefix('fatal: ')}"
