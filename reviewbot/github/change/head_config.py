"""Check the configuration file that a pull request adds or edits, before it is merged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reviewbot.config.load import MOST_BYTES
from reviewbot.github.client.errors import TooLargeError
from reviewbot.pipeline.config_check import config_findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.findings.finding import Finding
    from reviewbot.github.api.gateway import Api


async def head_config(
    api: Api, repo: str, head: str, files: Sequence[FileDiff], names: Sequence[str]
) -> tuple[Finding, ...]:
    """Return the mistakes in the configuration of the head, if the pull request changes it.

    Args:
        api: GitHub.
        repo: the repository of the base (``OWNER/REPO``), which has the commits of forks, too.
        head: the commit at the head.
        files: the diff of the pull request.
        names: possible paths of the configuration.

    Raises:
        GitHubError: GitHub refuses, or does not respond.
    """
    changed = {file.path for file in files if file.status != "deleted"}
    if changed.isdisjoint(names):
        return ()
    contents: dict[str, bytes | None] = {}
    for name in names:
        try:
            contents[name] = await api.contents.file(repo, name, head, max_bytes=MOST_BYTES)
        except TooLargeError:
            contents[name] = b" " * (MOST_BYTES + 1)
    return await asyncio.to_thread(config_findings, files, contents)
