"""Read the source of ``reviewbot review``: a file, standard input, git or a pull request.

Only the module of the given kind of source is imported, so a review of a file starts fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reviewbot.cli.early_import import import_sdk_early
from reviewbot.config.load import read_settings
from reviewbot.errors import SourceError
from reviewbot.pipeline import sources
from reviewbot.pipeline.sources import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reviewbot.config.settings import Settings


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
    then = import_sdk_early if reviews_here else None
    if args.pr is not None:
        if args.diff is not None:
            raise SourceError("give either a diff or --pr, not both")
        from reviewbot.cli.pull_request import load_pull_request

        # A server reviews with its own models, and only it knows their limits.
        return load_pull_request(
            args.pr, flags, config=args.config, context=args.server is None, then=then
        )
    span = _span(args.diff)
    if args.diff is not None and any((args.base, args.commit, args.staged)):
        raise SourceError("give either a diff or --base, --commit or --staged, not both")
    if args.diff is None or span:
        from reviewbot.cli.repository_source import read_repository

        return read_repository(args, flags, span=span, then=then)
    settings = read_settings(flags, config=args.config)
    if then is not None:
        then(settings)
    if args.diff == "-":
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
