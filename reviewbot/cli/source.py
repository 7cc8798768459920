"""Read the source of ``reviewbot review``: a file, standard input, git or a pull request."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.cli.early_import import import_sdk_early
from reviewbot.code.git_files import GitFiles
from reviewbot.code.git_repository import open_repository
from reviewbot.config.load import config_differs, read_settings
from reviewbot.config.settings import OFFLINE
from reviewbot.core.events.events import FileCoverage
from reviewbot.core.plan.languages import is_source
from reviewbot.core.prompt.guidelines import NO_GUIDELINES
from reviewbot.core.safety.escape import show_line
from reviewbot.core.safety.redact import redact_text
from reviewbot.core.wording import count
from reviewbot.errors import SourceError
from reviewbot.pipeline import custom_rules, sources
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
    from collections.abc import Mapping

    from reviewbot.code.git_repository import GitRepository
    from reviewbot.config.settings import Settings
    from reviewbot.core.prompt.guidelines import Guidelines

MOST_UNTRACKED: Final = 500
"""Maximum number of untracked files in a diff."""
MOST_UNTRACKED_BYTES: Final = 1_000_000
"""Maximum bytes of an untracked file in a diff."""
NAMED: Final = 3
"""Untracked files that a notice names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceArguments:
    """Arguments of ``reviewbot review`` that say what it reviews, and where.

    Attributes:
        diff: a diff file, ``-`` for standard input, a range of revisions, or None.
        base: a revision; all changes since the branch left it are reviewed.
        commit: a revision whose changes are reviewed.
        staged: whether only staged changes are reviewed.
        pr: name or address of a pull request.
        untracked: whether a model may see untracked files.
        dry_run: whether no model is asked.
        server: address of the server that reviews; None reviews on this machine.
        config: the configuration file that the user named.
    """

    diff: str | None
    base: str | None
    commit: str | None
    staged: bool
    pr: str | None
    untracked: bool
    dry_run: bool
    server: str | None
    config: Path | None


def read_source(args: SourceArguments, flags: Mapping[str, object]) -> tuple[Settings, Source]:
    """Return the settings and the source of a command line.

    Args:
        args: what to review.
        flags: settings of the command line, as for :func:`reviewbot.config.settings.load_settings`.

    Raises:
        SourceError: the diff cannot be read.
        ConfigError: a setting is invalid.
        GitHubError: GitHub refuses a request, or does not respond.
    """
    reviews_here = args.server is None and not args.dry_run
    if args.pr is not None:
        if args.diff is not None:
            raise SourceError("give either a diff or --pr, not both")
        from reviewbot.cli.pull_request import load_pull_request

        # A server reviews with its own models, and only it knows their limits.
        return load_pull_request(
            args.pr,
            flags,
            config=args.config,
            context=args.server is None,
            then=import_sdk_early if reviews_here else None,
        )
    revisions = (args.base, args.commit, args.staged)
    span = _span(args.diff)
    if args.diff is not None and any(revisions):
        raise SourceError("give either a diff or --base, --commit or --staged, not both")
    repository = None
    if args.diff is None or span:
        repository = open_repository(Path.cwd(), args.base, commit=args.commit, span=span)
    of_others = repository if args.base or args.commit or span else None
    custom = custom_rules.base_rules(repository) if repository and args.server is None else None
    settings = read_settings(
        flags,
        config=args.config,
        base=of_others,
        custom_ids=None if custom is None else [str(rule["id"]) for rule in custom],
    )
    if reviews_here:
        import_sdk_early(settings)
    if repository is not None:
        source = _of_repository(args, repository, settings)
        if args.server is not None and repository.names(custom_rules.FOLDER):
            notice = f"A server has only the diff: the rules in {custom_rules.FOLDER} do not run."
            source = replace(source, notices=(*source.notices, notice))
        # A server reviews with its own models, and only it knows their limits.
        if args.server is None:
            guidelines = _guidelines(settings, source, repository)
            context = RunContext(custom_rules=custom or (), guidelines=guidelines)
            code = GitFiles(repository, staged=args.staged)
            source = replace(source, context=context, code=code)
            source = asyncio.run(with_context(source, settings))
        return settings, source
    if args.diff is None or args.diff == "-":
        return settings, _given(sources.read_stdin(), "standard input")
    return settings, _given(sources.read_file(Path(args.diff)), args.diff)


def _span(text: str | None) -> str | None:
    """Return a range of revisions such as ``A..B``; None for a file."""
    if not text or ".." not in text or text.startswith((".", "/", "~")):
        return None
    try:
        return None if Path(text).exists() else text
    except OSError:  # the name is too long for a file
        return text


def _given(data: bytes, name: str) -> Source:
    if not data.strip():
        raise SourceError(f"Nothing to review: {name} is empty")
    return Source(data)


def _guidelines(settings: Settings, source: Source, repository: GitRepository) -> Guidelines:
    """Return the rules of the base's guideline files; none if no model may review."""
    if not wants_guidelines(settings):
        return NO_GUIDELINES
    from reviewbot.core.diff.parse import parse_diff

    changed = reviewed_paths(parse_diff(source.data), settings, source.attributes)
    return asyncio.run(read_guidelines(tree_of(repository), changed))


def _of_repository(args: SourceArguments, repository: GitRepository, settings: Settings) -> Source:
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
    stays_here = args.server is None and all(one.name == OFFLINE for one in settings.choices)
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
