"""The lines of files of a pull request, as they are compared."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from reviewbot.github.code_marks import plain
from reviewbot.github.commented_code import CommentedCode
from reviewbot.github.errors import TooLargeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.diff import FileDiff
    from reviewbot.core.findings import Finding
    from reviewbot.github.gateway import Api

MAX_FILE: Final = 2_000_000
"""Bytes of a file that is looked into."""


class FileLines:
    """The files of a pull request, at its head and at earlier ones; each is read once.

    Args:
        api: GitHub.
        repo: the repository of the pull request.
        head: its head.
    """

    def __init__(self, api: Api, repo: str, head: str) -> None:
        self._api, self._repo, self._head = api, repo, head
        self._read: dict[tuple[str, str], list[str] | None] = {}

    async def now(self, path: str) -> list[str] | None:
        """The lines of a file, :func:`.plain`; none if it is gone, None if it is too large."""
        return await self._lines(path, self._head)

    async def then(self, head: str, *paths: str) -> list[str]:
        """The like at an earlier head, under the first name that it had; none if not to be had."""
        for path in dict.fromkeys(paths):
            if lines := await self._lines(path, head):
                return lines
        return []

    async def _lines(self, path: str, ref: str) -> list[str] | None:
        if (path, ref) not in self._read:
            try:
                data = await self._api.contents.file(self._repo, path, ref, max_bytes=MAX_FILE)
            except TooLargeError:
                self._read[path, ref] = None
            else:
                self._read[path, ref] = await asyncio.to_thread(_plain_lines, data)
        return self._read[path, ref]


async def code_finder(
    files: Sequence[FileDiff], lines: FileLines, findings: Sequence[Finding]
) -> CommentedCode:
    """Finds code in the diff, and beyond it in files with findings that it does not show.

    A model is shown more lines around a hunk than GitHub shows.
    """
    code = await asyncio.to_thread(CommentedCode, files)
    placed = [one for one in findings if one.is_placed and one.side == "RIGHT"]

    def beyond() -> set[str]:
        shows = code.shows
        return {one.path for one in placed if not shows(one.path, "RIGHT", one.line, one.end_line)}

    shown = {path: await lines.now(path) or () for path in await asyncio.to_thread(beyond)}
    return await asyncio.to_thread(CommentedCode, files, shown) if shown else code


def _plain_lines(data: bytes | None) -> list[str]:
    return [plain(line) for line in data.decode("utf-8", "replace").split("\n")] if data else []
