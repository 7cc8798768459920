"""Whether the code that a comment of ours stands on is still there. In doubt it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.github.errors import TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reviewbot.core.diff import FileDiff
    from reviewbot.github.api.reviews import ReviewComment
    from reviewbot.github.gateway import Api
    from reviewbot.github.memory import Posted

MAX_FILE: Final = 2_000_000
"""Bytes of a file that is looked into."""
_BEFORE: Final = 2
"""Lines above a finding that have to be there, too, where GitHub lost its place: else any other
``return None`` would do."""


async def gone(
    api: Api, repo: str, head: str, files: Sequence[FileDiff], posted: Iterable[Posted]
) -> frozenset[str]:
    """The ids of those findings whose code is there no more.

    Args:
        api: GitHub.
        repo: the repository of the pull request.
        head: its head.
        files: its diff at that head.
        posted: findings with a comment on a line.

    Raises:
        GitHubError: a file cannot be read.
    """
    diff = {file.path: file for file in files}
    renamed = {file.old_path: file.path for file in files if file.old_path}
    contents: dict[str, list[str] | None] = {}
    found: set[str] = set()
    for one in posted:
        comment, code = one.comment, one.code
        path = comment.path if comment.path in diff else renamed.get(comment.path, comment.path)
        if not code or _stands_in(diff.get(path), comment, code):
            continue
        if comment.side == "LEFT":
            found.add(one.id)
            continue
        if path not in contents:
            contents[path] = await _lines(api, repo, path, head)
        lines = contents[path]
        if lines is not None and not _holds(lines, _with_lines_above(comment, code)):
            found.add(one.id)
    return frozenset(found)


def _stands_in(file: FileDiff | None, comment: ReviewComment, code: Sequence[str]) -> bool:
    """Whether the code is in the diff where GitHub has the comment now, on the comment's side."""
    if file is None or comment.line is None:
        return False
    wanted = code[-1].rstrip()
    for hunk in file.hunks:
        for line in hunk.iter_lines():
            number = line.old_no if comment.side == "LEFT" else line.new_no
            if number == comment.line:
                return line.text.rstrip() == wanted
    return False


async def _lines(api: Api, repo: str, path: str, head: str) -> list[str] | None:
    """The lines of a file; none if it is gone, None if it is too large to tell."""
    try:
        data = await api.contents.file(repo, path, head, max_bytes=MAX_FILE)
    except TooLargeError:
        return None
    return (data or b"").decode("utf-8", "replace").split("\n")


def _with_lines_above(comment: ReviewComment, code: Sequence[str]) -> list[str]:
    """The code, and above it what stood there in the new file: as the comment's hunk has it."""
    lines = [
        line[1:] for line in comment.diff_hunk.split("\n")[1:] if not line.startswith(("-", "\\"))
    ]
    return lines[-len(code) - _BEFORE :]


def _holds(lines: Sequence[str], block: Sequence[str]) -> bool:
    """Whether ``lines`` hold ``block`` without a gap, space at the ends of lines aside."""
    wanted = [line.rstrip() for line in block]
    have = [line.rstrip() for line in lines]
    last = len(have) - len(wanted)
    return any(have[start : start + len(wanted)] == wanted for start in range(last + 1))
