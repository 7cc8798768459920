"""The App on a node: it stores and processes deliveries, and publishes reviews."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Final

from reviewbot.github.api.gateway import Gateway
from reviewbot.github.app.backfill import Backfill
from reviewbot.github.app.clones import AppClones
from reviewbot.github.app.explanations import Explanations
from reviewbot.github.app.handlers import DeliveryHandler
from reviewbot.github.app.head_files import pull_request_files
from reviewbot.github.app.inbox import Inbox
from reviewbot.github.app.manifest import web_address
from reviewbot.github.app.merge_groups import AppMergeGroups
from reviewbot.github.app.outbox import Outbox
from reviewbot.github.app.replies import AppReplies
from reviewbot.github.app.repository_config import RepositoryConfig
from reviewbot.github.app.reviews import AppReviews
from reviewbot.github.client.rate_limit import Pace
from reviewbot.github.commands.answers import Answers
from reviewbot.github.identity import BotIdentity
from reviewbot.github.webhook.payload import App
from reviewbot.jobs.background import in_background
from reviewbot.store import nodes
from reviewbot.store.keys import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from reviewbot.config.settings import Settings
    from reviewbot.github.app.credentials import AppConfig
    from reviewbot.jobs.service import ReviewService

PATIENCE_S: Final = 10.0
"""Maximum seconds that a request waits for a rate limit. The inbox and the outbox schedule longer
waits, and process tasks of other installations meanwhile."""

log = logging.getLogger(__name__)


class Bot:
    """The App of this server. Use as an async context manager, within that of the service.

    Args:
        load: resolves options to settings, as the server does.
        public_url: public address of this server, for links; None if not configured.
        pace: request limits of each installation.
        limits: usage limits of each installation.
        clone_bytes: maximum size of the clones in the state folder; 0 keeps none.
    """

    def __init__(
        self,
        config: AppConfig,
        service: ReviewService,
        load: Callable[[Mapping[str, object]], Settings],
        *,
        public_url: str | None = None,
        pace: Pace | None = None,
        limits: Limits | None = None,
        clone_bytes: int = 0,
    ) -> None:
        self.config = config
        pace, limits = pace or Pace(patience_s=PATIENCE_S), limits or Limits()
        self._github = Gateway(config.credentials, base_url=config.base_url, pace=pace)
        web_url = web_address(config.base_url)
        self._identity: BotIdentity | None = None
        database, node = service.database, service.node
        self._publisher = Outbox(
            database, service.hub, self._github, self.identity, node=node, public_url=public_url
        )
        reviews = AppReviews(
            service,
            self._github,
            self.identity,
            self._publisher,
            load,
            web_url=web_url,
            limits=limits,
        )
        state = load({}).state_folder
        self._clones = AppClones(self._github, web_url, state, max_bytes=clone_bytes)
        service.find_code = partial(pull_request_files, database, self._github, self._clones)
        answers = Answers(self.identity, lambda file: RepositoryConfig(load).describe(file))
        explanations = Explanations(
            service, self.identity, answers, self._publisher, load, limits=limits
        )
        self._publisher.after_withdrawal = reviews.after_withdrawal
        replies = AppReplies(
            *(service, self.identity, self._publisher, load), web_url=web_url, limits=limits
        )
        work = DeliveryHandler(
            reviews,
            self._github,
            self.identity,
            answers,
            explanations,
            replies=replies,
            clones=self._clones,
            merge_groups=AppMergeGroups(
                self._github, web_url=web_url, clock=partial(database.read, nodes.clock)
            ),
            count_fate=service.runner.kit.hooks.fate,
        )
        self.inbox = Inbox(
            database,
            node=node,
            app=App(config.app_id, config.slug),
            handle=work.do,
            acknowledge=work.acknowledge,
            give_up=work.give_up,
        )
        self._backfill = Backfill(database, self._github.app, node=node)
        self._ended = AsyncExitStack()

    async def identity(self) -> BotIdentity:
        """Return our identity on GitHub. Only the first call sends a request.

        Raises:
            GitHubError: GitHub does not state our login.
        """
        if self._identity is None:
            secrets = tuple(secret.reveal() for secret in self.config.webhook_secrets)
            self._identity = BotIdentity(await self._github.login(), secrets)
        return self._identity

    async def __aenter__(self) -> Self:
        await self._ended.enter_async_context(self._github)
        await self._ended.enter_async_context(self._clones)
        works = (self._publisher, self.inbox, self._backfill, self._clones)
        for work in works:
            in_background(work.work(), until=self._ended)
        log.info("started the GitHub App %s", self.config.slug or self.config.app_id)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._ended.aclose()
