"""Replies to commands, posted once each, below the comment or in its thread."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.config.settings import CONFIG_NAMES
from reviewbot.core.prompt.guidelines import details
from reviewbot.core.render.markdown_text import literal
from reviewbot.github import markers
from reviewbot.github.change.base_files import base_files
from reviewbot.github.change.base_guidelines import guidelines_for
from reviewbot.github.client.errors import ForbiddenError, InvalidError, NotFoundError
from reviewbot.github.commands import dismissals
from reviewbot.github.identity import PullName
from reviewbot.github.markers import Marker
from reviewbot.github.publish.comment_text import unmarked, with_marker
from reviewbot.github.publish.pause import NotPausedError, set_pause
from reviewbot.github.publish.post import create_once
from reviewbot.github.publish.publication import now
from reviewbot.github.state.block import Pause
from reviewbot.github.state.read_prior import read_prior
from reviewbot.github.webhook import commands
from reviewbot.pipeline.guidelines import wants_guidelines

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from reviewbot.config.settings import Settings
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.identity import BotIdentity
    from reviewbot.github.state.prior import Posted, Prior
    from reviewbot.github.webhook.commands import BotCommand
    from reviewbot.github.webhook.tasks import Commented

_SENTENCE: Final = 2_000
NO_FINDING: Final = (
    "Write it as an answer to one of the comments that reviewbot made on a line. `/ask` is for"
    " questions about the pull request."
)
RESUMED: Final = "Pushes are reviewed again."
"""Reply to ``/resume``."""
_NO_THREAD: Final = (
    "Write it as an answer to one of the comments that reviewbot made on a line, or name the"
    " finding in a comment below the pull request: `/ignore ID`, `/ignore undo ID`."
)


@dataclass(frozen=True, slots=True)
class CommandComment:
    """A comment that requires a reply. ``thread`` is the first comment of its review thread.

    ``nth`` counts the replies from 0, if there can be several. ``only`` names a reply that is
    posted once on a pull request, whichever comment caused it.
    """

    pull: PullName
    comment: int
    thread: int | None
    nth: int = 0
    only: str | None = None

    @staticmethod
    def of(task: Commented) -> CommandComment:
        """Return the comment of a delivery."""
        where = task.repository
        pull = PullName(where.full_name, task.number, where.id)
        return CommandComment(pull, task.comment, task.thread)

    @property
    def key(self) -> str:
        """Name of the reply, so that it is posted once."""
        if self.only is not None:
            return f"answer-{self.only}"
        kind = "issue" if self.thread is None else "line"
        key = f"answer-{kind}-{self.comment}"
        return f"{key}.{self.nth}" if self.nth else key


class Answers:
    """Replies to commands.

    ``describe`` returns the settings under a base's configuration file, as Markdown and as values;
    no values if the file cannot be used. ``names`` are the possible paths of that file.
    """

    def __init__(
        self,
        identity: Callable[[], Awaitable[BotIdentity]],
        describe: Callable[[tuple[str, str] | None], tuple[str, Settings | None]],
        names: Sequence[str] = CONFIG_NAMES,
    ) -> None:
        self._identity, self._describe, self._names = identity, describe, names

    async def run(
        self,
        api: Api,
        question: CommandComment,
        command: BotCommand,
        by: str,
        *,
        may_write: bool = True,
    ) -> bool:
        """Run a command that needs no model and stops nothing. Return whether a review must follow.

        ``by`` is the author of the comment. ``may_write`` says whether this person may write to the
        repository; if not, it is the author of the pull request, and the command is one of
        :data:`.AUTHOR_COMMANDS`.

        Raises:
            GitHubError: GitHub refuses a request.
            ValueError: the command is another one.
        """
        match command.name:
            case "pause":
                await self._pause(api, question, by)
            case "resume":
                return await self._resumed(api, question)
            case "ignore" | "ignore undo":
                return await self._ignored(api, question, command, may_write=may_write)
            case "config":
                await self._config(api, question)
            case "help":
                await self.say(api, question, commands.help_text())
            case _:
                raise ValueError(f"{command.name} has no reply of its own")
        return False

    async def say(
        self, api: Api, question: CommandComment, text: str, *, prior: Prior | None = None
    ) -> None:
        """Reply with Markdown, unless the reply was posted before."""
        await answer_once(api, await self._identity(), question, text, prior=prior)

    async def _ignored(
        self, api: Api, question: CommandComment, command: BotCommand, *, may_write: bool
    ) -> bool:
        """Reply to ``/ignore`` or ``/ignore undo``. Return whether it changes the review."""
        prior = await read_prior(api, question.pull, await self._identity())
        finding_id = _finding_of(prior, question, command.text)
        if finding_id is None:
            await self.say(api, question, _NO_THREAD, prior=prior)
            return False
        is_undo = command.name == "ignore undo"
        reply = dismissals.undone if is_undo else dismissals.ignored
        text, is_changed = reply(prior, finding_id, may_write=may_write)
        await self.say(api, question, text, prior=prior)
        posted = prior.posted.get(finding_id)
        if is_changed and may_write and not is_undo and posted is not None:
            await _resolve(api, posted)
        return is_changed

    async def _pause(self, api: Api, question: CommandComment, by: str) -> None:
        """Pause the reviews of the pull request, and confirm it."""
        identity = await self._identity()
        wanted = Pause(by, now())
        try:
            pause = await set_pause(api, question.pull, identity, wanted, comment=question.comment)
        except NotPausedError as error:
            await self.say(api, question, f"Not paused: {literal(str(error))}.")
            return
        await self.say(api, question, paused_text(pause or wanted))

    async def _resumed(self, api: Api, question: CommandComment) -> bool:
        """Resume the reviews of the pull request, and confirm it. Return whether it was done."""
        identity = await self._identity()
        try:
            await set_pause(api, question.pull, identity, None, comment=question.comment)
        except NotPausedError as error:
            await self.say(api, question, f"Not resumed: {literal(str(error))}.")
            return False
        await self.say(api, question, RESUMED)
        return True

    async def _config(self, api: Api, question: CommandComment) -> None:
        """Post the settings that apply to the pull request, their origins, and the team's rules."""
        repo = question.pull.repo
        pull = await api.pulls.get(repo, question.pull.number)
        base = await base_files(api, repo, pull.base, config_names=self._names)
        table, settings = self._describe(base.config)
        blocks = [table]
        if settings is not None and wants_guidelines(settings):
            changed = (await api.pulls.files(repo, pull)).files
            found = await guidelines_for(api, repo, base, [one.path for one in changed])
            shown = details(found) or ("No guideline file has a rule for this pull request.",)
            blocks += (literal(one, _SENTENCE) for one in shown)
        await self.say(api, question, "\n\n".join(blocks))


def paused_text(pause: Pause) -> str:
    """Return the reply to ``/pause``."""
    return (
        f"{literal(pause.sentence)} Pushes are not reviewed until `/resume`."
        " `/review` still reviews once."
    )


async def answer_once(
    api: Api,
    identity: BotIdentity,
    question: CommandComment,
    text: str,
    *,
    prior: Prior | None = None,
) -> None:
    """Reply with Markdown, unless the reply was posted before."""
    known = prior or await read_prior(api, question.pull, identity)
    if question.key in known.replies:
        return
    marker = markers.write(Marker("reply", key=question.key), question.pull.bound, identity.secrets)
    body = with_marker(unmarked(text), marker)

    async def find() -> bool | None:
        return question.key in (await read_prior(api, question.pull, identity)).replies or None

    await create_once(lambda: _post(api, question, body), find)


def posted_in(prior: Prior, question: CommandComment) -> Posted | None:
    """Return the finding whose thread contains a comment; None for other threads."""
    for posted in prior.posted.values():
        if question.thread is not None and posted.comment.id == question.thread:
            return posted
    return None


async def _resolve(api: Api, posted: Posted) -> None:
    """Resolve the thread of a dismissed finding, if we may."""
    thread = posted.thread
    if thread is not None and thread.can_resolve and not thread.resolved:
        with suppress(ForbiddenError, InvalidError, NotFoundError):
            await api.threads.resolve(thread.id)


def _finding_of(prior: Prior, question: CommandComment, text: str) -> str | None:
    """Return the finding of a comment: that of its thread, or the one that the comment names."""
    if (posted := posted_in(prior, question)) is not None:
        return posted.id
    if question.thread is not None:  # in a thread, ids in the text are ignored (prior)
        return None
    named = markers.FINDING_ID.match(text)
    return named[0] if named else None


async def _post(api: Api, question: CommandComment, body: str) -> bool:
    pull = question.pull
    if question.thread is None:
        await api.comments.create(pull.repo, pull.number, body)
    else:
        await api.reviews.reply(pull.repo, pull.number, question.thread, body)
    return True
