"""Turn the edits of a linter into a suggestion for whole lines. Pure."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reviewbot.models.linters.base import TextEdit


def whole_lines(
    edits: Sequence[TextEdit],
    lines: Sequence[str],
    first: int,
    last: int,
    changeable: Collection[int],
) -> str | None:
    """Return the text that replaces lines ``first`` to ``last``.

    Return None if there are no edits, if they overlap, or if one of them touches another line or a
    line that must not change.

    Args:
        edits: the edits.
        lines: the text.
        first: the first line of the result, from 1.
        last: the last line of the result.
        changeable: numbers of the lines that may change.
    """
    text = "\n".join(lines[first - 1 : last])
    replaced: list[tuple[int, int, str]] = []
    for edit in edits:
        touched = range(edit.line, edit.end_line + 1)
        if not touched or touched[0] < first or touched[-1] > last:
            return None
        if not all(number in changeable for number in touched):
            return None
        start = _offset(lines, first, edit.line, edit.column)
        end = _offset(lines, first, edit.end_line, edit.end_column)
        if start is None or end is None or end < start:
            return None
        replaced.append((start, end, edit.text))
    replaced.sort()
    if any(one[1] > other[0] or one[0] == other[0] for one, other in pairwise(replaced)):
        return None
    for start, end, new in reversed(replaced):
        text = text[:start] + new + text[end:]
    return text if replaced else None


def _offset(lines: Sequence[str], first: int, line: int, column: int) -> int | None:
    """Return the position in the text from line ``first`` on; None if the line is shorter."""
    if not 1 <= column <= len(lines[line - 1]) + 1:
        return None
    return sum(len(one) + 1 for one in lines[first - 1 : line - 1]) + column - 1
