"""Cut hunks that differ in few lines from reviewed ones, so that only these lines are asked. Pure.

A hunk of the chunk and a hunk of an entry that have most lines in common are cut at the same lines:
into pieces that are equal on both sides, and pieces with the differences and :data:`AROUND` lines
on both sides of each. Equal pieces get equal hashes, so that :mod:`reviewbot.core.cache.reuse`
handles pieces as it handles hunks. In these cases a hunk is not cut, and is reviewed again whole:

- One of both hunks has an equal one in either chunk. It is reused whole, or copies are in doubt.
- The lines of a finding are in several pieces.
- The quote of a finding that is dropped with its piece is also in a piece that would be reused. A
  model reports a repeated bug only once.
- No piece with a difference has a changed line: only lines of the old diff are gone.

All pieces of a chunk come from one entry, so that two copies never count as one reviewed hunk.
A piece has the heading of its hunk, even if another function begins above the piece.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from reviewbot.core.cache.entry import HunkRange
from reviewbot.core.cache.line_digests import MARKS, line_digests, split_records
from reviewbot.core.findings.anchors import AnchorIndex

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from reviewbot.core.cache.entry import AnchoredDraft, Entry
    from reviewbot.core.cache.keys import ChunkKey
    from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk

T = TypeVar("T")

AROUND: Final = 20
"""Lines that are reviewed again above and below each difference."""


@dataclass(frozen=True, slots=True)
class CutChunk:
    """A chunk and its entries, with similar hunks cut into pieces.

    ``origins`` has the index of the original hunk for each hunk of ``view``.
    """

    view: ChunkView
    key: ChunkKey
    entries: tuple[Entry, ...]
    origins: tuple[int, ...]


class _Pair(NamedTuple):
    """A hunk of an entry and a similar hunk of the chunk, with the records of their lines."""

    old: int
    now: int
    before: list[str]
    after: list[str]
    common: int

    @property
    def likeness(self) -> float:
        return 2 * self.common / (len(self.before) + len(self.after))


class _Piece(NamedTuple):
    """A part of both hunks, as half-open ranges of lines. If it is kept, both are equal."""

    old: tuple[int, int]
    now: tuple[int, int]
    is_kept: bool


@dataclass(frozen=True, slots=True)
class _HunkCut:
    """A pair that is cut into ``pieces``, with the line ranges of the pieces of the entry."""

    pair: _Pair
    pieces: tuple[_Piece, ...]
    extents: tuple[HunkRange, ...]

    def holder(self, placed: AnchoredDraft) -> int | None:
        """Return the index of the piece with all lines of a draft; None if there is none."""
        draft = placed.heard.draft
        for index, one in enumerate(self.extents):
            right = draft.side == "RIGHT"
            first, count = (one.new, one.new_count) if right else (one.old, one.old_count)
            if first <= draft.line and draft.end_line < first + count:
                return index
        return None


def cut_similar(view: ChunkView, key: ChunkKey, entries: Sequence[Entry], least: float) -> CutChunk:
    """Return the chunk and the entries, cut where the lines of the chunk differ from one entry.

    Args:
        view: the chunk.
        key: hashes of the chunk.
        entries: reviewed chunks of the same family, the most similar one first.
        least: least share of equal lines of similar hunks, from 0 to 1; 0 cuts nothing.
    """
    uncut = CutChunk(view, key, tuple(entries), tuple(range(len(view.hunks))))
    known = {one for entry in entries for one in entry.key.hunks}
    free = [at for at in _unique(key) if key.hunks[at] not in known]
    if not (least and free and entries):
        return uncut
    pairs = [_pairs(view, key, entry, free, least) for entry in entries]
    # Of entries with as many common lines, the first one is the most similar.
    base = max(range(len(pairs)), key=lambda at: sum(pair.common for pair in pairs[at]))
    tried = (_hunk_cut(view, entries[base], pair, least) for pair in pairs[base])
    cuts = [cut for cut in tried if cut is not None]
    return _cut(uncut, base, cuts) if cuts else uncut


def _unique(key: ChunkKey) -> list[int]:
    """Return the indices of the hunks that have no equal hunk in their chunk."""
    often = Counter(key.hunks)
    return [at for at, one in enumerate(key.hunks) if often[one] == 1]


def _pairs(
    view: ChunkView, key: ChunkKey, entry: Entry, free: Sequence[int], least: float
) -> list[_Pair]:
    """Return pairs of similar hunks, each hunk in one pair, the most similar ones first."""
    if any(placed.hunk is None for placed in entry.drafts):
        return []  # reused for the same chunk only
    old = {
        at: split_records(entry.lines[at])
        for at in _unique(entry.key)
        if entry.lines[at] and entry.key.hunks[at] not in key.hunks
    }
    now = {at: split_records(line_digests(view.hunks[at], entry.salt)) for at in free if old}
    counted = {at: Counter(records) for at, records in now.items() if records}
    found = [
        _Pair(one, other, old[one], now[other], (Counter(old[one]) & counter).total())
        for one in old
        for other, counter in counted.items()
    ]
    chosen: list[_Pair] = []
    for pair in sorted(found, key=lambda pair: -pair.likeness):
        if pair.likeness >= least and not any(
            pair.old == one.old or pair.now == one.now for one in chosen
        ):
            chosen.append(pair)
    return chosen


def _hunk_cut(view: ChunkView, entry: Entry, pair: _Pair, least: float) -> _HunkCut | None:
    """Return the pieces of a pair; None if the hunk is to be reviewed whole."""
    # Common lines, such as blank ones, only match beside others. This bounds the time of a diff.
    matcher = SequenceMatcher(None, pair.before, pair.after, autojunk=True)
    hunk = view.hunks[pair.now]
    pieces = tuple(_pieces(matcher, len(pair.before) - 1, len(pair.after) - 1))
    if matcher.ratio() < least or not any(
        _changes(hunk, piece) for piece in pieces if not piece.is_kept
    ):
        return None
    extents = tuple(_extents(pair.before[1:], entry.extents[pair.old], pieces))
    cut = _HunkCut(pair, pieces, extents)
    kept = tuple(hunk.between(*piece.now) for piece in pieces if piece.is_kept)
    index = AnchorIndex([replace(view, hunks=kept)])
    for placed in entry.drafts:
        if placed.hunk != pair.old:
            continue
        draft, holder = placed.heard.draft, cut.holder(placed)
        if holder is None:
            return None
        if not pieces[holder].is_kept and index.find(view.path, draft.quote, draft.side, 0):
            return None
    return cut


def _pieces(matcher: SequenceMatcher[str], old_end: int, now_end: int) -> Iterator[_Piece]:
    """Yield the pieces in order. All lines of both hunks are in one piece."""
    old = now = 0
    for block in matcher.get_matching_blocks():
        # The record of the heading is the first one, and no line.
        first, last = block.b - 1, block.b - 1 + block.size
        start = 0 if block.b == 0 else first + AROUND
        shift = block.a - block.b
        stop = last if (last, last + shift) == (now_end, old_end) else last - AROUND
        if start < stop:
            if now < start:
                yield _Piece((old, start + shift), (now, start), is_kept=False)
            yield _Piece((start + shift, stop + shift), (start, stop), is_kept=True)
            old, now = stop + shift, stop
    if now < now_end:
        yield _Piece((old, old_end), (now, now_end), is_kept=False)


def _changes(hunk: ShownHunk, piece: _Piece) -> bool:
    return any(hunk.owned[at] and hunk.lines[at].kind != "context" for at in range(*piece.now))


def _extents(
    records: Sequence[str], whole: HunkRange, pieces: Sequence[_Piece]
) -> Iterator[HunkRange]:
    """Yield the line ranges of the pieces of a hunk in an entry."""
    old, new = whole.old, whole.new
    for piece in pieces:
        marks = Counter(record[0] for record in records[slice(*piece.old)])
        old_count = marks.total() - marks[MARKS["added"]]
        new_count = marks.total() - marks[MARKS["removed"]]
        yield HunkRange(old if old_count else 0, old_count, new if new_count else 0, new_count)
        old, new = old + old_count, new + new_count


def _cut(uncut: CutChunk, base: int, cuts: Sequence[_HunkCut]) -> CutChunk:
    """Return the chunk with its hunks and those of entry ``base`` cut into pieces."""
    view, key, entry = uncut.view, uncut.key, uncut.entries[base]
    shown, names, then_names = {}, {}, {}
    for cut in cuts:
        old, now = cut.pair.old, cut.pair.now
        ours, theirs = key.hunks[now], entry.key.hunks[old]
        numbered = list(enumerate(cut.pieces))
        shown[now] = [view.hunks[now].between(*piece.now) for piece in cut.pieces]
        names[now] = [f"{ours}.{n}" for n, _ in numbered]
        then_names[old] = [f"{ours if piece.is_kept else theirs}.{n}" for n, piece in numbered]
    by_old = {cut.pair.old: cut for cut in cuts}
    hunks = _spread(entry.key.hunks, then_names)
    reviewed = replace(
        entry,
        key=replace(entry.key, hunks=hunks),
        extents=_spread(entry.extents, {old: cut.extents for old, cut in by_old.items()}),
        lines=("",) * len(hunks),
        drafts=tuple(
            replace(placed, hunk=_new_index(placed, placed.hunk, by_old))
            for placed in entry.drafts
            if placed.hunk is not None  # entries with others are not cut
        ),
    )
    entries = (*uncut.entries[:base], reviewed, *uncut.entries[base + 1 :])
    origins = _spread(uncut.origins, {now: [now] * len(some) for now, some in shown.items()})
    return CutChunk(
        replace(view, hunks=_spread(view.hunks, shown)),
        replace(key, hunks=_spread(key.hunks, names)),
        entries,
        origins,
    )


def _spread(items: Sequence[T], cut: Mapping[int, Sequence[T]]) -> tuple[T, ...]:
    """Return ``items``, some of them replaced by their pieces."""
    return tuple(part for at, item in enumerate(items) for part in cut.get(at, (item,)))


def _new_index(placed: AnchoredDraft, hunk: int, cuts: Mapping[int, _HunkCut]) -> int:
    """Return the index of the piece or uncut hunk with a draft of ``hunk``."""
    own = cuts.get(hunk)
    above = sum(len(cut.pieces) - 1 for old, cut in cuts.items() if old < hunk)
    return hunk + above + ((own.holder(placed) or 0) if own else 0)


def join_pieces(cut: CutChunk, known: Collection[int]) -> tuple[ShownHunk, ...]:
    """Return the hunks that are not in ``known``. Pieces that follow each other are joined."""
    joined: list[ShownHunk] = []
    for at, (hunk, origin) in enumerate(zip(cut.view.hunks, cut.origins, strict=True)):
        if at in known:
            continue
        if at and at - 1 not in known and cut.origins[at - 1] == origin:
            above = joined[-1]
            lines, owned = above.lines + hunk.lines, above.owned + hunk.owned
            joined[-1] = replace(above, lines=lines, owned=owned)
        else:
            joined.append(hunk)
    return tuple(joined)
