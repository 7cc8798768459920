"""Git's header of one file, from ``diff --git`` up to its hunks. Pure.

The format: https://git-scm.com/docs/diff-generate-patch
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff import paths as names
from reviewbot.core.diff.cursor import colour_error, shown

if TYPE_CHECKING:
    from reviewbot.core.diff.cursor import Cursor

_FIELD: Final = re.compile(
    rb"(index|(?:dis)?similarity index|(?:old|new|deleted file|new file) mode"
    rb"|(?:rename|copy) (?:from|to)) (.*)",
    re.DOTALL,
)
_MODE: Final = re.compile(rb"[0-7]{6}")
_PERCENT: Final = re.compile(rb"\d{1,3}%")
_VALUES: Final = {
    b"index": re.compile(rb"[0-9a-f]+\.\.[0-9a-f]+(?: [0-7]{6})?"),
    b"similarity index": _PERCENT,
    b"dissimilarity index": _PERCENT,
    b"old mode": _MODE,
    b"new mode": _MODE,
    b"deleted file mode": _MODE,
    b"new file mode": _MODE,
}
_ANY: Final = re.compile(rb".+", re.DOTALL)
_EMPTY_BLOBS: Final = (
    b"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    b"473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
)
_BOTH: Final = (
    (b"old mode", b"new mode"),
    (b"rename from", b"rename to"),
    (b"copy from", b"copy to"),
)
_REASONLESS: Final = frozenset({b"index", b"similarity index", b"dissimilarity index"})
_PATCH: Final = re.compile(rb"(?:literal|delta) \d+")
_BASE85: Final = re.compile(rb"[A-Za-z](?:[0-9A-Za-z!#$%&()*+;<=>?@^_`{|}~-]{5})+")


@dataclass(slots=True)
class GitHeader:
    """Content of a header. ``pair`` is the raw text after ``diff --git``."""

    pos: int
    pair: bytes
    crlf: bool
    said: dict[bytes, bytes] = field(default_factory=dict)
    binary: bool = False
    minus: bytes | None = None
    """The name after ``---``, unquoted; None where the header has no such line."""
    plus: bytes | None = None

    def mode(self, *keys: bytes) -> str | None:
        """Return a mode such as ``100644`` from the first of these lines that is there.

        The ``index`` line has the mode of both sides, if it is the same.
        """
        for key in keys:
            if key in self.said:
                return self.said[key].decode()
        return self.said.get(b"index", b"").partition(b" ")[2].decode() or None

    @property
    def blobs(self) -> tuple[str, str] | None:
        """The hashes of both sides; None if no line states them."""
        old, dots, new = self.said.get(b"index", b"").partition(b" ")[0].partition(b"..")
        return (old.decode(), new.decode()) if dots else None

    def paths(self) -> tuple[bytes, bytes]:
        """Return the path of the old and of the new side, without prefixes.

        Raises:
            ValueError: the lines contradict each other, or a prefix cannot be recognised.
        """
        if b"rename from" in self.said:
            return self._moved(self.said[b"rename from"], self.said[b"rename to"])
        if b"copy from" in self.said:
            return self._moved(self.said[b"copy from"], self.said[b"copy to"])
        left, right = self._sides()
        path = names.common(left, right)
        if path is not None:
            return path, path
        stripped = names.strip_pair(left, right)
        if stripped is None:
            raise ValueError(
                "the file names have prefixes that are not known; "
                "make the diff with: git diff --src-prefix=a/ --dst-prefix=b/"
            )
        return stripped

    def _moved(self, old: bytes, new: bytes) -> tuple[bytes, bytes]:
        # Both lines must agree with the others: a name that was cut off does not.
        agree = old.removeprefix(b'"') in self.pair and self.pair.endswith(new.removeprefix(b'"'))
        old, new = names.unquote(old), names.unquote(new)
        if self.minus is not None and self.plus is not None:
            agree = agree and self.minus.endswith(old) and self.plus.endswith(new)
        if not agree:
            raise ValueError("the names in this file header contradict each other")
        return old, new

    def _sides(self) -> tuple[bytes, bytes]:
        """Return both names with their prefixes, from the most reliable lines of the header."""
        minus = None if self.minus == names.ABSENT else self.minus
        plus = None if self.plus == names.ABSENT else self.plus
        pair = names.split_pair(self.pair)
        if pair is None and plus is not None and self.pair.endswith(b" " + plus):
            pair = self.pair[: -len(plus) - 1], plus
        elif pair is None and minus is not None and self.pair.startswith(minus + b" "):
            pair = minus, self.pair[len(minus) + 1 :]
        if pair is None:
            raise ValueError("the two names of this file header cannot be told apart")
        if minus not in (None, pair[0]) or plus not in (None, pair[1]):
            raise ValueError("the names in this file header contradict each other")
        return pair


def read_header(cursor: Cursor) -> GitHeader:
    """Read the header at ``cursor`` and leave the cursor at the hunks, or behind the file.

    Raises:
        DiffError: a line is broken, or the header is cut off.
    """
    header = GitHeader(cursor.pos, cursor.line.removeprefix(b"diff --git "), cursor.crlf)
    cursor.advance()
    while _read_field(cursor, header):
        cursor.advance()
    if cursor.line.startswith(b"Binary files "):
        if not cursor.line.endswith(b" differ"):
            raise cursor.error("the diff is cut off in the line of a binary file")
        header.binary = True
        cursor.advance()
    elif cursor.line.startswith(b"GIT binary patch"):
        header.binary = True
        _skip_binary_patch(cursor)
    elif cursor.line.startswith(b"--- "):
        header.minus, header.plus = read_sides(cursor)[:2]
    _refuse_cut(cursor, header)
    return header


def _read_field(cursor: Cursor, header: GitHeader) -> bool:
    field = _FIELD.fullmatch(cursor.line)
    if field is None:
        return False
    name, value = field.groups()
    if not _VALUES.get(name, _ANY).fullmatch(value):
        raise cursor.error(f"this line of a file header is broken: {name.decode()}")
    header.said[name] = value
    return True


def read_sides(cursor: Cursor) -> tuple[bytes, bytes, bytes, bytes]:
    """Read the lines ``---`` and ``+++``: old name, new name, old time stamp, new time stamp.

    Raises:
        DiffError: the second line or the first hunk is missing.
    """
    try:
        minus, old_time = names.side_name(cursor.line[4:])
        if not cursor.next_starts(b"+++ "):
            cursor.advance()
            raise cursor.error("the diff is cut off: after the line --- there must be a line +++")
        cursor.advance()
        plus, new_time = names.side_name(cursor.line[4:])
    except ValueError as error:
        raise cursor.error(str(error)) from error
    cursor.advance()
    if cursor.at_end:
        raise cursor.error("the diff is cut off: a file header without a hunk")
    if not cursor.line.startswith(b"@@"):
        raise colour_error(cursor) or cursor.error(
            f"here the first hunk should start, with @@, but there is {shown(cursor.line)}"
        )
    return minus, plus, old_time, new_time


def _skip_binary_patch(cursor: Cursor) -> None:
    """Skip both halves of a binary patch; each ends with an empty line."""
    cursor.advance()
    halves = 0
    while _PATCH.fullmatch(cursor.line):
        halves += 1
        cursor.advance()
        while not cursor.at_end and _BASE85.fullmatch(cursor.line):
            cursor.advance()
        if cursor.at_end or cursor.line:
            raise cursor.error("the diff is cut off in a binary patch, or the patch is broken")
        cursor.advance()
    if not halves:
        raise cursor.error("here a binary patch should start, with literal or delta")


def _refuse_cut(cursor: Cursor, header: GitHeader) -> None:
    """Raise if the input ends before the header has stated a change.

    A header without hunks is valid if another file follows: ``git diff -w`` omits hunks.
    """
    said = header.said
    for first, second in _BOTH:
        if (first in said) != (second in said):
            raise cursor.error(
                f"the file header must have both {first.decode()} and {second.decode()}"
            )
    if header.binary or header.plus is not None:
        return
    if not said.keys() - _REASONLESS:
        raise cursor.error("the diff is cut off, or broken: a file header without a change")
    if cursor.at_end and not _complete(said):
        raise cursor.error("the diff is cut off: the header of its last file has no hunk")


def _complete(said: dict[bytes, bytes]) -> bool:
    """Return whether a header states why it has no hunk."""
    added, deleted = b"new file mode" in said, b"deleted file mode" in said
    if added or deleted:
        # Only an empty file has no hunk; its hash shows that.
        old, _, new = said.get(b"index", b"").partition(b" ")[0].partition(b"..")
        blob = new if added else old
        return bool(blob) and any(empty.startswith(blob) for empty in _EMPTY_BLOBS)
    return b"index" not in said and said.get(b"similarity index", b"100%") == b"100%"
