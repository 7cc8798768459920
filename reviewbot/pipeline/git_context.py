"""Add the context that the settings configure to a diff of a local repository."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.diff.widen import new_content
from reviewbot.pipeline.context import ContextPlanner

if TYPE_CHECKING:
    from reviewbot.code.git_repository import GitRepository
    from reviewbot.config.settings import Settings
    from reviewbot.pipeline.sources import Source

MOST_BYTES: Final = 16_000_000
"""Maximum bytes of a diff that gets context, since context needs an additional plan."""


def with_context(
    source: Source, repository: GitRepository, settings: Settings, *, staged: bool
) -> Source:
    """Return ``source`` with the context that the settings configure, and the files in full.

    Not in an event loop: it waits for its own.
    """
    if not settings.context_lines or len(source.data) > MOST_BYTES:
        return source
    around = ContextPlanner(
        parse_diff(source.data),
        settings,
        source.attributes,
        guidelines=source.context.guidelines,
    )
    if not around.wanted:
        return source
    whole = parse_diff(repository.whole(around.wanted, staged=staged))
    contents = {file.path: new_content(file) for file in whole}
    headings = asyncio.run(around.headings(contents))
    data = around.shown(contents, headings=headings) or source.data
    return replace(source, data=data, whole_files=around.whole_files(contents))
