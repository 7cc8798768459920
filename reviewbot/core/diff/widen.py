"""Hunks with more of what stands around their changes, out of the new file. Pure.

What comes out is what ``git diff --unified=N`` would have written: longer hunks, and where two of
them meet, one. Nothing but unchanged lines is added, and only where the file is the very one that
the diff leads to: each line that a hunk says of the new file is looked up in it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from reviewbot.core.diff.cursor import Cursor
from reviewbot.core.diff.hunks import scan_hunk
from reviewbot.errors import DiffError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reviewbot.core.diff.parse import FileDiff, Hunk

_UNENDED = b"\\ No newline at end of file\n"


class _LineText(NamedTuple):
    """A line of the new file, and whether it is the last one and has no newline."""

    text: str
    no_newline: bool = False


class _HunkPosition(NamedTuple):
    """A hunk and where it stands: the first line of each side, and the one behind its last."""

    hunk: Hunk
    old: int
    old_end: int
    new: int
    new_end: int


class _MergedHunk(NamedTuple):
    """Hunks that become one: lines ``start`` to below ``stop`` of the new file."""

    start: int
    stop: int
    spots: tuple[_HunkPosition, ...]


def widen(
    file: FileDiff, content: bytes, lines: int | None, *, whole: FileDiff | None = None
) -> FileDiff:
    """``file`` with ``lines`` lines of context around its changes, as far as there are any.

    A hunk that has more keeps what it has. What a diff says of the file otherwise stays.

    Args:
        file: a file of a diff.
        content: the new file.
        lines: as for ``git diff --unified``; None: all that there are.
        whole: the same file with all that changed in it, where ``file`` has some of its hunks
            only. What the others changed is no context: it ends there.

    Returns:
        ``file`` itself, if ``content`` does not fit to it, or has no more to show.
    """
    spots = [_spot(hunk) for hunk in (whole or file).hunks]
    texts = _texts(content)
    own = {(hunk.old_start, hunk.new_start) for hunk in file.hunks}
    shown = [(spot.hunk.old_start, spot.hunk.new_start) in own for spot in spots]
    if sum(shown) != len(file.hunks) or not _fits(spots, texts):
        return file
    wide = list(_joined(_stretched(spots, shown, len(texts), lines)))
    if sum(one.stop - one.start for one in wide) == sum(hunk.new_count for hunk in file.hunks):
        return file
    try:
        return replace(file, hunks=tuple(_written(one, texts) for one in wide))
    except DiffError:  # it lies about the end of the old file
        return file


def new_content(file: FileDiff) -> bytes:
    """Return the new file, out of a diff that has all of its lines."""
    return b"".join(
        _bytes(line.text) + (b"" if line.no_newline else b"\n")
        for hunk in file.hunks
        for line in hunk.iter_lines()
        if line.new_no is not None
    )


def _texts(content: bytes) -> list[_LineText]:
    *texts, last = map(_LineText, content.decode("utf-8", "surrogateescape").split("\n"))
    return [*texts, last._replace(no_newline=True)] if last.text else texts


def _spot(hunk: Hunk) -> _HunkPosition:
    # A side without lines stands behind the line that it names.
    old = hunk.old_start + (not hunk.old_count)
    new = hunk.new_start + (not hunk.new_count)
    return _HunkPosition(hunk, old, old + hunk.old_count, new, new + hunk.new_count)


def _fits(spots: Sequence[_HunkPosition], texts: Sequence[_LineText]) -> bool:
    """Return whether the hunks lead to this file, and both sides are alike between them."""
    old = new = 1
    for spot in spots:
        said = [
            _LineText(line.text, line.no_newline)
            for line in spot.hunk.iter_lines()
            if line.new_no is not None
        ]
        if (
            spot.new < new
            or spot.new - new != spot.old - old
            or said != texts[spot.new - 1 : spot.new_end - 1]
        ):
            return False
        old, new = spot.old_end, spot.new_end
    return new <= len(texts) + 1


def _stretched(
    spots: Sequence[_HunkPosition], shown: Sequence[bool], last: int, lines: int | None
) -> Iterator[_MergedHunk]:
    """Each of the shown hunks by itself, as far as it reaches; it ends where another begins."""
    floors = [1, *(spot.new_end for spot in spots)]
    ceilings = [*(spot.new for spot in spots[1:]), last + 1]
    for spot, wanted, floor, ceiling in zip(spots, shown, floors, ceilings, strict=False):
        if not wanted:
            continue
        start, stop = floor, ceiling
        if lines is not None:
            above, below = _context(spot.hunk)
            start = max(floor, spot.new - max(0, lines - above))
            stop = min(ceiling, spot.new_end + max(0, lines - below))
        yield _MergedHunk(start, stop, (spot,))


def _context(hunk: Hunk) -> tuple[int, int]:
    """Lines of context that a hunk begins with, and that it ends with."""
    changed = [at for at, (kind, _) in enumerate(hunk.iter_raw()) if kind != "context"]
    return (changed[0], hunk.line_count - 1 - changed[-1]) if changed else (0, 0)


def _joined(wide: Iterator[_MergedHunk]) -> Iterator[_MergedHunk]:
    """Those that meet as one. Where a hunk that is not shown lies between two, they do not."""
    above: _MergedHunk | None = None
    for one in wide:
        if above is not None and one.start <= above.stop and _follows(above, one):
            above = _MergedHunk(above.start, one.stop, above.spots + one.spots)
            continue
        if above is not None:
            yield above
        above = one
    if above is not None:
        yield above


def _follows(above: _MergedHunk, below: _MergedHunk) -> bool:
    """Return whether nothing is changed between the two: the sides are then as far apart."""
    end, start = above.spots[-1], below.spots[0]
    return start.new - end.new_end == start.old - end.old_end


def _written(wide: _MergedHunk, texts: Sequence[_LineText]) -> Hunk:
    """Return the merged hunk: the lines between and around the hunks are its context.

    Raises:
        DiffError: they make no hunk.
    """
    first = wide.spots[0]
    body: list[bytes] = []
    at = wide.start
    for spot in wide.spots:
        body += map(_context_line, texts[at - 1 : spot.new - 1])
        body.append(spot.hunk.raw.partition(b"\n")[2])
        at = spot.new_end
    body += map(_context_line, texts[at - 1 : wide.stop - 1])
    new_count = wide.stop - wide.start
    old_count = new_count + sum(spot.hunk.removed - spot.hunk.added for spot in wide.spots)
    old = first.old - (first.new - wide.start)
    heading = _section(first.hunk, texts[wide.start - 1 : first.new - 1])
    header = (
        f"@@ -{old - (not old_count)},{old_count} +{wide.start - (not new_count)},{new_count} @@"
        + (f" {heading}" if heading else "")
    )
    data = _bytes(header) + b"\n" + b"".join(body)
    return scan_hunk(Cursor(data), crlf=False)


def _section(hunk: Hunk, lead: Sequence[_LineText]) -> str:
    """Return the heading of the hunk, unless it is among the lines that now stand above it."""
    section = hunk.section
    return "" if any(line.text.lstrip().startswith(section) for line in lead) else section


def _context_line(line: _LineText) -> bytes:
    return b" " + _bytes(line.text) + b"\n" + (_UNENDED if line.no_newline else b"")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
