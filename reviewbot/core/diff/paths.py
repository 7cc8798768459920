"""The names in the headers of a diff: C-quoting, prefixes, and two names on one line. Pure.

Git's rules: https://git-scm.com/docs/diff-generate-patch ("file names are quoted as explained for
``core.quotePath``"), and ``git_header_name`` in git's ``apply.c`` for the ``diff --git`` line.
"""

from __future__ import annotations

import re
from typing import Final

ABSENT: Final = b"/dev/null"

# Git's defaults, and diff.mnemonicPrefix: commit, index, worktree, object; --no-index has 1 and 2.
# Either may come first: git diff -R swaps them.
_PAIRS: Final = tuple(
    (before + b"/", after + b"/")
    for left, right in (
        (b"a", b"b"), (b"i", b"w"), (b"c", b"i"), (b"c", b"w"), (b"o", b"w"), (b"1", b"2"),
    )
    for before, after in ((left, right), (right, left))
)  # fmt: skip
_QUOTED: Final = re.compile(rb'"((?:[^"\\]++|\\.)*+)"')
_ESCAPE: Final = re.compile(rb"\\([0-3][0-7]{2}|.)", re.DOTALL)
_LETTERS: Final = {
    b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r",
    b'"': b'"', b"\\": b"\\",
}  # fmt: skip


def text(name: bytes) -> str:
    """Return the name as it is passed on: UTF-8, other bytes as lone surrogates."""
    return name.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    """Return text of a diff as the bytes that it was."""
    return text.encode("utf-8", "surrogateescape")


def unquote(name: bytes) -> bytes:
    """Return ``name`` without C-quoting, if it has any.

    Raises:
        ValueError: the quoting is broken.
    """
    if not name.startswith(b'"'):
        return name
    quoted = _QUOTED.fullmatch(name)
    if quoted is None:
        raise ValueError("the quoting of the file name is broken")
    return _ESCAPE.sub(_unescape, quoted[1])


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if len(code) == 3:
        return bytes([int(code, 8)])
    if code not in _LETTERS:
        raise ValueError("the quoting of the file name has an unknown escape")
    return _LETTERS[code]


def side_name(field: bytes) -> tuple[bytes, bytes]:
    """Return the name after ``---`` or ``+++``, and the text after it, usually a time stamp.

    A tab ends the name. Git adds a tab after names with spaces, ``diff -u`` before the time stamp.

    Raises:
        ValueError: the quoting is invalid.
    """
    if field.startswith(b'"'):
        quoted = _QUOTED.match(field)
        if quoted is None:
            raise ValueError("the quoting of the file name is broken")
        return unquote(quoted[0]), field[quoted.end() :].removeprefix(b"\t")
    name, _, rest = field.partition(b"\t")
    return name, rest


def split_pair(line: bytes) -> tuple[bytes, bytes] | None:
    """Return the two names of ``a/x b/x`` with prefixes; None if the names cannot be separated.

    Unquoted names may contain spaces, so the text is split in the middle: without a rename both
    names differ in the prefix only. A rename has lines that name both sides.

    Raises:
        ValueError: the quoting is broken.
    """
    if line.startswith(b'"'):
        first = _QUOTED.match(line)
        if first is None or line[first.end() : first.end() + 1] != b" ":
            raise ValueError("the quoting of the file name is broken")
        return unquote(first[0]), unquote(line[first.end() + 1 :])
    if line.endswith(b'"'):
        left, space, right = line.partition(b' "')
        return (left, unquote(b'"' + right)) if space else None
    middle = len(line) // 2
    left, right = line[:middle], line[middle + 1 :]
    if line[middle : middle + 1] == b" " and common(left, right) is not None:
        return left, right
    for before, after in _PAIRS:
        if line.startswith(before) and line.count(b" " + after) == 1:
            left, _, right = line.partition(b" " + after)
            return left, after + right
    return None


def common(left: bytes, right: bytes) -> bytes | None:
    """Return the path of both names if their first folder is a prefix; None if they differ.

    Names that are the same have no prefix.
    """
    if left == right:
        return left
    rest = left.partition(b"/")[2]
    return rest if rest and rest == right.partition(b"/")[2] else None


def strip_pair(left: bytes, right: bytes) -> tuple[bytes, bytes] | None:
    """Return both names without git's prefixes; None without a known pair of prefixes."""
    if (left[:2], right[:2]) in _PAIRS:
        return left[2:], right[2:]
    return None
