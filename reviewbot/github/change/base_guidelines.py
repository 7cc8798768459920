"""Rules of a team from the base of a pull request, which the pull request cannot change."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from reviewbot.core.prompt.guidelines import NO_GUIDELINES, Guidelines
from reviewbot.github.client.errors import GitHubError, TooLargeError
from reviewbot.pipeline.guidelines import (
    MOST_BYTES,
    TOO_LARGE,
    BaseTree,
    UnreadFileError,
    read_guidelines,
    reviewed_paths,
    wants_guidelines,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.config.settings import Settings
    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.change.base_files import BaseFiles

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 60.0
"""Maximum seconds to read guideline files, waits for rate limits included."""
_LONG_LIST: Final = (
    "The list of files of this repository is too long, so no guideline files were read."
)


async def base_guidelines(
    api: Api, repo: str, base: BaseFiles, files: Sequence[FileDiff], settings: Settings
) -> Guidelines:
    """Return the rules of the base branch for a change; none unless a model may review it.

    A review needs no rules, so an error of GitHub is a problem of the result.
    One request lists the files, and each file is one more, up to
    :data:`~reviewbot.pipeline.guidelines.MOST_READS`.

    ``repo`` is the repository of the base (``OWNER/REPO``), never that of the head. ``files`` is
    the whole change. ``settings`` include the configuration of the base.

    Raises:
        ConfigError: a pattern of the settings is invalid.
        ReviewbotError: the search for secrets failed.
    """
    if not wants_guidelines(settings):
        return NO_GUIDELINES
    changed = reviewed_paths(files, settings, base.attributes)
    return await guidelines_for(api, repo, base, changed)


async def guidelines_for(
    api: Api, repo: str, base: BaseFiles, changed: Sequence[str]
) -> Guidelines:
    """Return the rules of the base branch for changed paths. Arguments as above.

    The first error of GitHub ends the reads, and so does :data:`TIMEOUT_S`.

    Raises:
        ReviewbotError: the search for secrets failed.
    """
    if not changed:
        return NO_GUIDELINES

    async def read(blob: str) -> bytes:
        try:
            return await api.contents.blob(repo, blob, max_bytes=MOST_BYTES)
        except TooLargeError:
            raise UnreadFileError(TOO_LARGE) from None

    try:
        async with asyncio.timeout(TIMEOUT_S):
            entries, truncated = await api.contents.tree(repo, base.commit)
            return await read_guidelines(BaseTree(base.commit, entries, read, truncated), changed)
    except TooLargeError:
        return Guidelines(problems=(_LONG_LIST,))
    except GitHubError as error:
        log.warning("guideline files could not be fetched: %s", error)
        reason = error.for_author
    except TimeoutError:
        reason = f"reading them took more than {TIMEOUT_S:.0f} seconds"
    return Guidelines(problems=(f"No guideline files were used, since {reason}.",))
