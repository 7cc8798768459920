"""Parse the bytes of a diff to files, hunks and numbered lines. Pure.

All output of ``git diff`` and ``diff -u`` is supported. Input that is incomplete, or not a line
diff of two sides, is rejected with a line number. Nothing is skipped without an error.

This module parses the text between hunks. :mod:`reviewbot.core.diff.hunks` parses hunks, and
:mod:`reviewbot.core.diff.git_header` parses file headers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from reviewbot.core.diff import paths as names
from reviewbot.core.diff.cursor import Cursor, colour_error, shown
from reviewbot.core.diff.git_header import GitHeader, read_header, read_sides
from reviewbot.core.diff.hunks import DiffLine, Hunk, LineKind, is_hunk_header, scan_hunk
from reviewbot.errors import DiffError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SUBMODULE", "DiffLine", "FileDiff", "FileStatus", "Hunk", "LineKind", "parse_diff"]

FileStatus = Literal["added", "deleted", "modified", "renamed", "copied", "type-changed"]

SUBMODULE: Final = "160000"
"""git's mode of a submodule."""

_SUBMODULE_LOG: Final = re.compile(
    # git diff --submodule=log: replaces the two "Subproject commit" lines.
    rb"Submodule (.+) ([0-9a-f]{4,64})\.{2,3}([0-9a-f]{4,64})(?::| \([a-z -]+\):?)"
)
# The time stamp that diff -N gives to the side where the file does not exist.
_EPOCH: Final = re.compile(rb"(1969-12-31|1970-01-01) (\d\d):(\d\d):00(?:\.0+)? ([+-])(\d\d)(\d\d)")
_ENCODED: Final = re.compile(
    rb"content-transfer-encoding:\s*(quoted-printable|base64)\s*", re.IGNORECASE
)
_COLOURED: Final = re.compile(rb"\x1b\[[0-9;]*m(?:\x1b\[[0-9;]*m)*(?:diff |--- |@@ |Submodule )")
_HOW_TO: Final = "make one with: git diff BASE...HEAD"


@dataclass(frozen=True, slots=True)
class FileDiff:
    """Part of a diff about one file.

    Paths have no prefixes and ``/`` between folders; bytes that are not UTF-8 are lone surrogates.
    ``old_path`` is None for an added file, ``new_path`` for a deleted file. Modes are git's, such
    as ``100644``; None if the side does not exist or the diff does not state the mode. A file that
    changed its type (to a link or submodule) is one entry with the status ``type-changed``. Hunks
    that remove the old content precede hunks that add the new content. ``blobs`` are the hashes of
    the old and the new content as git shortens them, if the file has both and the diff states them.
    """

    old_path: str | None
    new_path: str | None
    status: FileStatus
    old_mode: str | None = None
    new_mode: str | None = None
    binary: bool = False
    hunks: tuple[Hunk, ...] = ()
    blobs: tuple[str, str] | None = None

    @property
    def path(self) -> str:
        """The new path, or the old one of a deleted file."""
        path = self.old_path if self.new_path is None else self.new_path
        assert path is not None  # noqa: S101 - the parser makes no file without a side
        return path

    @property
    def added(self) -> int:
        """Added lines."""
        return sum(hunk.added for hunk in self.hunks)

    @property
    def removed(self) -> int:
        """Removed lines."""
        return sum(hunk.removed for hunk in self.hunks)

    @property
    def size(self) -> int:
        """Bytes of all hunks in the diff, their headers included."""
        return sum(hunk.size for hunk in self.hunks)


def parse_diff(data: bytes) -> tuple[FileDiff, ...]:
    """Return every file of a diff, in its order. Empty input has none.

    The lines of the hunks are checked, but read only on access, from ``data``, which stays alive.
    Text around the files (a mail, a commit message, a diffstat) is ignored. The same path can come
    twice, if the input has several commits.

    Args:
        data: output of ``git diff``, ``git show``, ``git format-patch``, ``diff -u`` or alike, in
            any encoding that ASCII is a part of.

    Raises:
        DiffError: this is not a diff, or it cannot be read whole and for certain.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DiffError(
            "the diff is UTF-16, as PowerShell redirects write; "
            "make it with: git diff --output=FILE",
            line=1,
        )
    cursor = Cursor(data, pos=3 if data.startswith(b"\xef\xbb\xbf") else 0)
    files = tuple(_join_type_changes(_files(cursor)))
    if not files and data.strip():
        raise Cursor(data).error(f"there is no diff in this input; {_HOW_TO}")
    return files


def _files(cursor: Cursor) -> Iterator[FileDiff]:
    # Kind of the line before: nothing yet, a file, the "-- " under a mail's diff, or other text.
    behind: Literal["start", "file", "signature", "text"] = "start"
    while not cursor.at_end:
        file = _file(cursor)
        if file is not None:
            yield file
            behind = "file"
            continue
        line = cursor.line
        _refuse(cursor, line, behind)
        if behind == "file" and line in (b"-- ", b"--") and not cursor.cut:
            behind = "signature"
        elif line.startswith(b"diff -") and behind != "text":
            pass  # the command line that diff -r writes above each file
        elif line:
            behind = "text"
        cursor.advance()


def _file(cursor: Cursor) -> FileDiff | None:
    """Return the file that starts at the cursor, if one does; the cursor is then behind it."""
    if cursor.line.startswith(b"diff --git "):
        return _git_file(cursor)
    if cursor.line.startswith(b"--- ") and cursor.next_starts(b"+++ "):
        return _plain_file(cursor)
    if cursor.line.startswith(b"Binary files ") and cursor.line.endswith(b" differ"):
        return _plain_binary(cursor)
    if cursor.line.startswith(b"Submodule ") and (match := _SUBMODULE_LOG.fullmatch(cursor.line)):
        cursor.advance()
        while cursor.line.startswith((b"  > ", b"  < ")):  # the subjects of its commits
            cursor.advance()
        return _submodule(*match.groups())
    return None


def _git_file(cursor: Cursor) -> FileDiff:
    header = read_header(cursor)
    try:
        old, new = header.paths()
    except ValueError as error:
        raise cursor.error(str(error), header.pos) from error
    hunks = _hunks(cursor, crlf=header.crlf) if header.plus is not None else ()
    status = _status(header)
    if (status == "added" and any(hunk.old_count for hunk in hunks)) or (
        status == "deleted" and any(hunk.new_count for hunk in hunks)
    ):
        raise cursor.error(f"the file header says {status}, but the hunks do not", header.pos)
    added, deleted = status == "added", status == "deleted"
    return FileDiff(
        old_path=None if added else names.text(old),
        new_path=None if deleted else names.text(new),
        status=status,
        old_mode=None if added else header.mode(b"old mode", b"deleted file mode"),
        new_mode=None if deleted else header.mode(b"new mode", b"new file mode"),
        binary=header.binary,
        hunks=hunks,
        blobs=header.blobs if hunks and not (added or deleted) else None,
    )


def _status(header: GitHeader) -> FileStatus:
    said = header.said
    if b"new file mode" in said or header.minus == names.ABSENT:
        return "added"
    if b"deleted file mode" in said or header.plus == names.ABSENT:
        return "deleted"
    if b"rename from" in said:
        return "renamed"
    if b"copy from" in said:
        return "copied"
    return "modified"


def _plain_file(cursor: Cursor) -> FileDiff:
    """Return a file of ``diff -u`` or of a git diff whose own header was left out."""
    start, crlf = cursor.pos, cursor.crlf
    old, new, old_time, new_time = read_sides(cursor)
    hunks = _hunks(cursor, crlf=crlf)
    added = not any(hunk.old_count for hunk in hunks) and (
        old == names.ABSENT or _is_epoch(old_time)
    )
    deleted = not any(hunk.new_count for hunk in hunks) and (
        new == names.ABSENT or _is_epoch(new_time)
    )
    if (old == names.ABSENT and not added) or (new == names.ABSENT and not deleted):
        raise cursor.error("one side of the file is /dev/null, but the hunks have lines", start)
    if names.ABSENT in (old, new):
        old, new = old.removeprefix(b"a/"), new.removeprefix(b"b/")
    else:
        old, new = _plain_paths(old, new)
    return FileDiff(
        old_path=None if added else names.text(old),
        new_path=None if deleted else names.text(new),
        status="added" if added else "deleted" if deleted else "modified",
        hunks=hunks,
    )


def _plain_paths(old: bytes, new: bytes) -> tuple[bytes, bytes]:
    path = names.common(old, new)
    if path is not None:
        return path, path
    return names.strip_pair(old, new) or (old, new)


def _plain_binary(cursor: Cursor) -> FileDiff:
    line = cursor.line.removeprefix(b"Binary files ").removesuffix(b" differ")
    # The middle first: names may hold " and " themselves, and mostly both sides are the same.
    middle = (len(line) - 5) // 2
    old, new = line[:middle], line[middle + 5 :]
    if line[middle : middle + 5] != b" and " or names.common(old, new) is None:
        old, _, new = line.partition(b" and ")
    cursor.advance()
    old, new = _plain_paths(old, new)
    return FileDiff(names.text(old), names.text(new), "modified", binary=True)


def _submodule(name: bytes, old: bytes, new: bytes) -> FileDiff:
    path = names.text(name)
    if not old.strip(b"0"):
        return FileDiff(None, path, "added", None, SUBMODULE)
    if not new.strip(b"0"):
        return FileDiff(path, None, "deleted", SUBMODULE, None)
    return FileDiff(path, path, "modified", SUBMODULE, SUBMODULE)


def _hunks(cursor: Cursor, *, crlf: bool) -> tuple[Hunk, ...]:
    hunks: list[Hunk] = []
    old_end = new_end = 0
    while cursor.line.startswith(b"@@"):
        start = cursor.pos
        hunk = scan_hunk(cursor, crlf=crlf)
        # The start of a side without lines is the line before it.
        old_first = hunk.old_start + (not hunk.old_count)
        new_first = hunk.new_start + (not hunk.new_count)
        if (old_first < old_end or new_first < new_end) and not (
            old_end - old_first == new_end - new_first
            and _share_context(hunks[-1], hunk, old_end - old_first)
        ):
            raise cursor.error("this hunk starts before the end of the one above", start)
        old_end, new_end = old_first + hunk.old_count, new_first + hunk.new_count
        hunks.append(hunk)
    return tuple(hunks)


def _share_context(above: Hunk, below: Hunk, count: int) -> bool:
    """Return whether two hunks overlap by ``count`` context lines, as with ``git diff -W``."""
    length = above.old_count + above.added
    if count > length:
        return False
    last, first = above.slice(length - count, length), below.slice(0, count)
    return len(first) == count and all(line.kind == "context" for line in last + first)


def _refuse(cursor: Cursor, line: bytes, behind: str) -> None:
    """Raise if a line between files shows that content would be lost."""
    if line.startswith((b"diff --cc ", b"diff --combined ", b"@@@ ")):
        raise cursor.error(
            "this is the combined diff of a merge; compare with one parent: git diff PARENT MERGE"
        )
    if line.startswith(b"* Unmerged path "):
        raise cursor.error("a file has unresolved conflicts; resolve them first")
    if _ENCODED.fullmatch(line) and behind == "text":
        raise cursor.error("the mail is encoded; decode it first, for example with git mailinfo")
    if is_hunk_header(line):
        raise cursor.error(f"a hunk without the name of its file; {_HOW_TO}")
    if _COLOURED.match(line) and (error := colour_error(cursor)):
        raise error
    if behind in ("start", "file") and _is_one_sided(line):
        raise cursor.error(
            f"the content of a file is not in the diff: {shown(line, most=60)}; "
            "make it with: diff -ruN"
        )
    if behind in ("file", "signature") and line.startswith((b"+", b"-", b" ", b"\\", b"@@")):
        if behind == "file" and line in (b"-- ", b"--") and not cursor.cut:
            return
        raise cursor.error(f"this line belongs to no hunk: {shown(line)}")
    if cursor.cut and (
        behind == "file" or line.startswith(b"--- ") or b"diff --git ".startswith(line)
    ):
        raise cursor.error(f"the diff is cut off: {shown(line)}")


def _is_one_sided(line: bytes) -> bool:
    """Return whether ``diff -r`` reports a file on one side only, or a change of its type."""
    if line.startswith(b"Only in "):
        return b": " in line
    return line.startswith(b"File ") and b" while file " in line


def _is_epoch(time: bytes) -> bool:
    """Return whether a time stamp of ``diff -N`` marks a missing file."""
    match = _EPOCH.match(time)
    if match is None:
        return False
    day, hour, minute, sign, zone_hours, zone_minutes = match.groups()
    offset = int(zone_hours) * 60 + int(zone_minutes)
    local = int(hour) * 60 + int(minute) - (24 * 60 if day.startswith(b"1969") else 0)
    return local == (offset if sign == b"+" else -offset)


def _join_type_changes(files: Iterator[FileDiff]) -> Iterator[FileDiff]:
    """Join deletion and addition of a file that became a link. Git lists them as one change."""
    waiting: FileDiff | None = None
    for file in files:
        if waiting is not None and _is_type_change(waiting, file):
            yield FileDiff(
                waiting.old_path, file.new_path, "type-changed", waiting.old_mode, file.new_mode,
                waiting.binary or file.binary, waiting.hunks + file.hunks,
            )  # fmt: skip
            waiting = None
            continue
        if waiting is not None:
            yield waiting
        waiting = file
    if waiting is not None:
        yield waiting


def _is_type_change(before: FileDiff, after: FileDiff) -> bool:
    return (
        (before.status, after.status) == ("deleted", "added")
        and before.old_path == after.new_path
        and before.old_mode is not None
        and after.new_mode is not None
        and before.old_mode[:3] != after.new_mode[:3]
    )
