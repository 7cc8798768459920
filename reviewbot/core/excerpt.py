"""The lines of the diff around a finding, redacted, for whoever shows code beside words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.redact import redact_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.chunks import Plan
    from reviewbot.core.diff import FileDiff, Line
    from reviewbot.core.findings import Finding
    from reviewbot.core.redact import FileRedaction
    from reviewbot.core.render.finding_block import CodeLine, Sign

AROUND: Final = 2
MAX_LINES: Final = 40


class Excerpts:
    """Looks up code in the files of a diff.

    Args:
        files: the diff.
        plan: says which file a finding's chunk is of: a path may come twice in a diff.
    """

    def __init__(self, files: Sequence[FileDiff], plan: Plan) -> None:
        self._files = files
        self._file_of = {chunk.id: chunk.file for chunk in plan.chunks}
        self._redactions: dict[int, FileRedaction] = {}

    def around(self, finding: Finding) -> tuple[CodeLine, ...]:
        """Number, sign and text of the lines around ``finding``; empty if it stands on none."""
        index = self._file_of.get(finding.chunk)
        if index is None or finding.placement.kind == "file":
            return ()
        if index not in self._redactions:
            self._redactions[index] = redact_file(self._files[index])
        replaced = self._redactions[index].replacements
        left = finding.side == "LEFT"
        for number, hunk in enumerate(self._files[index].hunks):
            start = hunk.old_start if left else hunk.new_start
            length = hunk.old_count if left else hunk.new_count
            if not start <= finding.line < start + length:
                continue
            rows = list(enumerate(hunk.lines))
            hit = [
                at
                for at, line in rows
                if (here := line.old_no if left else line.new_no) is not None
                and finding.line <= here <= finding.end_line
            ]
            first, last = max(0, hit[0] - AROUND), min(hit[-1] + AROUND, hit[0] + MAX_LINES)
            return tuple(
                _code_line(line, replaced.get((number, at), line.text), left=left)
                for at, line in rows[first : last + 1]
            )
        return ()


def _code_line(line: Line, text: str, *, left: bool) -> CodeLine:
    """The line under its number on the finding's side, None where it is not on that side."""
    sign: Sign = "+" if line.kind == "added" else "-" if line.kind == "removed" else " "
    return (line.old_no if left else line.new_no, sign, text)
