"""Token estimates of lines, hunks and files of a diff, as the prompt shows them. Pure.

Lines are measured as bytes, one block at a time, and are decoded only to be tokenized. So a diff of
100 MB needs little more memory than its size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.diff.parse import FileDiff, Hunk, LineKind

LINE_PREFIX = 14
"""Byte equivalent of the prompt's prefix of a line. Side, number and mark (``R41+|``) have about 5
characters, but 3.8 o200k tokens, measured on 17,600 lines of diffs. The value is a little higher,
because a prefix also splits the first word of some lines."""

HUNK_HEADER = 40
CHUNK_HEADER = 120
"""Bytes around a hunk and a chunk in the prompt, besides section and paths."""

CUT_MARK = "[CUT "
"""Beginning of the mark in a truncated line, such as ``[CUT 1234 characters]``."""

SECTION_LIMIT = 200
"""Maximum characters of a hunk's section that are shown; git itself writes at most 80 bytes."""

TOKENIZED_FILE = 1_000_000
"""Maximum size in bytes of a file to tokenize if it may not fit. For larger files an estimate by
bytes is sufficient: they become dozens of parts, and tiktoken takes ten seconds for 100 MB."""

TOKENIZED_BLOCK = 4_096
"""Bytes of lines that are tokenized together; their tokens are shared out by size."""

HEAD = 120
"""Bytes of a line to examine for the choice of a boundary."""


class TokenCount(Protocol):
    """Token estimator of one model. Both members must return the same during a review."""

    @property
    def per_byte(self) -> float:
        """Tokens per byte of text that is not tokenized: a fast and conservative estimate."""
        ...

    def count(self, text: str) -> int:
        """Return the tokens of ``text`` in linear time. The first call may be slow."""
        ...


class LineCost(NamedTuple):
    """A line and its cost in tokens.

    ``replacing`` is True for a removed line, or one added in place of removed lines above.
    ``limit`` is the size in bytes to which the line is truncated, or None.
    """

    tokens: float
    kind: LineKind
    replacing: bool
    head: bytes
    limit: int | None = None


def text_size(text: str) -> int:
    """Return the size of ``text`` in UTF-8; a byte that was not UTF-8 counts as one byte."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))


def cut_line(text: str, limit: int) -> str:
    """Return ``text``, or its two ends around a mark if it is longer than ``limit`` bytes.

    Each end has an eighth of ``limit`` characters, so that even four bytes per character fit. Such
    a long line is data, and its ends identify the data.
    """
    if len(text) * 4 <= limit or text_size(text) <= limit:
        return text
    keep = max(limit // 8, 1)
    return f"{text[:keep]}{CUT_MARK}{len(text) - 2 * keep} characters]{text[-keep:]}"


def _ends(raw: bytes, limit: int) -> bytes:
    """Truncate a line like :func:`cut_line`, without decoding all of it. The mark may be longer."""
    keep = max(limit // 8, 1)
    head = raw[: 4 * keep].decode("utf-8", "surrogateescape")[:keep]
    tail = raw[-4 * keep :].decode("utf-8", "surrogateescape")[-keep:]
    return f"{head}{CUT_MARK}{len(raw)} characters]{tail}".encode("utf-8", "surrogateescape")


def file_header(file: FileDiff, count: TokenCount) -> float:
    """Return the tokens of the prompt's lines for ``file`` above its hunks."""
    return count.per_byte * (CHUNK_HEADER + text_size(file.path) + text_size(file.old_path or ""))


def hunk_bound(hunk: Hunk, count: TokenCount) -> float:
    """Return the tokens of ``hunk``, estimated by bytes, with its section and line ends."""
    return count.per_byte * (HUNK_HEADER + hunk.size + LINE_PREFIX * hunk.line_count)


def hunk_header(hunk: Hunk, count: TokenCount) -> float:
    """Return the tokens of the heading above lines of ``hunk``."""
    return count.per_byte * (HUNK_HEADER + text_size(hunk.section[:SECTION_LIMIT]))


def longest_line(room: float, count: TokenCount) -> int:
    """Return the maximum bytes of a line that fits ``room`` tokens under the longest section."""
    headers = HUNK_HEADER + 4 * SECTION_LIMIT + LINE_PREFIX + 2
    return max(int(room / count.per_byte) - headers, 64)


def estimate_lines(
    hunk: Hunk, *, count: TokenCount, tokenized: bool, limit: int, room: float
) -> Iterator[LineCost]:
    """Yield the lines of ``hunk`` with their tokens, prefix and line end included.

    Args:
        hunk: the hunk, read lazily.
        count: estimates tokens.
        tokenized: whether to tokenize, or to estimate by bytes.
        limit: maximum bytes of a line; longer lines are truncated.
        room: maximum tokens of a line.
    """
    prefix = (LINE_PREFIX + 1) * count.per_byte
    for block in _blocks(hunk, limit):
        rate = _rate(block, count) if tokenized else count.per_byte
        for kind, replacing, raw, cut in block:
            tokens = prefix + rate * len(raw)
            if tokens <= room:
                yield LineCost(tokens, kind, replacing, raw[:HEAD], cut)
            else:
                # More tokens than estimated: the line becomes a separate part and is truncated.
                yield LineCost(room, kind, replacing, raw[:HEAD], len(raw) - 1)


def _rate(block: list[_Raw], count: TokenCount) -> float:
    """Return the tokens per byte in ``block``."""
    text = b"\n".join(line.raw for line in block)
    return count.count(text.decode("utf-8", "surrogateescape")) / max(len(text), 1)


class _Raw(NamedTuple):
    """A line before its estimate. ``raw`` is already truncated if there is a ``limit``."""

    kind: LineKind
    replacing: bool
    raw: bytes
    limit: int | None


def _blocks(hunk: Hunk, limit: int) -> Iterator[list[_Raw]]:
    """Yield the lines of ``hunk`` in blocks of about ``TOKENIZED_BLOCK`` bytes."""
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
