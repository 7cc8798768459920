"""Add the context that the settings configure to a diff.

If a file cannot be read, its hunks are reviewed without more context. No notice is needed, because
all changes are still shown.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.prompt.guidelines import NO_GUIDELINES
from reviewbot.pipeline.context import LIMITS, ContextPlanner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.code.at_commit import CodeAtCommit
    from reviewbot.config.settings import Settings
    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.prompt.guidelines import Guidelines
    from reviewbot.models.offline.parser import Parser
    from reviewbot.pipeline.sources import Source

MOST_BYTES: Final = 16_000_000
"""Maximum bytes of a diff that gets context, since context needs an additional plan."""


@dataclass(frozen=True, slots=True)
class DiffInContext:
    """A diff with context around its hunks, and a diff that shows the read files in full."""

    diff: bytes
    whole_files: bytes = b""


async def diff_in_context(
    diff: bytes,
    code: CodeAtCommit,
    settings: Settings,
    attributes: str,
    *,
    whole: Sequence[FileDiff] | None = None,
    parser: Parser | None = None,
    guidelines: Guidelines = NO_GUIDELINES,
) -> DiffInContext:
    """Return the diff with the configured context around its hunks.

    Args:
        diff: the diff to review.
        code: the files of the reviewed commit.
        settings: the loaded settings.
        attributes: text of the base's ``.gitattributes``.
        whole: the diff of the pull request if ``diff`` is a part of it.
        parser: parser of source code; None starts a separate process where necessary.
        guidelines: rules of the team, which take room in each request.

    Raises:
        ConfigError: a pattern of the settings is invalid, or a context window is too small.
    """
    if not settings.context_lines or len(diff) > MOST_BYTES:
        return DiffInContext(diff)

    def plan() -> ContextPlanner:
        return ContextPlanner(parse_diff(diff), settings, attributes, LIMITS, guidelines=guidelines)

    around = await asyncio.to_thread(plan)
    if not around.wanted:
        return DiffInContext(diff)
    contents = await code.contents(around.wanted)
    headings = await around.headings(contents, parser)

    def widen() -> DiffInContext:
        return DiffInContext(
            around.shown(contents, whole, headings) or diff, around.whole_files(contents, whole)
        )

    return await asyncio.to_thread(widen)


async def with_context(source: Source, settings: Settings) -> Source:
    """Return a source with the configured context around its hunks, read from its code.

    Raises:
        ConfigError: as :func:`diff_in_context`.
    """
    if source.code is None:
        return source
    shown = await diff_in_context(
        source.data,
        source.code,
        settings,
        source.attributes,
        guidelines=source.context.guidelines,
    )
    return replace(source, data=shown.diff, whole_files=shown.whole_files)
