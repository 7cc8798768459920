"""Files of the head of a pull request, as code at a commit.

A file is read from a checkout of the head if there is one that has it, else with GitHub's contents
API. There each file takes one request, and their number is limited. The first error of GitHub ends
the requests; the review goes on without the files that are missing.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from reviewbot.code.at_commit import FILE_BYTES
from reviewbot.github.change.compare import AT_ONCE
from reviewbot.github.client.errors import GitHubError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reviewbot.code.at_commit import CodeAtCommit, FoundLine
    from reviewbot.github.change.compare import ContentSource

REQUESTS: Final = 10
"""Most requests of one review for code beyond the changed files."""
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

    async def contents(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of the files by path, without those that are not available."""
        found = dict(await self._checkout.contents(paths)) if self._checkout else {}
        missing = [path for path in paths if path not in found][: self._left]
        return found | await self._fetched(missing)

    async def search(self, _name: str) -> Sequence[FoundLine] | None:
        """Return None: GitHub searches the default branch only."""
        return None

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
