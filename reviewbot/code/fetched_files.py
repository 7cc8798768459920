"""Files of a commit that is fetched when the first of them is read, as code at a commit."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from reviewbot.code.at_commit import SearchError
from reviewbot.code.git_files import GitFiles
from reviewbot.errors import ReviewbotError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from reviewbot.code.at_commit import FilesWith, FoundLine, Unread
    from reviewbot.code.git_repository import GitRepository

log = logging.getLogger(__name__)


class FetchedFiles:
    """Files of a commit of a remote repository.

    ``fetch`` returns the repository at the commit. It is called once; if it fails, no file is
    available, and nothing can be searched.
    """

    def __init__(self, fetch: Callable[[], Awaitable[GitRepository]]) -> None:
        self._fetch = fetch
        self._fetching: asyncio.Task[GitFiles | None] | None = None
        self.problem: str | None = None
        """Sentence that says why the repository could not be fetched; None if it could, or if
        nothing was read yet."""

    async def contents(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of regular files by path, without those that are not available."""
        files = await self._fetched() if paths else None
        return {} if files is None else await files.contents(paths)

    async def search(self, name: str) -> Sequence[FoundLine] | None:
        """Return the first lines with an identifier; None if the code cannot be searched."""
        files = await self._fetched()
        return None if files is None else await files.search(name)

    async def read(
        self, paths: Sequence[str], *, base: bool = False
    ) -> Mapping[str, bytes | Unread]:
        """Return the content of each path, or the reason why it has none."""
        files = await self._fetched() if paths else None
        unavailable: dict[str, bytes | Unread] = dict.fromkeys(paths, "unavailable")
        return unavailable if files is None else await files.read(paths, base=base)

    async def files_with(self, text: str, *, word: bool, under: str = "") -> FilesWith:
        """Return the files that may contain a text.

        Raises:
            SearchError: the repository could not be fetched or searched, or has no file or folder
                ``under``.
        """
        files = await self._fetched()
        if files is None:
            raise SearchError("the repository could not be fetched")
        # Only large files are not fetched (:data:`.WITHHELD_BYTES`), and no search covers these.
        return (await files.files_with(text, word=word, under=under))._replace(absent=0)

    async def _fetched(self) -> GitFiles | None:
        """Return the files; None if they cannot be fetched.

        A look-up that does not wait any longer leaves the fetch to those that follow.
        """
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch_once())
        return await asyncio.shield(self._fetching)

    async def _fetch_once(self) -> GitFiles | None:
        try:
            return GitFiles(await self._fetch())
        except (ReviewbotError, OSError) as error:
            log.warning("could not fetch a repository to read its code: %s", error)
            self.problem = f"The code beyond the change was not searched: {_reason(error)}."
            return None


def _reason(error: Exception) -> str:
    """Return the reason for readers of the review, who must not see paths of this machine."""
    if isinstance(error, OSError):
        return "its repository could not be stored here"
    reason = getattr(error, "for_author", None) or str(error)
    return f"its repository could not be fetched, since {reason}"
