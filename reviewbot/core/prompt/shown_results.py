"""Read the results of look-ups back: the lines of code that a model was shown. Pure.

Only we write the headings of a result and the prefixes of its lines, so text of a file cannot look
like either (:mod:`reviewbot.code.lookup_text`).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.hunks import DiffLine
from reviewbot.core.diff.numbered_line import parse_line
from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CUT: Final = "[CUT "
_HEADING: Final = re.compile(r'=== file ("(?:[^"\\]|\\.)*+"),')


def shown_in_results(results: Iterable[str]) -> Iterator[ChunkView]:
    """Yield the lines of code in results of look-ups, as unchanged files.

    A file whose path is shown with escapes is left out, and so is a line that was shown in part.
    """
    for number, result in enumerate(results):
        path: str | None = None
        lines: list[DiffLine] = []
        for text in result.split("\n"):
            if text.startswith("==="):
                yield from _views(number, path, lines)
                heading = _HEADING.match(text)
                path, lines = json.loads(heading[1]) if heading else None, []
            elif _CUT not in text and (parsed := parse_line(text)) is not None:
                old, new = (parsed.number, None) if parsed.side == "L" else (None, parsed.number)
                lines.append(DiffLine("context", old, new, parsed.text))
        yield from _views(number, path, lines)


def _views(number: int, path: str | None, lines: list[DiffLine]) -> Iterator[ChunkView]:
    """Yield a file with one hunk for each run of consecutive lines."""
    if path is None or not lines or "\\" in path:
        return
    runs: list[list[DiffLine]] = []
    for line in lines:
        if runs and _number(line) == _number(runs[-1][-1]) + 1:
            runs[-1].append(line)
        else:
            runs.append([line])
    hunks = tuple(
        ShownHunk(run[0].old_no or 0, run[0].new_no or 0, "", tuple(run), (False,) * len(run))
        for run in runs
    )
    yield ChunkView(f"looked-up-{number}", path, None, "unchanged", 1, 1, hunks)


def _number(line: DiffLine) -> int:
    return line.old_no or line.new_no or 0
