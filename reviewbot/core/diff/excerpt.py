"""Redacted lines of the diff around a finding, for renderers that show code. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from reviewbot.core.safety.redact import redact_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.core.diff.parse import DiffLine, FileDiff, Hunk
    from reviewbot.core.events.events import ReviewStarted
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.render.finding_block import CodeLine, Sign
    from reviewbot.core.safety.redact import FileRedaction

AROUND: Final = 2
MAX_LINES: Final = 40


class Excerpts:
    """Reader of code in the files of a diff.

    Args:
        files: the diff.
        started: has the file of each chunk, because a path may occur twice in a diff.
        whole_files: files that are known in full, by path. The whole file is searched for secrets.
    """

    def __init__(
        self,
        files: Sequence[FileDiff],
        started: ReviewStarted,
        whole_files: Mapping[str, FileDiff] = MappingProxyType({}),
    ) -> None:
        self._files, self._whole_files = files, whole_files
        self._file_of = {
            chunk: index for index, file in enumerate(started.files) for chunk in file.chunks
        }
        self._redactions: dict[int, FileRedaction] = {}
        self._known: dict[tuple[int, int, bool], Sequence[int]] = {}

    def around(self, finding: Finding) -> tuple[CodeLine, ...]:
        """Return number, sign and text of the lines around ``finding``; empty without lines."""
        index = self._file_of.get(finding.chunk)
        if index is None or index >= len(self._files) or finding.placement.kind == "file":
            return ()
        file = self._files[index]
        if file.path != finding.path:
            return ()
        left = finding.side == "LEFT"
        for number, hunk in enumerate(file.hunks):
            start = hunk.old_start if left else hunk.new_start
            count = hunk.old_count if left else hunk.new_count
            if start <= finding.line < start + count:
                return self._lines(index, number, finding, left=left)
        return ()

    def _lines(
        self, index: int, number: int, finding: Finding, *, left: bool
    ) -> tuple[CodeLine, ...]:
        if index not in self._redactions:
            file = self._files[index]
            self._redactions[index] = redact_file(file, self._whole_files.get(file.path))
        replaced = self._redactions[index].replacements
        hunk = self._files[index].hunks[number]
        numbers = self._numbers(index, number, hunk, left=left)
        hit = bisect_left(numbers, finding.line)
        end = min(bisect_left(numbers, finding.end_line), hit + MAX_LINES - AROUND)
        first, last = max(0, hit - AROUND), min(end + AROUND, len(numbers) - 1)
        return tuple(
            _code_line(line, replaced.get((number, at), line.text), left=left)
            for at, line in enumerate(hunk.slice(first, last + 1), start=first)
        )

    def _numbers(self, index: int, number: int, hunk: Hunk, *, left: bool) -> Sequence[int]:
        """Return the number of each line on one side; of the line before if it has no number."""
        key = (index, number, left)
        if key not in self._known:
            last = (hunk.old_start if left else hunk.new_start) - 1
            numbers = array("q")
            for kind, _ in hunk.iter_raw():
                last += kind != ("added" if left else "removed")
                numbers.append(last)
            self._known[key] = numbers
        return self._known[key]


def _code_line(line: DiffLine, text: str, *, left: bool) -> CodeLine:
    """Return the line under its number on the finding's side, None where it is not on that side."""
    sign: Sign = "+" if line.kind == "added" else "-" if line.kind == "removed" else " "
    return (line.old_no if left else line.new_no, sign, text)
