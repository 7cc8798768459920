"""Whether the code that a comment of ours stands on is still there. In doubt it is.

Where the change is not on it any more, its file must have more of it than when it was found, but
for what was found fault with: the base may have the like of it, such as the original of a copy.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.github.code_marks import (
    code_key,
    is_brought,
    key_of_mark,
    marks_in,
    plain_code,
    side_of,
)
from reviewbot.github.comment_hunk import hunk_lines
from reviewbot.github.earlier_findings import carried
from reviewbot.github.recognised import is_said_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.findings import Finding
    from reviewbot.github.claims import Claims
    from reviewbot.github.commented_code import CommentedCode
    from reviewbot.github.file_lines import FileLines
    from reviewbot.github.memory import Posted
    from reviewbot.github.told_before import Beside

_BEFORE: Final = 2
"""Lines above a finding that have to be there, too, where the change has not brought its code: else
any other ``return None`` would do."""


async def gone(
    files: FileLines,
    code: CommentedCode,
    posted: Sequence[Posted],
    found: Sequence[Finding] = (),
    claims: Claims | None = None,
) -> frozenset[str]:
    """The ids of those findings whose code is there no more.

    Args:
        files: reads the files of the pull request.
        code: finds the code of comments in its diff at its head.
        posted: findings with a comment on a line.
        found: what the review itself found: the same code under one of these is theirs.
        claims: those of findings to copies of code; that of each alone if None.

    Raises:
        GitHubError: a file cannot be read.
    """
    missing: set[str] = set()
    for one, path in await asyncio.to_thread(_not_in_diff, code, posted, found):
        if side_of(one.comment) == "LEFT":
            missing.add(one.id)
            continue
        lines = await files.now(path)
        if lines is None:
            is_there = not one.fixed
        else:
            wanted, brought = _wanted(one)
            number = await asyncio.to_thread(_count, lines, wanted)
            others = 0
            if number and brought:
                old_path, key = code.old_name(path), code_key(one.comment.path, one.code)
                then = await files.then(path, one.marker.head if one.marker else None, old_path)
                before = await asyncio.to_thread(_count, then, wanted)
                claimed = await claims.count(key, path, old_path) if claims else 1
                others = max(0, before - claimed)
            # The copies that the change is on are other findings' (:func:`_not_in_diff`).
            number -= 0 if one.fixed else await asyncio.to_thread(code.below, path, one)
            is_there = number > others
        if not is_there:
            missing.add(one.id)
    return frozenset(missing)


async def in_files(
    files: FileLines, code: CommentedCode, beside: Sequence[Beside], claims: Claims
) -> dict[str, bool]:
    """Of each of ``beside``, by its id, whether its code is in its file at the head, or may be.

    Raises:
        GitHubError: a file cannot be read.
    """
    found: dict[str, bool] = {}
    of_files: dict[str, list[Beside]] = {}
    for one in beside:
        of_files.setdefault(one.path, []).append(one)
    for path, of_file in of_files.items():
        lines = await files.now(path)
        if lines is None:
            found |= {one.id: True for one in of_file}
            continue
        now = await asyncio.to_thread(marks_in, lines, [one.code for one in of_file])
        for one in of_file:
            others = 0
            if now[one.code] and is_brought(one.code):
                old_path = code.old_name(path)
                then = await files.then(path, one.since.head if one.since else None, old_path)
                before = (await asyncio.to_thread(marks_in, then, [one.code]))[one.code]
                claimed = await claims.count(key_of_mark(one.code), path, old_path)
                others = max(0, before - claimed)
            found[one.id] = now[one.code] > others
    return found


def _not_in_diff(
    code: CommentedCode, posted: Sequence[Posted], found: Sequence[Finding]
) -> list[tuple[Posted, str]]:
    """Those whose code the change does not hold, each with its file."""
    here = {one.id for one in posted if code.in_place(one)}
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
            and not is_said_by(
                others,
                replace(told[one.id], path=path, line=first, end_line=first + len(one.code) - 1),
            )
            for path in code.paths(one.comment)
            for first in code.copies(path, one)
        )
    ]


def _wanted(posted: Posted) -> tuple[list[str], bool]:
    """What tells that the code is in the file, where the change is not on it; whether it was.

    The code and above it what stood there in the new file, as the comment's hunk has it; the code
    alone, if the change had not brought it then either.
    """
    lines = hunk_lines(posted.comment)
    code = plain_code(posted.code)
    if not code or not any(line.startswith("+") for line in lines[-len(posted.code) :]):
        return code, False
    return plain_code(line[1:] for line in lines)[-len(code) - _BEFORE :], True


def _count(lines: Sequence[str], wanted: Sequence[str]) -> int:
    """How often lines hold a block without a gap, but for empty ones.

    Never, where it is of nothing else: such a comment stands in its place, or not at all.
    """
    if not wanted:
        return 0
    have = plain_code(lines)
    starts = (start for start, line in enumerate(have) if line == wanted[0])
    return sum(have[start : start + len(wanted)] == wanted for start in starts)
