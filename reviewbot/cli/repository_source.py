"""Read the changes of a local repository: what ``reviewbot review`` reviews without a diff."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.code.git_files import GitFiles
from reviewbot.code.git_repository import open_repository
from reviewbot.config.load import config_differs, read_settings
from reviewbot.config.settings import CONFIG_NAMES, OFFLINE
from reviewbot.core.events.events import FileCoverage
from reviewbot.core.plan.languages import is_source
from reviewbot.core.prompt.guidelines import NO_GUIDELINES
from reviewbot.core.safety.escape import show_line
from reviewbot.core.safety.redact import redact_text
from reviewbot.core.wording import count
from reviewbot.pipeline.custom_rules import FOLDER, base_rules
from reviewbot.pipeline.diff_context import with_context
from reviewbot.pipeline.guidelines import (
    read_guidelines,
    reviewed_paths,
    tree_of,
    wants_guidelines,
)
from reviewbot.pipeline.run_context import RunContext
from reviewbot.pipeline.sources import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reviewbot.cli.source import SourceArguments
    from reviewbot.code.git_repository import GitRepository
    from reviewbot.config.settings import Settings
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.prompt.guidelines import Guidelines

MOST_UNTRACKED: Final = 500
"""Maximum number of untracked files in a diff."""
MOST_UNTRACKED_BYTES: Final = 1_000_000
"""Maximum bytes of an untracked file in a diff."""
NAMED: Final = 3
"""Untracked files that a notice names."""


def read_repository(
    args: SourceArguments,
    flags: Mapping[str, object],
    *,
    span: str | None,
    then: Callable[[Settings], object] | None,
) -> tuple[Settings, Source]:
    """Return the settings and the changes of the repository in the current folder.

    Args:
        args: what to review.
        flags: settings of the command line, as for :func:`reviewbot.config.settings.load_settings`.
        span: the range of revisions to review; None reviews what the arguments name.
        then: function that gets the settings as soon as they are known; None calls nothing.

    Raises:
        SourceError: the changes cannot be read.
        ConfigError: a setting, or a rule of the repository, is invalid.
    """
    repository = open_repository(Path.cwd(), args.base, commit=args.commit, span=span)
    # A server reviews with its own models and rules, and only it knows their limits.
    is_here = args.server is None
    custom = base_rules(repository) if is_here else None
    settings = read_settings(
        flags,
        config=args.config,
        base=repository if args.base or args.commit or span else None,
        custom_ids=None if custom is None else [str(rule["id"]) for rule in custom],
    )
    if then is not None:
        then(settings)
    source = _changes(args, repository, settings)
    if is_here:
        guidelines = _guidelines(settings, source, repository)
        code = GitFiles(repository, staged=args.staged)
        context = RunContext(
            custom_rules=custom or (),
            guidelines=guidelines,
            config_findings=_config_findings(source, code),
        )
        source = replace(source, context=context, code=code)
        source = asyncio.run(with_context(source, settings))
    elif repository.names(FOLDER):
        notice = f"A server has only the diff: the rules in {FOLDER} do not run."
        source = replace(source, notices=(*source.notices, notice))
    return settings, source


def _config_findings(source: Source, code: GitFiles) -> tuple[Finding, ...]:
    """Return the mistakes in the configuration file at the root, if the change edits it."""
    if not any(name.encode() in source.data for name in CONFIG_NAMES):
        return ()
    from reviewbot.core.diff.parse import parse_diff
    from reviewbot.pipeline.config_check import config_findings

    contents = asyncio.run(code.read(CONFIG_NAMES))
    known = {name: data if isinstance(data, bytes) else None for name, data in contents.items()}
    return config_findings(parse_diff(source.data), known)


def _guidelines(settings: Settings, source: Source, repository: GitRepository) -> Guidelines:
    """Return the rules of the base's guideline files; none if no model may review."""
    if not wants_guidelines(settings):
        return NO_GUIDELINES
    from reviewbot.core.diff.parse import parse_diff

    changed = reviewed_paths(parse_diff(source.data), settings, source.attributes)
    return asyncio.run(read_guidelines(tree_of(repository), changed))


def _changes(args: SourceArguments, repository: GitRepository, settings: Settings) -> Source:
    attributes = repository.attributes()
    if args.staged:
        return Source(repository.staged(), attributes, repository.notices)
    notices = list(repository.notices)
    from_the_base = args.base or repository.end is not None
    if from_the_base and args.config is None and config_differs(repository, Path.cwd()):
        notices.append(
            "The configuration is read from the base, not from the working tree; use --config for"
            " another one."
        )
    if repository.end is not None:
        title, description = repository.message() if args.commit else ("", "")
        return Source(
            repository.changes(),
            attributes,
            tuple(notices),
            title=title,
            description=description,
        )
    stays_here = args.server is None and all(choice.name == OFFLINE for choice in settings.choices)
    untracked = repository.untracked()
    if args.untracked or stays_here:
        fitting = [
            path
            for path, size in untracked.items()
            if size is not None and size <= MOST_UNTRACKED_BYTES
        ]
        taken = tuple(fitting[:MOST_UNTRACKED])
        missing = tuple(_left_out(path, untracked[path]) for path in untracked.keys() - {*taken})
        return Source(repository.changes(taken), attributes, tuple(notices), missing)
    if untracked:
        names = [redact_text(show_line(path)) for path in islice(untracked, NAMED)]
        named = ", ".join(names) + (", ..." if len(untracked) > NAMED else "")
        what = count(len(untracked), "untracked file")
        notices.append(f"Not in the diff: {what} ({named}); --untracked sends them.")
    return Source(repository.changes(), attributes, tuple(notices))


def _left_out(path: str, size: int | None) -> FileCoverage:
    """Return the coverage of an untracked file that is not part of the diff."""
    reason = f"More than {MOST_UNTRACKED:,} files are untracked; git add this one."
    if size is None:
        reason = "This untracked file cannot be read."
    elif size > MOST_UNTRACKED_BYTES:
        reason = f"This untracked file is larger than {MOST_UNTRACKED_BYTES:,} bytes; git add it."
    return FileCoverage(path, "unread" if is_source(path) else "skipped", reason)
