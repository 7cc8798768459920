"""Run a command from a comment in a job of the Action, and reply to the comment."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.action.event import RequestedReview, Skipped
from reviewbot.action.inputs import INPUT_ADVICE
from reviewbot.action.report import say
from reviewbot.action.runner_files import write_outputs, write_summary
from reviewbot.action.settings import settings_of
from reviewbot.config.settings import CONFIG_NAMES
from reviewbot.core.render.annotations import notice
from reviewbot.core.render.author import without_details
from reviewbot.core.render.markdown_text import literal
from reviewbot.errors import (
    EXIT_INCOMPLETE,
    EXIT_INTERRUPTED,
    ConfigError,
    DiffError,
    ReviewbotError,
)
from reviewbot.github.change.base_files import base_files
from reviewbot.github.client.errors import GitHubError, for_author
from reviewbot.github.commands.answers import Answers, CommandComment, answer_once
from reviewbot.github.commands.config import settings_table
from reviewbot.github.commands.explain import read_question, reply_text
from reviewbot.github.identity import BotIdentity
from reviewbot.github.state.prior import WRITERS
from reviewbot.github.state.read_prior import read_prior
from reviewbot.github.webhook import commands
from reviewbot.github.webhook.commands import (
    AUTHOR_COMMANDS,
    BotCommand,
    Refused,
    Unknown,
    permitted,
)
from reviewbot.pipeline.explain import explanation_models, prepare_explanation
from reviewbot.pipeline.output import Outputs
from reviewbot.pipeline.run import RunDescription, run_review

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from reviewbot.action.event import RequestedCommand
    from reviewbot.action.inputs import ActionInputs
    from reviewbot.config.settings import Settings
    from reviewbot.core.events.report import Report
    from reviewbot.github.api.gateway import Api, Gateway
    from reviewbot.github.commands.explain import AskedQuestion
    from reviewbot.pipeline.job import StopSignal

log = logging.getLogger(__name__)

_NO_MODEL: Final = (
    "this needs a model, and the workflow that answers comments has none. Give it"
    " `anthropic-api-key`."
)
_NONE_RUNS: Final = "No review is under way."
_LAST_STOPPED: Final = "No review is under way; the last one was stopped."
_UNSEEN: Final = (
    "GitHub cancels the running review, if there is one; without a check run, this job cannot see"
    " it."
)
_STOPPED: Final = "The review is stopped."
_RUNS_ON: Final = (
    "The review continues: its job is not in the concurrency group of the job that this comment"
    " started, so GitHub did not cancel it. The workflows in docs/action.md of reviewbot share one"
    " group."
)
_LOOKS: Final = 10
_BETWEEN_S: Final = 2.0
"""Seconds between looks; GitHub gives a cancelled job ten seconds, in which it ends its check."""


class NotAnsweredError(ReviewbotError):
    """No model answered a question. A reply in its thread also reports this."""

    exit_code = EXIT_INCOMPLETE


class ActionCommand:
    """Handler of commands in comments. ``stop`` ends an explanation early."""

    def __init__(self, inputs: ActionInputs, github: Gateway, stop: StopSignal) -> None:
        self._inputs, self._github, self._stop = inputs, github, stop
        self._api: Api = github.holder()
        self._names = (inputs.config,) if inputs.config else CONFIG_NAMES
        self._answers = Answers(self._identity, self._described, self._names)

    async def run(self, asked: RequestedCommand) -> RequestedReview | Skipped | int:
        """Run the command of a comment.

        Returns:
            The review to run next, the reason why no review follows, or the exit code.

        Raises:
            NotAnsweredError: no model answered the question.
            ReviewbotError: the command failed.
        """
        task, api = asked.task, self._api
        if self._inputs.token is None:
            raise ConfigError(
                f"is empty, and commands in comments need it. {INPUT_ADVICE}",
                source="the input github-token",
            )
        question = CommandComment.of(task)
        permission = await api.pulls.permission(question.pull.repo, task.sender)
        may_write = permission in WRITERS
        # The review after an author's comment below a fork would have the key of the repository.
        is_by_author = task.is_by_author and task.thread is not None
        command = permitted(asked.command, may_write=may_write, is_by_author=is_by_author)
        if isinstance(command, Refused) and task.is_by_author:
            await self._answers.say(api, replace(question, only="author"), command.text)
        if isinstance(command, Refused | None):
            return Skipped(f"{task.sender} may not write to this repository")
        if isinstance(command, Unknown):
            name = None if command.meant else f"unknown-{command.written}"
            once = replace(question, only=name)
            await self._answers.say(api, once, commands.hint(command))
            return Skipped(f"/{command.written} is not a command")
        await self._acknowledge(question)
        try:
            return await self._done(question, command, task.sender, may_write=may_write)
        except NotAnsweredError:  # the reply has the reason
            raise
        except ReviewbotError as error:
            with suppress(ReviewbotError):  # the first error is raised
                not_done = f"This could not be done: {literal(for_author(error))}."
                await self._answers.say(api, replace(question, nth=1), not_done)
            raise

    async def _done(
        self, question: CommandComment, command: BotCommand, by: str, *, may_write: bool
    ) -> RequestedReview | Skipped | int:
        number = question.pull.number
        match command.name:
            case "review" | "review full":
                full = self._inputs.full or command.name == "review full"
                return RequestedReview(number, full, explicit=True, only=command.text)
            case "review stop":
                await self._answers.say(self._api, question, await self._stopped(question))
            case "ask" | "explain":
                return await self._answer(question, command)
            case name:
                if await self._answers.run(self._api, question, command, by, may_write=may_write):
                    # A dismissal changes the result of the review.
                    return RequestedReview(number, explicit=name == "resume")
        return _answered(command.name)

    async def reviewed(
        self, asked: RequestedCommand, review: Awaitable[int | Skipped]
    ) -> int | Skipped:
        """Await the review after a command; if one was requested, reply why there is none."""
        question = replace(CommandComment.of(asked.task), nth=1)
        try:
            done = await review
        except ReviewbotError as error:
            with suppress(ReviewbotError):  # the first error is raised
                why_not = f"Nothing is reviewed: {literal(for_author(error))}"
                await self._answers.say(self._api, question, why_not)
            raise
        wants_review = (
            isinstance(asked.command, BotCommand) and asked.command.name not in AUTHOR_COMMANDS
        )
        if isinstance(done, Skipped) and wants_review:
            why_not = f"Nothing is reviewed: {literal(done.reason)}."
            await self._answers.say(self._api, question, why_not)
        return done

    async def _identity(self) -> BotIdentity:
        return BotIdentity(await self._github.login(), self._inputs.signing)

    async def _acknowledge(self, question: CommandComment) -> None:
        comments, on_line = self._api.comments, question.thread is not None
        try:
            await comments.react(question.pull.repo, question.comment, on_line=on_line)
        except GitHubError as error:  # the command runs even so
            log.warning("could not react to the comment: %s", error)
            say(notice(f"Could not react to the comment: {error.for_author}."))

    def _described(self, config: tuple[str, str] | None) -> tuple[str, Settings | None]:
        try:
            settings = settings_of(self._inputs, config)
        except ConfigError as error:
            return f"The configuration cannot be used: {literal(str(error))}", None
        origins = settings.origins
        table = settings_table(settings, origin=lambda name: origins.get(name, "the default"))
        return table, settings

    async def _stopped(self, question: CommandComment) -> str:
        """Return a sentence about the end of the running review.

        GitHub cancels the review when this job begins, since both share a concurrency group. The
        cancelled review then ends its check.
        https://docs.github.com/en/actions/how-tos/write-workflows/choose-when-workflows-run/control-workflow-concurrency
        """
        repo, name = question.pull.repo, self._inputs.check
        if name is None:
            return _UNSEEN
        head = (await self._api.pulls.get(repo, question.pull.number)).head.sha
        seen = False
        for _ in range(_LOOKS):
            runs = await self._api.checks.at(repo, head, name=name)
            if all(one.status == "completed" for one in runs):
                break
            seen = True
            await asyncio.sleep(_BETWEEN_S)
        else:
            return _RUNS_ON
        latest = max(runs, key=lambda one: one.id, default=None)
        if latest is None or latest.conclusion != "cancelled":
            return _NONE_RUNS
        return _STOPPED if seen else _LAST_STOPPED

    async def _answer(self, question: CommandComment, command: BotCommand) -> Skipped | int:
        """Answer a question once; if there is nothing to answer, reply why."""
        api, identity = self._api, await self._identity()
        prior = await read_prior(api, question.pull, identity)
        if question.key in prior.replies:
            return Skipped("the comment was already answered")
        found = await read_question(api, prior, identity, question, command)
        if isinstance(found, str):
            await self._answers.say(api, question, found, prior=prior)
            return _answered(command.name)
        failed = replace(question, nth=1)  # a repeated job may still answer it
        settings = await self._settings(question)
        if isinstance(settings, str):
            await self._answers.say(api, failed, f"Not answered: {settings}", prior=prior)
            raise NotAnsweredError(f"The question is not answered: {settings}")
        try:
            report = await self._report(found, settings)
        except DiffError as error:
            await self._answers.say(api, failed, f"Not answered: {error.message}.", prior=prior)
            raise NotAnsweredError(f"The question is not answered: {error.message}.") from error
        words = await asyncio.to_thread(reply_text, report, settings.link_hosts)
        if report.answer is not None and report.answer.complete:
            await answer_once(api, identity, question, words)
            return _answered(command.name)
        await self._answers.say(api, failed, words)
        if report.outcome == "cancelled":
            write_summary(self._inputs.step_summary, words)
            write_outputs(self._inputs.output, {"outcome": "cancelled"})
            return EXIT_INTERRUPTED
        reasons = "; ".join(without_details(report).reasons)
        raise NotAnsweredError(f"The question is not answered: {reasons}")

    async def _settings(self, question: CommandComment) -> Settings | str:
        """Return the settings, or the reason in Markdown why no model can be used."""
        repo = question.pull.repo
        pull = await self._api.pulls.get(repo, question.pull.number)
        base = await base_files(self._api, repo, pull.base, config_names=self._names)
        try:
            settings = settings_of(self._inputs, base.config)
        except ConfigError as error:
            return literal(str(error))
        able = explanation_models(settings) and not settings.model.problem
        return settings if able else _NO_MODEL

    async def _report(self, asked: AskedQuestion, settings: Settings) -> Report:
        """Return the report with a model's answer, and show its events in the log."""
        inquiry = asked.inquiry
        prepared = await asyncio.to_thread(prepare_explanation, asked.diff, settings, inquiry)
        async with AsyncExitStack() as stack:
            outputs = stack.enter_context(Outputs("terminal", None, prepared.job.files))
            run = RunDescription(prepared=prepared, settings=settings, inquiry=inquiry)
            events = await stack.enter_async_context(aclosing(run_review(run, stop=self._stop)))
            async for event in events:
                await outputs.take(event)
            return outputs.report


def _answered(name: str) -> Skipped:
    return Skipped(f"the comment asked for /{name}, which is done")
