"""Read people's reactions to our comments on findings.

GitHub sends no webhook for reactions, so they are fetched when they are counted. Only reactions of
people with write access count. A reaction dismisses nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reviewbot.github import markers
from reviewbot.github.state.prior import WRITERS

if TYPE_CHECKING:
    from reviewbot.github.api.comments import Reaction
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.api.pulls import Permission
    from reviewbot.github.api.reviews import ReviewComment
    from reviewbot.github.identity import BotIdentity, PullName
    from reviewbot.github.state.block import ClosedRecord, Record, StateBlock


@dataclass(frozen=True, slots=True)
class FindingReaction:
    """A reaction to our comment on a finding. All texts but the reaction are untrusted."""

    reaction: Reaction
    rule: str
    model: str
    prompt_version: str


class ReactionReader:
    """Reader of the reactions in one repository. It asks for the permission of each person once.

    ``author`` is the account that posts the reviews.
    """

    def __init__(self, api: Api, author: BotIdentity) -> None:
        self._api, self._author = api, author
        self._levels: dict[str, asyncio.Task[Permission]] = {}

    async def read(self, pull: PullName, block: StateBlock) -> list[FindingReaction]:
        """Return the reactions to findings of a pull request.

        ``block``, its state, names the model of a finding.

        Raises:
            ForbiddenError: the token does not permit to read permissions.
            GitHubError: the request failed.
        """
        known: dict[str, Record | ClosedRecord] = {one.id: one for one in block.closed}
        known |= {one.id: one for one in block.records}
        found: list[FindingReaction] = []
        for comment in await self._api.reviews.comments(pull.repo, pull.number):
            marker = markers.shape(comment.body, pull.bound) if comment.reactions else None
            if marker is None or marker.kind != "finding" or not self._author.wrote(comment.author):
                continue
            record = known.get(marker.findings[0].id)
            rule = record.rule if record else marker.rule or "unknown"
            model = (record.model if record else "") or "unknown"
            version = (record.prompt_version if record else "") or "none"
            found += [
                FindingReaction(one, rule, model, version)
                for one in await self._of_writers(pull, comment)
            ]
        return found

    async def _of_writers(self, pull: PullName, comment: ReviewComment) -> list[Reaction]:
        reactions = await self._api.comments.reactions(pull.repo, comment.id)
        people = [(who.login, one) for who, one in reactions if not who.is_bot]
        return [one for login, one in people if await self._level(pull.repo, login) in WRITERS]

    async def _level(self, repo: str, login: str) -> Permission:
        if login not in self._levels:
            asked = asyncio.ensure_future(self._api.pulls.permission(repo, login))
            self._levels[login] = asked
        return await self._levels[login]
