"""Files of a local repository, as code at a commit."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from reviewbot.code.at_commit import NO_FILES
from reviewbot.code.definitions import is_symbol
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.diff.widen import new_content
from reviewbot.errors import ReviewbotError, SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.code.at_commit import FoundLine
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

    async def contents(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of regular files by path, without those that are not available."""
        return await asyncio.to_thread(self._contents, paths) if paths else {}

    async def search(self, name: str) -> list[FoundLine] | None:
        """Return the first lines of the last commit with an identifier, in the order of git."""
        return await asyncio.to_thread(self._search, name) if is_symbol(name) else []

    def _contents(self, paths: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes | None] = {}
        with suppress(ReviewbotError):  # git fails, for example since the file is not in the clone
            changed = parse_diff(self._repository.whole(paths, staged=self._staged))
            found = {file.path: _new_content(file) for file in changed}
            head = self._repository.reviewed()
            for path in paths if head else ():
                if head and path not in found:
                    with suppress(SourceError):
                        found[path] = head.file(path)
        return {path: content for path in paths if (content := found.get(path)) is not None}

    def _search(self, name: str) -> list[FoundLine] | None:
        with suppress(SourceError):
            head = self._repository.reviewed()
            return head.search(name) if head else []
        return None


def _new_content(file: FileDiff) -> bytes | None:
    """Return the new file of a diff with all its lines; None if it has not all or is not text."""
    whole = len(file.hunks) == 1 and file.hunks[0].new_start == 1
    return new_content(file) if whole and file.new_mode not in NO_FILES else None
