"""Where a reader stands in the bytes of a diff, and the error at that place. Pure."""

from __future__ import annotations

from reviewbot.errors import DiffError


class Cursor:
    """Reads the bytes of a diff line by line, where a line ends at a line feed only.

    ``pos`` is the offset of the current line. Lines are numbered only when an error needs it.
    """

    __slots__ = ("data", "pos")

    def __init__(self, data: bytes, pos: int = 0) -> None:
        self.data, self.pos = data, pos

    @property
    def at_end(self) -> bool:
        """True where no line is left."""
        return self.pos >= len(self.data)

    @property
    def line(self) -> bytes:
        """The current line without its end: a line feed, or one behind a carriage return.

        Right for headers, whose names git quotes if they hold a carriage return. Lines of hunks
        are read by :mod:`reviewbot.core.hunks`.
        """
        return self.raw_line.removesuffix(b"\r")

    @property
    def raw_line(self) -> bytes:
        """The current line without its line feed."""
        return self.data[self.pos : self._line_end()]

    @property
    def cut(self) -> bool:
        """True if the input ends within the current line: its line feed is missing."""
        return self._line_end() == len(self.data)

    def advance(self) -> None:
        """Go to the next line."""
        self.pos = self._line_end() + 1

    def starts(self, prefix: bytes) -> bool:
        """Whether the current line starts with ``prefix``."""
        return self.data.startswith(prefix, self.pos)

    def next_starts(self, prefix: bytes) -> bool:
        """Whether the line after the current one starts with ``prefix``."""
        return self.data.startswith(prefix, self._line_end() + 1)

    def error(self, message: str, pos: int | None = None) -> DiffError:
        """An error for the line at ``pos``, by default the current one."""
        return DiffError(message, line=self.number(pos))

    def number(self, pos: int | None = None) -> int:
        """The 1-based number of the line at ``pos``; at the end of the input, of the last line."""
        at = self.pos if pos is None else pos
        if at >= len(self.data):
            at = max(len(self.data) - 1, 0)
        return self.data.count(b"\n", 0, at) + 1

    def _line_end(self) -> int:
        end = self.data.find(b"\n", self.pos)
        return len(self.data) if end < 0 else end


def colour_error(cursor: Cursor) -> DiffError | None:
    """The refusal of a diff with colour codes, if the line at the cursor starts with one."""
    if cursor.starts(b"\x1b["):
        return cursor.error("the diff has colour codes; make it with: git diff --no-color")
    return None


def shown(line: bytes) -> str:
    """``line`` as an error message quotes it: short, on one line, nothing in it active."""
    text = line[:200].decode("utf-8", "replace")
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return f'"{text[:60]}..."' if len(text) > 60 else f'"{text}"'
