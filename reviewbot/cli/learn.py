"""``reviewbot learn``: propose rules to turn off where people keep dismissing their findings."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reviewbot.cli.github_access import access, fetch
from reviewbot.cli.stats import add_repository
from reviewbot.config.file import parse_config
from reviewbot.config.load import MOST_BYTES, text_of
from reviewbot.config.settings import CONFIG_NAMES
from reviewbot.config.variables import TOKENS
from reviewbot.core.findings.levels import PathRules, RuleLevels
from reviewbot.core.wording import count
from reviewbot.errors import EXIT_OK, SourceError
from reviewbot.github.api.comments import MOST_MERGED
from reviewbot.github.identity import BotIdentity
from reviewbot.github.state.proposals import DISMISSALS, configuration, merged_states, proposals

if TYPE_CHECKING:
    import argparse

    from reviewbot.cli.waiting import WaitIndicator
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.state.block import StateBlock


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_repository(parser)
    parser.epilog = (
        f"A rule is proposed if people who may write dismissed {DISMISSALS} of its notes and\n"
        f"warnings in one folder, on the {MOST_MERGED} pull requests that were merged last.\n"
        "Nothing is changed.\n\n"
        "example:\n  reviewbot learn octo/hello\n\n"
        "GITHUB_TOKEN or GH_TOKEN is the token, which GitHub requires."
    )


def run(args: argparse.Namespace) -> int:
    """Print the proposals as lines for ``.reviewbot.yml``.

    Raises:
        ConfigError: the address of GitHub is invalid, or the configuration of the repository.
        SourceError: there is no token.
        GitHubError: GitHub refuses a request, or does not respond.
    """
    address, token = access()
    if token is None:
        raise SourceError(f"set {TOKENS[0]}: GitHub does not list merged pull requests without it")

    async def read(api: Api, _waiting: WaitIndicator) -> tuple[int, list[StateBlock], RuleLevels]:
        pulls = await api.comments.of_merged(args.repository)
        newest = await api.pulls.newest(args.repository, most=1)
        author = BotIdentity(args.author)
        states = [
            state
            for listed in newest
            if listed.repository_id is not None
            for state in merged_states(pulls, author, listed.repository_id)
        ]
        return len(pulls), states, await _levels(api, args.repository)

    merged, states, levels = asyncio.run(fetch(args.repository, address, token, read))
    found = proposals(states, levels)
    read_states = f"{count(len(states), 'state')} on {count(merged, 'merged pull request')}"
    print(f"# {args.repository}: {read_states} by {args.author}")  # noqa: T201  the output
    if not found:
        print(f"# No rule was dismissed {DISMISSALS} times in one folder.")  # noqa: T201
        return EXIT_OK
    for proposal in found:
        where = f"{proposal.rule} in {proposal.folder}"
        print(f"# {where}: dismissed {proposal.dismissals} times")  # noqa: T201
    print(configuration(found), end="")  # noqa: T201
    return EXIT_OK


async def _levels(api: Api, repo: str) -> RuleLevels:
    """Return the levels of rules in the configuration of the default branch.

    Raises:
        ConfigError: the configuration is invalid.
        GitHubError: GitHub refuses a request, or does not respond.
    """
    for name in CONFIG_NAMES:
        data = await api.contents.file(repo, name, None, max_bytes=MOST_BYTES)
        if data is not None:
            values = parse_config(text_of(data, name), name=name, trusted=False).values
            by_path = (
                PathRules(tuple(entry["paths"]), entry["rules"])
                for entry in values.get("path_rules", ())
            )
            return RuleLevels(values.get("rules", {}), tuple(by_path))
    return RuleLevels()
