"""Process webhook deliveries. Processing is idempotent."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final, assert_never

from reviewbot.core.render import TOOL_NAME
from reviewbot.core.render.markdown_text import literal
from reviewbot.core.wording import count
from reviewbot.errors import ConfigError, DiffError, ReviewbotError
from reviewbot.github.app.reviews import ReviewTrigger
from reviewbot.github.app.subjects import installation_at
from reviewbot.github.commands.answers import Answers, CommandComment
from reviewbot.github.identity import PullName
from reviewbot.github.publish.check_run import pull_of
from reviewbot.github.publish.merge import record_merge
from reviewbot.github.state.prior import WRITERS
from reviewbot.github.webhook import commands
from reviewbot.github.webhook.commands import BotCommand, Refused, Unknown, permitted
from reviewbot.github.webhook.tasks import (
    Commented,
    IgnoredDelivery,
    InstallationChanged,
    MergeGroupDestroyed,
    MergeGroupRequested,
    Ping,
    PullRequestInactive,
    RepositoriesChanged,
    RerunWanted,
    ReviewRequested,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from reviewbot.github.api.gateway import Api, Gateway
    from reviewbot.github.app.clones import AppClones
    from reviewbot.github.app.explanations import Explanations
    from reviewbot.github.app.merge_groups import AppMergeGroups
    from reviewbot.github.app.replies import AppReplies
    from reviewbot.github.app.reviews import AppReviews
    from reviewbot.github.identity import BotIdentity
    from reviewbot.github.webhook.tasks import RepositoryRef, Task

log = logging.getLogger(__name__)

FULL_BUTTON: Final = "review-full"
"""Button of a check run that requests a full review (``check_run.ACTIONS``)."""


class DeliveryHandler:
    """Delivery handler. If it raises, the inbox may retry with the same task.

    ``count_fate`` is called with fate, rule, model and prompt version of each finding of a merged
    pull request.
    """

    def __init__(
        self,
        reviews: AppReviews,
        github: Gateway,
        identity: Callable[[], Awaitable[BotIdentity]],
        answers: Answers,
        explanations: Explanations,
        *,
        replies: AppReplies,
        clones: AppClones,
        merge_groups: AppMergeGroups,
        count_fate: Callable[[str, str, str, str], object] = lambda *_: None,
    ) -> None:
        self._reviews, self._github, self._identity, self._answers = (
            reviews,
            github,
            identity,
            answers,
        )
        self._explanations, self._count_fate = explanations, count_fate
        self._replies, self._clones, self._merge_groups = replies, clones, merge_groups
        self._stopped: dict[str, int] = {}  # by delivery, until the reply is posted

    async def do(self, task: Task) -> None:
        """Perform the task of a delivery.

        Raises:
            ReviewbotError: the task failed. A retry may succeed.
            StoreError: the database is unavailable.
        """
        match task:
            case ReviewRequested():
                # Reviews of a pull request that was closed or a draft were stopped.
                again = task.delivery if task.action in ("reopened", "ready_for_review") else None
                asked = ReviewTrigger(again=again, head=task.head_sha, told_at=task.updated_at)
                await self._review(task.repository, task.number, asked)
            case PullRequestInactive():
                await self._reviews.stop_unwanted(task.repository, task.number, task.updated_at)
                if task.merged:
                    await self._record_merge(task)
            case RerunWanted():
                await self._rerun(task)
            case Commented():
                await self._comment(task)
            case MergeGroupRequested():
                await self._merge_groups.check(task)
            case MergeGroupDestroyed():
                await self._merge_groups.stop(task)
            case InstallationChanged():
                await self._installation(task)
            case RepositoriesChanged():
                await self._clones.remove(repositories=task.repositories)
            case Ping() | IgnoredDelivery():
                pass
            case _:
                assert_never(task)

    async def acknowledge(self, task: Commented) -> None:
        """Add a reaction to a command at once, as earlier tasks may delay its processing."""
        try:
            command = await self._command(task)
            if isinstance(command, BotCommand | Refused):
                question, on_line = CommandComment.of(task), task.thread is not None
                comments = self._api(task.repository).comments
                await comments.react(
                    question.pull.repo,
                    question.comment,
                    on_line=on_line,
                    reaction="confused" if isinstance(command, Refused) else "eyes",
                )
        except ReviewbotError as error:  # the command is still processed
            extra = {"delivery_id": task.delivery}
            log.info("could not react to a command: %s", error, extra=extra)

    async def give_up(self, task: Task, reason: str) -> None:
        """Report a failed task on the pull request or its commit, so that no check is missing.

        Raises:
            ReviewbotError: GitHub refuses a request.
        """
        sentence = f"Not reviewed: {reason}"
        if isinstance(task, ReviewRequested):
            await self._reviews.tell_failure(task.repository, task.number, sentence)
        elif isinstance(task, RerunWanted):
            for number in _numbers(task):
                await self._reviews.tell_failure(task.repository, number, sentence)
        elif isinstance(task, MergeGroupRequested):
            await self._merge_groups.fail(task, reason)
        elif isinstance(task, Commented) and isinstance(
            await self._command(task), BotCommand | Unknown
        ):
            not_done = f"This could not be done: {literal(reason)}"
            question = replace(CommandComment.of(task), nth=1)  # there may be an answer already
            await self._answers.say(self._api(task.repository), question, not_done)

    async def _review(
        self, repository: RepositoryRef, number: int, asked: ReviewTrigger
    ) -> str | None:
        """Begin a review; on an error, report the reason on the pull request."""
        try:
            return await self._reviews.begin(repository, number, asked)
        except (ConfigError, DiffError) as error:
            await self._reviews.tell_failure(repository, number, f"Not reviewed: {error}")
            raise

    async def _record_merge(self, task: PullRequestInactive) -> None:
        """Record and count what became of the findings. A repeated delivery counts nothing."""
        pull = PullName(task.repository.full_name, task.number, task.repository.id)
        api = self._api(task.repository)
        for one in await record_merge(api, pull, await self._identity()) or ():
            self._count_fate(one.fate, one.rule, one.model, one.prompt_version)

    async def _installation(self, task: InstallationChanged) -> None:
        """Stop the reviews of an installation that was deleted or suspended; remove its clones."""
        log.info("installation %d: %s", task.installation, task.action)
        if task.action in ("deleted", "suspend"):
            await self._reviews.stop_all(task.installation)
            await self._clones.remove(installation=task.installation)

    async def _rerun(self, task: RerunWanted) -> None:
        """Review the pull requests of a check run or suite again."""
        asked = ReviewTrigger(full=task.button == FULL_BUTTON, again=task.delivery, explicit=True)
        numbers = _numbers(task)
        if task.external_id is None:  # of a suite; GitHub names no pull request of a fork
            repo = task.repository.full_name
            runs = await self._api(task.repository).checks.at(repo, task.head_sha, name=TOOL_NAME)
            numbers |= {pull_of(run.external_id) for run in runs} - {0}
        for number in sorted(numbers):
            await self._review(task.repository, number, asked)

    async def _comment(self, task: Commented) -> None:
        command = await self._command(task)
        if command is None and task.reply is not None:
            await self._replies.take(self._api(task.repository), task)
        api, question = self._api(task.repository), CommandComment.of(task)
        if isinstance(command, Unknown):
            if command.meant is None:  # perhaps for another bot: reply once per unknown command
                question = replace(question, only=f"unknown-{command.written}")
            await self._answers.say(api, question, commands.hint(command))
        elif isinstance(command, Refused):
            if task.is_by_author:
                question = replace(question, only="author")
                await self._answers.say(api, question, command.text)
        elif command is not None:
            await self._run_command(api, task, question, command)

    async def _command(self, task: Commented) -> BotCommand | Unknown | Refused | None:
        """Return the command of a comment, as far as its author may use it now.

        Strangers get a reaction and no reply: they could make us write without end.
        """
        identity = await self._identity()
        command = await asyncio.to_thread(commands.find, task.body, identity.mention)
        if command is None:
            return None
        may_write = await self._may_write(task)
        allowed = permitted(command, may_write=may_write, is_by_author=task.is_by_author)
        if isinstance(allowed, Refused) and task.reply is not None:
            # In a thread, a mention of us is a reply.
            is_mention = await asyncio.to_thread(commands.find, task.body) is None
            return None if is_mention else allowed
        return allowed

    async def _may_write(self, task: Commented) -> bool:
        """Return whether the author of a comment may write to the repository now."""
        pulls = self._api(task.repository).pulls
        return await pulls.permission(task.repository.full_name, task.sender) in WRITERS

    async def _run_command(
        self, api: Api, task: Commented, question: CommandComment, command: BotCommand
    ) -> None:
        say = self._answers.say
        explicit = ReviewTrigger(again=task.delivery, explicit=True)
        match command.name:
            case "review" | "review full":
                full = command.name == "review full"
                asked = replace(explicit, full=full, only=command.text)
                why_not = await self._review(task.repository, task.number, asked)
                if why_not is not None:
                    await say(api, question, f"Nothing is reviewed: {why_not}.")
            case "review stop":
                stopped = self._stopped.get(task.delivery, 0)
                stopped += await self._reviews.stop(task.repository, task.number)
                self._stopped[task.delivery] = stopped
                was = "No review is under way."
                await say(api, question, f"Stopped {count(stopped, 'review')}." if stopped else was)
                del self._stopped[task.delivery]
            case "ask" | "explain":
                installation = installation_at(task.repository)
                await self._explanations.ask(api, installation, question, command)
            case name:
                may_write = not task.is_by_author or await self._may_write(task)
                if await self._answers.run(
                    api, question, command, task.sender, may_write=may_write
                ):
                    # After a dismissal, the check and the summary change; reviewed hunks are not
                    # reviewed again.
                    asked = replace(explicit, explicit=name == "resume")
                    await self._review(task.repository, task.number, asked)

    def _api(self, repository: RepositoryRef) -> Api:
        return self._github.installation(installation_at(repository))


def _numbers(task: RerunWanted) -> set[int]:
    """Return the pull requests of a check run or suite that the delivery names."""
    if task.external_id is None:
        return {*task.numbers}
    return {pull_of(task.external_id)} - {0}
