"""Find the lines of a quote: the quote decides, the line number breaks ties. Pure.

A finding that matches nothing is kept with its reason. It is never moved to a line that does
not hold its quote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.numbered_line import parse_line
from reviewbot.core.safety.escape import show, show_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from reviewbot.core.diff.parse import DiffLine
    from reviewbot.core.findings.finding import Side
    from reviewbot.core.plan.chunk_view import ChunkView

MAX_QUOTE_LINES: Final = 400
_DISTINCTIVE: Final = (
    8  # characters without white space that make one line worth anchoring on alone
)

_ELISION = re.compile(r"^\s*(?:(?:#|//|--|/\*)\s*)?(?:\.\.\.|\u2026).*$")


@dataclass(frozen=True, slots=True)
class Anchor:
    """Location of a quote.

    ``lines`` are the lines of the diff from ``line`` to ``end_line`` on ``side``, in order.
    ``whole`` is True if the quote consists of whole lines. Only whole lines may be replaced.
    """

    chunk: str
    side: Side
    line: int
    end_line: int
    lines: tuple[DiffLine, ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class _LineRun:
    """One side of a hunk, with consecutive line numbers from ``first``."""

    chunk: str
    side: Side
    first: int
    lines: tuple[DiffLine, ...]


@dataclass(frozen=True, slots=True)
class _QuoteMatch:
    run: _LineRun
    start: int
    stop: int

    @property
    def line(self) -> int:
        return self.run.first + self.start

    def changed(self) -> bool:
        return any(line.kind != "context" for line in self.run.lines[self.start : self.stop])


def _spaceless(text: str) -> str:
    return "".join(text.split())


_LEVELS: Final[tuple[Callable[[str], str], ...]] = (str.rstrip, str.strip, _spaceless)


class _Table:
    """Index of the lines of a file by normalised text, with all texts of each run."""

    def __init__(self, runs: Iterable[_LineRun], normal: Callable[[str], str]) -> None:
        self.places: dict[str, list[tuple[_LineRun, list[str], int]]] = {}
        for run in runs:
            texts = [normal(show_line(line.text)) for line in run.lines]
            for index, text in enumerate(texts):
                self.places.setdefault(text, []).append((run, texts, index))


class AnchorIndex:
    """Search index of the lines of a batch's chunks. Linear in their size."""

    def __init__(self, views: Iterable[ChunkView]) -> None:
        self._runs: dict[str, list[_LineRun]] = {}
        self._tables: dict[tuple[str, int], _Table] = {}
        for view in views:
            self._runs.setdefault(view.path, []).extend(_runs(view))
        self._shown_paths = {show(path): path for path in self._runs}

    def path_of(self, claimed: str) -> str | None:
        """Return the file that a model means by ``claimed``; None if no file has that name."""
        bare = claimed[2:] if claimed.startswith(("./", "a/", "b/")) else claimed
        for path in (claimed, bare):
            if path in self._runs:
                return path
            if path in self._shown_paths:
                return self._shown_paths[path]
        return None

    def find(self, path: str, quote: str, side: Side, line: int) -> Anchor | None:
        """Return the location of ``quote`` in ``path``; None if it is not there.

        Matching loosens in steps (trailing white space, indentation, all white space); the first
        step with a hit decides. Of several hits the claimed side wins, then the one closest to
        the claimed line, then one with a changed line, then the first.

        Args:
            path: the file, as the chunks name it.
            quote: the code as the model copied it.
            side: the side the model claimed.
            line: the line the model claimed; 0 if it claimed none.
        """
        wanted = _quote_lines(quote)
        if not wanted or len(wanted) > MAX_QUOTE_LINES or path not in self._runs:
            return None
        for level in range(len(_LEVELS)):
            # The claimed location is the best hit; a file of equal lines has thousands of others.
            hits = self._claimed(path, wanted, level, side, line)
            hits = hits or self._whole(path, wanted, level)
            if hits:
                return _anchor(_best(hits, side, line), whole=True)
        hits = self._partial(path, wanted, line)
        return _anchor(_best(hits, side, line), whole=False) if hits else None

    def _claimed(
        self, path: str, wanted: Sequence[str], level: int, side: Side, line: int
    ) -> list[_QuoteMatch]:
        """Return the claimed location if it has the quote, once for each run that contains it."""
        normal = _LEVELS[level]
        lines = [normal(text) for text in wanted]
        hits = []
        for run in self._runs[path]:
            start = line - run.first
            shown = run.lines[start : start + len(lines)] if start >= 0 else ()
            if run.side == side and [normal(show_line(one.text)) for one in shown] == lines:
                hits.append(_QuoteMatch(run, start, start + len(lines)))
        return hits

    def _table(self, path: str, level: int) -> _Table:
        """Return the normalised lines of ``path``, computed on first use."""
        key = (path, level)
        if key not in self._tables:
            self._tables[key] = _Table(self._runs[path], _LEVELS[level])
        return self._tables[key]

    def _whole(self, path: str, wanted: Sequence[str], level: int) -> list[_QuoteMatch]:
        """Return all locations of the quote as whole lines."""
        lines = [_LEVELS[level](text) for text in wanted]
        table = self._table(path, level)
        # Start from the quote's rarest line, so that a quote of many "}" stays cheap.
        places = [(len(table.places.get(text, ())), offset) for offset, text in enumerate(lines)]
        count, offset = min(places)
        if not count:
            return []
        return [
            _QuoteMatch(run, start, start + len(lines))
            for run, texts, index in table.places[lines[offset]]
            if (start := index - offset) >= 0 and texts[start : start + len(lines)] == lines
        ]

    def _partial(self, path: str, wanted: Sequence[str], line: int) -> list[_QuoteMatch]:
        """Return the location of a shortened quote: that of its first line, if this is unique.

        Most quotes that are not found as a whole omit lines in the middle, but have a correct first
        line. A part of a line counts only if a single line contains it.
        """
        first = next((text for text in wanted if not _ELISION.match(text)), "")
        needle = _spaceless(first)
        if len(needle) < _DISTINCTIVE:
            return []
        places = self._table(path, len(_LEVELS) - 1).places
        hits = [_QuoteMatch(run, at, at + 1) for run, _, at in places.get(needle, ())]
        if not hits:
            hits = [
                _QuoteMatch(run, at, at + 1)
                for text, found in places.items()
                if needle in text
                for run, _, at in found
            ]
        lines = {hit.line for hit in hits if hit.run.side == "RIGHT"} or {hit.line for hit in hits}
        return hits if len(lines) == 1 else [hit for hit in hits if hit.line == line]


def _runs(view: ChunkView) -> Iterable[_LineRun]:
    for hunk in view.hunks:
        new = tuple(line for line in hunk.lines if line.new_no is not None)
        old = tuple(line for line in hunk.lines if line.old_no is not None)
        if new and new[0].new_no is not None:
            yield _LineRun(view.id, "RIGHT", new[0].new_no, new)
        if old and old[0].old_no is not None:
            yield _LineRun(view.id, "LEFT", old[0].old_no, old)


def _quote_lines(quote: str) -> list[str]:
    """Return the quote's lines without blank edges, and without our prefix if all have it."""
    lines = quote.replace("\r\n", "\n").split("\n")
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and not lines[-1].strip():
        lines.pop()
    numbered = [parsed for parsed in map(parse_line, lines) if parsed is not None]
    if len(numbered) == len(lines):
        lines = [parsed.text for parsed in numbered]
    # The model may quote escapes, as shown, or the text of the file; both get the same form.
    return [show_line(text) for text in lines]


def _best(hits: Sequence[_QuoteMatch], side: Side, line: int) -> _QuoteMatch:
    def order(hit: _QuoteMatch) -> tuple[bool, int, bool]:
        return (hit.run.side != side, abs(hit.line - line) if line else 0, not hit.changed())

    return min(hits, key=order)


def _anchor(hit: _QuoteMatch, *, whole: bool) -> Anchor:
    """Return the anchor of a hit. On GitHub, comments on unchanged lines are on the right side."""
    lines = hit.run.lines[hit.start : hit.stop]
    numbers = [line.new_no for line in lines if line.new_no is not None]
    side: Side = hit.run.side
    if side == "LEFT" and len(numbers) == len(lines) and not hit.changed():
        side = "RIGHT"
        first = numbers[0]
    else:
        first = hit.line
    return Anchor(hit.run.chunk, side, first, first + len(lines) - 1, lines, whole)
