"""Marks our comments whose code is gone as fixed, and shows them again when it comes back.

A thread is resolved if that is permitted, else its comment is hidden, else it is answered. That it
was us, the marker of the comment says: what a person resolved or hid stays so, whatever becomes of
the code. The marker is written first when a comment is marked, and last when that is undone, so
that what broke off in between is done by the next review.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from reviewbot.github import markers
from reviewbot.github.comment_text import remarked, with_marker
from reviewbot.github.errors import (
    ForbiddenError,
    InvalidError,
    NotFoundError,
)
from reviewbot.github.markers import FIXED, Marker, Noted
from reviewbot.github.memory import HIDDEN_AS, read_memory
from reviewbot.github.posting import made_once, patiently

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from reviewbot.core.findings import Severity
    from reviewbot.github.client.caller import Denied
    from reviewbot.github.gateway import Api
    from reviewbot.github.memory import Memory, Posted
    from reviewbot.github.names import Us
    from reviewbot.github.subject import Subject


@dataclass(frozen=True, slots=True)
class FixedComments:
    """Does it, on one pull request. See the module."""

    api: Api
    us: Us
    subject: Subject
    memory: Memory

    async def mark(self, posted: Posted) -> None:
        """Mark it, unless that was done before, or a person did the like.

        Raises:
            GitHubError: GitHub does not do it.
        """
        thread = posted.thread
        is_open = thread is not None and not thread.resolved and not thread.minimized
        if not posted.fixed and (is_open or self._is_of_another_key(posted)):
            await self.note_gone(posted)
        elif not posted.fixed and posted.is_raised:
            await self.raise_to(posted, posted.severity)  # the summary says it no more
        told = posted.fixed and self.memory.has_reply("fixed", posted.id)
        if thread is None or not is_open or told:
            return
        if await _done(self.api.threads.resolve(thread.id)):
            return
        if await _done(self.api.threads.minimize(posted.comment.node_id)):
            return
        head = self.subject.head[:7]
        await self._say(posted, "fixed", f"Fixed in {head}: this code is not there any more.")

    async def note_gone(self, posted: Posted) -> None:
        """Note that its code is gone, and leave its thread as people have left it.

        Raises:
            GitHubError: GitHub does not do it.
        """
        noted = (Noted(posted.id, posted.severity),)  # the summary says it no more
        await self._note(posted, partial(replace, outcome=FIXED, findings=noted))

    async def show_again(self, posted: Posted) -> None:
        """Undo what :meth:`mark` did.

        Raises:
            GitHubError: GitHub does not do it.
        """
        thread = posted.thread
        told = self.memory.has_reply("fixed", posted.id)
        if thread is not None and thread.resolved and self.us.resolved(thread):
            told = not await _done(self.api.threads.unresolve(thread.id)) or told
        if thread is not None and thread.minimized == HIDDEN_AS:
            told = not await _done(self.api.threads.unminimize(posted.comment.node_id)) or told
        if told:
            head = self.subject.head[:7]
            await self._say(posted, "back", f"Back in {head}: this code is there again.")
        await self._note(posted, partial(replace, outcome=None))

    async def raise_to(self, posted: Posted, severity: Severity) -> None:
        """Note that a later review calls it worse.

        Raises:
            GitHubError: GitHub does not do it.
        """
        noted = (Noted(posted.id, severity),)
        await self._note(posted, partial(replace, findings=noted, outcome=None))

    def _is_of_another_key(self, posted: Posted) -> bool:
        """Whether its marker says fixed, and cannot be believed: what signs was replaced."""
        marker = markers.shape(posted.comment.body, self.subject.pull.bound)
        return marker is not None and marker.outcome == FIXED and not posted.fixed

    async def _note(self, posted: Posted, change: Callable[[Marker], Marker]) -> None:
        pull, body = self.subject.pull, posted.comment.body
        marker = markers.shape(body, pull.bound)
        if marker is None:  # it is known by its marker
            raise ValueError("a comment of ours has a marker")
        marked = markers.write(change(marker), pull.bound, self.us.secrets)
        whole = remarked(body, marked)
        update = partial(self.api.reviews.update_comment, pull.repo, posted.comment.id, whole)
        await patiently(update, NotFoundError, InvalidError)

    async def _say(self, posted: Posted, what: str, text: str) -> None:
        """Answer it, once at a head."""
        pull, subject = self.subject.pull, self.subject
        key = f"{what}-{posted.id}-{subject.head}"
        if key in self.memory.replies:
            return
        marker = Marker("reply", subject.head, subject.base, key=key)
        body = with_marker(text, markers.write(marker, pull.bound, self.us.secrets))

        async def reply() -> bool:
            await self.api.reviews.reply(pull.repo, pull.number, posted.comment.id, body)
            return True

        async def find() -> bool | None:
            return key in (await read_memory(self.api, pull, self.us)).replies or None

        await made_once(reply, find)


async def _done(change: Awaitable[Denied | None]) -> bool:
    """Whether GitHub did it; however it refuses, there is another way to say the same."""
    try:
        return await change is None
    except (ForbiddenError, InvalidError, NotFoundError):
        return False
