"""Hunks to review."""

from __future__ import annotations

import asyncio
from typing import Any

from reviewbot.core.diff.parse import DiffLine
from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk
from reviewbot.models.offline.model import Scan
from reviewbot.models.offline.parser import Allowance
from reviewbot.models.offline.text_checks import check_text
from tests.in_process import parser


def hunk(text: str, *, start: int = 1) -> ShownHunk:
    """A hunk from its diff lines; ``~`` in front marks an added line of the overlap."""
    lines = []
    owned = []
    old = new = start
    for row in text.strip("\n").split("\n"):
        mark, code = row[:1], row[1:]
        if mark == "-":
            lines.append(DiffLine("removed", old, None, code))
            old += 1
        elif mark in ("+", "~"):
            lines.append(DiffLine("added", None, new, code))
            new += 1
        else:
            lines.append(DiffLine("context", old, new, code))
            old, new = old + 1, new + 1
        owned.append(mark != "~")
    return ShownHunk(start, start, "", tuple(lines), tuple(owned))


def chunk(path: str, *hunks: ShownHunk) -> ChunkView:
    return ChunkView("c", path, None, "modified", 1, 1, hunks)


def added(path: str, code: str) -> ChunkView:
    """A chunk of one hunk in which every line is new."""
    return chunk(path, hunk("\n".join(f"+{line}" for line in code.split("\n"))))


def review_chunk(view: ChunkView) -> list[dict[str, Any]]:
    """The findings of the offline rules, parsed in this process."""
    scan = Scan(view)
    matched = parser().match(scan.language, scan.hunks, scan.patterns, Allowance())
    texts = check_text(scan.language, scan.texts) if scan.texts else ()
    return scan.items(asyncio.run(matched), [*texts])


def review(path: str, text: str, *, start: int = 1) -> list[dict[str, Any]]:
    return review_chunk(chunk(path, hunk(text, start=start)))
