"""Add context around hunks from the new file. Pure.

The result equals ``git diff --unified=N``: hunks become longer, and hunks that meet are merged.
Only unchanged lines are added. The new file must match the diff: each line that a hunk shows of the
new file is compared with the file.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from reviewbot.core.diff.cursor import Cursor
from reviewbot.core.diff.hunks import scan_hunk
from reviewbot.core.diff.paths import encoded
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
    """A hunk with the first line of each side, and the line after its last line."""

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
    """Return ``file`` with up to ``lines`` lines of context around its changes.

    A hunk with more context stays as it is. Other facts of the file do not change.

    Args:
        file: a file of a diff.
        content: the new file.
        lines: as for ``git diff --unified``; None for all lines.
        whole: the same file with all hunks, if ``file`` has only some of them. Context ends where
            another hunk begins.

    Returns:
        The file with more context; ``file`` itself if ``content`` does not match or adds nothing.
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
    except DiffError:  # the diff misstates the end of the old file
        return file


def new_content(file: FileDiff) -> bytes:
    """Return the new file from a diff that has all its lines."""
    return b"".join(
        encoded(line.text) + (b"" if line.no_newline else b"\n")
        for hunk in file.hunks
        for line in hunk.iter_lines()
        if line.new_no is not None
    )


def _texts(content: bytes) -> list[_LineText]:
    *texts, last = map(_LineText, content.decode("utf-8", "surrogateescape").split("\n"))
    return [*texts, last._replace(no_newline=True)] if last.text else texts


def _spot(hunk: Hunk) -> _HunkPosition:
    # The start of a side without lines is the line before it.
    old = hunk.old_start + (not hunk.old_count)
    new = hunk.new_start + (not hunk.new_count)
    return _HunkPosition(hunk, old, old + hunk.old_count, new, new + hunk.new_count)


def _fits(spots: Sequence[_HunkPosition], texts: Sequence[_LineText]) -> bool:
    """Return whether the hunks match the file, and both sides are equal between the hunks."""
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
    """Yield each shown hunk with its context, which ends where another hunk begins."""
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
    """Return the number of context lines at the beginning and at the end of a hunk."""
    changed = [at for at, (kind, _) in enumerate(hunk.iter_raw()) if kind != "context"]
    return (changed[0], hunk.line_count - 1 - changed[-1]) if changed else (0, 0)


def _joined(wide: Iterator[_MergedHunk]) -> Iterator[_MergedHunk]:
    """Yield the hunks, merged if they meet, unless a hidden hunk lies between them."""
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
    """Return whether no line changes between the two: the line offset of the sides is equal."""
    end, start = above.spots[-1], below.spots[0]
    return start.new - end.new_end == start.old - end.old_end


def _written(wide: _MergedHunk, texts: Sequence[_LineText]) -> Hunk:
    """Return the merged hunk: the lines between and around the hunks are its context.

    Raises:
        DiffError: the lines do not form a valid hunk.
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
    data = encoded(header) + b"\n" + b"".join(body)
    return scan_hunk(Cursor(data), crlf=False)


def _section(hunk: Hunk, lead: Sequence[_LineText]) -> str:
    """Return the heading of the hunk; empty if the added context above contains that line."""
    section = hunk.section
    return "" if any(line.text.lstrip().startswith(section) for line in lead) else section


def _context_line(line: _LineText) -> bytes:
    return b" " + encoded(line.text) + b"\n" + (_UNENDED if line.no_newline else b"")
