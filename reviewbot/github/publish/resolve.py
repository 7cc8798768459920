"""Resolve and reopen the threads of findings.

If resolving is denied, hide the comment. If that is denied, reply. If the code that fixes the
finding is known, a reply names it first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reviewbot.core.render.markdown_text import linked
from reviewbot.github import markers
from reviewbot.github.client.errors import (
    ForbiddenError,
    InvalidError,
    NotFoundError,
)
from reviewbot.github.markers import Marker
from reviewbot.github.publish.comment_text import unmarked, with_marker
from reviewbot.github.publish.post import create_once
from reviewbot.github.state.prior import HIDDEN_AS, WITHDRAWN
from reviewbot.github.state.read_prior import read_prior

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from reviewbot.core.findings.finding import Evidence
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.change.permalinks import Permalinks
    from reviewbot.github.change.subject import Subject
    from reviewbot.github.identity import BotIdentity
    from reviewbot.github.state.prior import Posted, Prior


@dataclass(frozen=True, slots=True)
class CommentResolver:
    """Resolver of threads on one pull request, which can also reopen them."""

    api: Api
    identity: BotIdentity
    subject: Subject
    prior: Prior

    async def resolve(self, posted: Posted, fix: Evidence | None = None) -> bool:
        """Resolve the thread of a finding, unless that was done before.

        Args:
            posted: the comment.
            fix: the code that fixes the finding; None if it is not known.

        Returns:
            Whether this hid its comment instead.
        """
        thread = posted.thread
        if thread is None or thread.resolved or thread.minimized:
            return False
        if fix is not None:
            await self._say(posted, "fixed", fixed_by(fix, self.subject.links))
        elif self._says_fixed(posted):
            return False
        if await _done(self.api.threads.resolve(thread.id)):
            return False
        if await _done(self.api.threads.minimize(posted.comment.node_id)):
            return True
        if fix is None:
            await self._say(posted, "fixed", resolved_in(self.subject.head))
        return False

    async def reopen(self, posted: Posted, *, hidden: bool) -> bool:
        """Undo :meth:`resolve`.

        Args:
            posted: the comment.
            hidden: whether we hid the comment. A comment that a person hid stays hidden.

        Returns:
            True.
        """
        thread = posted.thread
        says_fixed = self._says_fixed(posted)
        if thread is not None and thread.resolved and self.identity.resolved(thread):
            says_fixed |= not await _done(self.api.threads.unresolve(thread.id))
        if thread is not None and hidden and thread.minimized == HIDDEN_AS:
            says_fixed |= not await _done(self.api.threads.unminimize(posted.comment.node_id))
        if says_fixed:
            await self._say(posted, "back", reopened_in(self.subject.head))
        return True

    def _says_fixed(self, posted: Posted) -> bool:
        """Return whether our last reply states that the finding is resolved or withdrawn."""
        prior = self.prior
        ended = prior.replied("fixed", posted.id) + prior.replied(WITHDRAWN, posted.id)
        return ended > prior.replied("back", posted.id)

    async def _say(self, posted: Posted, what: str, text: str) -> None:
        """Reply in the thread, once per head."""
        pull, subject = self.subject.pull, self.subject
        key = f"{what}-{posted.id}-{subject.head}"
        if key in self.prior.replies:
            return
        marker = Marker("reply", subject.head, subject.base, key=key)
        body = with_marker(text, markers.write(marker, pull.bound, self.identity.secrets))

        async def reply() -> bool:
            await self.api.reviews.reply(pull.repo, pull.number, posted.comment.id, body)
            return True

        async def find() -> bool | None:
            return key in (await read_prior(self.api, pull, self.identity)).replies or None

        await create_once(reply, find)


def fixed_by(fix: Evidence, links: Permalinks) -> str:
    """Return the reply that names the commit and the code that fix a finding."""
    lines = (fix.line, fix.line + fix.quote.count("\n"))
    address = links.blob(links.head, fix.path, lines)
    where = unmarked(linked(f"{fix.path}:{fix.line}", address))
    return f"Fixed in {links.head[:7]}: {where}"


def resolved_in(head: str) -> str:
    """Return the reply that names the commit without the code of a finding."""
    return f"Resolved in {head[:7]}."


def reopened_in(head: str) -> str:
    """Return the reply that names the commit with the code of a resolved finding."""
    return f"Reopened in {head[:7]}."


async def _done(change: Awaitable[bool]) -> bool:
    """Return whether GitHub did it. A refusal is not an error: a fallback exists."""
    try:
        return await change
    except (ForbiddenError, InvalidError, NotFoundError):
        return False
