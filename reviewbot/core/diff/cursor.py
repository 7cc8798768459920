"""Reading position in the bytes of a diff, with errors for that position. Pure."""

from __future__ import annotations

from typing import Final

from reviewbot.errors import DiffError

_SHOWN: Final = 4


class Cursor:
    """Reader of the bytes of a diff, line by line. Only a line feed ends a line.

    ``pos`` is the offset of the current line. ``line`` is the current line without its line end.
    ``crlf`` is True if a carriage return precedes the line feed. This is correct for headers,
    because git quotes names with a carriage return; other code reads the lines of hunks. At the end
    of the input ``line`` is empty. Lines are numbered only for errors.
    """

    __slots__ = ("crlf", "data", "end", "line", "pos")

    def __init__(self, data: bytes, pos: int = 0) -> None:
        self.data = data
        self.move(pos)

    def move(self, pos: int) -> None:
        """Move to the line that starts at ``pos``."""
        data = self.data
        end = data.find(b"\n", pos)
        if end < 0:
            end = len(data)
        line = data[pos:end]
        self.pos, self.end, self.line = pos, end, line
        self.crlf = line.endswith(b"\r")
        if self.crlf:
            self.line = line[:-1]

    def advance(self) -> None:
        """Move to the next line."""
        self.move(min(self.end + 1, len(self.data)))

    @property
    def at_end(self) -> bool:
        """True where no line is left."""
        return self.pos >= len(self.data)

    @property
    def cut(self) -> bool:
        """True if the input ends within the current line: its line feed is missing."""
        return self.end == len(self.data)

    def next_starts(self, prefix: bytes) -> bool:
        """Return whether the line after the current one starts with ``prefix``."""
        return self.data.startswith(prefix, self.end + 1)

    def error(self, message: str, pos: int | None = None) -> DiffError:
        """Return an error for the line at ``pos``, by default the current one."""
        return DiffError(message, line=self.number(pos))

    def number(self, pos: int | None = None) -> int:
        """Return the 1-based line number at ``pos``; at the end of the input, of the last line."""
        at = self.pos if pos is None else pos
        if at >= len(self.data):
            at = max(len(self.data) - 1, 0)
        return self.data.count(b"\n", 0, at) + 1


def colour_error(cursor: Cursor) -> DiffError | None:
    """Return the refusal of a diff with colour codes, if the line at the cursor starts with one."""
    if cursor.line.startswith(b"\x1b["):
        return cursor.error("the diff has colour codes; make it with: git diff --no-color")
    return None


def shown(line: bytes, most: int = _SHOWN) -> str:
    """Return the beginning of ``line`` for an error message, without control characters.

    The beginning shows the kind of line. The rest of a line of code could contain a secret, because
    an invalid diff is never searched for secrets, and errors are shown and logged.

    Args:
        line: the line.
        most: maximum number of characters; use more only for lines with nothing but file names.
    """
    text = line[: 4 * most].decode("utf-8", "replace")
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return f'"{text[:most]}..."' if len(text) > most else f'"{text}"'
