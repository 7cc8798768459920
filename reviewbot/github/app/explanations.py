"""Turn ``/explain`` and ``/ask`` into a stored and queued question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.core.render.markdown_text import literal
from reviewbot.errors import ConfigError, DiffError
from reviewbot.github.app.inquiries import queue_inquiry
from reviewbot.github.app.repository_config import RepositoryConfig
from reviewbot.github.app.reviews import tenant_of
from reviewbot.github.app.targets import ReplyTarget
from reviewbot.github.change.base_files import base_files
from reviewbot.github.commands.explain import read_question
from reviewbot.github.state.read_prior import read_prior
from reviewbot.jobs.admission import ReviewRequest
from reviewbot.jobs.options import ReviewOptions
from reviewbot.pipeline.explain import OFFLINE_CANNOT, explanation_models

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from reviewbot.config.settings import Settings
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.app.outbox import Outbox
    from reviewbot.github.commands.answers import Answers, CommandComment
    from reviewbot.github.identity import BotIdentity
    from reviewbot.github.webhook.commands import BotCommand
    from reviewbot.jobs.service import ReviewService
    from reviewbot.store.keys import Limits


class Explanations:
    """Handler of questions. The outbox posts the answers.

    Args:
        answers: posts the reason if a question is rejected.
        load: resolves options to settings, as the server does.
        limits: usage limits of each installation.
    """

    def __init__(
        self,
        service: ReviewService,
        identity: Callable[[], Awaitable[BotIdentity]],
        answers: Answers,
        publisher: Outbox,
        load: Callable[[Mapping[str, object]], Settings],
        *,
        limits: Limits,
    ) -> None:
        self._service, self._identity, self._answers = service, identity, answers
        self._publisher, self._load, self._limits = publisher, load, limits

    async def ask(
        self, api: Api, installation: int, question: CommandComment, command: BotCommand
    ) -> None:
        """Start the answer to a question, once. If there is nothing to answer, reply why.

        ``installation`` is charged.

        Raises:
            GitHubError: the thread or the diff cannot be fetched.
            OverLimitError: the installation has reached its daily limit.
            StoreError: the database is unavailable.
        """
        identity = await self._identity()
        prior = await read_prior(api, question.pull, identity)
        if question.key in prior.replies:
            return
        found = await read_question(api, prior, identity, question, command)
        config = RepositoryConfig(self._load)
        settings = found if isinstance(found, str) else await self._settings(api, question, config)
        if isinstance(found, str) or isinstance(settings, str):
            await self._answers.say(api, question, str(settings), prior=prior)
            return
        asked = ReviewRequest(
            tenant=tenant_of(installation),
            diff=found.diff,
            options=ReviewOptions(config.options),
            title=found.title,
            idempotency_key=f"{str(question.pull).lower()}/{question.key}",
            inquiry=found.inquiry,
            limits=self._limits,
        )
        try:
            target = ReplyTarget(question, settings.link_hosts)
            await queue_inquiry(self._service, self._publisher, installation, asked, target)
        except DiffError as error:
            await self._answers.say(api, question, f"Not answered: {error.message}.", prior=prior)

    async def _settings(
        self, api: Api, question: CommandComment, config: RepositoryConfig
    ) -> Settings | str:
        """Return the settings, or a reason in Markdown why no model can answer."""
        pull = await api.pulls.get(question.pull.repo, question.pull.number)
        base = await base_files(api, question.pull.repo, pull.base)
        try:
            settings = config.settings(base.config)
        except ConfigError as error:
            return f"Not answered: {literal(str(error))}"
        return settings if explanation_models(settings) else OFFLINE_CANNOT
