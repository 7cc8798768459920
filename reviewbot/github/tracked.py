"""Where lines that were found fault with are by now: tracked from the head of their review.

The file as it was then is compared with the file now, white space aside. What git says in one
direction and in the other is sure; where it could be either of two like lines, nothing is said.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
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
    """Findings that could be tracked, by their ids."""

    tracks: Mapping[str, Track] = field(default_factory=dict)

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
    for one in known:
        now = await files.now(one.path)
        if not now:  # it is too large; or elsewhere, if it has another name now
            continue
        if one.path not in nows:
            nows[one.path] = await asyncio.to_thread(_Blocks, now)
        copies = nows[one.path].of(one.digest, one.length)
        if not copies:
            found[one.id] = Track(one.path)
            continue
        if (one.path, one.head) not in changes:
            then = await files.then(one.head, *one.old_paths)
            changes[one.path, one.head] = await _compare(then, now) if then else None
        change = changes[one.path, one.head]
        tracked = change.track(one, copies) if change else None
        found |= {one.id: tracked} if tracked else {}
    return Tracked(found)


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
    """The code of a file."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = [(number, text) for number, text in enumerate(lines, 1) if text]
        self._begin: dict[str, list[int]] = {}
        for at, (_, text) in enumerate(self._lines):
            self._begin.setdefault(digest_of([text], 4), []).append(at)

    def of(self, digest: str, length: int) -> set[tuple[int, ...]]:
        """The numbers of the lines of each copy of some code, but for empty ones."""
        blocks = (self._lines[at : at + length] for at in self._begin.get(digest[:4], ()))
        return {
            tuple(number for number, _ in block)
            for block in blocks
            if code_digest([text for _, text in block]) == digest
        }


class _Change:
    """What became of the lines of a file since an earlier head.

    Args:
        then: the lines at that head.
        ways: the numbers of those that are still there, with their numbers now: one of each way to
            compare.
    """

    def __init__(self, then: Sequence[str], ways: Sequence[Mapping[int, int]]) -> None:
        self._then, self._ways = then, ways
        self._kept = {number for way in ways for number in way.values()}

    def track(self, known: _Known, copies: Collection[tuple[int, ...]]) -> Track | None:
        """What became of some code; None if that is not sure.

        Args:
            known: it.
            copies: the lines of each copy of it in the file now.
        """
        mine: list[int] = []
        number = known.line
        while 0 < number <= len(self._then) and len(mine) < known.length:
            mine += [number] * bool(self._then[number - 1])
            number += 1
        if code_digest([self._then[one - 1] for one in mine]) != known.digest:
            return None
        places = {tuple(way.get(one, 0) for one in mine) for way in self._ways}
        here = {place if place in copies else None for place in places}
        if len(here) > 1:
            return None
        place = here.pop()
        if place is not None:
            return Track(known.path, place[0])
        came = (copy[0] for copy in copies if not self._kept.issuperset(copy))
        return Track(known.path, None, frozenset(came))


async def _compare(then: Sequence[str], now: Sequence[str]) -> _Change | None:
    """What became of some lines; None if they cannot be compared here.

    From the end as well: which of two like blocks was taken out, git says by where it begins.
    """
    try:
        forward = await pairs(then, now)
        backward = await pairs(then[::-1], now[::-1])
    except LocalDiffError:
        return None
    olds, news = len(then) + 1, len(now) + 1
    return _Change(then, [forward, {olds - old: news - new for old, new in backward.items()}])


async def pairs(then: Sequence[str], now: Sequence[str]) -> dict[int, int]:
    """The numbers of the lines that stayed, each with its number now; as git says.

    Raises:
        LocalDiffError: they cannot be compared here.
    """
    old, new = ("".join(f"{line}\n" for line in lines).encode() for lines in (then, now))
    change = await local_diff(old, new, as_text=True)
    lines = [line for hunk in change.hunks for line in hunk.iter_lines()] if change else []
    removed = {line.old_no for line in lines if line.new_no is None}
    added = {line.new_no for line in lines if line.old_no is None}
    olds = (number for number in range(1, len(then) + 1) if number not in removed)
    news = (number for number in range(1, len(now) + 1) if number not in added)
    return dict(zip(olds, news, strict=True))
