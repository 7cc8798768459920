"""Bytes of a diff to files, hunks and numbered lines. Pure; unidiff is used in here alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FileStatus = Literal["added", "deleted", "modified", "renamed", "copied", "type-changed"]
LineKind = Literal["added", "removed", "context"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a hunk.

    ``text`` has no line end; bytes that are not UTF-8 are lone surrogates (``surrogateescape``).
    ``old_no`` and ``new_no`` are 1-based, ``None`` on the side where the line does not exist.
    ``no_newline`` is true where git says "No newline at end of file" of this line.
    """

    kind: LineKind
    old_no: int | None
    new_no: int | None
    text: str
    no_newline: bool = False
