"""Where a diff comes from: a file, standard input, or git. The bytes are returned as they are.

Nothing that a repository under review says may run a program or hide its own changes. git runs
without hooks, external diffs, text conversions, file system monitors, filters that the
repository's own configuration defines, and fetching; and it reads ``.gitattributes`` from the
commit that the change started from.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Final

from reviewbot.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.core.events.events import FileCoverage

_DIFF: Final = (
    "diff",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--no-relative",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--submodule=short",
    # Whether a submodule is dirty would be asked of a git that runs the submodule's own filters.
    "--ignore-submodules=dirty",
    "--find-renames",
    "--unified=3",
    "--inter-hunk-context=0",
    "--diff-algorithm=histogram",
)
_MORE_LINES: Final = "--unified=10000"
"""Behind the other one, which it replaces. So many are all of nearly any file."""
_CONFIG: Final = (
    ("core.fsmonitor", "false"),
    ("core.hooksPath", os.devnull),
    ("core.quotePath", "true"),
    ("diff.suppressBlankEmpty", "false"),
)
_ENVIRONMENT: Final = {
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
    # In a partial clone a diff fetches what is missing, by programs that the configuration names.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}
_USERS_SCOPES: Final = (b"system", b"global", b"command")
_NEEDED: Final = (2, 31)  # for GIT_CONFIG_COUNT
_ATTRIBUTES_FROM_A_COMMIT: Final = (2, 41)

ATTRIBUTES_LIMIT: Final = 1_000_000
"""Bytes of a ``.gitattributes`` that are read."""
NO_GIT: Final = "git is not installed; give a diff file or pipe a diff in"
OLD_GIT: Final = (
    "This git is older than 2.41: a .gitattributes of the change itself can keep files out of the"
    " diff."
)


def find_git() -> str:
    """Where git is. One of the working folder, which Windows prefers, may be a stranger's.

    Raises:
        SourceError: it is not installed, or only there.
    """
    found = which("git")
    if found is None:
        raise SourceError(NO_GIT)
    if not Path(found).is_absolute():
        raise SourceError(
            f"{found} is not run, since it was found by the working folder; go to another one"
        )
    return found


def read_file(path: Path) -> bytes:
    """Return the bytes of a diff file.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from error


def read_stdin() -> bytes:
    """Return the bytes on standard input.

    Raises:
        SourceError: standard input is a terminal, so nobody would ever send anything.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise SourceError(
            "no diff on standard input; pipe one in, for example: git diff | reviewbot review -"
        )
    return sys.stdin.buffer.read()


@dataclass(frozen=True, slots=True)
class Source:
    """A change and what comes with it.

    Attributes:
        data: the diff.
        attributes: of the commit that it starts from.
        notices: what has to be said about where it comes from.
        missing: the files that are not in the diff, and why.
        title: what it calls itself.
        description: what it says of itself.
    """

    data: bytes
    attributes: str = ""
    notices: tuple[str, ...] = ()
    missing: tuple[FileCoverage, ...] = ()
    title: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class GitRepository:
    """The git repository around a folder, and the commit that the change under review left.

    Attributes:
        directory: a folder within it.
        start: the object id of that commit; the empty tree before the first commit.
        empty: whether there is no commit yet.
        notices: what a reader of the review has to know about how git was run.
    """

    directory: Path
    start: str
    empty: bool
    notices: tuple[str, ...]
    _environment: Mapping[str, str] = field(repr=False)

    def changes(self) -> bytes:
        """Return all changes of the working tree since :attr:`start`, staged or not.

        Raises:
            SourceError: there is no commit yet.
        """
        if self.empty:
            raise SourceError("the repository has no commit yet; use --staged")
        return self._git(*_DIFF, self.start, "--")

    def staged(self) -> bytes:
        """What the next commit would change."""
        return self._git(*_DIFF, "--cached", self.start, "--")

    def whole(self, paths: Sequence[str], *, staged: bool) -> bytes:
        """Return the changes of some files once more, with all of the file around each.

        Args:
            paths: relative to the root of the repository.
            staged: whether those of the next commit.
        """
        which = ("--cached",) if staged else ()
        names = (f":(top,literal){path}" for path in paths)
        return self._git(*_DIFF, _MORE_LINES, *which, self.start, "--", *names)

    def attributes(self) -> str:
        """Return the ``.gitattributes`` at the root of :attr:`start`; empty if there is none."""
        data = self.file(".gitattributes") or b""
        return data[:ATTRIBUTES_LIMIT].decode("utf-8", "replace")

    def file(self, path: str) -> bytes | None:
        """Return the content of a file in :attr:`start`.

        Args:
            path: relative to the root of the repository.

        Returns:
            None if there is none, or if it is no plain file.
        """
        entry = self._git("ls-tree", "-z", "--full-tree", self.start, "--", f":(literal){path}")
        mode, _, rest = entry.partition(b" ")
        if not mode.startswith(b"100"):
            return None
        return self._git("cat-file", "blob", rest.split(b"\t")[0].split(b" ")[1].decode())

    def folders(self) -> tuple[str, ...]:
        """:attr:`directory` and those above it, relative to the root: ``a/b/``, ``a/``, ``""``."""
        prefix = os.fsdecode(self._git("rev-parse", "--show-prefix")).rstrip("\n")
        steps = prefix.split("/")[:-1]
        return tuple(
            "".join(f"{step}/" for step in steps[:end]) for end in range(len(steps), -1, -1)
        )

    def tracks(self, name: str) -> bool:
        """Return whether a file of :attr:`directory` is one that git knows."""
        return bool(self._git("ls-files", "-z", "--", f":(literal){name}"))

    def untracked(self) -> tuple[str, ...]:
        """Files that git does not know and does not ignore: no diff of git's shows them."""
        names = self._git("ls-files", "--others", "--exclude-standard", "-z", "--", ":/")
        return tuple(os.fsdecode(name) for name in names.split(b"\0") if name)

    def _git(self, *arguments: str) -> bytes:
        return _git(self.directory, self._environment, *arguments)


def open_repository(directory: Path, base: str | None = None) -> GitRepository:
    """Looks at the repository around ``directory``.

    Args:
        directory: a folder.
        base: the revision that the branch left; without one, the change is what was not committed.

    Raises:
        SourceError: git is missing or too old, this is no repository, or ``base`` is no revision
            or shares no history with the current commit.
    """
    environment = {**os.environ, **_ENVIRONMENT}
    version = _version(_git(directory, environment, "version"))
    if version < _NEEDED:
        raise SourceError("git 2.31 or later is needed; give a diff file or pipe a diff in")
    foreign = _foreign_filters(directory, environment)
    settings = list(_CONFIG)
    for name in foreign:
        settings += [(f"filter.{name}.{key}", "") for key in ("clean", "smudge", "process")]
        settings.append((f"filter.{name}.required", "false"))
    environment |= _as_variables(settings, environment)
    start = _start(directory, environment, base)
    empty = not start
    if empty:
        start = (
            _git(directory, environment, "hash-object", "-t", "tree", "--stdin").decode().strip()
        )
    notices = []
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        notices.append(f"Not run, since this repository defines it: filter {foreign[0]}{more}.")
    if version < _ATTRIBUTES_FROM_A_COMMIT:
        notices.append(OLD_GIT)
    environment["GIT_ATTR_SOURCE"] = start
    return GitRepository(directory, start, empty, tuple(notices), environment)


def open_commit(directory: Path, commit: str) -> GitRepository | None:
    """Return the repository around ``directory`` at a commit, if there is one and has it.

    Args:
        directory: a folder, perhaps with a checkout of a stranger: files are read from the commit
            alone, and nothing that lies there says how.
        commit: the full hash.
    """
    if re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", commit) is None:
        return None
    try:
        found = open_repository(directory)
        _commit(directory, found._environment, commit)  # noqa: SLF001 - it is of this module
    except SourceError:
        return None
    return replace(found, start=commit)


def _start(directory: Path, environment: Mapping[str, str], base: str | None) -> str:
    """Return the commit that the change left; empty if there is no commit yet."""
    if base is not None:
        revision = _commit(directory, environment, base)
        return _git(directory, environment, "merge-base", "HEAD", revision).decode().strip()
    _git(directory, environment, "rev-parse", "--git-dir")  # fails if this is no repository
    try:
        return _commit(directory, environment, "HEAD")
    except SourceError:
        return ""


def _version(text: bytes) -> tuple[int, int]:
    match = re.search(rb"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _foreign_filters(directory: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Filters that the repository's configuration, or what it includes, says anything about.

    Those of the user's own configuration, such as Git LFS, stay.
    """
    arguments = ("config", "--show-scope", "--name-only", "-z", "--get-regexp", r"^filter\.")
    listed = _git(directory, environment, *arguments, fine=(0, 1)).split(b"\0")
    keys = [
        os.fsdecode(key)
        for scope, key in zip(listed[::2], listed[1::2], strict=False)
        if scope not in _USERS_SCOPES
    ]
    names = (key.removeprefix("filter.").rpartition(".")[0] for key in keys)
    return tuple(dict.fromkeys(name for name in names if name))


def _as_variables(
    settings: list[tuple[str, str]], environment: Mapping[str, str]
) -> dict[str, str]:
    """Settings for git as variables: unlike ``-c``, these take a name with ``=`` in it.

    See https://git-scm.com/docs/git-config#ENVIRONMENT.
    """
    given = environment.get("GIT_CONFIG_COUNT", "")
    first = int(given) if given.isdecimal() else 0
    variables = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (key, value) in enumerate(settings, first):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


def _commit(directory: Path, environment: Mapping[str, str], revision: str) -> str:
    arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return _git(directory, environment, *arguments).decode().strip()


def _git(
    directory: Path,
    environment: Mapping[str, str],
    *arguments: str,
    fine: tuple[int, ...] = (0,),
) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, no shell, revisions behind --end-of-options
            [find_git(), "--no-pager", *arguments],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise SourceError(NO_GIT) from error
    if done.returncode not in fine:
        raise SourceError(_explain(done.stderr.decode(errors="replace"), arguments))
    return done.stdout


def _explain(stderr: str, arguments: tuple[str, ...]) -> str:
    """Git's complaint as one sentence that says what to do."""
    if "not a git repository" in stderr:
        return "this is not a git repository; give a diff file or pipe a diff in"
    if arguments[:2] == ("rev-parse", "--verify"):
        base = arguments[-1].removesuffix("^{commit}")
        return f"git knows no revision {base!r}; fetch it, or name another with --base"
    if arguments[0] == "merge-base":
        if "HEAD" in stderr:
            return "the repository has no commit yet; use --staged"
        return (
            "the base shares no history with the current commit; fetch more (git fetch --unshallow)"
        )
    if "promisor" in stderr or "lazy fetch" in stderr:
        return (
            "this is a partial clone that lacks a part of the diff, and nothing is fetched here;"
            " let git do it: git diff | reviewbot review -"
        )
    line = next(iter(stderr.strip().splitlines()), "git failed without a word")
    return f"git: {line.removeprefix('fatal: ')}"
