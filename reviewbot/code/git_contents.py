"""Read and search the files of a commit with git, without links, submodules and the working tree.

A file is looked up in the tree of the commit. So a path cannot leave the repository, and an ignored
or untracked file does not exist.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from reviewbot.code.at_commit import FILE_BYTES, SEARCH_S, FilesWith, SearchError
from reviewbot.code.git_command import run_git, start_of_output
from reviewbot.core.diff.parse import SUBMODULE
from reviewbot.core.plan.chunk_view import SYMLINK
from reviewbot.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reviewbot.code.at_commit import Unread
    from reviewbot.code.git_repository import GitRepository

_SEARCH: Final = (
    "grep",
    "--fixed-strings",
    "--files-with-matches",
    "--full-name",
    "--null",
    # A .gitattributes can declare a text to be binary: it must be searched, even so.
    "--text",
    "--no-color",
    "--no-textconv",
    "--no-recurse-submodules",
    "--threads=1",
)
_PATHS_BYTES: Final = 1_000_000
"""Most bytes of the paths of one search."""
_KINDS: Final[Mapping[str, Unread]] = {SYMLINK: "link", SUBMODULE: "submodule", "040000": "folder"}
_NOT_IN_CLONE: Final = re.compile(rb"unable to read ([0-9a-f]{40}|[0-9a-f]{64})$")


def read_files(
    repository: GitRepository, commit: str, paths: Sequence[str]
) -> dict[str, bytes | Unread]:
    """Return the contents of paths in a commit, or the reasons why they have none.

    Args:
        repository: the repository.
        commit: the id of a commit or a tree.
        paths: paths from the root, without ``..`` and empty parts.

    Raises:
        SourceError: git fails.
    """
    entries = _entries(repository, commit, paths)
    read: dict[str, bytes | Unread] = {}
    for path in paths:
        mode = entries[path][0] if path in entries else ""
        if not mode.startswith("100"):
            read[path] = _KINDS.get(mode, "missing")
    ids = {path: entries[path][1] for path in paths if path not in read}
    sizes = _batch(repository, "--batch-check", ids.values()).split(b"\n")
    small = []
    for (path, name), size in zip(ids.items(), sizes, strict=False):
        header = size.split(b" ")
        if len(header) != 3 or header[1] != b"blob":
            read[path] = "unavailable"
        elif int(header[2]) > FILE_BYTES:
            read[path] = "large"
        else:
            small.append((path, name))
    data = _batch(repository, "--batch", [name for _, name in small])
    at = 0
    for path, _ in small:
        end = data.index(b"\n", at)
        start, size_of = end + 1, int(data[at:end].split(b" ")[2])
        read[path] = data[start : start + size_of]
        at = start + size_of + 1
    return read


def _entries(
    repository: GitRepository, commit: str, paths: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """Return mode and object id of the paths that the commit has."""
    if not paths:  # git would list the root
        return {}
    names = (f":(literal){path}" for path in paths)
    arguments = ("ls-tree", "-z", "--full-tree", commit, "--", *names)
    listed = run_git(repository.directory, repository.environment, *arguments)
    found = {}
    for entry in listed.split(b"\0")[:-1]:
        kind, _, path = entry.partition(b"\t")
        mode, _, name = kind.decode().split(" ")
        found[os.fsdecode(path)] = mode, name
    return found


def _batch(repository: GitRepository, option: str, names: Iterable[str]) -> bytes:
    """Return what ``git cat-file`` writes about objects, in their order."""
    lines = "".join(f"{name}\n" for name in names).encode()
    if not lines:
        return b""
    arguments = ("cat-file", option)
    return run_git(repository.directory, repository.environment, *arguments, entered=lines)


def search_files(
    repository: GitRepository, commit: str, text: str, *, word: bool, under: str = ""
) -> FilesWith:
    """Return the regular files of a commit that contain a text.

    Args:
        repository: the repository.
        commit: the id of a commit or a tree.
        text: a text without line ends.
        word: whether the text counts only as a whole word.
        under: a file or folder of the commit; empty for all.

    Raises:
        SearchError: git could not search.
    """
    place = f":(top,literal){under}" if under else ":/"
    options = (*_SEARCH, *(("--word-regexp",) if word else ()))
    arguments = (*options, "-e", text, commit, "--", place)
    try:
        output = start_of_output(
            repository.directory,
            repository.environment,
            *arguments,
            seconds=SEARCH_S,
            most_bytes=_PATHS_BYTES,
        )
    except (SourceError, OSError, ValueError) as error:  # ValueError: NUL in an argument
        raise SearchError("git could not search the code") from error
    absent, failed = _absent(output.stderr)
    if failed or output.code not in (0, 1, None):
        raise SearchError("git could not search the code")
    prefix = f"{commit}:".encode()
    entries = output.stdout.split(b"\0")[:-1]
    paths = (os.fsdecode(entry.removeprefix(prefix)) for entry in entries)
    return FilesWith(tuple(paths), output.code is None, absent)


def _absent(errors: bytes) -> tuple[int, bool]:
    """Return the number of contents that are not in the clone, and whether there are other errors.

    In a partial clone, git names the contents that it lacks and exits as if nothing matched.
    """
    names, failed = set(), False
    for line in errors.split(b"\n"):
        if (found := _NOT_IN_CLONE.search(line)) is not None:
            names.add(found[1])
        elif line.startswith((b"error:", b"fatal:")):
            failed = True
    return len(names), failed
