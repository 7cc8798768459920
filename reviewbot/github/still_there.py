"""Whether the code that a comment of ours stands on is still there. In doubt it is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.github.comment_hunk import hunk_lines
from reviewbot.github.commented_code import marks_in, plain, side_of
from reviewbot.github.earlier_findings import carried
from reviewbot.github.errors import TooLargeError
from reviewbot.github.recognised import is_said_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.findings import Finding
    from reviewbot.github.commented_code import CommentedCode
    from reviewbot.github.gateway import Api
    from reviewbot.github.memory import Posted
    from reviewbot.github.told_before import Beside

MAX_FILE: Final = 2_000_000
"""Bytes of a file that is looked into."""
_BEFORE: Final = 2
"""Lines above a finding that have to be there, too, where the change has not brought its code: else
any other ``return None`` would do."""


async def gone(  # noqa: PLR0917 - one caller
    api: Api,
    repo: str,
    head: str,
    code: CommentedCode,
    posted: Sequence[Posted],
    found: Sequence[Finding] = (),
) -> frozenset[str]:
    """The ids of those findings whose code is there no more.

    Args:
        api: GitHub.
        repo: the repository of the pull request.
        head: its head.
        code: finds the code of comments in its diff at that head.
        posted: findings with a comment on a line.
        found: what the review itself found: the same code under one of these is theirs.

    Raises:
        GitHubError: a file cannot be read.
    """
    contents: dict[str, list[str] | None] = {}
    missing: set[str] = set()
    for one, path in await asyncio.to_thread(_not_in_diff, code, posted, found):
        if side_of(one.comment) == "LEFT":
            missing.add(one.id)
            continue
        if path not in contents:
            contents[path] = await _lines(api, repo, path, head)
        lines = contents[path]
        is_there = not one.fixed if lines is None else _holds(lines, _wanted(one))
        if not is_there:
            missing.add(one.id)
    return frozenset(missing)


async def in_files(api: Api, repo: str, head: str, beside: Sequence[Beside]) -> frozenset[str]:
    """The ids of those of ``beside`` whose code is in its file at the head, or may be.

    Raises:
        GitHubError: a file cannot be read.
    """
    found: set[str] = set()
    for path in {one.path for one in beside}:
        of_file = [one for one in beside if one.path == path]
        lines = await _lines(api, repo, path, head)
        marks = {one.code for one in of_file}
        there = marks if lines is None else await asyncio.to_thread(marks_in, lines, marks)
        found |= {one.id for one in of_file if one.code in there}
    return frozenset(found)


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


async def _lines(api: Api, repo: str, path: str, head: str) -> list[str] | None:
    """The lines of a file; none if it is gone, None if it is too large to tell."""
    try:
        data = await api.contents.file(repo, path, head, max_bytes=MAX_FILE)
    except TooLargeError:
        return None
    return (data or b"").decode("utf-8", "replace").split("\n")


def _wanted(posted: Posted) -> list[str]:
    """What tells that the code is in the file, where the change has not brought it there.

    The code and above it what stood there in the new file, as the comment's hunk has it; the code
    alone, if the change had not brought it then either.
    """
    lines = hunk_lines(posted.comment)
    if not any(line.startswith("+") for line in lines[-len(posted.code) :]):
        return list(posted.code)
    return [line[1:] for line in lines][-len(posted.code) - _BEFORE :]


def _holds(lines: Sequence[str], block: Sequence[str]) -> bool:
    """Whether ``lines`` hold ``block`` without a gap, white space aside."""
    wanted = [plain(line) for line in block]
    have = [plain(line) for line in lines]
    last = len(have) - len(wanted)
    return any(have[start : start + len(wanted)] == wanted for start in range(last + 1))
