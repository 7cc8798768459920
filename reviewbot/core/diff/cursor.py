"""Where a reader stands in the bytes of a diff, and the error at that place. Pure."""

from __future__ import annotations

from typing import Final

from reviewbot.errors import DiffError

_SHOWN: Final = 4


class Cursor:
    """Reads the bytes of a diff line by line, where a line ends at a line feed only.

    ``pos`` is the offset of the current line. ``line`` is that line without its end, which is a
    line feed or, then ``crlf`` is true, one behind a carriage return. That is right for headers,
    where git quotes a name with a carriage return; lines of hunks are read elsewhere. At the end
    of the input ``line`` is empty. Lines are numbered only when an error needs it.
    """

    __slots__ = ("crlf", "data", "end", "line", "pos")

    def __init__(self, data: bytes, pos: int = 0) -> None:
        self.data = data
        self.move(pos)

    def move(self, pos: int) -> None:
        """Go to the line that starts at ``pos``."""
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
        """Go to the next line."""
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
        """The 1-based number of the line at ``pos``; at the end of the input, of the last line."""
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
    """How ``line`` begins, as an error message quotes it: on one line, nothing in it active.

    Its marker and what kind of line it is can be told from that. More of a line of code could be a
    secret: nobody searches a diff that cannot be read, and an error is shown and logged.

    Args:
        line: the line.
        most: characters shown; more only of lines that hold names of files alone.
    """
    text = line[: 4 * most].decode("utf-8", "replace")
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return f'"{text[:most]}..."' if len(text) > most else f'"{text}"'
