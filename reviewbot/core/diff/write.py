"""Write one file of a diff as git would. Pure.

``parse_diff`` reads the same file from the result. Git's rules for names:
https://git-scm.com/docs/git-config#Documentation/git-config.txt-corequotePath
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.paths import ABSENT, encoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.diff.parse import FileDiff

PLAIN_MODE: Final = "100644"
"""git's mode of a plain file."""
_QUOTED: Final = re.compile(rb'[\x00-\x1f"\\\x7f-\xff]')
_LETTERS: Final = {
    b"\a": b"\\a", b"\b": b"\\b", b"\t": b"\\t", b"\n": b"\\n", b"\v": b"\\v", b"\f": b"\\f",
    b"\r": b"\\r", b'"': b'\\"', b"\\": b"\\\\",
}  # fmt: skip
_EMPTY: Final = b"e69de29"
"""Hash of the empty blob, which shows that an added file without a hunk is complete."""


def file_diff_text(file: FileDiff) -> bytes:
    """Return the part of a git diff about ``file``. Concatenated parts form a diff.

    To write other hunks, pass ``dataclasses.replace(file, hunks=...)``. If a required mode is
    unknown, the mode of a plain file is written. Similarities are omitted, and hashes of files that
    are added or deleted.

    Raises:
        ValueError: ``file`` has no change, or a path contains an invalid character.
    """
    if file.status == "type-changed":
        return b"".join(map(file_diff_text, _halves(file)))
    old, new = (None if path is None else encoded(path) for path in (file.old_path, file.new_path))
    left, right = old or new or b"", new or old or b""
    # If no other line has both names, a space within a name must not separate them.
    apart = file.status == "modified" and left != right
    pair = (quoted(b"a/" + left, always=apart), quoted(b"b/" + right, always=apart))
    lines = [b"diff --git " + b" ".join(pair), *_fields(file, left, right)]
    before = ABSENT if old is None else quoted(b"a/" + old)
    after = ABSENT if new is None else quoted(b"b/" + new)
    if file.binary:
        lines.append(b"Binary files " + before + b" and " + after + b" differ")
    elif file.hunks:
        lines += [b"--- " + _ended(before), b"+++ " + _ended(after)]
    elif len(lines) == 1:
        raise ValueError("a file without hunks, which is not binary and whose mode did not change")
    header = b"".join(line + b"\n" for line in lines)
    return header if file.binary else header + b"".join(hunk.raw for hunk in file.hunks)


def quoted(name: bytes, *, always: bool = False) -> bytes:
    """Return ``name`` as git writes it by default: C-quoted if a byte requires this."""
    if not always and not _QUOTED.search(name):
        return name
    return b'"' + _QUOTED.sub(_escaped, name) + b'"'


def _escaped(match: re.Match[bytes]) -> bytes:
    return _LETTERS.get(match[0]) or b"\\%03o" % match[0][0]


def _ended(name: bytes) -> bytes:
    """Return a name for the lines before the hunks; git adds a tab to a name with a space."""
    return name + b"\t" if b" " in name else name


def _fields(file: FileDiff, old: bytes, new: bytes) -> Iterator[bytes]:
    """Yield the extended header lines: new and deleted files, modes, renames and copies."""
    bare = not file.hunks and not file.binary
    if file.status in ("added", "deleted"):
        word, mode = (
            (b"new", file.new_mode) if file.status == "added" else (b"deleted", file.old_mode)
        )
        if mode is not None or not file.hunks:
            yield word + b" file mode " + (mode or PLAIN_MODE).encode()
        if bare:
            hashes = (b"0000000", _EMPTY) if file.status == "added" else (_EMPTY, b"0000000")
            yield b"index " + b"..".join(hashes)
        return
    if file.old_mode is not None and file.new_mode is not None:
        # Git writes an unchanged mode in the line of hashes, which may be unknown here.
        yield b"old mode " + file.old_mode.encode()
        yield b"new mode " + file.new_mode.encode()
    if file.status in ("renamed", "copied"):
        word = b"rename" if file.status == "renamed" else b"copy"
        yield word + b" from " + quoted(old)
        yield word + b" to " + quoted(new)
    if file.blobs is not None:
        yield b"index " + b"..".join(blob.encode() for blob in file.blobs)


def _halves(file: FileDiff) -> tuple[FileDiff, FileDiff]:
    """Return the two parts of a file that changed its type: a deleted and an added file."""
    gone = tuple(hunk for hunk in file.hunks if not hunk.new_count)
    come = tuple(hunk for hunk in file.hunks if hunk.new_count)
    return (
        replace(
            file, new_path=None, new_mode=None, status="deleted", hunks=gone,
            binary=file.binary and not gone,
        ),
        replace(
            file, old_path=None, old_mode=None, status="added", hunks=come,
            binary=file.binary and not come,
        ),
    )  # fmt: skip
