"""Turn a reply to a finding into a stored and queued question, or answer it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.core.safety.shown_text import shown_line
from reviewbot.errors import ConfigError
from reviewbot.github.app.inquiries import queue_inquiry
from reviewbot.github.app.repository_config import RepositoryConfig
from reviewbot.github.app.reviews import tenant_of
from reviewbot.github.app.subjects import installation_at
from reviewbot.github.app.targets import AnswerTarget
from reviewbot.github.change.base_files import config_at
from reviewbot.github.dialogue.answer import NOT_LOOKED, post_reply
from reviewbot.github.dialogue.look import Disputed, read_reply
from reviewbot.github.dialogue.replies import FixedAnswer, PersonReply, is_for_us
from reviewbot.jobs.admission import ReviewRequest
from reviewbot.jobs.options import ReviewOptions
from reviewbot.pipeline.explain import explanation_models
from reviewbot.store.budgets import OverLimitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from reviewbot.config.settings import Settings
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.app.outbox import Outbox
    from reviewbot.github.identity import BotIdentity
    from reviewbot.github.webhook.tasks import Commented
    from reviewbot.jobs.service import ReviewService
    from reviewbot.store.keys import Limits

_NO_SETTINGS = "the configuration of the base is invalid."
_NO_BUDGET = "the installation has reached its daily limit."


class AppReplies:
    """Handler of replies to findings. The outbox posts the answers of models.

    Args:
        load: resolves options to settings, as the server does.
        web_url: address of GitHub's pages.
        limits: usage limits of each installation.
    """

    def __init__(
        self,
        service: ReviewService,
        identity: Callable[[], Awaitable[BotIdentity]],
        publisher: Outbox,
        load: Callable[[Mapping[str, object]], Settings],
        *,
        web_url: str,
        limits: Limits,
    ) -> None:
        self._service, self._identity, self._publisher = service, identity, publisher
        self._load, self._web_url, self._limits = load, web_url, limits

    async def take(self, api: Api, task: Commented) -> None:
        """Answer a reply, or start its answer, once. Replies that get no answer are ignored.

        Raises:
            GitHubError: GitHub refuses a request.
            StoreError: the database is unavailable.
        """
        identity, reply = await self._identity(), PersonReply.of(task)
        if reply is None or not is_for_us(reply.body, identity.mention):
            return
        if not self._is_on(self._load({})):
            return
        page = f"{self._web_url}/{reply.pull.repo}"
        found = await read_reply(api, reply, identity, page=page)
        if found is None:
            return
        config = RepositoryConfig(self._load)
        try:
            settings = config.settings(await config_at(api, reply.pull.repo, reply.base_ref))
        except ConfigError:  # the check of the next review names the error
            if isinstance(found, Disputed):
                await post_reply(
                    *(api, identity, reply.pull, reply.thread),
                    key=found.place.answer_key(),
                    text=NOT_LOOKED.format(_NO_SETTINGS),
                    again=True,
                )
            return
        if not self._is_on(settings):
            return
        if isinstance(found, FixedAnswer):
            await post_reply(
                *(api, identity, reply.pull, reply.thread),
                key=found.key,
                text=found.text,
                again=True,
            )
            return
        asked = ReviewRequest(
            tenant=tenant_of(installation_at(task.repository)),
            diff=found.diff,
            options=ReviewOptions(config.options),
            title=f"Reply: {shown_line(found.reply.title)}",
            idempotency_key=f"{str(reply.pull).lower()}/reply-{reply.comment}",
            inquiry=found.reply,
            limits=self._limits,
        )
        target = AnswerTarget(found.place, settings.link_hosts)
        try:
            await queue_inquiry(
                self._service, self._publisher, installation_at(task.repository), asked, target
            )
        except OverLimitError:
            text, key = NOT_LOOKED.format(_NO_BUDGET), found.place.answer_key()
            await post_reply(
                *(api, identity, reply.pull, reply.thread), key=key, text=text, again=True
            )

    @staticmethod
    def _is_on(settings: Settings) -> bool:
        return settings.replies and bool(explanation_models(settings))
