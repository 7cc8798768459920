r"""Numbered lines of chunks, with our own prefixes that separate untrusted text. Pure.

::

    === file "shop/charge.py", modified
    --- hunk in "def charge(order):"
    R41 |def charge(order):
    L42-|    due = order.net
    R42+|    due = order.net * rate

A line of code is side, number on that side, mark, ``|``, text. The prefix has no blanks: aligned
in columns, it was a quarter to two fifths of a diff. Each line has one number and one side, so that
a model can copy and need not count. Context lines are R. Overlap lines, which another part of the
file owns, have no mark (a removed overlap line is an unmarked L). Text is escaped with
:func:`~reviewbot.core.safety.escape.show_line`. So text of a diff cannot end its line, start in the
first column or close a block. Paths and headings are JSON strings. Lines that start with ``===`` or
``---`` are ours.

The examples in ``prompts/examples`` have the same form, and a test checks them. A change here
changes the examples, and so :func:`~reviewbot.core.prompt.templates.prompt_version`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.numbered_line import format_line
from reviewbot.core.plan.weigh import SECTION_LIMIT
from reviewbot.core.safety.escape import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk

# Longer paths are hostile.
PATH_LIMIT: Final = 4_096
INSTRUCTIONS_LIMIT: Final = 4_000
"""Maximum characters of instructions in a prompt, for the repository and for one file."""


def chunk_lines(chunk: ChunkView) -> Iterator[str]:
    """Yield the lines that show ``chunk``: heading, instructions for its path, hunks. Linear."""
    yield from heading_lines(chunk)
    for hunk in chunk.hunks:
        yield from hunk_lines(hunk)


def heading_lines(chunk: ChunkView) -> Iterator[str]:
    """Yield the lines above the hunks of ``chunk``: its path, and the instructions for the path."""
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
    """Yield the lines that show ``hunk``, its heading first."""
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
