"""Review a change as a user does offline: with the rules, the linters and the whole files."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reviewbot.code.git_files import GitFiles
from reviewbot.code.git_repository import open_repository
from reviewbot.config.settings import OFFLINE, Settings, load_settings
from reviewbot.core.events.events import (
    FindingRaised,
    FindingWithdrawn,
    ReviewFinished,
    ReviewStarted,
)
from reviewbot.pipeline.diff_context import with_context
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.review import review
from reviewbot.pipeline.sources import Source
from reviewbot.pipeline.workers import own_pool, workers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from reviewbot.core.findings.finding import Finding
    from reviewbot.models.base import Model
    from reviewbot.models.offline.parser import Parser


@dataclass(slots=True)
class Reviewed:
    """The result of a review.

    ``added`` counts the added lines of files that a rule or a linter read. ``paths`` are the files
    that the policy does not skip.
    """

    findings: dict[str, Finding] = field(default_factory=dict)
    added: int = 0
    paths: tuple[str, ...] = ()

    @property
    def inline(self) -> list[Finding]:
        """Findings that are shown on a line."""
        return [one for one in self.findings.values() if one.placement.kind == "inline"]


class Reviewer:
    """Reviewer that keeps one process for parsing. Create it with :func:`reviewer`.

    Args:
        parser: parser of source code.
    """

    def __init__(self, parser: Parser) -> None:
        self._parser = parser

    async def review(
        self, source: Source, settings: Settings, model: Model | None = None
    ) -> Reviewed:
        """Review a change.

        Args:
            source: the change, as :func:`change_of` returns it.
            settings: settings of the review.
            model: model in place of that of the settings; None reviews with the own rules.
        """
        prepared = prepare(
            source.data,
            settings,
            attributes=source.attributes,
            whole_files=source.whole_files,
        )
        done = Reviewed()
        added: dict[str, int] = {}
        async with (
            workers(
                prepared,
                settings,
                parser=self._parser,
                client_of=lambda choice: None if choice.name == OFFLINE else model,
            ) as work,
            aclosing(
                review(prepared.job, work.with_linters(work.run_batch, wait_for_all=True))
            ) as events,
        ):
            async for event in events:
                match event:
                    case ReviewStarted():
                        added = {one.path: one.added for one in event.files}
                    case FindingRaised():
                        done.findings[event.finding.id] = event.finding
                    case FindingWithdrawn():
                        done.findings.pop(event.id, None)
                    case ReviewFinished():
                        read = [one for one in event.coverage if one.checks]
                        done.added = sum(added[one.path] for one in read)
                        done.paths = tuple(
                            one.path for one in event.coverage if one.status != "skipped"
                        )
                    case _:
                        pass
        return done


@asynccontextmanager
async def reviewer() -> AsyncIterator[Reviewer]:
    """Yield a reviewer; its process ends with the context."""
    async with own_pool() as pool:
        yield Reviewer(pool.for_tenant("quality"))


def offline_settings(*, whole: bool = True) -> Settings:
    """Return the default settings of an offline review.

    Args:
        whole: whether the review reads whole files; otherwise it reads only hunks.
    """
    flags: dict[str, object] = {"model": "offline"}
    return load_settings(flags=flags if whole else {**flags, "context_lines": 0}, env={})


def model_settings(name: str) -> Settings:
    """Return the settings of a review by a model, without a summary and verification."""
    flags: dict[str, object] = {"model": name, "summary": False, "verify": False}
    return load_settings(flags=flags, env={"ANTHROPIC_API_KEY": "unused"})


async def change_of(
    directory: Path, settings: Settings, *, commit: str | None = None, span: str | None = None
) -> Source:
    """Return what ``reviewbot review --commit`` or ``reviewbot review A..B`` reviews.

    Args:
        directory: a git directory or a working tree.
        settings: settings of the review.
        commit: the commit to review.
        span: a range of revisions.

    Raises:
        SourceError: git does not know a revision.
    """

    def read() -> Source:
        repository = open_repository(directory, commit=commit, span=span)
        code = GitFiles(repository)
        return Source(repository.changes(), repository.attributes(), code=code)

    return await with_context(await asyncio.to_thread(read), settings)
