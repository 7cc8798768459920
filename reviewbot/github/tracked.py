"""Where lines that were found fault with are by now: tracked from the head of their review.

The file as it was then is compared with the file now, white space aside. What git says in one
direction and in the other is sure; where it could be either of two like lines, nothing is said.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Final, NamedTuple

from reviewbot.github.code_marks import (
    code_digest,
    digest_of,
    length_of,
    plain,
    plain_code,
    side_of,
    side_of_mark,
)
from reviewbot.github.like_blocks import Likeness, best_pairs
from reviewbot.github.local_diff import LocalDiffError, local_diff

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from reviewbot.core.diff import FileDiff
    from reviewbot.github.commented_code import CommentedCode
    from reviewbot.github.file_lines import FileLines
    from reviewbot.github.memory import Memory, Posted
    from reviewbot.github.told_texts import SignedFor


@dataclass(frozen=True, slots=True)
class Track:
    """What became of some code.

    Attributes:
        path: its file, under the name that it has now.
        first: the line that it begins at; None if it is not in its place any more.
        copies: the lines at which the like of it begins that came since: it may have moved there.
    """

    path: str
    first: int | None = None
    copies: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Tracked:
    """Findings that could be tracked, by their ids; ids of those of which it is not sure."""

    tracks: Mapping[str, Track] = field(default_factory=dict)
    unsure: Collection[str] = ()

    def may_be(self, id_: str, path: str, first: int) -> bool:
        """Whether a finding may be what stands there; ``first``: the first line of its code."""
        track = self.tracks.get(id_)
        if track is None:
            return True
        if track.first is not None:
            return (path, first) == (track.path, track.first)
        return path != track.path or first in track.copies

    def in_place(self, code: CommentedCode, posted: Posted) -> bool:
        """Whether the code of a comment is where GitHub has it, and it is not that of its like."""
        return code.in_place(posted) and self.may_be(posted.id, posted.comment.path, _first(posted))

    def is_gone(self, id_: str) -> bool:
        """Whether its code is surely not in its file any more."""
        track = self.tracks.get(id_)
        return track is not None and track.first is None and not track.copies

    def line(self, id_: str) -> int:
        """The line at which its code begins in its place; 0 if that is not sure."""
        track = self.tracks.get(id_)
        return track.first or 0 if track else 0

    def only_copy(self, id_: str) -> int:
        """The line of the one place to which it may have moved; 0 if there is none, or several."""
        track = self.tracks.get(id_)
        return next(iter(track.copies)) if track and len(track.copies) == 1 else 0


NOTHING: Final = Tracked()
"""Of nothing is known what became of it."""
_SIGHT: Final = 30
"""Lines above and below some code that tell it from its like."""
_NEAR: Final = 3
"""Lines above and below that tell whether what was ignored is back: it must not hide another one.
For what counts, one is enough."""
_MOST_COPIES: Final = 300
"""Of which one is told from the others."""
_Block = tuple[int, ...]
"""The numbers of the lines of some code, but for empty ones."""


class _Seen(NamedTuple):
    """Where some code was: at a head, the line at which it began, the names its file may have."""

    head: str
    line: int
    paths: tuple[str, ...]


class _Known(NamedTuple):
    """Code that was found fault with: its digest and length.

    ``seen``: when it was, the last time first; ``elsewhere``: the one file of the diff that has it,
    if its own is not in it any more; ``around``: if it was gone, how many lines above and below it
    must be as they were if it is back.
    """

    id: str
    digest: str
    length: int
    path: str
    seen: tuple[_Seen, ...]
    elsewhere: str | None
    around: int = 0


class _Became(NamedTuple):
    """What became of some code.

    Attributes:
        first: the line that it begins at; None if it is not in its place any more.
        copies: see :class:`Track`.
        around: how many lines above and below it are as they were, at least.
    """

    first: int | None
    copies: frozenset[int] = frozenset()
    around: int = 0


async def track(
    files: FileLines, code: CommentedCode, memory: Memory, told: Sequence[SignedFor]
) -> Tracked:
    """Track the findings that do not plainly stand in their place.

    Args:
        files: reads the files of the pull request.
        code: finds code in its diff at its head.
        memory: what is known of it.
        told: what has no comment.

    Raises:
        GitHubError: a file cannot be read.
    """
    known, found = await asyncio.to_thread(_to_track, code, memory, told)
    past = _Past(files)
    unsure: set[str] = set()
    for one in known:
        path, now = one.path, await past.at(None, one.path)
        if now is None and one.elsewhere:  # it has another name now
            path, now = one.elsewhere, await past.at(None, one.elsewhere)
        if now is None:  # or it is too large
            continue
        if not await asyncio.to_thread(now.of, one.digest, one.length):
            found[one.id] = Track(path)
            continue
        seen = await past.last_change(one, now)
        became = await asyncio.to_thread(seen[0].became, one, seen[1]) if seen else None
        if one.around:  # it was gone: in doubt it is another one
            first = became.first if became and became.around >= one.around else None
            found[one.id] = Track(path, first)
        elif became:
            found[one.id] = Track(path, became.first, became.copies)
        elif seen:
            unsure.add(one.id)
    return Tracked(found, unsure)


def _to_track(
    code: CommentedCode, memory: Memory, told: Iterable[SignedFor]
) -> tuple[list[_Known], dict[str, Track]]:
    """What has to be tracked; and what plainly stands in its place, and has not its like."""
    comments = (
        _of_comment(code, one, is_ignored=one.id in memory.ignored)
        for one in memory.posted.values()
    )
    texts = {one.id: (one, known) for one in told if (known := _of_text(code, one))}
    every = [*filter(None, comments), *(known for _, known in texts.values())]
    if memory.summary and memory.signed:
        head, at = memory.summary[1].head or "", dict(memory.summary[1].at)
        every = [_seen_at(head, at[one.id], one) if one.id in at else one for one in every]
    alike = Counter((one.path, one.digest) for one in every)

    def in_place(known: _Known) -> Track | None:
        # One that is ignored must not hide its like that moves to its place.
        if alike[known.path, known.digest] > 1 or known.id in memory.ignored:
            return None
        if posted := memory.posted.get(known.id):
            is_one = len(code.copies(known.path, posted)) == 1
            here = is_one and code.in_place(posted) and not posted.fixed
            return Track(known.path, _first(posted)) if here else None
        mark, line = texts[known.id][0].noted.code, known.seen[0].line
        places = [(path, lines[0]) for path, lines in code.places(mark)]
        here = places == [(known.path, line)] and code.is_below(mark)
        return Track(known.path, line) if here else None

    plain = {one.id: track for one in every if (track := in_place(one))}
    return [one for one in every if one.id not in plain], plain


def _first(posted: Posted) -> int:
    """The line at which the code of a comment begins where GitHub has it."""
    empty = takewhile(lambda line: not plain(line), posted.code)
    return (posted.comment.start_line or posted.comment.line or 0) + sum(1 for _ in empty)


def _seen_at(head: str, line: int, known: _Known) -> _Known:
    now = filter(None, (known.path, known.elsewhere))
    paths = (*now, *known.seen[0].paths)
    return known._replace(seen=(_Seen(head, line, paths), *known.seen))


def _of_comment(code: CommentedCode, posted: Posted, *, is_ignored: bool) -> _Known | None:
    """That of a comment, if it is on lines of the new file."""
    comment, lines = posted.comment, plain_code(posted.code)
    if not lines or side_of(comment) == "LEFT":
        return None
    path = code.name(comment.path)
    first = comment.original_start_line or comment.original_line or 0
    others = (one for one in code.paths(comment) if code.copies(one, posted))
    return _Known(
        posted.id,
        digest=code_digest(lines),
        length=len(lines),
        path=path,
        seen=(_Seen(comment.original_commit, first, (comment.path, path, code.old_name(path))),),
        elsewhere=_only(others) if path not in code.names else None,
        around=(_NEAR if is_ignored else 1) if posted.fixed else 0,
    )


def _of_text(code: CommentedCode, told: SignedFor) -> _Known | None:
    """That of what a text of ours tells of, if it is noted where."""
    mark, since = told.noted.code, told.since
    if not mark or side_of_mark(mark) == "LEFT" or since is None or since.head is None:
        return None
    path = code.name_of(mark, told.item.path if told.item else "")
    if path is None:
        return None
    return _Known(
        told.id,
        digest=mark[-24:-8],
        length=length_of(mark),
        path=path,
        seen=(_Seen(since.head, told.noted.line, (path, code.old_name(path))),),
        elsewhere=_only(one for one, _ in code.places(mark)) if path not in code.names else None,
    )


def _only(paths: Iterable[str]) -> str | None:
    every = {*paths}
    return every.pop() if len(every) == 1 else None


class _Past:
    """The files as they were and are; each is read once, and compared once with another one.

    Args:
        files: reads them.
    """

    def __init__(self, files: FileLines) -> None:
        self._files = files
        self._at: dict[tuple[str | None, ...], _Blocks | None] = {}
        self._changes: dict[tuple[_Blocks, _Blocks], _Change | None] = {}

    async def at(self, head: str | None, *paths: str) -> _Blocks | None:
        """A file at a head, or now, under the first of some names; None if it is not to be had."""
        key = (head, *paths)
        if key not in self._at:
            lines = await (self._files.then(head, *paths) if head else self._files.now(*paths))
            self._at[key] = await asyncio.to_thread(_Blocks, lines) if lines else None
        return self._at[key]

    async def last_change(self, known: _Known, now: _Blocks) -> tuple[_Change, int] | None:
        """What changed since some code was seen last, and its line then; None if unknown."""
        for head, line, paths in known.seen:
            then = await self.at(head, *paths)
            if then and (change := await self._change(then, now)):
                return change, line
        return None

    async def _change(self, then: _Blocks, now: _Blocks) -> _Change | None:
        if (then, now) not in self._changes:
            self._changes[then, now] = await _compare(then, now)
        return self._changes[then, now]


class _Blocks:
    """The code of a file, but for its empty lines."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self._numbers = [number for number, text in enumerate(lines, 1) if text]
        self._texts = [text for text in lines if text]
        self._begin: dict[str, list[int]] = {}
        for at, text in enumerate(self._texts):
            self._begin.setdefault(digest_of([text], 4), []).append(at)
        self._found: dict[str, Mapping[_Block, int]] = {}

    def of(self, digest: str, length: int) -> Mapping[_Block, int]:
        """Each copy of some code, and how many lines are above it."""
        if digest not in self._found:
            self._found[digest] = {
                tuple(self._numbers[at : at + length]): at
                for at in self._begin.get(digest[:4], ())
                if code_digest(self._texts[at : at + length]) == digest
            }
        return self._found[digest]

    def index(self, line: int) -> int:
        """How many lines are above one."""
        return bisect_left(self._numbers, line)

    def around(self, at: int, length: int) -> tuple[list[str], list[str]]:
        """The lines above some code, and those below it: the nearest ones, and these first."""
        above = self._texts[max(0, at - _SIGHT) : at]
        return above[::-1], self._texts[at + length : at + length + _SIGHT]


class _Change:
    """What became of the lines of a file since an earlier head.

    Args:
        then: the file at that head.
        now: the file.
        ways: the numbers of the lines that are still there, with their numbers now: one of each
            way to compare.
    """

    def __init__(self, then: _Blocks, now: _Blocks, ways: Sequence[Mapping[int, int]]) -> None:
        self._then, self._now, self._ways = then, now, ways
        self._became: dict[str, dict[int, _Became | None]] = {}

    def became(self, known: _Known, line: int) -> _Became | None:
        """What became of some code that began at a line; None if that is not sure."""
        if known.digest not in self._became:
            self._became[known.digest] = self._became_all(known.digest, known.length)
        return self._became[known.digest].get(self._then.index(line))

    def _became_all(self, digest: str, length: int) -> dict[int, _Became | None]:
        """What became of each copy of some code, by how many lines were above it."""
        olds, copies = (one.of(digest, length) for one in (self._then, self._now))
        if len(olds) + len(copies) > _MOST_COPIES:
            return {}
        stayed = {at: self._stayed(old, copies) for old, at in olds.items()}
        likeness = {
            (old, new): Likeness(*self._like(old, new, length), ways.count(new))
            for old, ways in stayed.items()
            for new in copies.values()
        }
        pairs = best_pairs(likeness)
        firsts = {at: copy[0] for copy, at in copies.items()}
        came = {*copies.values()}.difference(*stayed.values())
        free = {*copies.values()}.difference(pairs.values())

        def became(old: int) -> _Became | None:
            place, ways = pairs.get(old), {*stayed[old]}
            if place is None:
                others = frozenset(firsts[one] for one in free)
                return None if ways & free else _Became(None, others)
            if ways == {None} and place in came:  # it may be another one
                return _Became(None, frozenset([firsts[place]]))
            above, below, _ = likeness[old, place]
            return _Became(firsts[place], around=min(above, below))

        return {old: became(old) for old in stayed}

    def _stayed(self, old: _Block, copies: Mapping[_Block, int]) -> list[int | None]:
        """Which copy a block is by now, each way; None is none."""
        return [copies.get(tuple(way.get(number, 0) for number in old)) for way in self._ways]

    def _like(self, old: int, new: int, length: int) -> tuple[int, int]:
        """How many lines above some code, and below it, are those there now, the nearest ones.

        To where the file begins, or ends, all are.
        """
        sides = zip(self._then.around(old, length), self._now.around(new, length), strict=True)
        above, below = (
            _SIGHT
            if then == now
            else sum(1 for _ in takewhile(_are_same, zip(then, now, strict=False)))
            for then, now in sides
        )
        return (above, below) if above + below > 1 else (0, 0)  # one line says nothing


async def _compare(then: _Blocks, now: _Blocks) -> _Change | None:
    """What became of some lines; None if they cannot be compared here.

    From the end as well: which of two like blocks was taken out, git says by where it begins.
    """
    try:
        forward = await pairs(then.lines, now.lines)
        backward = await pairs(then.lines[::-1], now.lines[::-1])
    except LocalDiffError:
        return None

    def change() -> _Change:
        olds, news = len(then.lines) + 1, len(now.lines) + 1
        mirrored = {olds - old: news - new for old, new in backward.items()}
        return _Change(then, now, [forward, mirrored])

    return await asyncio.to_thread(change)


async def pairs(then: Sequence[str], now: Sequence[str]) -> dict[int, int]:
    """The numbers of the lines that stayed, each with its number now; as git says.

    Raises:
        LocalDiffError: they cannot be compared here.
    """

    def written() -> tuple[bytes, bytes]:
        old, new = ("".join(f"{line}\n" for line in lines).encode() for lines in (then, now))
        return old, new

    change = await local_diff(*await asyncio.to_thread(written), as_text=True)
    return await asyncio.to_thread(_unchanged, change, len(then), len(now))


def _unchanged(change: FileDiff | None, before: int, after: int) -> dict[int, int]:
    """The numbers of those lines that did not change, of so many before and after."""
    lines = [line for hunk in change.hunks for line in hunk.iter_lines()] if change else []
    removed = {line.old_no for line in lines if line.new_no is None}
    added = {line.new_no for line in lines if line.old_no is None}
    stayed = (number for number in range(1, before + 1) if number not in removed)
    now = (number for number in range(1, after + 1) if number not in added)
    return dict(zip(stayed, now, strict=True))


def _are_same(both: tuple[str, str]) -> bool:
    return both[0] == both[1]
