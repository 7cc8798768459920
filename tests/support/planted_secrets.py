"""Hunks with planted secrets, and how they are redacted."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reviewbot.core.diff.parse import DiffLine
from reviewbot.core.safety.redact import redact_file

if TYPE_CHECKING:
    from reviewbot.core.diff.parse import LineKind

BODY = [
    base64.b64encode(bytes((i * 7 + j * 13) % 256 for j in range(48))).decode() for i in range(4)
]
BODY.append("cXdlcnR5dWlvcA==")
BEGIN, END = (f"-----{word} RSA " + "PRIVATE KEY-----" for word in ("BEGIN", "END"))
KEY = "[REDACTED:private-key]"
KINDS: dict[str, LineKind] = {" ": "context", "+": "added", "-": "removed"}


@dataclass(frozen=True)
class Hunk:
    lines: tuple[DiffLine, ...]
    section: str = ""


@dataclass(frozen=True)
class File:
    hunks: tuple[Hunk, ...]
    path: str = "a.py"


def hunk(text: str, section: str = "", *, old: int = 1, new: int = 1) -> Hunk:
    """A hunk from rows that begin with a space, ``+`` or ``-``."""
    lines = []
    for row in text.split("\n"):
        kind = KINDS[row[0]]
        lines.append(
            DiffLine(
                kind, None if kind == "added" else old, None if kind == "removed" else new, row[1:]
            )
        )
        old, new = old + (kind != "added"), new + (kind != "removed")
    return Hunk(tuple(lines), section)


def redacted(file: File) -> list[list[str]]:
    """The lines of each hunk as they are sent."""
    replaced = redact_file(file).replacements
    return [
        [replaced.get((h, i), line.text) for i, line in enumerate(hunk.lines)]
        for h, hunk in enumerate(file.hunks)
    ]
