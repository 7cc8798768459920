"""Fetch new files of a pull request in full, for more context around the hunks and for linters.

Each file takes one request, so the number of files is limited. If a file cannot be fetched, its
hunks are reviewed without more context. No notice is needed, because all changes are still shown.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.prompt.guidelines import NO_GUIDELINES
from reviewbot.github.client.errors import GitHubError, TooLargeError
from reviewbot.pipeline.context import LIMITS, ContextPlanner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reviewbot.config.settings import Settings
    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.prompt.guidelines import Guidelines
    from reviewbot.github.change.compare import ContentSource
    from reviewbot.models.offline.parser import Parser

ReadFile: TypeAlias = "Callable[[str], bytes | None]"
"""Function that returns the content of a file by path; None if it is not available."""
AT_ONCE: Final = 4
"""Concurrent files. An installation sends no more requests at once."""
TIMEOUT_S: Final = 60.0
"""Maximum seconds to fetch context. After that, the review continues without more context."""


@dataclass(frozen=True, slots=True)
class DiffInContext:
    """A diff with context around its hunks, and a diff that shows the read files in full."""

    diff: bytes
    whole_files: bytes = b""


async def with_context(
    place: ContentSource,
    diff: bytes,
    settings: Settings,
    attributes: str,
    *,
    whole: Sequence[FileDiff] | None = None,
    report: Callable[[str], None] = lambda _: None,
    local: ReadFile | None = None,
    parser: Parser | None = None,
    guidelines: Guidelines = NO_GUIDELINES,
) -> DiffInContext:
    """Return the diff with the configured context around its hunks.

    ``attributes`` is the text of the base's ``.gitattributes``. ``whole`` is the diff of the pull
    request if ``diff`` is a part of it. A file that ``local`` reads from a checkout of the head is
    not fetched. Without a ``parser``, a separate process parses. ``report`` receives progress
    messages. ``guidelines`` are rules of the team, which take room in each request.

    Raises:
        ConfigError: a pattern of the settings is invalid, or a context window is too small.
    """
    if not settings.context_lines:
        return DiffInContext(diff)

    def plan() -> ContextPlanner:
        return ContextPlanner(parse_diff(diff), settings, attributes, LIMITS, guidelines=guidelines)

    around = await asyncio.to_thread(plan)
    contents = await asyncio.to_thread(_of_checkout, local, around.wanted)
    missing = [path for path in around.wanted if path not in contents]
    contents |= await _contents(place, missing, report)
    headings = await around.headings(contents, parser)

    def found() -> DiffInContext:
        return DiffInContext(
            around.shown(contents, whole, headings) or diff, around.whole_files(contents, whole)
        )

    return await asyncio.to_thread(found)


def _of_checkout(local: ReadFile | None, paths: Sequence[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in paths if local else ():
        data = local(path) if local else None
        if data is not None and len(data) <= LIMITS.file_bytes:
            found[path] = data
    return found


async def _contents(
    place: ContentSource, paths: Sequence[str], report: Callable[[str], None]
) -> dict[str, bytes]:
    """Return the available files by path. The first error of GitHub ends the fetch."""
    found: dict[str, bytes] = {}

    async def fetch(path: str) -> None:
        content = await _content(place, path)
        if content is not None:
            found[path] = content

    with suppress(GitHubError, TimeoutError):
        async with asyncio.timeout(TIMEOUT_S):
            for start in range(0, len(paths), AT_ONCE):
                if sum(map(len, found.values())) >= LIMITS.all_bytes:
                    break
                report(f"the code around its changes, file {start + 1:,} of {len(paths):,}")
                works = map(fetch, paths[start : start + AT_ONCE])
                # All requests of a wave end before an error is raised: none continues.
                for result in await asyncio.gather(*works, return_exceptions=True):
                    if result is not None:
                        raise result
    return found


async def _content(place: ContentSource, path: str) -> bytes | None:
    """Return the file; None if the file is missing or too large."""
    try:
        return await place.api.contents.file(
            place.repo, path, place.head, max_bytes=LIMITS.file_bytes
        )
    except TooLargeError:
        return None
