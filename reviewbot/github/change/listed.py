"""Convert an entry of GitHub's list of changed files to a file of a diff. Pure.

An entry has only hunks, if any, and no modes. GitHub does not state that hunks are missing, so its
line counts decide.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.parse import SUBMODULE, FileDiff, parse_diff
from reviewbot.core.plan.languages import language_of
from reviewbot.errors import DiffError
from reviewbot.github.change.compare import FileWithoutDiff

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reviewbot.core.diff.parse import FileStatus, Hunk
    from reviewbot.github.api.pulls import ChangedFile

_STATUS: Final[Mapping[str, FileStatus]] = {
    "added": "added",
    "removed": "deleted",
    "renamed": "renamed",
    "copied": "copied",
}
"""GitHub's statuses. A file with another status is modified in place."""
_EMPTY_BLOBS: Final = (
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
)
_BINARY: Final = (
    *(".7z", ".a", ".apk", ".avif", ".avi", ".bin", ".bmp", ".bz2", ".class", ".dll", ".dmg"),
    *(".doc", ".docx", ".dylib", ".ear", ".eot", ".exe", ".flac", ".gif", ".gz", ".ico", ".icns"),
    *(".iso", ".jar", ".jpeg", ".jpg", ".lib", ".lz4", ".m4a", ".mkv", ".mov", ".mp3", ".mp4"),
    *(".npy", ".npz", ".o", ".odp", ".ods", ".odt", ".ogg", ".onnx", ".otf", ".parquet", ".pdf"),
    *(".pdb", ".png", ".ppt", ".pptx", ".psd", ".pyc", ".pyd", ".rar", ".so", ".sqlite", ".tar"),
    *(".tgz", ".tif", ".tiff", ".ttf", ".war", ".wasm", ".wav", ".webm", ".webp", ".whl", ".wmv"),
    *(".woff", ".woff2", ".xls", ".xlsx", ".xz", ".zip", ".zst"),
)
"""Extensions of files without readable lines."""
_SUBPROJECT: Final = re.compile(rb"Subproject commit ([0-9a-f]{40}|[0-9a-f]{64})")


def sets_attributes(paths: Iterable[str]) -> bool:
    """Return whether a change of these files may change which files git treats as binary."""
    return any(path.rpartition("/")[2] == ".gitattributes" for path in paths)


def may_be_hidden(file: FileDiff) -> bool:
    """Return whether a file without lines may have some, if the change :func:`sets_attributes`.

    A pull request must not hide its code from its own review. GitHub does not document whether it
    uses the attributes of the base or of the head.
    """
    return file.status != "deleted" and not file.path.lower().endswith(_BINARY)


def is_code(file: FileDiff) -> bool:
    """Return whether the name of a file that exists at the head is that of code.

    Code has lines whatever bytes it contains. A zero byte in a comment makes a file binary for git,
    but the code still runs.
    """
    return file.status != "deleted" and language_of(file.path) is not None


def read_listed(listed: ChangedFile, *, attributes: bool) -> FileDiff | FileWithoutDiff:
    """Return the file with its hunks, or as a file without a diff.

    ``attributes`` says whether the pull request changes git attributes.
    """
    file = _named(listed)
    if listed.patch is not None:
        hunks = _hunks(listed)
        if hunks is not None:
            return _with_kind(replace(file, hunks=hunks), listed.blob_sha)
    counts = (listed.blob_sha, listed.additions, listed.deletions)
    if listed.additions or listed.deletions:
        # Deleted files are not reviewed, so they can be listed without lines.
        return FileWithoutDiff(file, *counts, otherwise=file if file.status == "deleted" else None)
    if file.status in ("added", "deleted") and listed.blob_sha in _EMPTY_BLOBS:
        return file
    return _without_lines(file, counts, attributes=attributes)


def _without_lines(
    file: FileDiff, counts: tuple[str | None, int, int], *, attributes: bool
) -> FileDiff | FileWithoutDiff:
    """Return a file without listed or counted lines. The file is binary or seems to be."""
    moved = file.status in ("renamed", "copied")
    if (attributes and may_be_hidden(file)) or (is_code(file) and not moved):
        return FileWithoutDiff(file, *counts)
    if moved:
        # Usually its content is unchanged, but the content of a binary file may have changed.
        return FileWithoutDiff(file, *counts, otherwise=file) if is_code(file) else file
    binary = replace(file, binary=True)
    # A file that is modified without changed lines is binary, or its mode changed.
    return FileWithoutDiff(file, *counts, otherwise=binary) if file.status == "modified" else binary


def _named(listed: ChangedFile) -> FileDiff:
    status = _STATUS.get(listed.status, "modified")
    old: str | None = listed.path
    if status in ("renamed", "copied"):
        if listed.old_path is None:
            status = "modified"
        else:
            old = listed.old_path
    return FileDiff(
        old_path=None if status == "added" else old,
        new_path=None if status == "deleted" else listed.path,
        status=status,
    )


def _hunks(listed: ChangedFile) -> tuple[Hunk, ...] | None:
    """Return the hunks of the patch; None if they are invalid or incomplete."""
    patch = (listed.patch or "").encode("utf-8", "replace")
    try:
        files = parse_diff(b"--- old\n+++ new\n" + patch + b"\n")
    except DiffError:
        return None
    if len(files) != 1:
        return None
    counted = (files[0].added, files[0].removed)
    return files[0].hunks if counted == (listed.additions, listed.deletions) else None


def _with_kind(file: FileDiff, sha: str | None) -> FileDiff:
    """Return the file, with the mode of a submodule if its id is the commit in its lines.

    The id of a plain file with such a line is the hash of that line.
    """
    lines = [line for hunk in file.hunks for _, line in islice(hunk.iter_raw(), 3)]
    commits = [match[1].decode() for line in lines if (match := _SUBPROJECT.fullmatch(line))]
    if sha not in commits or len(commits) < len(lines):
        return file
    return replace(
        file,
        old_mode=None if file.old_path is None else SUBMODULE,
        new_mode=None if file.new_path is None else SUBMODULE,
    )
