"""Where lines that were found fault with are by now: tracked from the last review of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Final, NamedTuple

from reviewbot.github.code_marks import (
    AROUND,
    code_digest,
    length_of,
    plain,
    plain_code,
    side_of,
    side_of_mark,
)
from reviewbot.github.file_history import FileHistory, Seen

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


class _Known(NamedTuple):
    """Code that was found fault with: its digest and length.

    ``seen``: when it was, the last time first; ``here``: the line at which it plainly stands, but
    for its like; ``elsewhere``: the one file of the diff that has it, if its own is not in it any
    more; ``around``: if it was gone, how many lines above and below it must be as they were if it
    is back.
    """

    id: str
    digest: str
    length: int
    path: str
    seen: tuple[Seen, ...]
    here: int | None
    elsewhere: str | None
    is_ignored: bool
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
    history = FileHistory(files)
    unsure: set[str] = set()
    for one in known:
        path, now = one.path, await history.at(None, one.path)
        if now is None and one.elsewhere:  # it has another name now
            path, now = one.elsewhere, await history.at(None, one.elsewhere)
        if now is None:  # or it is too large
            continue
        if await asyncio.to_thread(now.of, one.digest, one.length) == {}:
            found[one.id] = Track(path)
            continue
        seen = await history.last_change(one.seen, now)
        became = None
        if seen:
            change, line = seen
            became = await asyncio.to_thread(change.became, one.digest, one.length, line)
        if one.around:  # it was gone: in doubt it is another one
            first = became.first if became and became.around >= one.around else None
            found[one.id] = Track(path, first)
        elif became and one.is_ignored and became.first is None and not became.around:
            found[one.id] = Track(path)  # what came may be its like, which it must not hide
        elif became:
            found[one.id] = Track(path, became.first, became.copies)
        elif seen:
            unsure.add(one.id)
    return Tracked(found, unsure)


def _to_track(
    code: CommentedCode, memory: Memory, told: Iterable[SignedFor]
) -> tuple[list[_Known], dict[str, Track]]:
    """What has to be tracked; and what plainly stands in its place, and has not its like."""
    summary = memory.summary[1] if memory.summary and memory.signed else None
    at = dict(summary.at) if summary else {}
    back = _back(code, memory, told)
    every = [
        *(_of_comment(code, one, memory.ignored) for one in memory.posted.values()),
        *(_of_text(code, one, memory.ignored, at) for one in told if one.id not in back),
    ]
    known = {one.id: one for one in every if one}
    alike = Counter((one.path, one.digest) for one in known.values())
    plain = {
        one.id: Track(one.path, one.here)
        for one in known.values()
        # One that is ignored must not hide its like that moves to its place.
        if one.here and alike[one.path, one.digest] == 1 and not one.is_ignored
    }
    to_track = [
        _seen_at(summary.head or "", at[id_], one) if summary and id_ in at else one
        for id_, one in known.items()
        if id_ not in plain
    ]
    return to_track, plain | back


def _back(code: CommentedCode, memory: Memory, told: Iterable[SignedFor]) -> dict[str, Track]:
    """What was ignored and gone, and is back: only at its line."""
    return {
        one.id: Track(path, one.noted.line)
        for one in told
        if one.id in memory.told_and_fixed and one.id in memory.ignored
        for path, lines in code.places(one.noted.code)
        if lines[0] == one.noted.line
    }


def _first(posted: Posted) -> int:
    """The line at which the code of a comment begins where GitHub has it."""
    empty = takewhile(lambda line: not plain(line), posted.code)
    return (posted.comment.start_line or posted.comment.line or 0) + sum(1 for _ in empty)


def _seen_at(head: str, line: int, known: _Known) -> _Known:
    now = filter(None, (known.path, known.elsewhere))
    paths = (*now, *known.seen[0].paths)
    return known._replace(seen=(Seen(head, line, paths), *known.seen))


def _of_comment(code: CommentedCode, posted: Posted, ignored: Collection[str]) -> _Known | None:
    """That of a comment, if it is on lines of the new file."""
    comment, lines = posted.comment, plain_code(posted.code)
    if not lines or side_of(comment) == "LEFT":
        return None
    path = code.name(comment.path)
    first = comment.original_start_line or comment.original_line or 0
    others = (one for one in code.paths(comment) if code.copies(one, posted))
    stands = not posted.fixed and code.in_place(posted)
    is_ignored = posted.id in ignored
    return _Known(
        posted.id,
        digest=code_digest(lines),
        length=len(lines),
        path=path,
        seen=(Seen(comment.original_commit, first, (comment.path, path, code.old_name(path))),),
        here=_first(posted) if stands and len(code.copies(path, posted)) == 1 else None,
        elsewhere=_only(others) if path not in code.names else None,
        is_ignored=is_ignored,
        around=(AROUND if is_ignored else 1) if posted.fixed else 0,
    )


def _of_text(
    code: CommentedCode, told: SignedFor, ignored: Collection[str], at: Mapping[str, int]
) -> _Known | None:
    """That of what a text of ours tells of, if it is noted where."""
    mark, since = told.noted.code, told.since
    if not mark or side_of_mark(mark) == "LEFT" or since is None or since.head is None:
        return None
    path = code.name_of(mark, told.item.path if told.item else "")
    if path is None:
        return None
    line, places = at.get(told.id, told.noted.line), code.places(mark)
    firsts = [(one, lines[0]) for one, lines in places]
    return _Known(
        told.id,
        digest=mark[-24:-8],
        length=length_of(mark),
        path=path,
        seen=(Seen(since.head, told.noted.line, (path, code.old_name(path))),),
        here=line if firsts == [(path, line)] and code.is_below(mark) else None,
        elsewhere=_only(one for one, _ in places) if path not in code.names else None,
        is_ignored=told.id in ignored,
    )


def _only(paths: Iterable[str]) -> str | None:
    every = {*paths}
    return every.pop() if len(every) == 1 else None
