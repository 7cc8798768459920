"""Files of a local repository, as evidence for the verification of findings."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from reviewbot.code.definitions import call_lines, definition_lines, is_symbol
from reviewbot.code.evidence import PLACES
from reviewbot.code.quotable_code import NO_FILES
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.diff.widen import new_content
from reviewbot.errors import ReviewbotError, SourceError

if TYPE_CHECKING:
    from reviewbot.code.git_repository import GitRepository
    from reviewbot.core.diff.parse import FileDiff


class GitFiles:
    """Files of the commit or the working tree under review.

    A changed file is read from the reviewed side of the diff, another one from the last commit.

    Args:
        repository: the repository of the diff.
        staged: whether the diff has staged changes only.
    """

    def __init__(self, repository: GitRepository, *, staged: bool = False) -> None:
        self._repository, self._staged = repository, staged

    async def content(self, path: str) -> bytes | None:
        """Return the content of a regular file; None if it is not available."""
        return await asyncio.to_thread(self._content, path)

    async def candidates(self, symbol: str) -> list[str]:
        """Return paths of files that may define a name, in the order of git."""
        found = await self._lines(symbol)
        return list(dict.fromkeys(path for path, line in found if definition_lines(symbol, [line])))

    async def callers(self, symbol: str) -> list[str]:
        """Return paths of files that may call a name; none if many lines define it."""
        found = await self._lines(symbol)
        if sum(bool(definition_lines(symbol, [line])) for _, line in found) > PLACES:
            return []
        return list(dict.fromkeys(path for path, line in found if call_lines(symbol, [line])))

    async def uses(self, symbol: str) -> list[str]:
        """Return paths of files that contain a name."""
        return list(dict.fromkeys(path for path, _ in await self._lines(symbol)))

    async def _lines(self, symbol: str) -> list[tuple[str, str]]:
        """Return path and text of the lines with a name, in the order of git."""
        if not is_symbol(symbol):
            return []
        return await asyncio.to_thread(self._search, symbol)

    def _content(self, path: str) -> bytes | None:
        with suppress(ReviewbotError):  # git fails, for example since the file is not in the clone
            changed = parse_diff(self._repository.whole([path], staged=self._staged))
            if changed:
                return next((_new_content(one) for one in changed if one.new_path == path), None)
            head = self._repository.reviewed()
            return head.file(path) if head else None
        return None

    def _search(self, symbol: str) -> list[tuple[str, str]]:
        with suppress(SourceError):
            head = self._repository.reviewed()
            return head.search(symbol) if head else []
        return []


def _new_content(file: FileDiff) -> bytes | None:
    """Return the new file of a diff with all its lines; None if it has not all or is not text."""
    whole = len(file.hunks) == 1 and file.hunks[0].new_start == 1
    return new_content(file) if whole and file.new_mode not in NO_FILES else None
