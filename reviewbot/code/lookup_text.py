"""Texts of look-up results: lines with our prefixes, within the limits of a result. Pure.

Each line of code follows its prefix. A path, or the header of a definition, is a JSON string.
So no text of a file can end a result or look like a part of another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.plan.weigh import cut_line
from reviewbot.core.prompt.lookup_tools import MAX_RESULT_BYTES, MAX_RESULT_LINES
from reviewbot.core.safety.escape import cut, quoted, show
from reviewbot.core.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reviewbot.code.lookup_files import FileLines

LINE_BYTES: Final = 2_000
"""Bytes from which a line of code is shortened."""
MATCH_CHARS: Final = 200
"""Most characters of a line of a search result."""
MATCHES: Final = 50
"""Most lines of a search result. A model can name a path to narrow a search down."""
FILE_MATCHES: Final = 10
"""Most lines of one file in a search result, if several files match."""
MORE_FILES: Final = 20
"""Most files that a search result names without their lines."""
PATH_CHARS: Final = 500
ACTIVITY_CHARS: Final = 120
_NOTE_BYTES: Final = 1_000
"""Bytes that are kept free for the notes at the end of a result."""


class _Room:
    """Lines of a result until it is full; headings do not count as lines of code."""

    def __init__(self, most: int = MAX_RESULT_LINES) -> None:
        self.lines: list[str] = []
        self._bytes = MAX_RESULT_BYTES - _NOTE_BYTES
        self._count = most

    def add(self, line: str, *, heading: bool = False) -> bool:
        """Add a line and return True, or return False if it does not fit."""
        size = len(line.encode()) + 1
        if size > self._bytes or (not heading and not self._count):
            return False
        self.lines.append(line)
        self._bytes -= size
        self._count -= not heading
        return True


def read_text(file: FileLines, first: int, last: int) -> str:
    """Return lines ``first`` to ``last`` of a file, as far as they exist and fit."""
    last = min(last, len(file.lines))
    room = _Room()
    for number in range(first, last + 1):
        if not room.add(file.numbered(number, cut_line(file.lines[number - 1], LINE_BYTES))):
            last = number - 1
            note = f"--- cut here: read on from line {number}"
            break
    else:
        note = ""
    heading = f"{_heading(file)}, lines {first} to {last} of {len(file.lines)}"
    return "\n".join([heading, *room.lines, *filter(None, [note])])


def search_text(
    text: str, matches: Sequence[tuple[FileLines, Sequence[int]]], notes: Iterable[str]
) -> str:
    """Return the lines that contain a text, by file, as far as they fit.

    Args:
        text: the text.
        matches: the files in their order, with the numbers of their lines.
        notes: what the search does not cover.
    """
    room = _Room(MATCHES)
    ends = [f"--- {note}" for note in notes]
    for index, (file, numbers) in enumerate(matches):
        before = len(room.lines)
        room.add(_heading(file), heading=True)
        shown = 0
        for number in numbers[: FILE_MATCHES if len(matches) > 1 else None]:
            line = file.numbered(number, around(file.lines[number - 1], text))
            shown += room.add(line)
        if not shown:
            del room.lines[before:]
            ends.insert(0, _more_files(matches[index:]))
            break
        if shown < len(numbers):
            room.add(f"--- and {len(numbers) - shown} more lines of this file", heading=True)
    total = sum(len(numbers) for _, numbers in matches)
    amounts = f"{count(total, 'line')} in {count(len(matches), 'file')}"
    heading = f"=== search for {quoted(text, MATCH_CHARS)}: {amounts}"
    return "\n".join([heading, *room.lines, *ends])


def _more_files(matches: Sequence[tuple[FileLines, Sequence[int]]]) -> str:
    """Return a note that counts the lines that are not shown, and names their files."""
    lines = sum(len(numbers) for _, numbers in matches)
    names: list[str] = []
    for file, _ in matches[:MORE_FILES]:
        name = quoted(file.path, MATCH_CHARS)
        if len(", ".join([*names, name]).encode()) > _NOTE_BYTES // 2:
            break
        names.append(name)
    left = len(matches) - len(names)
    shown = ", ".join(names) + (f" and {left} more" if left else "")
    return f"--- and {lines} more lines in {len(matches)} more files: {shown}; give a path"


def around(line: str, text: str) -> str:
    """Return the part of a long line around the first occurrence of a text."""
    if len(line) <= MATCH_CHARS:
        return line
    at = max(line.find(text), 0)
    start = max(0, min(at - MATCH_CHARS // 3, len(line) - MATCH_CHARS))
    end = min(len(line), start + MATCH_CHARS)
    before = f"[CUT {start} characters]" if start else ""
    after = f"[CUT {len(line) - end} characters]" if end < len(line) else ""
    return f"{before}{line[start:end]}{after}"


def activity(text: str, rest: str = "") -> str:
    """Return what a look-up does, on one line and without characters that move or hide text.

    ``rest`` is not shortened.
    """
    return cut(show(text), ACTIVITY_CHARS) + show(rest)


def _heading(file: FileLines) -> str:
    version = "old version" if file.is_base else file.status
    return f"=== file {quoted(file.path, PATH_CHARS)}, {version}"
