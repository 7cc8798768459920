"""One file of a diff to parts that fit a budget: at hunk borders, then inside a hunk. Pure.

Linear in time, and in memory but for about two budgets' worth of lines: a hunk is walked once,
never held.
"""

from __future__ import annotations

import math
import re
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reviewbot.core.diff import FileDiff, Hunk, LineKind

OVERLAP_LINES = 4
"""Lines of the neighbouring part that are shown around a split, as context."""

LINE_PREFIX = 10
"""Bytes that the prompt puts before each line: side, number and marker (``R  41 + | ``)."""

HUNK_HEADER = 40
CHUNK_HEADER = 120
"""Bytes around a hunk and a chunk in the prompt, besides section and paths."""

CUT_MARK = "[CUT "
"""How the mark in a cut line begins; whole, it is ``[CUT 1234 characters]``."""

SECTION_LIMIT = 200
"""Characters of a hunk's section that are shown; git itself writes at most 80 bytes."""

TOKENIZED_FILE = 1_000_000
"""Bytes up to which a file that may not fit is tokenized. Above, bytes are near enough: such a file
becomes dozens of parts whatever the estimate, and 100 MB would take tiktoken ten seconds."""

TOKENIZED_BLOCK = 4_096
"""Bytes of lines that are tokenized together; their tokens are shared out by size."""

HEAD = 120
"""Bytes of a line that the choice of a boundary looks at."""


class TokenCount(Protocol):
    """Estimates tokens of the model at hand. Both numbers must stay the same during a review."""

    @property
    def per_byte(self) -> float:
        """Tokens a byte counts for where text is not tokenized: on the safe side, and cheap."""
        ...

    def count(self, text: str) -> int:
        """Tokens of ``text``; may be slow the first time, must be linear."""
        ...


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
    """What one chunk of a file consists of. ``line_limit`` is set where lines are cut to it."""

    segments: tuple[Segment, ...]
    tokens: int
    line_limit: int | None = None


class _Weighed(NamedTuple):
    """A line as the splitter sees it.

    ``replacing``: removed, or added in place of removed lines above. ``limit``: bytes above which
    this line is cut, if it is.
    """

    tokens: float
    kind: LineKind
    replacing: bool
    head: bytes
    limit: int | None = None


def line_count(hunk: Hunk) -> int:
    """Lines of ``hunk``: context and removed ones are the old side's."""
    return hunk.old_count + hunk.added


def text_size(text: str) -> int:
    """Bytes of ``text`` as UTF-8; a byte that was not UTF-8 counts as one."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))


def cut_line(text: str, limit: int) -> str:
    """``text``, or its two ends around a mark if it is longer than ``limit`` bytes.

    The ends are an eighth of ``limit`` characters each: so long a line is data, which its ends
    identify as well as all of it, and four bytes a character still fit.
    """
    if len(text) * 4 <= limit or text_size(text) <= limit:
        return text
    keep = max(limit // 8, 1)
    return f"{text[:keep]}{CUT_MARK}{len(text) - 2 * keep} characters]{text[-keep:]}"


def _ends(raw: bytes, limit: int) -> bytes:
    """As :func:`cut_line` (its mark may be longer), without decoding a line that may be 100 MB."""
    keep = max(limit // 8, 1)
    head = raw[: 4 * keep].decode("utf-8", "surrogateescape")[:keep]
    tail = raw[-4 * keep :].decode("utf-8", "surrogateescape")[-keep:]
    return f"{head}{CUT_MARK}{len(raw)} characters]{tail}".encode("utf-8", "surrogateescape")


def split_file(file: FileDiff, *, count: TokenCount, budget: int) -> tuple[Part, ...]:
    """The parts of ``file``, in order; a single one if it fits.

    Every line of every hunk is owned by exactly one segment. ``tokens`` of a part, overlap and
    headers included, is at most ``budget`` unless its path alone takes a quarter of it.

    Args:
        file: has at least one hunk.
        count: the estimate.
        budget: tokens of a part.
    """
    header = count.per_byte * (CHUNK_HEADER + text_size(file.path) + text_size(file.old_path or ""))
    whole = header + sum(_bound(hunk, count) for hunk in file.hunks)
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
    count = line_count(hunk)
    return Segment(index, 0, count, 0, count)


def _bound(hunk: Hunk, count: TokenCount) -> float:
    """Tokens of ``hunk`` by its bytes alone, its section and line ends among them."""
    return count.per_byte * (HUNK_HEADER + hunk.size + LINE_PREFIX * line_count(hunk))


def _heading(hunk: Hunk, count: TokenCount) -> float:
    return count.per_byte * (HUNK_HEADER + text_size(hunk.section[:SECTION_LIMIT]))


@dataclass(slots=True)
class _Splitter:
    """Packs hunks into parts one after the other; ``used`` is what the open part takes so far."""

    count: TokenCount
    header: float
    budget: float
    tokenized: bool
    parts: list[Part] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    used: float = 0.0
    limit: int | None = None

    @property
    def line_limit(self) -> int:
        """Bytes of the longest line that fits a part of its own, under the longest section."""
        room = (self.budget - self.header) / self.count.per_byte
        return max(int(room) - HUNK_HEADER - 4 * SECTION_LIMIT - LINE_PREFIX - 2, 64)

    def add(self, index: int, hunk: Hunk) -> None:
        heading = _heading(hunk, self.count)
        bound = _bound(hunk, self.count)
        if not self.tokenized and self.header + bound <= self.budget:
            self._append(_whole(index, hunk), bound, None)
            return
        room = self.budget - self.header - heading
        walk = _Walk(self._weigh(hunk, room), room=room)
        walk.fill()
        if walk.complete and walk.tokens <= walk.room:
            self._append(_whole(index, hunk), heading + walk.tokens, _limit(walk.lines))
            return
        self._flush()
        while walk.lines:
            piece = walk.take()
            start, stop = piece.start - piece.before, piece.stop + piece.after
            segment = Segment(index, piece.start, piece.stop, start, stop)
            self._append(segment, heading + piece.tokens, piece.limit)

    def close(self) -> tuple[Part, ...]:
        self._flush()
        return tuple(self.parts)

    def _append(self, segment: Segment, tokens: float, limit: int | None) -> None:
        if self.header + self.used + tokens > self.budget:
            self._flush()
        self.segments.append(segment)
        self.used += tokens
        self.limit = limit if self.limit is None else self.limit

    def _flush(self) -> None:
        if self.segments:
            tokens = math.ceil(self.header + self.used)
            self.parts.append(Part(tuple(self.segments), tokens, self.limit))
        self.segments, self.used, self.limit = [], 0.0, None

    def _weigh(self, hunk: Hunk, room: float) -> Iterator[_Weighed]:
        """The lines of ``hunk`` with their tokens, prefix and line end included."""
        prefix = (LINE_PREFIX + 1) * self.count.per_byte
        for block in _blocks(hunk, self.line_limit):
            rate = self._rate(block)
            for kind, replacing, raw, limit in block:
                tokens = prefix + rate * len(raw)
                if tokens <= room:
                    yield _Weighed(tokens, kind, replacing, raw[:HEAD], limit)
                else:
                    # Denser than its bytes let expect. It fills a part of its own and is cut there.
                    yield _Weighed(room, kind, replacing, raw[:HEAD], len(raw) - 1)

    def _rate(self, block: list[_Raw]) -> float:
        """Tokens a byte in ``block``."""
        text = b"\n".join(line.raw for line in block)
        if not self.tokenized or not text:
            return self.count.per_byte
        return self.count.count(text.decode("utf-8", "surrogateescape")) / len(text)


class _Raw(NamedTuple):
    """A line on its way to being weighed. ``raw`` is cut already if there is a ``limit``."""

    kind: LineKind
    replacing: bool
    raw: bytes
    limit: int | None


def _blocks(hunk: Hunk, limit: int) -> Iterator[list[_Raw]]:
    """The lines of ``hunk`` in blocks of about ``TOKENIZED_BLOCK`` bytes."""
    block: list[_Raw] = []
    size, replacing = 0, False
    for kind, raw in hunk.iter_raw():
        replacing = kind == "removed" or (replacing and kind == "added")
        if len(raw) <= limit:
            block.append(_Raw(kind, replacing, raw, None))
        else:
            block.append(_Raw(kind, replacing, _ends(raw, limit), limit))
        size += len(block[-1].raw)
        if size >= TOKENIZED_BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


def _limit(lines: Iterable[_Weighed]) -> int | None:
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
    """Walks one hunk, holding the lines of about two parts, and takes piece after piece off it."""

    source: Iterator[_Weighed]
    room: float
    lines: deque[_Weighed] = field(default_factory=deque)
    tokens: float = 0.0
    taken: int = 0
    past: tuple[_Weighed, ...] = ()
    complete: bool = False

    @property
    def target(self) -> float:
        """What a piece owns at most; the eighth that is left is for overlap."""
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
        """The next piece; there must be lines left."""
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
        """How many of the lines the next piece takes."""
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
            # Until the window opens, the furthest boundary is the best there is.
            if score > best_score or best_score == -math.inf:
                best, best_score = index, score
            previous = line
        return best


def _fitting(lines: Iterable[_Weighed], tokens: float) -> int:
    """How many of the first ``OVERLAP_LINES`` fit ``tokens``."""
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


def boundary_score(above: _Weighed, below: _Weighed) -> float:
    """How good it is to split between two lines; higher is better, by at most a few points.

    A change is never torn from what it replaces if there is any other place. Then: after a blank
    line, before what begins at the left and looks like a definition, in unchanged code.
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
    """Columns of white space before the text, at most 40."""
    expanded = head.expandtabs(4)
    return min(len(expanded) - len(expanded.lstrip()), 40)
