"""A diff as GitHub sees it: files with a status and a patch, lines with sides and positions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fake_github.git import GitStore
    from tests.fake_github.rules import Rules

_HUNK = re.compile(rb"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_STATUS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "T": "modified"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a hunk; ``position`` counts from the file's first hunk header, headers included."""

    mark: str
    old: int | None
    new: int | None
    hunk: int
    position: int


@dataclass(frozen=True)
class FileDiff:
    """What happened to one file; ``section`` is its part of the diff."""

    path: str
    previous: str | None
    status: str
    old_sha: str
    new_sha: str
    section: bytes

    @cached_property
    def patch(self) -> bytes:
        """The bare hunks; empty for binary files and mere renames."""
        at = re.search(rb"^@@ ", self.section, re.MULTILINE)
        return self.section[at.start() :].removesuffix(b"\n") if at else b""

    @cached_property
    def rows(self) -> list[bytes]:
        return self.patch.split(b"\n") if self.patch else []

    @cached_property
    def lines(self) -> list[Line]:
        found: list[Line] = []
        old = new = 0
        hunk = -1
        for position, row in enumerate(self.rows):
            if (header := _HUNK.match(row)) is not None:
                old, new, hunk = int(header[1]), int(header[2]), hunk + 1
                continue
            mark = row[:1].decode("latin-1") or " "
            if mark not in " +-":
                continue
            found.append(
                Line(
                    mark, None if mark == "+" else old, None if mark == "-" else new, hunk, position
                )
            )
            old += mark != "+"
            new += mark != "-"
        return found

    @property
    def additions(self) -> int:
        return sum(line.mark == "+" for line in self.lines)

    @property
    def deletions(self) -> int:
        return sum(line.mark == "-" for line in self.lines)

    def too_large(self, rules: Rules) -> bool:
        """Whether the file is listed without its patch."""
        changed = self.additions + self.deletions
        return changed > rules.patch_lines or len(self.patch) > rules.patch_bytes

    def find(self, side: str, number: int) -> Line | None:
        """The line that a comment may stand on: deleted ones left, all others right."""
        for line in self.lines:
            if side == "LEFT" and line.mark == "-" and line.old == number:
                return line
            if side == "RIGHT" and line.mark != "-" and line.new == number:
                return line
        return None

    def at_position(self, position: int) -> Line | None:
        return next((line for line in self.lines if line.position == position), None)

    def hunk_until(self, line: Line) -> str:
        """The hunk from its header to ``line``, as comments quote it."""
        first = max(
            number
            for number, row in enumerate(self.rows[: line.position])
            if _HUNK.match(row) is not None
        )
        return b"\n".join(self.rows[first : line.position + 1]).decode("utf-8", "replace")


def read(store: GitStore, old: str, new: str) -> list[FileDiff]:
    """The files that differ between two commits, in git's order."""
    raw = store.diff(old, new, "--raw", "-z", "--abbrev=40").decode("utf-8", "surrogateescape")
    parts = iter(raw.split("\0"))
    text = store.diff(old, new)
    sections = re.split(rb"^(?=diff --git )", text, flags=re.MULTILINE)[1:]
    waiting = iter(sections)
    found: list[FileDiff] = []
    for part in parts:
        if not part:
            continue
        _, _, old_sha, new_sha, letter = part.split(" ")
        name, previous = next(parts), None
        if letter[0] in "RC":
            previous, name = name, next(parts)
        section = next(waiting)
        if letter[0] == "T":  # git writes a change of kind as a deletion and an addition
            section += next(waiting)
        status = "changed" if old_sha == new_sha else _STATUS[letter[0]]  # the mode alone
        if letter[0] == "R":
            status = "renamed"
        found.append(FileDiff(name, previous, status, old_sha, new_sha, section))
    return found


class LineMap:
    """Where lines of one version of a file are in a later one."""

    def __init__(self, store: GitStore, old: str, new: str, path: str) -> None:
        text = store.diff(old, new, "--unified=0", path=path)
        self._hunks = [
            (int(old_at), int(old_n or 1), int(new_at), int(new_n or 1))
            for old_at, old_n, new_at, new_n in re.findall(
                rb"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", text, re.MULTILINE
            )
        ]

    def find(self, number: int) -> int | None:
        """The line's new number; None where it was changed or removed."""
        shift = 0
        for old_at, old_count, _, new_count in self._hunks:
            if old_count and old_at <= number < old_at + old_count:
                return None
            if old_at + (not old_count) > number:
                break
            shift += new_count - old_count
        return number + shift
