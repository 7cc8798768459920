"""The new files of a pull request in full, for more context around what is to be reviewed.

Each takes a request, so that there is a bound on them. What cannot be had is reviewed as the diff
has it: nobody has to be told, since what changed is all there.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

from reviewbot.core.diff.parse import parse_diff
from reviewbot.github.client.errors import GitHubError, TooLargeError
from reviewbot.pipeline.context import LIMITS, ContextLimits, ContextPlanner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reviewbot.config.settings import Settings
    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.github.change.compare import ContentSource

ReadFile: TypeAlias = "Callable[[str], bytes | None]"
"""The content of a file by its path; None if it cannot be had."""
AT_ONCE: Final = 4
"""Files at a time: GitHub is asked for no more by one installation anyway."""
TIMEOUT_S: Final = 60.0
"""How long a review waits for its context: where a limit has to be waited for, it goes without."""


def _nobody(_: str) -> None:
    """Nobody is told."""


async def with_context(
    place: ContentSource,
    diff: bytes,
    settings: Settings,
    attributes: str,
    *,
    whole: Sequence[FileDiff] | None = None,
    limits: ContextLimits = LIMITS,
    tell: Callable[[str], None] = _nobody,
    local: ReadFile | None = None,
) -> bytes:
    """Return the diff with more context around its hunks, as the settings have it.

    Args:
        place: where the new files are.
        diff: what is to be reviewed.
        settings: those of the review.
        attributes: the text of the base's ``.gitattributes``.
        whole: the diff of the pull request, if ``diff`` is a part of it.
        limits: how much is fetched.
        tell: is told what is being fetched.
        local: reads a file from a checkout that has the commit; what it has is not fetched.

    Raises:
        ConfigError: a pattern of the settings is none, or a context window too small.
    """
    if not settings.context_lines:
        return diff

    def plan() -> ContextPlanner:
        return ContextPlanner(parse_diff(diff), settings, attributes, limits)

    around = await asyncio.to_thread(plan)
    contents = await asyncio.to_thread(_of_checkout, local, around.wanted, limits)
    missing = [path for path in around.wanted if path not in contents]
    contents |= await _contents(place, missing, limits, tell)
    return await asyncio.to_thread(around.shown, contents, whole) or diff


def _of_checkout(
    local: ReadFile | None, paths: Sequence[str], limits: ContextLimits
) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in paths if local else ():
        data = local(path) if local else None
        if data is not None and len(data) <= limits.file_bytes:
            found[path] = data
    return found


async def _contents(
    place: ContentSource, paths: Sequence[str], limits: ContextLimits, tell: Callable[[str], None]
) -> dict[str, bytes]:
    """What can be had of these files, by path; whatever GitHub refuses ends it."""
    found: dict[str, bytes] = {}

    async def fetch(path: str) -> None:
        content = await _content(place, path, limits.file_bytes)
        if content is not None:
            found[path] = content

    with suppress(GitHubError, TimeoutError):
        async with asyncio.timeout(TIMEOUT_S):
            for start in range(0, len(paths), AT_ONCE):
                if sum(map(len, found.values())) >= limits.all_bytes:
                    break
                tell(f"the code around its changes, file {start + 1:,} of {len(paths):,}")
                works = map(fetch, paths[start : start + AT_ONCE])
                # None goes on in the background when another fails.
                for result in await asyncio.gather(*works, return_exceptions=True):
                    if result is not None:
                        raise result
    return found


async def _content(place: ContentSource, path: str, max_bytes: int) -> bytes | None:
    """Return the file; None if there is none, or too much of it."""
    try:
        return await place.api.contents.file(place.repo, path, place.head, max_bytes=max_bytes)
    except TooLargeError:
        return None
