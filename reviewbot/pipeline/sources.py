"""Sources of a diff: a file, standard input, or git. The bytes are returned unchanged.

A repository under review must neither run a program nor hide its own changes. So git runs without
hooks, external diffs, text conversions, file system monitors, fetching, and filters that the
repository's own configuration defines. git reads ``.gitattributes`` from the base commit.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
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
    # To check for dirty submodules, git would run the submodule's own filters.
    "--ignore-submodules=dirty",
    "--find-renames",
    "--unified=3",
    "--inter-hunk-context=0",
    "--diff-algorithm=histogram",
)
_MORE_LINES: Final = "--unified=10000"
"""Option that overrides ``--unified=3``; 10,000 lines cover nearly every file."""
_CONFIG: Final = (
    ("core.fsmonitor", "false"),
    ("core.hooksPath", os.devnull),
    ("core.quotePath", "true"),
    ("diff.suppressBlankEmpty", "false"),
)
_ENVIRONMENT: Final = {
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
    # In a partial clone, a diff fetches missing objects with programs that the configuration names.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}
_USERS_SCOPES: Final = (b"system", b"global", b"command")
_NEEDED: Final = (2, 31)  # for GIT_CONFIG_COUNT
_ATTRIBUTES_FROM_A_COMMIT: Final = (2, 41)

ATTRIBUTES_LIMIT: Final = 1_000_000
"""Maximum bytes to read of a ``.gitattributes``."""
NO_GIT: Final = "git is not installed; give a diff file or pipe a diff in"
OLD_GIT: Final = (
    "This git is older than 2.41: a .gitattributes of the change itself can keep files out of the"
    " diff."
)


def find_git() -> str:
    """Return the path of git, except in the working folder, which Windows prefers.

    A program in the working folder may be untrusted.

    Raises:
        SourceError: git is not installed, or only in the working folder.
    """
    found = which("git")
    if found is None:
        raise SourceError(NO_GIT)
    if not Path(found).is_absolute():
        raise SourceError(
            f"{found} is not run, because it was found through the working folder; use another"
            " working folder"
        )
    return found


def read_file(path: Path) -> bytes:
    """Return the bytes of a diff file.

    Raises:
        SourceError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from error


def read_stdin() -> bytes:
    """Return the bytes on standard input.

    Raises:
        SourceError: standard input is missing or a terminal.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise SourceError(
            "no diff on standard input; pipe one in, for example: git diff | reviewbot review -"
        )
    return sys.stdin.buffer.read()


@dataclass(frozen=True, slots=True)
class Source:
    """A diff with its metadata.

    Attributes:
        data: the diff.
        attributes: text of the base commit's ``.gitattributes``.
        notices: notices about the source of the diff.
        missing: files that are not in the diff, with reasons.
        title: title of the change.
        description: description of the change.
    """

    data: bytes
    attributes: str = ""
    notices: tuple[str, ...] = ()
    missing: tuple[FileCoverage, ...] = ()
    title: str = ""
    description: str = ""


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
            names = "\0".join(f":(top,literal){name}" for name in untracked)
            add = ("add", "--intent-to-add", "--pathspec-from-file=-", "--pathspec-file-nul")
            _git(self.directory, environment, *add, entered=os.fsencode(names))
            return _git(self.directory, environment, *_DIFF, self.start, "--")

    @property
    def _ends(self) -> tuple[str, ...]:
        return (self.start,) if self.end is None else (self.start, self.end)

    def staged(self) -> bytes:
        """Return the staged changes."""
        return self._git(*_DIFF, "--cached", self.start, "--")

    def whole(self, paths: Sequence[str], *, staged: bool) -> bytes:
        """Return the changes of some files, with the whole file as context.

        Args:
            paths: paths relative to the root of the repository.
            staged: whether to return staged changes only.
        """
        which = ("--cached",) if staged else ()
        names = (f":(top,literal){path}" for path in paths)
        return self._git(*_DIFF, _MORE_LINES, *which, *self._ends, "--", *names)

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
        return _git(self.directory, self._environment, *arguments)


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
    end = None
    if commit is not None or span is not None:
        start, end = _range(directory, environment, commit, span)
        empty = False
    else:
        start = _start(directory, environment, base)
        empty = not start
    start = start or _empty_tree(directory, environment)
    notices = []
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        notices.append(f"Not run, since this repository defines it: filter {foreign[0]}{more}.")
    if version < _ATTRIBUTES_FROM_A_COMMIT:
        notices.append(OLD_GIT)
    environment["GIT_ATTR_SOURCE"] = start
    return GitRepository(directory, start, end, empty, tuple(notices), environment)


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
    return replace(found, start=commit)


def _start(directory: Path, environment: Mapping[str, str], base: str | None) -> str:
    """Return the base commit; empty if the repository has no commit."""
    if base is not None:
        revision = _commit(directory, environment, base)
        return _git(directory, environment, "merge-base", "HEAD", revision).decode().strip()
    _git(directory, environment, "rev-parse", "--git-dir")  # fails without a repository
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
        parents = _git(directory, environment, "rev-parse", f"{end}^@").decode().split()
        return parents[0] if parents else "", end
    left, dots, right = (span or "").partition("..")
    symmetric = right.startswith(".")
    end = _commit(directory, environment, right.removeprefix(".") or "HEAD")
    start = _commit(directory, environment, left or "HEAD")
    if symmetric and dots:
        start = _git(directory, environment, "merge-base", start, end).decode().strip()
    return start, end


def _empty_tree(directory: Path, environment: Mapping[str, str]) -> str:
    return _git(directory, environment, "hash-object", "-t", "tree", "--stdin").decode().strip()


def _version(text: bytes) -> tuple[int, int]:
    match = re.search(rb"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _foreign_filters(directory: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the filters that the repository's configuration, or an included file, mentions.

    Filters of the user's own configuration, such as Git LFS, stay enabled.
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
    """Return settings for git as variables, which, unlike ``-c``, support ``=`` in a name.

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
    entered: bytes = b"",
) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, no shell, revisions behind --end-of-options
            [find_git(), "--no-pager", *arguments],
            cwd=directory,
            env=environment,
            input=entered,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise SourceError(NO_GIT) from error
    if done.returncode not in fine:
        raise SourceError(_explain(done.stderr.decode(errors="replace"), arguments))
    return done.stdout


def _explain(stderr: str, arguments: tuple[str, ...]) -> str:
    """Return the error message for an error of git, with a remedy where known."""
    if "not a git repository" in stderr:
        return "this is not a git repository; give a diff file or pipe a diff in"
    if arguments[:2] == ("rev-parse", "--verify"):
        base = arguments[-1].removesuffix("^{commit}")
        return f"git does not know the revision {base!r}; fetch it, or name another one"
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
    line = next(iter(stderr.strip().splitlines()), "git failed without a message")
    return f"git: {line.removeprefix('fatal: ')}"
