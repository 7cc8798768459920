"""Replace git's headings of hunks by those of a parser. Pure.

git takes the last line above a hunk that looks like a heading. For most languages this is a line
without indentation, so it names the class and not the method, or another function that ended.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from reviewbot.core.diff.cursor import Cursor
from reviewbot.core.diff.hunks import scan_hunk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reviewbot.core.diff.hunks import Hunk
    from reviewbot.core.diff.parse import FileDiff


class Heading(NamedTuple):
    """The header of a function or class, and the line of the new file where it begins."""

    line: int
    text: str


def first_change(hunk: Hunk) -> int:
    """Return the line of the new file at which a hunk begins to change it.

    It is the first added line, or the line above lines that are removed only.
    """
    above: int | None = None
    removed = False
    for line in hunk.iter_lines():
        if line.kind == "added" or (removed and line.kind == "context" and above is None):
            return line.new_no or hunk.new_start
        if line.kind == "removed":
            removed = True
        elif removed:
            break
        else:
            above = line.new_no
    return above or hunk.new_start


def with_headings(file: FileDiff, headings: Mapping[int, Heading]) -> FileDiff:
    """Return ``file`` with the known headings, except headers that the hunk itself shows.

    Args:
        file: a file of a diff.
        headings: what encloses the first change of a hunk, by the line of :func:`first_change`.
    """
    return replace(file, hunks=tuple(_renamed(hunk, headings) for hunk in file.hunks))


def _renamed(hunk: Hunk, headings: Mapping[int, Heading]) -> Hunk:
    heading = headings.get(first_change(hunk))
    if heading is None or heading.line >= hunk.new_start:
        return hunk
    header, _, body = hunk.raw.partition(b"\n")
    ranges = header[: header.index(b"@@", 2) + 2]
    text = heading.text.encode("utf-8", "surrogateescape")
    return scan_hunk(Cursor(b"%b %b\n%b" % (ranges, text, body)), crlf=False)
