"""Hunks of a diff: validated when found, with lines read on demand. Pure.

Only this module uses unidiff, which reads the lines. unidiff reads one block of lines at a time,
under a header that we write. So it sees neither file headers nor content that looks like them, and
a hunk of 100 MB needs only the memory of one block.

The format: https://www.gnu.org/software/diffutils/manual/html_node/Detailed-Unified.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, cast

from unidiff.patch import PatchedFile

from reviewbot.core.diff.cursor import colour_error, shown
from reviewbot.core.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unidiff.patch import Hunk as UnidiffHunk

    from reviewbot.core.diff.cursor import Cursor
    from reviewbot.errors import DiffError

LineKind = Literal["added", "removed", "context"]

_HEADER: Final = re.compile(rb"@@ -(\d{1,10})(?:,(\d{1,10}))? \+(\d{1,10})(?:,(\d{1,10}))? @@")
_BLOCK: Final = 512
"""Number of lines to read at a time."""
_KINDS: Final[dict[str, LineKind]] = {"+": "added", "-": "removed", " ": "context"}
_RAW_KINDS: Final = {ord(mark): kind for mark, kind in _KINDS.items()}
_PLUS, _MINUS, _SPACE, _BACKSLASH, _LF, _CR = b"+- \\\n\r"

# Flags of hunks that need additional work.
_OLD_UNENDED: Final = 1  # the last line of the old side has no newline
_NEW_UNENDED: Final = 2
_UNENDED: Final = _OLD_UNENDED | _NEW_UNENDED
_CRLF: Final = 4  # the whole diff was sent with CRLF line ends
_STRIPPED: Final = 8  # a blank context line lost its space


class DiffLine(NamedTuple):
    """One line of a hunk. A diff has millions, so this is a tuple, the fastest type to create.

    ``text`` has no line end; bytes that are not UTF-8 are lone surrogates (``surrogateescape``).
    Only a line feed ends a line: the carriage return of a file with CRLF stays in ``text``.
    ``old_no`` and ``new_no`` are 1-based, ``None`` on the side where the line does not exist.
    ``no_newline`` is true where git says "No newline at end of file" of this line.
    """

    kind: LineKind
    old_no: int | None
    new_no: int | None
    text: str
    no_newline: bool = False


_LINE: Final = partial(tuple.__new__, DiffLine)
"""Constructor of a line from its values, in half the time of ``DiffLine()``."""


@dataclass(slots=True)
class Hunk:
    """One hunk with validated counts. Do not modify.

    ``old_start`` and ``new_start`` are the header's: on a side without lines, the line before.
    ``added`` and ``removed`` count lines. A hunk does not cache the lines that are read from it.

    The class is not frozen, because this would double the time to create a hunk. Only lines are
    more numerous than hunks.
    """

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    added: int
    removed: int
    _data: bytes = field(repr=False)
    _head: int = field(repr=False)
    _end: int = field(repr=False)
    _flags: int = field(repr=False)
    _marks: tuple[tuple[int, int, int], ...] = field(repr=False)
    """Offset of each block, and the remaining lines of the old and the new side there."""

    @property
    def size(self) -> int:
        """Bytes of the hunk in the diff, its header included."""
        return self._end - self._head

    @property
    def span(self) -> tuple[int, int]:
        """Offsets of the hunk in the diff, from its header to behind its last line."""
        return self._head, self._end

    @property
    def line_count(self) -> int:
        """Lines of the hunk: context and removed ones are the old side's."""
        return self.old_count + self.added

    @property
    def raw(self) -> bytes:
        """The hunk as git writes it, with the header, so that another hunk can follow.

        Every line ends with a line feed alone, even if the diff has CRLF line ends or lacks the
        last line feed.
        """
        raw = self._data[self._head : self._end]
        if self._flags & _CRLF:
            raw = raw.replace(b"\r\n", b"\n").removesuffix(b"\r")
        return raw if raw.endswith(b"\n") else raw + b"\n"

    @property
    def section(self) -> str:
        """Git's heading after the second ``@@``, often the function; empty without a heading."""
        header = _HEADER.match(self._data, self._head)
        assert header is not None  # noqa: S101 - scan_hunk matched it at this offset
        stop = self._data.find(b"\n", header.end(), self._end)
        heading = self._data[header.end() : self._end if stop < 0 else stop]
        return _text(heading.removeprefix(b" ").removesuffix(b"\r"))

    @property
    def lines(self) -> tuple[DiffLine, ...]:
        """All lines, read again on each access. For a large hunk prefer the methods below."""
        if len(self._marks) > 1:
            return tuple(self.iter_lines())
        texts = enumerate(self._texts(self._head, self._end))
        _, header = next(texts)
        return tuple(self._read_lines(header, texts))

    def iter_lines(self) -> Iterator[DiffLine]:
        """Yield the lines one by one, in the memory of a block of them."""
        for block in range(len(self._marks)):
            yield from self._read(block)

    def iter_raw(self) -> Iterator[tuple[LineKind, bytes]]:
        """Yield kind and undecoded text of each line, for planning."""
        data, end = self._data, self._end
        pos = self._marks[0][0] if self._marks else end
        while pos < end:
            stop = data.find(b"\n", pos, end)
            stop = end if stop < 0 else stop
            kind = _RAW_KINDS.get(data[pos], "context")
            if data[pos] != _BACKSLASH:
                # A blank context line may have lost its space.
                raw = data[pos + (data[pos] in _RAW_KINDS) : stop]
                yield kind, raw.removesuffix(b"\r") if self._flags & _CRLF else raw
            pos = stop + 1

    def slice(self, start: int, stop: int) -> tuple[DiffLine, ...]:
        """Return ``lines[start:stop]`` for ``0 <= start <= stop``, reading only nearby lines."""
        first = start // _BLOCK
        blocks = range(first, min(-(-stop // _BLOCK), len(self._marks)))
        near = [line for block in blocks for line in self._read(block)]
        return tuple(near[start - first * _BLOCK : stop - first * _BLOCK])

    def position(self, index: int) -> tuple[int, int]:
        """Return the header's starts ``(old, new)`` for a hunk that begins with ``lines[index]``.

        A start is the number of the next line on its side. For a side without lines in this hunk,
        it is the number of the line before, as in headers.
        """
        before = self.slice(index // _BLOCK * _BLOCK, index)
        _, old, new = self._marks[index // _BLOCK]
        old -= sum(line.old_no is not None for line in before)
        new -= sum(line.new_no is not None for line in before)
        return self.old_start + self.old_count - old, self.new_start + self.new_count - new

    def _read(self, block: int) -> list[DiffLine]:
        marks, stop, old_left, new_left = self._marks, self._end, 0, 0
        start, old, new = marks[block]
        if block + 1 < len(marks):
            stop, old_left, new_left = marks[block + 1]
        old_no = self.old_start + self.old_count - old
        new_no = self.new_start + self.new_count - new
        header = f"@@ -{old_no},{old - old_left} +{new_no},{new - new_left} @@"
        return self._read_lines(header, enumerate(self._texts(start, stop)))

    def _read_lines(self, header: str, texts: Iterator[tuple[int, str]]) -> list[DiffLine]:
        """Return the lines as unidiff reads them. Missing line ends and lone CRs stay.

        The private method of unidiff starts at a hunk. The public method needs a file header for
        each hunk, and PatchSet tries a dozen patterns on that header. For a short hunk this takes
        as long as the lines. So pyproject.toml pins the minor version of unidiff. The method needs
        only a list of hunks as its file.
        """
        hunks: list[UnidiffHunk] = []
        file = cast("PatchedFile", hunks)
        PatchedFile._parse_hunk(file, header, texts, None, metadata_only=False)  # noqa: SLF001 - see above
        lines = [
            _LINE((_KINDS[its.line_type], its.source_line_no, its.target_line_no, its.value, False))
            for its in hunks[0]
        ]
        return self._unended(lines) if self._flags & _UNENDED else lines

    def _texts(self, start: int, stop: int) -> list[str]:
        """Return the lines between two offsets with their markers, normalised for unidiff."""
        texts = _text(self._data[start:stop]).split("\n")
        if self._data[stop - 1] == _LF:
            texts.pop()
        if not self._flags:
            return texts
        if self._flags & _UNENDED:
            texts = [text for text in texts if not text.startswith("\\")]
        if self._flags & _CRLF:
            texts = [text.removesuffix("\r") for text in texts]
        if self._flags & _STRIPPED:
            texts = [" " + text if text in ("", "\r") else text for text in texts]
        return texts

    def _unended(self, lines: list[DiffLine]) -> list[DiffLine]:
        """Mark the last line of a side whose newline is missing."""
        old = self.old_start + self.old_count - 1 if self._flags & _OLD_UNENDED else None
        new = self.new_start + self.new_count - 1 if self._flags & _NEW_UNENDED else None
        return [
            line._replace(no_newline=True)
            if (old is not None and line.old_no == old) or (new is not None and line.new_no == new)
            else line
            for line in lines
        ]


# The marks of a hunk, the number of its lines, and its flags.
_Scanned: TypeAlias = tuple[tuple[tuple[int, int, int], ...], int, int]


def is_hunk_header(line: bytes) -> bool:
    """Return whether ``line`` is the header of a hunk."""
    return _HEADER.match(line) is not None


def scan_hunk(cursor: Cursor, *, crlf: bool) -> Hunk:
    """Read the hunk at ``cursor``, and move the cursor to the line after the hunk.

    Args:
        cursor: at a line that starts with ``@@``.
        crlf: whether the diff has CRLF line ends; they do not belong to the lines.

    Raises:
        DiffError: the header is invalid, or its counts do not match the lines.
    """
    head = cursor.pos
    header = _HEADER.match(cursor.data, head)
    if header is None:
        raise cursor.error(
            "this should be the header of a hunk, such as @@ -1,3 +1,4 @@, "
            f"but it is {shown(cursor.line)}"
        )
    old_start, old_count, new_start, new_count = map(int, header.groups(b"1"))
    if (old_count and not old_start) or (new_count and not new_start):
        raise cursor.error("the hunk starts at line 0, but lines are numbered from 1")
    if not old_count and not new_count:
        raise cursor.error("the header of this hunk says that it has no lines")
    marks, lines, flags = _scan_body(cursor, old_count, new_count)
    context = old_count + new_count - lines
    if context == lines:
        _refuse_word_diff(cursor, head)
    return Hunk(
        old_start, old_count, new_start, new_count, new_count - context, old_count - context,
        cursor.data, head, cursor.pos, flags | (_CRLF if crlf else 0), marks,
    )  # fmt: skip


def _scan_body(cursor: Cursor, old: int, new: int) -> _Scanned:
    """Read lines until the counts of the header are reached; return marks, line count and flags.

    This loop reads every line of the diff, so that a wrong count is found here and not later. The
    work per line is kept minimal.
    """
    data, size = cursor.data, len(cursor.data)
    head, pos = cursor.pos, cursor.end + 1
    find = data.find
    marks = [(pos, old, new)]
    lines, flags, next_mark = 0, 0, _BLOCK
    while old > 0 or new > 0:
        if lines == next_mark:
            marks.append((pos, old, new))
            next_mark += _BLOCK
        code = data[pos] if pos < size else -1
        if code == _SPACE:
            old -= 1
            new -= 1
        elif code == _PLUS:
            new -= 1
        elif code == _MINUS:
            old -= 1
        elif code == _LF or (code == _CR and data[pos + 1 : pos + 2] in (b"\n", b"")):
            flags |= _STRIPPED
            old -= 1
            new -= 1
        else:
            cursor.move(pos)
            if code != _BACKSLASH or not lines:
                raise _not_in_hunk(cursor, head, old, new)
            flags |= _unended(cursor, old, new)
            pos = cursor.pos
            continue
        lines += 1
        end = find(b"\n", pos)
        pos = end + 1 if end >= 0 else size
    cursor.move(pos)
    if old < 0 or new < 0:
        raise cursor.error("the lines of this hunk do not add up to the counts of its header", head)
    if data.startswith(b"\\", pos):
        flags |= _unended(cursor, old, new)
    return tuple(marks), lines, flags


def _unended(cursor: Cursor, old: int, new: int) -> int:
    """Return the flags for the "No newline" marker at the cursor, about the line above."""
    above = cursor.data[cursor.data.rfind(b"\n", 0, cursor.pos - 1) + 1]
    flags = {_MINUS: _OLD_UNENDED, _PLUS: _NEW_UNENDED}.get(above, _UNENDED)
    if above == _BACKSLASH or (flags & _OLD_UNENDED and old) or (flags & _NEW_UNENDED and new):
        raise cursor.error('"No newline at end of file" must follow the last line of a side')
    cursor.advance()
    return flags


def _not_in_hunk(cursor: Cursor, head: int, old: int, new: int) -> DiffError:
    """Return the error for the line at the cursor, given the lines that are still missing."""
    missing = max(old, new)
    short = f"the hunk of line {cursor.number(head)} lacks {count(missing, 'line')}"
    if cursor.at_end:
        return cursor.error(f"the diff is cut off: {short}")
    return colour_error(cursor) or cursor.error(
        "a line of a hunk starts with a space, + or -, "
        f"but this one is {shown(cursor.line)}; {short}"
    )


def _refuse_word_diff(cursor: Cursor, head: int) -> None:
    """Raise for a word diff. With indented lines it looks like a hunk with context lines only."""
    marks = (b"[-", b"{+")
    if any(cursor.data.find(mark, head, cursor.pos) >= 0 for mark in marks):
        raise cursor.error("this looks like a word diff; make it without --word-diff", head)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
