"""Propose to turn a rule off in a folder where people keep dismissing its findings.

A proposal has a rule and a folder, and never a text of a person or of a finding. It changes
nothing: somebody must commit the lines to the configuration.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.core.findings.finding import CATEGORIES
from reviewbot.github import markers
from reviewbot.github.client.errors import GitHubError
from reviewbot.github.identity import PullName
from reviewbot.github.state.block import unpack
from reviewbot.rules.names import problem_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reviewbot.core.findings.levels import RuleLevels
    from reviewbot.github.api.comments import MergedPull
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.identity import BotIdentity
    from reviewbot.github.state.block import StateBlock

log = logging.getLogger(__name__)

DISMISSALS: Final = 3
"""Number of dismissals of one rule in one folder that make a proposal."""
MOST: Final = 10
"""Maximum number of proposals."""
_RULE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,99}")
_FOLDER: Final = re.compile(r"[A-Za-z0-9_.-][A-Za-z0-9_./ -]*")
"""Folders that a gitignore pattern names without an escape."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rule to turn off in a folder, and the number of its dismissals there."""

    rule: str
    folder: str
    dismissals: int


def proposals(states: Iterable[StateBlock], levels: RuleLevels) -> tuple[Proposal, ...]:
    """Return proposals from the states of pull requests, those with the most dismissals first.

    Only dismissed notes and warnings of rules and linters on merged pull requests count. Rules that
    ``levels`` turn off are left out, and so are those of the repository itself, rules that no
    longer exist, and files at the root.
    """
    counts = Counter(
        (record.rule, record.folder)
        for state in states
        if state.merged
        for record in state.closed
        if record.fate == "dismissed"
        and record.severity in ("warning", "note")
        and record.rule not in CATEGORIES
        and _RULE.fullmatch(record.rule)
        and problem_of(record.rule, ()) is None
        and record.folder
        and _FOLDER.fullmatch(record.folder)
    )
    found = (
        Proposal(rule, folder, number)
        for (rule, folder), number in counts.items()
        if number >= DISMISSALS and levels.at(f"{folder}/file").get(rule) != "off"
    )
    ordered = sorted(found, key=lambda proposal: (-proposal.dismissals, proposal.rule))
    return tuple(ordered[:MOST])


async def read_proposals(
    api: Api, pull: PullName, identity: BotIdentity, levels: RuleLevels
) -> tuple[Proposal, ...]:
    """Return the proposals for the repository of a pull request, in one request to GitHub.

    There are none if nothing is signed, so that no state can be trusted, or if GitHub refuses.
    """
    if not identity.secrets or pull.repository_id is None:
        return ()
    try:
        pulls = await api.comments.of_merged(pull.repo)
    except GitHubError as error:
        log.warning("the merged pull requests could not be read: %s", error)
        return ()
    states = merged_states(pulls, identity, pull.repository_id)
    return await asyncio.to_thread(proposals, states, levels)


def configuration(found: Iterable[Proposal]) -> str:
    """Return the lines for the configuration file, as YAML."""
    entries = (
        f"  - paths: [{json.dumps(f'/{proposal.folder}/')}]\n    rules: {{{proposal.rule}: off}}\n"
        for proposal in found
    )
    return "path_rules:\n" + "".join(entries)


def merged_states(
    pulls: Iterable[MergedPull], identity: BotIdentity, repository_id: int
) -> Iterator[StateBlock]:
    """Yield the states in comments of ``identity`` on merged pull requests of one repository.

    If ``identity`` has a secret, the states must be signed.
    """
    for pull in pulls:
        name = PullName("", pull.number, repository_id)
        for login, text in pull.comments:
            if not identity.is_named(login) or (
                identity.secrets and not identity.signed(text, name)
            ):
                continue
            marker = markers.shape(text, name.bound)
            if marker is not None and marker.kind == "summary" and marker.state:
                block = unpack(marker.state)
                if block is not None:
                    yield block
