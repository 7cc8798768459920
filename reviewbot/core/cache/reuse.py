"""Reuse draft findings of earlier reviews, and find the hunks that need a new review. Pure.

The unit is the hunk. A hunk counts as reviewed only if the prompt shows the same text, heading and
context included; line numbers may differ. A hunk that differs in few lines is first cut into pieces
(:mod:`reviewbot.core.cache.similar`), which then count as hunks. A finding is reused with its hunk,
at the current line of its quote. A finding whose hunk changed is dropped, because the model reads
that hunk again. In these cases of doubt a hunk is reviewed again:

- A finding in the hunk, or a dropped finding, names a line number that moved or changed ("the same
  on line 40"). Its text would be wrong, or describes more than its hunk.
- The old and the new chunk contain the hunk a different number of times. The copies cannot be
  matched, and a model reports a repeated bug only once.
- The quote of its finding is not found at the expected line.

A response with a finding that is outside all hunks is reused only for the same chunk at the same
lines.

The cache has two limitations. No model sees a bug that needs both a new and an old hunk, or a new
line and an old one outside of its surroundings. And other text of an earlier request, such as an
injected instruction in another file, may have influenced a cached response. Its effect remains
after the next push removes that text. If authors are not trusted, turn the cache off.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.cache.entry import extent, hunk_of
from reviewbot.core.cache.keys import similarity
from reviewbot.core.cache.similar import cut_similar, join_pieces
from reviewbot.core.plan.weigh import LINE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reviewbot.core.cache.entry import AnchoredDraft, AttributedDraft, Entry, HunkRange
    from reviewbot.core.cache.keys import ChunkKey
    from reviewbot.core.cache.seen_code import SeenCode
    from reviewbot.core.cache.similar import CutChunk
    from reviewbot.core.findings.anchors import AnchorIndex
    from reviewbot.core.findings.draft import Draft
    from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk

_NUMBER: Final = re.compile(r"(?<![\d.])\d{1,10}(?!\d)")
_LINE: Final = re.compile(r"\blines?\b\W{0,3}\d|\b[LR] ?\d|\w:\d", re.IGNORECASE)
"""References to lines in prose: "line 7", "lines 7", "L7", "app.py:7"."""
_COUNTS: Final = 10
"""Lowest bare number that may be a line reference. Lower numbers are usually counts."""


@dataclass(frozen=True, slots=True)
class Reuse:
    """Reusable part of a chunk.

    ``hunks`` are indices of hunks that ``model`` reviewed before, ``narrowed`` those of hunks of
    which it reviewed a part. ``drafts`` are the draft findings of both, at their current lines.
    ``rest`` is the chunk with the other hunks and parts; None if they change nothing.
    ``change`` is the model's line on what changed in the file then. ``seen`` is the code outside of
    the diff that the model saw then.
    """

    drafts: tuple[AttributedDraft, ...]
    hunks: frozenset[int]
    narrowed: frozenset[int]
    model: str
    rest: ChunkView | None
    change: str = ""
    seen: tuple[SeenCode, ...] = ()


def reuse(
    view: ChunkView,
    key: ChunkKey,
    entries: Iterable[Entry],
    index: AnchorIndex,
    *,
    least: float = 0.0,
) -> Reuse | None:
    """Return what ``entries`` contain about ``view``; None if no hunk was reviewed before.

    Several entries may match: if a file is split differently, its hunks come from several chunks.
    If two entries contain a hunk, the more similar entry is used.

    Args:
        view: the chunk.
        key: hashes of the chunk.
        entries: reviewed chunks; entries of another family are ignored.
        index: finds quotes in the chunks of the same request.
        least: least share of equal lines of a hunk that is reused in part; 0 reuses whole hunks
            only.
    """
    ranked = sorted(
        (entry for entry in entries if entry.key.family == key.family),
        key=lambda entry: (-similarity(key, entry.key), entry.key.exact),
    )
    cut = cut_similar(view, key, ranked, least)
    drafts: list[AttributedDraft] = []
    known: set[int] = set()
    seen: dict[SeenCode, None] = {}
    model = change = ""
    for number, entry in enumerate(cut.entries):
        found = _Match(cut.view, cut.key, entry, index).kept()
        new = set(found.values()) - known
        drafts += [
            replace(heard, answer=f"{number}.{heard.answer}")
            for at, heard in _reused(cut.view, entry, found)
            if at in new
        ]
        model = model or (entry.model if new else "")
        change = change or (entry.change if new else "")
        seen |= dict.fromkeys(entry.seen if new else ())
        known |= new
    if not known:
        return None
    pieces = Counter(cut.origins)
    origins = {cut.origins[at] for at in known}
    narrowed = frozenset(hunk for hunk in origins if pieces[hunk] > 1)
    hunks, rest = frozenset(origins - narrowed), _rest(cut, known)
    return Reuse(tuple(drafts), hunks, narrowed, model, rest, change, tuple(seen))


def _reused(
    view: ChunkView, entry: Entry, found: Mapping[int, int]
) -> Iterator[tuple[int, AttributedDraft]]:
    """Yield the draft findings of the matched hunks, each with its current hunk."""
    for placed in entry.drafts if found else ():
        if placed.hunk is None:  # the whole chunk matched, at its old lines
            yield 0, placed.heard
        elif placed.hunk in found:
            at = found[placed.hunk]
            moved = _aimed(placed, entry.extents[placed.hunk], extent(view.hunks[at]), view.path)
            yield at, replace(placed.heard, draft=moved)


def _aimed(placed: AnchoredDraft, then: HunkRange, now: HunkRange, path: str) -> Draft:
    """Return the draft with the current lines of its quote."""
    draft = placed.heard.draft
    shift = now.new - then.new if draft.side == "RIGHT" else now.old - then.old
    return replace(draft, path=path, line=draft.line + shift, end_line=draft.end_line + shift)


class _Match:
    """One-to-one match of equal hunks in ``entry`` and ``view``."""

    def __init__(self, view: ChunkView, key: ChunkKey, entry: Entry, index: AnchorIndex) -> None:
        self._view, self._entry, self._index = view, entry, index
        self._found = dict(_pairs(entry.key.hunks, key.hunks))
        self._extents = tuple(map(extent, view.hunks))

    def kept(self) -> dict[int, int]:
        """Return the reusable hunks: current indices by old indices."""
        # The findings of a dropped hunk are dropped, too, and may have named other hunks.
        while doubtful := {hunk for placed in self._entry.drafts for hunk in self._doubts(placed)}:
            for hunk in doubtful:
                del self._found[hunk]
        nowhere = any(placed.hunk is None for placed in self._entry.drafts)
        return {} if nowhere and not self._as_it_was() else self._found

    def _as_it_was(self) -> bool:
        return self._extents == self._entry.extents and len(self._found) == len(self._extents)

    def _doubts(self, placed: AnchoredDraft) -> set[int]:
        """Return the matched hunks that a draft makes doubtful."""
        if placed.hunk is None:
            return set()
        named = set(_named(placed, self._entry.extents))
        if placed.hunk not in self._found:
            return named & self._found.keys()
        stale = any(hunk not in self._found or self._moved(hunk) for hunk in named)
        return {placed.hunk} if stale or not self._stands(placed, placed.hunk) else set()

    def _moved(self, hunk: int) -> bool:
        return self._extents[self._found[hunk]] != self._entry.extents[hunk]

    def _stands(self, placed: AnchoredDraft, hunk: int) -> bool:
        """Return whether the quote of the draft is found at its expected location."""
        at = self._found[hunk]
        path = self._view.path
        draft = _aimed(placed, self._entry.extents[hunk], self._extents[at], path)
        anchor = self._index.find(path, draft.quote, draft.side, draft.line)
        return (
            anchor is not None
            and (anchor.side, anchor.line) == (draft.side, draft.line)
            and hunk_of(self._view, anchor) == at
        )


def _pairs(then: Sequence[str], now: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield pairs of equal hunks, in order, if both sides have the same number of them."""
    places: dict[str, tuple[list[int], list[int]]] = {}
    for side, hashes in enumerate((then, now)):
        for index, one in enumerate(hashes):
            places.setdefault(one, ([], []))[side].append(index)
    for before, after in places.values():
        if len(before) == len(after):
            yield from zip(before, after, strict=True)


def _named(placed: AnchoredDraft, extents: Sequence[HunkRange]) -> Iterator[int]:
    """Yield the hunks with a line whose number the draft contains.

    If the draft refers to a line, yield its own hunk too: the line may be outside all hunks.
    """
    draft = placed.heard.draft
    text = f"{draft.title}\n{draft.scenario}\n{draft.message}"
    speaks_of_lines = _LINE.search(text) is not None
    for number in set(map(int, _NUMBER.findall(text))):
        if speaks_of_lines or number >= _COUNTS:
            yield from (at for at, one in enumerate(extents) if one.holds(number))
    if placed.hunk is not None and speaks_of_lines:
        yield placed.hunk


def _rest(cut: CutChunk, known: set[int]) -> ChunkView | None:
    view, left = cut.view, join_pieces(cut, known)
    if not any(map(_changes, left)):
        return None
    share = _weight(left) / _weight(view.hunks)
    return replace(view, hunks=left, tokens=math.ceil(view.tokens * share), is_whole=False)


def _changes(hunk: ShownHunk) -> bool:
    """Return whether the chunk owns a changed line of ``hunk``."""
    return any(
        owned and line.kind != "context" for line, owned in zip(hunk.lines, hunk.owned, strict=True)
    )


def _weight(hunks: Iterable[ShownHunk]) -> int:
    return sum(len(line.text) + LINE_PREFIX for hunk in hunks for line in hunk.lines)
