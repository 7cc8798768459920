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
    plain_code,
    side_of,
    side_of_mark,
)
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

    def is_gone(self, id_: str) -> bool:
        """Whether its code is surely not in its file any more."""
        track = self.tracks.get(id_)
        return track is not None and track.first is None and not track.copies

    def line(self, id_: str) -> int:
        """The line at which its code begins in its place; 0 if that is not sure."""
        track = self.tracks.get(id_)
        return track.first or 0 if track else 0


NOTHING: Final = Tracked()
"""Of nothing is known what became of it."""
_SIGHT: Final = 30
"""Lines above and below some code that tell it from its like."""
_MOST_COPIES: Final = 500
"""Of which one is told from the others."""
_Block = tuple[int, ...]
"""The numbers of the lines of some code, but for empty ones."""


class _Known(NamedTuple):
    """Code that was found fault with: its digest and length, and where it stood at a head."""

    id: str
    digest: str
    length: int
    path: str
    head: str
    old_paths: tuple[str, ...]
    line: int


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
    nows: dict[str, _Blocks] = {}
    changes: dict[tuple[str, str], _Change | None] = {}
    unsure: set[str] = set()
    for one in known:
        now = await files.now(one.path)
        if not now:  # it is too large; or elsewhere, if it has another name now
            continue
        if one.path not in nows:
            nows[one.path] = await asyncio.to_thread(_Blocks, now)
        if not await asyncio.to_thread(nows[one.path].of, one.digest, one.length):
            found[one.id] = Track(one.path)
            continue
        if (one.path, one.head) not in changes:
            then = await files.then(one.head, *one.old_paths)
            blocks = nows[one.path]
            changes[one.path, one.head] = await _compare(then, now, blocks) if then else None
        if change := changes[one.path, one.head]:
            tracked = await asyncio.to_thread(change.track, one)
            if tracked is None:
                unsure.add(one.id)
            else:
                found[one.id] = tracked
    return Tracked(found, unsure)


def _to_track(
    code: CommentedCode, memory: Memory, told: Iterable[SignedFor]
) -> tuple[list[_Known], dict[str, Track]]:
    """What has to be tracked; and what plainly stands in its place, and has not its like."""
    comments = (_of_comment(code, posted) for posted in memory.posted.values())
    texts = {one.id: (one, known) for one in told if (known := _of_text(code, one))}
    every = [*filter(None, comments), *(known for _, known in texts.values())]
    alike = Counter((one.path, one.digest) for one in every)

    def is_plain(known: _Known) -> bool:
        if known.id not in texts or alike[known.path, known.digest] > 1:
            return False
        mark = texts[known.id][0].noted.code
        places = [(path, lines[0]) for path, lines in code.places(mark)]
        return places == [(known.path, known.line)] and code.is_below(mark)

    plain = {one.id: Track(one.path, one.line) for one in every if is_plain(one)}
    return [one for one in every if one.id not in plain], plain


def _of_comment(code: CommentedCode, posted: Posted) -> _Known | None:
    """That of a comment, unless GitHub has it in its place."""
    comment, lines = posted.comment, plain_code(posted.code)
    if not lines or side_of(comment) == "LEFT" or code.in_place(posted):
        return None
    path = code.name(comment.path)
    return _Known(
        posted.id,
        digest=code_digest(lines),
        length=len(lines),
        path=path,
        head=comment.original_commit,
        old_paths=(comment.path, path, code.old_name(path)),
        line=comment.original_start_line or comment.original_line or 0,
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
        head=since.head,
        old_paths=(path, code.old_name(path)),
        line=told.noted.line,
    )


class _Blocks:
    """The code of a file, but for its empty lines."""

    def __init__(self, lines: Sequence[str]) -> None:
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

    def track(self, known: _Known) -> Track | None:
        """What became of some code that is in the file now; None if that is not sure."""
        olds, copies = (one.of(known.digest, known.length) for one in (self._then, self._now))
        at = self._then.index(known.line)
        mine = next((old for old, above in olds.items() if above == at), None)
        if mine is None or len(olds) + len(copies) > _MOST_COPIES:
            return None
        stayed = [self._stayed(old, copies) for old in olds]
        places = stayed[[*olds].index(mine)]
        if len(places) > 1 or any(
            self._is_rather(copies[place], known.length, mine=at, than=above, others=olds.values())
            for above, there in zip(olds.values(), stayed, strict=True)
            for place in there
            if place is not None
        ):
            return None
        place = places.pop()
        if place is not None:
            return Track(known.path, place[0])
        came = copies.keys() - set().union(*stayed)
        return Track(known.path, None, frozenset(copy[0] for copy in came))

    def _stayed(self, old: _Block, copies: Collection[_Block]) -> set[_Block | None]:
        """Which copy a block is by now, one way or the other; None is none."""
        places = (tuple(way.get(number, 0) for number in old) for way in self._ways)
        return {place if place in copies else None for place in places}

    def _is_rather(
        self, place: int, length: int, *, mine: int, than: int, others: Iterable[int]
    ) -> bool:
        """Whether what stands around a place says that it is another one, which has moved there.

        Of a like block that was taken out, git may pair the lines with those of one that moved.
        """
        rivals = others if mine == than else [mine]
        like = self._like(than, place, length)
        return any(self._like(one, place, length) > like for one in rivals)

    def _like(self, old: int, new: int, length: int) -> int:
        """How many lines around a copy are those around another one."""
        then, now = self._then.around(old, length), self._now.around(new, length)
        return sum(
            sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(*sides, strict=False)))
            for sides in zip(then, now, strict=True)
        )


async def _compare(then: Sequence[str], now: Sequence[str], blocks: _Blocks) -> _Change | None:
    """What became of some lines; None if they cannot be compared here.

    From the end as well: which of two like blocks was taken out, git says by where it begins.
    """
    try:
        forward = await pairs(then, now)
        backward = await pairs(then[::-1], now[::-1])
    except LocalDiffError:
        return None

    def change() -> _Change:
        olds, news = len(then) + 1, len(now) + 1
        ways = [forward, {olds - old: news - new for old, new in backward.items()}]
        return _Change(_Blocks(then), blocks, ways)

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
