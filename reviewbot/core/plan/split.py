"""Split one file of a diff to parts within a budget, between or inside hunks. Pure.

The time is linear. A hunk is read once, and only the lines of about two parts are kept in memory.
"""

from __future__ import annotations

import math
import re
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from reviewbot.core.plan.weigh import (
    TOKENIZED_FILE,
    LineCost,
    TokenCount,
    estimate_lines,
    file_header,
    hunk_bound,
    hunk_header,
    longest_line,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reviewbot.core.diff.parse import FileDiff, Hunk

OVERLAP_LINES = 4
"""Lines of the neighbouring part that are shown around a split, as context."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of lines of one hunk: ``hunk.lines[start:stop]`` is this chunk's responsibility.

    ``show_start <= start`` and ``show_stop >= stop`` add the overlap, shown as context only.
    """

    hunk: int
    start: int
    stop: int
    show_start: int
    show_stop: int


@dataclass(frozen=True, slots=True)
class Part:
    """Part of a file for one chunk. ``line_limit`` is set if lines are truncated."""

    segments: tuple[Segment, ...]
    tokens: int
    line_limit: int | None = None


def split_file(file: FileDiff, *, count: TokenCount, budget: int) -> tuple[Part, ...]:
    """Return the parts of ``file``, in order; a single one if it fits.

    Every line of every hunk is owned by exactly one segment. ``tokens`` of a part, overlap and
    headers included, is at most ``budget`` unless its path alone takes a quarter of it.

    Args:
        file: has at least one hunk.
        count: the estimate.
        budget: tokens of a part.
    """
    header = file_header(file, count)
    whole = header + sum(hunk_bound(hunk, count) for hunk in file.hunks)
    if whole <= budget:
        segments = tuple(_whole(index, hunk) for index, hunk in enumerate(file.hunks))
        return (Part(segments, math.ceil(whole)),)
    splitter = _Splitter(
        count=count,
        header=header,
        budget=max(float(budget), header + budget * 0.75),
        tokenized=file.size <= TOKENIZED_FILE,
    )
    for index, hunk in enumerate(file.hunks):
        splitter.add(index, hunk)
    return splitter.close()


def _whole(index: int, hunk: Hunk) -> Segment:
    count = hunk.line_count
    return Segment(index, 0, count, 0, count)


@dataclass(slots=True)
class _Splitter:
    """Packer of hunks into parts; ``used`` is the tokens of the open part."""

    count: TokenCount
    header: float
    budget: float
    tokenized: bool
    parts: list[Part] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    used: float = 0.0
    limit: int | None = None

    def add(self, index: int, hunk: Hunk) -> None:
        bound = hunk_bound(hunk, self.count)
        if not self.tokenized and self.header + bound <= self.budget:
            self._append(_whole(index, hunk), bound, None)
            return
        heading = hunk_header(hunk, self.count)
        walk = self._walk(hunk, self.budget - self.header - heading)
        walk.fill()
        if walk.complete and walk.tokens <= walk.room:
            self._append(_whole(index, hunk), heading + walk.tokens, _limit(walk.lines))
            return
        while walk.lines:
            piece = walk.take()
            start, stop = piece.start - piece.before, piece.stop + piece.after
            segment = Segment(index, piece.start, piece.stop, start, stop)
            self._append(segment, heading + piece.tokens, piece.limit)

    def _walk(self, hunk: Hunk, room: float) -> _Walk:
        limit = longest_line(self.budget - self.header, self.count)
        lines = estimate_lines(
            hunk, count=self.count, tokenized=self.tokenized, limit=limit, room=room
        )
        return _Walk(lines, room=room)

    def close(self) -> tuple[Part, ...]:
        self._flush()
        return tuple(self.parts)

    def _append(self, segment: Segment, tokens: float, limit: int | None) -> None:
        if self.segments and self.header + self.used + tokens > self.budget:
            self._flush()
        self.segments.append(segment)
        self.used += tokens
        self.limit = limit if self.limit is None else self.limit

    def _flush(self) -> None:
        tokens = math.ceil(self.header + self.used - 1e-6)  # ignore rounding errors
        self.parts.append(Part(tuple(self.segments), tokens, self.limit))
        self.segments, self.used, self.limit = [], 0.0, None


def _limit(lines: Iterable[LineCost]) -> int | None:
    return next((line.limit for line in lines if line.limit is not None), None)


class _Taken(NamedTuple):
    """A piece of a hunk: lines ``start`` to ``stop``, with overlap on both sides."""

    start: int
    stop: int
    before: int
    after: int
    tokens: float
    limit: int | None


@dataclass(slots=True)
class _Walk:
    """Splitter of one hunk into pieces, which buffers the lines of about two parts."""

    source: Iterator[LineCost]
    room: float
    lines: deque[LineCost] = field(default_factory=deque)
    tokens: float = 0.0
    taken: int = 0
    past: tuple[LineCost, ...] = ()
    complete: bool = False

    @property
    def target(self) -> float:
        """Maximum tokens of the owned lines of a piece. The remaining eighth is for overlap."""
        return self.room * 0.875

    def fill(self) -> None:
        """Look ahead far enough that the last two pieces can share evenly."""
        while not self.complete and self.tokens <= 2 * self.room:
            line = next(self.source, None)
            if line is None:
                self.complete = True
            else:
                self.lines.append(line)
                self.tokens += line.tokens

    def take(self) -> _Taken:
        """Return the next piece; there must be lines left."""
        self.fill()
        count = len(self.lines)
        if not self.complete or self.tokens > self.target:
            count = self._boundary()
        piece = [self.lines.popleft() for _ in range(count)]
        tokens = math.fsum(line.tokens for line in piece)
        start, stop = self.taken, self.taken + count
        before = _fitting(reversed(self.past), (self.room - tokens) / 2)
        after = _fitting(self.lines, (self.room - tokens) / 2)
        shown = [*self.past[len(self.past) - before :], *piece, *islice(self.lines, after)]
        self.taken, self.past = stop, tuple([*self.past, *piece][-OVERLAP_LINES:])
        self.tokens = math.fsum(line.tokens for line in self.lines)
        return _Taken(
            start,
            stop,
            before,
            after,
            math.fsum(line.tokens for line in shown),
            _limit(shown),
        )

    def _boundary(self) -> int:
        """Return the number of lines for the next piece."""
        low, ideal = self.target / 2, self.target
        if self.complete and self.tokens <= 2 * self.target:
            low, ideal = self.tokens - self.target, self.tokens / 2
        best, best_score, sum_before = 1, -math.inf, 0.0
        lines = iter(self.lines)
        previous = next(lines)
        for index, line in enumerate(lines, start=1):
            sum_before += previous.tokens
            if sum_before > self.target:
                break
            score = -math.inf
            if sum_before >= low:
                score = boundary_score(previous, line)
                score -= 4 * abs(sum_before - ideal) / self.target
            # Below the minimum size, the furthest boundary is best.
            if score > best_score or best_score == -math.inf:
                best, best_score = index, score
            previous = line
        return best


def _fitting(lines: Iterable[LineCost], tokens: float) -> int:
    """Return how many of the first ``OVERLAP_LINES`` fit in ``tokens``."""
    fit = 0
    for line in islice(lines, OVERLAP_LINES):
        tokens -= line.tokens
        if tokens < 0:
            break
        fit += 1
    return fit


_DEFINITION = re.compile(
    rb"@|(?:abstract|async|class|const|def|enum|export|fn|func|function|impl|import|interface"
    rb"|internal|macro_rules!|mod|module|namespace|object|package|private|protected|pub|public"
    rb"|record|sealed|static|struct|sub|template|test|trait|type|union)\b"
)
_COMMENTS = (b"#", b"//", b"/*", b"*", b"--", b'"""', b"'''", b";;", b"<!--", b"@")
_CLOSERS = (b"}", b")", b"]", b"end", b"</", b"else", b"elif", b"except", b"catch", b"finally")


def boundary_score(above: LineCost, below: LineCost) -> float:
    """Return a score for a split between two lines; higher is better, by at most a few points.

    A change is not separated from the lines that it replaces, if there is any other position. Good
    positions are after a blank line, before an unindented definition, and in unchanged code.
    """
    score = 0.0
    if below.replacing and (below.kind == "added" or above.kind == "removed"):
        # Between a removed run and its replacement, or inside either.
        score -= 50 if above.kind == "removed" and below.kind == "added" else 20
    if above.kind == below.kind == "context":
        score += 2
    upper, lower = above.head.strip(), below.head.strip()
    if not lower:
        return score - 1
    if not upper:
        score += 3
    elif upper.startswith(_COMMENTS):
        score -= 3  # a comment or decorator belongs to what follows
    if lower.startswith(_CLOSERS):
        score -= 4
    elif _DEFINITION.match(lower):
        score += 2
    return score + 2 - _indentation(below.head) / 2


def _indentation(head: bytes) -> int:
    """Return the number of columns of white space before the text, at most 40."""
    expanded = head.expandtabs(4)
    return min(len(expanded) - len(expanded.lstrip()), 40)
