"""Answer a reply to a finding in a job of the Action."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import TYPE_CHECKING, Final

from reviewbot.action.command import NotAnsweredError
from reviewbot.action.event import RequestedReview, Skipped
from reviewbot.action.inputs import INPUT_ADVICE
from reviewbot.action.review import checkout_of
from reviewbot.action.settings import settings_of
from reviewbot.config.settings import CONFIG_NAMES
from reviewbot.core.render.author import without_details
from reviewbot.errors import ConfigError
from reviewbot.github.change.base_files import config_at
from reviewbot.github.dialogue.answer import answer_text, post_answer, post_reply, withdrawn_by
from reviewbot.github.dialogue.look import Disputed, read_reply
from reviewbot.github.dialogue.replies import FixedAnswer, PersonReply, is_for_us
from reviewbot.github.identity import BotIdentity
from reviewbot.pipeline.explain import explanation_models, prepare_explanation
from reviewbot.pipeline.output import Outputs
from reviewbot.pipeline.run import RunDescription, run_review

if TYPE_CHECKING:
    from reviewbot.action.event import RequestedReply
    from reviewbot.action.inputs import ActionInputs
    from reviewbot.config.settings import Settings
    from reviewbot.core.events.report import Report
    from reviewbot.github.api.gateway import Gateway
    from reviewbot.pipeline.job import StopSignal

_OF_A_FORK: Final = (
    "the pull request comes from a fork: GitHub gives the job of a reply no key and a read-only"
    " token"
)
_NO_MODEL: Final = "replies are answered by a model, and this workflow has no key for one"
_SILENT: Final = "this reply gets no answer"
_ANSWERED: Final = "the reply is answered"


class ActionReply:
    """Handler of replies to findings. ``stop`` ends an answer early."""

    def __init__(self, inputs: ActionInputs, github: Gateway, stop: StopSignal) -> None:
        self._inputs, self._github, self._stop = inputs, github, stop
        self._api = github.holder()

    async def run(self, asked: RequestedReply) -> RequestedReview | Skipped:
        """Answer a reply.

        Returns:
            The review that follows a withdrawal, or the reason why none follows.

        Raises:
            NotAnsweredError: no model answered. The thread says so.
            ReviewbotError: the reply could not be answered.
        """
        inputs, api, reply = self._inputs, self._api, PersonReply.of(asked.task)
        if inputs.token is None:
            raise ConfigError(
                f"is empty, and answers to replies need it. {INPUT_ADVICE}",
                source="the input github-token",
            )
        if asked.task.reply is not None and asked.task.reply.is_fork:
            return Skipped(_OF_A_FORK)
        identity = BotIdentity(await self._github.login(), inputs.signing)
        if reply is None or not is_for_us(reply.body, identity.mention):
            return Skipped(_SILENT)
        settings = await self._settings(reply, identity)
        if isinstance(settings, str):
            return Skipped(settings)
        found = await read_reply(api, reply, identity, page=inputs.page)
        if isinstance(found, FixedAnswer):
            where = (reply.pull, reply.thread)
            await post_reply(api, identity, *where, key=found.key, text=found.text)
        if not isinstance(found, Disputed):
            return Skipped(_ANSWERED if found else _SILENT)
        report = await self._report(found, settings)
        file = withdrawn_by(report)
        text = await asyncio.to_thread(
            answer_text, report, found.place, settings.link_hosts, rerun=True
        )
        await post_answer(api, identity, found.place, text, withdrawn_by=file, again=False)
        if report.answer is None:
            reasons = "; ".join(without_details(report).reasons)
            raise NotAnsweredError(f"The reply is not answered: {reasons}")
        return Skipped(_ANSWERED) if file is None else RequestedReview(reply.pull.number)

    async def _settings(self, reply: PersonReply, identity: BotIdentity) -> Settings | str:
        """Return the settings, or the reason why replies get no answer, as the end of a sentence.

        Without a key, a withdrawal could not be signed.
        """
        inputs = self._inputs
        names = (inputs.config,) if inputs.config else CONFIG_NAMES
        config = await config_at(self._api, reply.pull.repo, reply.base_ref, config_names=names)
        try:
            settings = settings_of(inputs, config)
        except ConfigError as error:
            return f"the configuration cannot be used: {error}"
        if not settings.replies:
            return "the setting replies is off"
        is_able = identity.secrets and explanation_models(settings) and not settings.model.problem
        return settings if is_able else _NO_MODEL

    async def _report(self, found: Disputed, settings: Settings) -> Report:
        """Return the report with the checked answer, and show its events in the log."""
        prepared = await asyncio.to_thread(prepare_explanation, found.diff, settings, found.reply)
        async with AsyncExitStack() as stack:
            ended, temp = Event(), self._inputs.temp
            folder = TemporaryDirectory(prefix="reviewbot-", dir=temp, ignore_cleanup_errors=True)
            clone = Path(stack.enter_context(folder))
            stack.callback(ended.set)
            # Without a checkout or a clone, each file would take a request.
            code = await checkout_of(self._inputs, found.place.subject, clone, ended)
            outputs = stack.enter_context(Outputs("terminal", None, prepared.job.files))
            run = RunDescription(
                prepared=prepared, settings=settings, inquiry=found.reply, code=code
            )
            events = await stack.enter_async_context(aclosing(run_review(run, stop=self._stop)))
            async for event in events:
                await outputs.take(event)
            return outputs.report
