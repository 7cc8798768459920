"""Files of the head of a pull request, as code at a commit.

A file is read from a checkout of the head if there is one that has it, else with GitHub's contents
API. There each file takes one request, and their number is limited. The first error of GitHub ends
the requests; the review goes on without the files that are missing.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from reviewbot.code.at_commit import FILE_BYTES, FilesWith, SearchError, problem_of
from reviewbot.core.plan.chunk_view import SYMLINK
from reviewbot.github.change.compare import AT_ONCE
from reviewbot.github.client.errors import GitHubError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reviewbot.code.at_commit import CodeAtCommit, FoundLine, Unread
    from reviewbot.github.change.compare import ContentSource

REQUESTS: Final = 10
"""Most requests of one review for code beyond the changed files."""
LOOKUP_REQUESTS: Final = 50
"""Most requests of one review for the look-ups of models."""
TIMEOUT_S: Final = 20.0
"""Seconds for the files of one call."""
CONTEXT_REQUESTS: Final = 30
"""Most requests of one review for the changed files."""
CONTEXT_TIMEOUT_S: Final = 60.0
"""Seconds for all changed files. After that, the review continues without more context."""
ALL_BYTES: Final = 4_000_000
"""Most bytes of the files of one call; downloads in progress at the limit still count."""


class HeadFiles:
    """Files of the head of a pull request.

    Args:
        place: where the head is.
        checkout: the files of a checkout of the head, which take no request.
        requests: most requests.
        timeout_s: seconds for the files of one call.
        report: receives progress messages.
    """

    def __init__(
        self,
        place: ContentSource,
        *,
        checkout: CodeAtCommit | None = None,
        requests: int = REQUESTS,
        timeout_s: float = TIMEOUT_S,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._place, self._checkout, self._report = place, checkout, report
        self._left, self._timeout_s = requests, timeout_s
        self._lookups_left = LOOKUP_REQUESTS
        self._trees: dict[str, tuple[dict[str, tuple[str, str]], bool]] = {}
        self._tree_lock = asyncio.Lock()

    async def contents(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of the files by path, without those that are not available."""
        found = dict(await self._checkout.contents(paths)) if self._checkout else {}
        missing = [path for path in paths if path not in found][: self._left]
        return found | await self._fetched(missing)

    async def search(self, name: str) -> Sequence[FoundLine] | None:
        """Return the first lines of a checkout with an identifier; None without one.

        GitHub itself searches the default branch only.
        """
        return None if self._checkout is None else await self._checkout.search(name)

    async def read(self, paths: Sequence[str], *, base: bool = False) -> dict[str, bytes | Unread]:
        """Return the content of each path, or the reason why it has none.

        The contents API follows symbolic links. So a path is looked up in the list of all files,
        and its blob is fetched.
        """
        read: dict[str, bytes | Unread] = dict.fromkeys(paths, "unavailable")
        if self._checkout is not None:
            read |= await self._checkout.read(paths, base=base)
        missing = [path for path in paths if read[path] == "unavailable"]
        with suppress(GitHubError, TimeoutError, ValueError):  # ValueError: an invalid id
            async with asyncio.timeout(self._timeout_s):
                for path in missing:
                    read[path] = await self._blob(path, base=base)
        return read

    async def files_with(self, text: str, *, word: bool, under: str = "") -> FilesWith:
        """Return the files of a checkout that may contain a text.

        Raises:
            SearchError: there is no checkout, as GitHub searches the default branch only.
        """
        if self._checkout is None:
            raise SearchError("there is no clone of the repository to search")
        return await self._checkout.files_with(text, word=word, under=under)

    async def _blob(self, path: str, *, base: bool) -> bytes | Unread:
        """Return a file, or the reason why it has no content.

        Raises:
            GitHubError: GitHub refuses, or does not respond.
        """
        place = self._place
        commit = place.merge_base if base else place.head
        if commit is None:
            return "unavailable"
        async with self._tree_lock:
            if commit not in self._trees:
                self._spend()
                self._trees[commit] = await place.api.contents.tree(place.repo, commit)
        files, is_cut = self._trees[commit]
        if path not in files:
            return "unavailable" if is_cut else "missing"
        mode, name = files[path]
        if mode == SYMLINK:
            return "link"
        self._spend()
        with suppress(TooLargeError):
            return await place.api.contents.blob(place.repo, name, max_bytes=FILE_BYTES)
        return "large"

    def _spend(self) -> None:
        """Count one request of a look-up.

        Raises:
            TimeoutError: the limit is reached.
        """
        if not self._lookups_left:
            raise TimeoutError
        self._lookups_left -= 1

    @property
    def problem(self) -> str | None:
        """Sentence about a checkout that is not available; None without one."""
        return problem_of(self._checkout)

    async def _fetched(self, paths: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}

        async def fetch(path: str) -> None:
            self._left -= 1
            content = await self._content(path)
            if content is not None:
                found[path] = content

        try:
            async with asyncio.timeout(self._timeout_s):
                for start in range(0, len(paths), AT_ONCE):
                    if sum(map(len, found.values())) >= ALL_BYTES:
                        break
                    self._report(
                        f"the code around its changes, file {start + 1:,} of {len(paths):,}"
                    )
                    works = map(fetch, paths[start : start + AT_ONCE])
                    # All requests of a wave end before an error is raised: none continues.
                    for result in await asyncio.gather(*works, return_exceptions=True):
                        if result is not None:
                            raise result
        except (GitHubError, TimeoutError):
            self._left = 0
        return found

    async def _content(self, path: str) -> bytes | None:
        """Return the file; None if the file is missing or too large."""
        place = self._place
        with suppress(TooLargeError):
            return await place.api.contents.file(place.repo, path, place.head, max_bytes=FILE_BYTES)
        return None


def changed_files(
    place: ContentSource,
    *,
    checkout: CodeAtCommit | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> HeadFiles:
    """Return the files of the head within the limits for context around the changes."""
    return HeadFiles(
        place,
        checkout=checkout,
        requests=CONTEXT_REQUESTS,
        timeout_s=CONTEXT_TIMEOUT_S,
        report=report,
    )
