"""Hunks, and how a model sees them."""

from __future__ import annotations

from reviewbot.core.diff.parse import DiffLine
from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk


def hunk(text: str, *, old: int = 1, new: int = 1) -> ShownHunk:
    """A hunk from lines that start with '+', '-' or ' '."""
    lines: list[DiffLine] = []
    old_no, new_no = old, new
    for row in text.split("\n"):
        match row[:1]:
            case "+":
                lines.append(DiffLine("added", None, new_no, row[1:]))
            case "-":
                lines.append(DiffLine("removed", old_no, None, row[1:]))
            case _:
                lines.append(DiffLine("context", old_no, new_no, row[1:]))
        old_no += row[:1] != "+"
        new_no += row[:1] != "-"
    return ShownHunk(old, new, "", tuple(lines), (True,) * len(lines))


def view(*hunks: ShownHunk, path: str = "a.py", name: str = "c1") -> ChunkView:
    return ChunkView(name, path, path, "modified", 1, 1, hunks)
