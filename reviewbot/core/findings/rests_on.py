"""Looked-up code that a finding rests on: quotes of a model, checked against the code. Pure.

A model names path and quote; the lines are found here. A quote that the file does not have is
dropped, so only the check decides whether a finding was looked up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.hunks import DiffLine
from reviewbot.core.findings.anchors import AnchorIndex
from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk
from reviewbot.core.safety.escape import show_line

if TYPE_CHECKING:
    from collections.abc import Sequence

QUOTE_LINES: Final = 20
"""Most lines of a quote."""
QUOTE_CHARS: Final = 2_000
"""Most characters of a quote."""
_DISTINCTIVE: Final = 8
"""Characters without white space that a quote needs: a bracket proves nothing."""


def locate_quote(quote: str, lines: Sequence[str]) -> tuple[int, int] | None:
    """Return the first and last line of a quote; None if the lines do not have it.

    Args:
        quote: the quote, perhaps with our prefixes.
        lines: the redacted lines of a whole file.
    """
    shown = tuple(DiffLine("context", None, at, text) for at, text in enumerate(lines, 1))
    hunk = ShownHunk(0, 1, "", shown, (False,) * len(shown))
    index = AnchorIndex([ChunkView("", "", None, "unchanged", 1, 1, (hunk,))])
    anchor = index.find("", quote, "RIGHT", 0)
    if anchor is None or len(anchor.lines) > QUOTE_LINES:
        return None
    text = "".join("".join(line.text.split()) for line in anchor.lines)
    return (anchor.line, anchor.end_line) if len(text) >= _DISTINCTIVE else None


def quoted_lines(lines: Sequence[str], first: int, last: int) -> str:
    """Return the text of lines ``first`` to ``last``, safe to show, within the limit of a quote."""
    return "\n".join(map(show_line, lines[first - 1 : last]))[:QUOTE_CHARS]
