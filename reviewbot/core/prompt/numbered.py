r"""Chunks as numbered lines, each behind our own prefix: the fence around a stranger's text. Pure.

::

    === file "shop/charge.py", modified
    --- hunk in "def charge(order):"
    R  41   | def charge(order):
    L  42 - |     due = order.net
    R  42 + |     due = order.net * rate

A line of code is side, number on that side, mark, ``| ``, text. One number and one side a line, so
that a model copies and never counts. Context is R; so are the neighbours that another part of the
file answers for, which have no mark whatever their kind (a removed one is then an unmarked L). Text
goes through :func:`~reviewbot.core.safety.escape.show_line`, so nothing in a diff can end its line
early, reach the first column or close a block; paths and headings are JSON strings. Lines that
start with ``===`` or ``---`` are ours.

The examples in ``prompts/examples`` are written in this very form and a test holds them to it: a
change here changes them, and with them :func:`~reviewbot.core.prompt.templates.prompt_version`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from reviewbot.core.plan.weigh import SECTION_LIMIT
from reviewbot.core.safety.escape import quoted, show_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.diff.parse import Line
    from reviewbot.core.plan.chunks import ChunkView, ShownHunk

# A path is a file name; what is longer was made to hurt.
PATH_LIMIT: Final = 4_096
INSTRUCTIONS_LIMIT: Final = 4_000
"""Characters of instructions that a prompt holds for the repository, and for one file."""

_MARKS: Final = {"added": "+", "removed": "-", "context": " "}
# As models copy it: aligned anew, and without the blank that ends the prefix of an empty line.
_LINE: Final = re.compile(r"([RL]) {1,8}([0-9]{1,10}) ([ +-]) \| ?(.*)")


class NumberedLine(NamedTuple):
    """What a line of the prompt says: see the module."""

    side: Literal["R", "L"]
    number: int
    mark: Literal[" ", "+", "-"]
    text: str


def format_line(line: Line, *, owned: bool = True) -> str:
    """``line`` behind its prefix.

    Args:
        line: a line of a hunk.
        owned: false for a line that another chunk answers for: it gets no mark.
    """
    removed = line.kind == "removed"
    side, number = ("L", line.old_no) if removed else ("R", line.new_no)
    mark = _MARKS[line.kind] if owned else " "
    return f"{side} {number or 0:>3} {mark} | {show_line(line.text)}"


def parse_line(rendered: str) -> NumberedLine | None:
    """The parts of a line of :func:`format_line`, also as a model copies it; None if it is none."""
    match = _LINE.fullmatch(rendered)
    if match is None:
        return None
    side, number, mark, text = match.groups()
    # The pattern admits exactly these values.
    return NumberedLine(side, int(number), mark, text)  # type: ignore[arg-type]


def chunk_lines(chunk: ChunkView) -> Iterator[str]:
    """The lines that show ``chunk``: heading, instructions for its path, hunks. Linear."""
    yield from heading_lines(chunk)
    for hunk in chunk.hunks:
        yield from hunk_lines(hunk)


def heading_lines(chunk: ChunkView) -> Iterator[str]:
    """What stands above the hunks of ``chunk``: its path, and the instructions for it."""
    heading = f"=== file {quoted(chunk.path, PATH_LIMIT)}, {chunk.status}"
    if chunk.old_path is not None and chunk.old_path != chunk.path:
        heading += f" from {quoted(chunk.old_path, PATH_LIMIT)}"
    if chunk.parts > 1:
        heading += f", part {chunk.part} of {chunk.parts}"
    yield heading
    if chunk.instructions:
        rules = "\n".join(sorted(chunk.instructions)).replace("\r\n", "\n")
        yield f"--- instructions for this file: {quoted(rules, INSTRUCTIONS_LIMIT)}"


def hunk_lines(hunk: ShownHunk) -> Iterator[str]:
    """The lines that show ``hunk``, its heading first."""
    yield _hunk_heading(hunk)
    for line, owned in zip(hunk.lines, hunk.owned, strict=True):
        yield format_line(line, owned=owned)
        if line.no_newline and line.kind != "context":
            yield "--- no line end after this line"


def _hunk_heading(hunk: ShownHunk) -> str:
    heading = f"--- hunk in {quoted(hunk.section, SECTION_LIMIT)}" if hunk.section else "--- hunk"
    # The text of a line does not show its line end, but a change of line ends alone would
    # otherwise look like lines replaced by themselves.
    mixed = len({line.text.endswith("\r") for line in hunk.lines}) > 1
    return f"{heading}, some line ends CRLF and some LF" if mixed else heading
