"""Read the source of ``reviewbot review``: a file, standard input, git or a pull request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.config.load import config_differs, read_settings
from reviewbot.errors import SourceError
from reviewbot.pipeline import sources
from reviewbot.pipeline.sources import Source

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from reviewbot.config.settings import Settings

MOST_BYTES: Final = 16_000_000
"""Maximum bytes of a diff that gets context, since context needs an additional plan."""


def read_source(args: argparse.Namespace, flags: Mapping[str, object]) -> tuple[Settings, Source]:
    """Return the settings and the source of a command line.

    Args:
        args: arguments of ``reviewbot review``.
        flags: settings in ``args``, as for :func:`reviewbot.config.settings.load_settings`.

    Raises:
        SourceError: the diff cannot be read.
        ConfigError: a setting is invalid.
        GitHubError: GitHub refuses a request, or does not respond.
    """
    if args.pr is not None:
        if args.diff is not None:
            raise SourceError("give either a diff or --pr, not both")
        from reviewbot.cli.pull_request import load_pull_request

        # A server reviews with its own models, and only it knows their limits.
        return load_pull_request(args.pr, flags, config=args.config, context=args.server is None)
    if args.diff is not None and (args.base or args.staged):
        raise SourceError("give either a diff or --base or --staged, not both")
    repository = None
    if args.diff is None:
        repository = sources.open_repository(Path.cwd(), args.base)
    settings = read_settings(flags, config=args.config, base=repository if args.base else None)
    if repository is not None:
        source = _of_repository(args, repository)
        # A server reviews with its own models, and only it knows their limits.
        if args.server is None:
            source = _with_context(source, repository, settings, staged=args.staged)
        return settings, source
    if args.diff == "-":
        return settings, Source(sources.read_stdin())
    return settings, Source(sources.read_file(Path(args.diff)))


def _with_context(
    source: Source, repository: sources.GitRepository, settings: Settings, *, staged: bool
) -> Source:
    """Return ``source`` with the additional context that the settings configure."""
    if not settings.context_lines or len(source.data) > MOST_BYTES:
        return source
    from reviewbot.core.diff.parse import parse_diff
    from reviewbot.core.diff.widen import new_content
    from reviewbot.pipeline.context import ContextPlanner

    around = ContextPlanner(parse_diff(source.data), settings, source.attributes)
    if not around.wanted:
        return source
    whole = parse_diff(repository.whole(around.wanted, staged=staged))
    found = around.shown({file.path: new_content(file) for file in whole})
    return source if found is None else replace(source, data=found)


def _of_repository(args: argparse.Namespace, repository: sources.GitRepository) -> Source:
    attributes = repository.attributes()
    if args.staged:
        return Source(repository.staged(), attributes, repository.notices)
    notices = list(repository.notices)
    if args.base and args.config is None and config_differs(repository, Path.cwd()):
        notices.append(
            "The configuration is the base's, not the one of the working tree; --config names"
            " another."
        )
    if untracked := repository.untracked():
        more = "" if len(untracked) == 1 else f" and {len(untracked) - 1} more"
        notices.append(
            f"Not in the diff: untracked {untracked[0]}{more}; git add what belongs to it."
        )
    return Source(repository.changes(), attributes, tuple(notices))
