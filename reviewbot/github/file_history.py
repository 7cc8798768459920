"""How files of a pull request changed between heads, and what became of some code in them.

The file as it was is compared with the file as it is, white space aside. Of like code, what stands
around it tells which is which, and git where that does not; else nothing is said.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from itertools import takewhile
from typing import TYPE_CHECKING, Final, NamedTuple

from reviewbot.github.code_marks import code_digest, digest_of
from reviewbot.github.like_blocks import Likeness, best_pairs
from reviewbot.github.local_diff import LocalDiffError, local_diff

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reviewbot.core.diff import FileDiff
    from reviewbot.github.file_lines import FileLines

_SIGHT: Final = 30
"""Lines above and below some code that tell it from its like."""
_MOST_COPIES: Final = 5_000
"""Of which one is told from the others."""
_MOST_PAIRED: Final = 300
"""Of which one is told from the others by what stands around them, against what git says."""
_Block = tuple[int, ...]
"""The numbers of the lines of some code, but for empty ones."""


class Became(NamedTuple):
    """What became of some code.

    Attributes:
        first: the line that it begins at; None if it is not in its place any more.
        copies: the lines at which the like of it begins that came since: it may have moved there.
        around: how many lines above and below it are as they were, at least; or of the one copy.
    """

    first: int | None
    copies: frozenset[int] = frozenset()
    around: int = 0


class Seen(NamedTuple):
    """Where some code was: at a head, the line at which it began, the names its file may have."""

    head: str
    line: int
    paths: tuple[str, ...]


class FileHistory:
    """The files as they were and are; each is read once, and compared once with another one.

    Args:
        files: reads them.
    """

    def __init__(self, files: FileLines) -> None:
        self._files = files
        self._at: dict[tuple[str | None, ...], Blocks | None] = {}
        self._changes: dict[tuple[Blocks, Blocks], Change | None] = {}

    async def at(self, head: str | None, *paths: str) -> Blocks | None:
        """A file at a head, or now, under the first of some names; None if it is not to be had.

        Raises:
            GitHubError: it cannot be read.
        """
        key = (head, *dict.fromkeys(paths))
        if key not in self._at:
            lines = await (self._files.then(head, *paths) if head else self._files.now(*paths))
            self._at[key] = await asyncio.to_thread(Blocks, lines) if lines else None
        return self._at[key]

    async def last_change(self, seen: Iterable[Seen], now: Blocks) -> tuple[Change, int] | None:
        """What changed since some code was seen last, and its line then; None if unknown.

        Args:
            seen: when it was, the last time first.
            now: its file.

        Raises:
            GitHubError: a file cannot be read.
        """
        for head, line, paths in seen:
            then = await self.at(head, *paths)
            if then and (change := await self._change(then, now)):
                return change, line
        return None

    async def _change(self, then: Blocks, now: Blocks) -> Change | None:
        if (then, now) not in self._changes:
            self._changes[then, now] = await _compare(then, now)
        return self._changes[then, now]


class Blocks:
    """The code of a file, but for its empty lines."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self._numbers = [number for number, text in enumerate(lines, 1) if text]
        self._texts = [text for text in lines if text]
        self._begin: dict[str, list[int]] = {}
        for at, text in enumerate(self._texts):
            self._begin.setdefault(digest_of([text], 4), []).append(at)
        self._found: dict[str, Mapping[_Block, int]] = {}

    def of(self, digest: str, length: int) -> Mapping[_Block, int] | None:
        """Each copy of some code, and how many lines are above it; None if it has too many."""
        begin = self._begin.get(digest[:4], ())
        if len(begin) > _MOST_COPIES:
            return None
        if digest not in self._found:
            self._found[digest] = {
                tuple(self._numbers[at : at + length]): at
                for at in begin
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


class Change:
    """What became of the lines of a file since an earlier head.

    Args:
        then: the file at that head.
        now: the file.
        ways: the numbers of the lines that are still there, with their numbers now: one of each
            way to compare.
    """

    def __init__(self, then: Blocks, now: Blocks, ways: Sequence[Mapping[int, int]]) -> None:
        self._then, self._now, self._ways = then, now, ways
        self._became: dict[str, dict[int, Became | None]] = {}

    def became(self, digest: str, length: int, line: int) -> Became | None:
        """What became of some code that is in the file now; None if that is not sure.

        Args:
            digest: of the code, a :func:`.code_digest`.
            length: its lines, but for empty ones.
            line: where it began.
        """
        if digest not in self._became:
            self._became[digest] = self._became_all(digest, length)
        return self._became[digest].get(self._then.index(line))

    def _became_all(self, digest: str, length: int) -> dict[int, Became | None]:
        """What became of each copy of some code, by how many lines were above it."""
        olds, copies = (one.of(digest, length) for one in (self._then, self._now))
        if olds is None or copies is None:
            return {}
        stayed = {at: self._stayed(old, copies) for old, at in olds.items()}
        agreed: dict[int, int] = {}
        if len(olds) + len(copies) > _MOST_PAIRED:
            ways = ((old, ways[0]) for old, ways in stayed.items() if len({*ways}) == 1)
            agreed = {old: place for old, place in ways if place is not None}
        before, after = stayed.keys() - agreed, {*copies.values()}.difference(agreed.values())
        likeness = {
            (old, new): Likeness(*self._like(old, new, length), stayed[old].count(new))
            for old in (before if len(before) + len(after) <= _MOST_PAIRED else ())
            for new in after
        }
        pairs = agreed | best_pairs(likeness)
        firsts = {at: copy[0] for copy, at in copies.items()}
        came = {*copies.values()}.difference(*stayed.values())
        free = {*copies.values()}.difference(pairs.values())
        others = Became(None, frozenset(firsts[one] for one in free))

        def became(old: int) -> Became | None:
            place, ways = pairs.get(old), {*stayed[old]}
            if place is None:
                return None if ways & free else others
            around = min(self._like(old, place, length))
            if ways == {None} and place in came:  # it may be another one
                return Became(None, frozenset([firsts[place]]), around)
            return Became(firsts[place], around=around)

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


async def _compare(then: Blocks, now: Blocks) -> Change | None:
    """What became of some lines; None if they cannot be compared here.

    From the end as well: which of two like blocks was taken out, git says by where it begins.
    """
    try:
        forward = await pairs(then.lines, now.lines)
        backward = await pairs(then.lines[::-1], now.lines[::-1])
    except LocalDiffError:
        return None

    def change() -> Change:
        olds, news = len(then.lines) + 1, len(now.lines) + 1
        mirrored = {olds - old: news - new for old, new in backward.items()}
        return Change(then, now, [forward, mirrored])

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
