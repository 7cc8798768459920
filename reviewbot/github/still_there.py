"""Whether the code that a comment of ours stands on is still there. In doubt it is.

Where the change is not on it any more, its file may have it all the same. A like block that was
there before is not it: the base may have one, such as the original of a copy.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.github.code_marks import marks_in, plain_code, side_of
from reviewbot.github.comment_hunk import hunk_lines
from reviewbot.github.earlier_findings import carried
from reviewbot.github.recognised import is_said_by
from reviewbot.github.tracked import NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.findings import Finding
    from reviewbot.github.commented_code import CommentedCode
    from reviewbot.github.file_lines import FileLines
    from reviewbot.github.memory import Posted
    from reviewbot.github.told_before import Beside
    from reviewbot.github.told_texts import SignedFor
    from reviewbot.github.tracked import Tracked

_BEFORE: Final = 2
"""Lines above a finding that have to be there, too, where the change has not brought its code: else
any other ``return None`` would do."""


async def gone(
    files: FileLines,
    code: CommentedCode,
    posted: Sequence[Posted],
    found: Sequence[Finding] = (),
    tracked: Tracked = NOTHING,
) -> frozenset[str]:
    """The ids of those findings whose code is there no more.

    Args:
        files: reads the files of the pull request.
        code: finds the code of comments in its diff at its head.
        posted: findings with a comment on a line.
        found: what the review itself found: the same code under one of these is theirs.
        tracked: what became of their lines.

    Raises:
        GitHubError: a file cannot be read.
    """
    missing: set[str] = set()
    for one, path in await asyncio.to_thread(_not_in_diff, code, posted, found, tracked):
        if side_of(one.comment) == "LEFT":
            missing.add(one.id)
            continue
        lines = await files.now(path)
        if lines is None:
            is_there = not one.fixed
        elif one.fixed and one.id in tracked.unsure:
            is_there = False  # that it was gone, was sure
        elif track := tracked.tracks.get(one.id):
            # The copies that the change is on are other findings' (:func:`_not_in_diff`).
            others = await asyncio.to_thread(code.copies, path, one)
            moved = not one.fixed and bool(track.copies - {*others})
            is_there = track.first is not None or moved
        else:
            is_there = await asyncio.to_thread(_is_in, lines, _wanted(one))
        if not is_there:
            missing.add(one.id)
    return frozenset(missing)


async def in_files(
    files: FileLines,
    code: CommentedCode,
    told: Sequence[SignedFor],
    beside: Sequence[Beside],
    tracked: Tracked,
) -> dict[str, bool]:
    """Whether code is in its file at the head, where the diff does not show it, or may be; by ids.

    Args:
        files: reads the files of the pull request.
        code: finds code in its diff at its head.
        told: what has no comment.
        beside: what of it the change is not on.
        tracked: what became of its lines.

    Raises:
        GitHubError: a file cannot be read.
    """
    found = await asyncio.to_thread(_beyond, code, told, tracked)
    of_files: dict[str, list[Beside]] = {}
    for one in beside:
        if one.id not in found:
            of_files.setdefault(one.path, []).append(one)
    for path, of_file in of_files.items():
        lines = await files.now(path)
        marks = [one.code for one in of_file]
        now = await asyncio.to_thread(marks_in, lines, marks) if lines is not None else None
        found |= {one.id: now is None or one.code in now for one in of_file}
    return found


def _beyond(code: CommentedCode, told: Sequence[SignedFor], tracked: Tracked) -> dict[str, bool]:
    """That of what was tracked; not of what stands in the diff alone."""
    found: dict[str, bool] = {}
    for one in told:
        if track := tracked.tracks.get(one.id):
            places = code.places(one.noted.code)
            there = {*track.copies, track.first} - {None}
            beyond = there - {lines[0] for path, lines in places if path == track.path}
            if beyond or not there:
                found[one.id] = bool(beyond)
    return found


def _not_in_diff(
    code: CommentedCode, posted: Sequence[Posted], found: Sequence[Finding], tracked: Tracked
) -> list[tuple[Posted, str]]:
    """Those whose code the change does not hold, each with its file."""
    here = {one.id for one in posted if tracked.in_place(code, one)}
    told = {one.id: carried(one) for one in posted}
    others = (*found, *(told[id_] for id_ in here))
    return [
        (one, code.name(one.comment.path))
        for one in posted
        if one.code
        and one.id not in here
        # Once it was gone, the same line somewhere else is not its return.
        and not any(
            not one.fixed
            and tracked.may_be(one.id, path, first)
            and not is_said_by(
                others,
                replace(told[one.id], path=path, line=first, end_line=first + len(one.code) - 1),
            )
            for path in code.paths(one.comment)
            for first in code.copies(path, one)
        )
    ]


def _wanted(posted: Posted) -> list[str]:
    """What tells that the code is in the file, where the change is not on it.

    The code and above it what stood there in the new file, as the comment's hunk has it; the code
    alone, if the change had not brought it then either.
    """
    lines = hunk_lines(posted.comment)
    code = plain_code(posted.code)
    if not code or not any(line.startswith("+") for line in lines[-len(posted.code) :]):
        return code
    return plain_code(line[1:] for line in lines)[-len(code) - _BEFORE :]


def _is_in(lines: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether lines hold a block without a gap, but for empty ones.

    Never, where it is of nothing else: such a comment stands in its place, or not at all.
    """
    if not wanted:
        return False
    have = plain_code(lines)
    starts = (start for start, line in enumerate(have) if line == wanted[0])
    return any(have[start : start + len(wanted)] == wanted for start in starts)
