"""The answer to a question about a finding, posted in its thread once the question has ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reviewbot.core.events.report import ReportBuilder
from reviewbot.github.commands.answers import answer_once
from reviewbot.github.commands.explain import reply_text
from reviewbot.github.publish.publication import Published

if TYPE_CHECKING:
    from reviewbot.core.events.events import Event
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.app.targets import ReplyTarget
    from reviewbot.github.identity import BotIdentity


class Reply:
    """Reply published like a :class:`reviewbot.github.publish.publication.Publication`.

    Args:
        api: GitHub.
        identity: our identity.
        target: the question to reply to.
    """

    def __init__(self, api: Api, identity: BotIdentity, target: ReplyTarget) -> None:
        self._api, self._identity, self._target = api, identity, target
        self._builder = ReportBuilder()

    def take(self, event: Event) -> None:
        """Take the next event of the question."""
        self._builder.add(event)

    @property
    def ended(self) -> bool:
        """True once the final event was received."""
        return self._builder.report.outcome is not None

    async def end(self) -> Published:
        """Post the answer, or the reason why there is no answer. The call is idempotent.

        Raises:
            GitHubError: GitHub rejects the reply.
        """
        report = self._builder.report
        text = await asyncio.to_thread(reply_text, report, self._target.link_hosts)
        await answer_once(self._api, self._identity, self._target.question, text)
        return Published(report)

    async def fail(self, _sentence: str) -> None:
        """Do nothing. The log has the error; GitHub would reject a report, too."""

    async def stop(self) -> None:
        """Do nothing. A reply has no work in progress."""
