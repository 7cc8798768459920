"""Marks our comments whose code is gone as fixed, and shows them again when it comes back.

A thread is resolved if that is permitted, else its comment is hidden, else it is answered. What a
person resolved or hid stays so, whatever becomes of the code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.github import markers
from reviewbot.github.comment_text import with_marker
from reviewbot.github.errors import InvalidError
from reviewbot.github.markers import Marker

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from reviewbot.github.client.caller import Denied
    from reviewbot.github.gateway import Api
    from reviewbot.github.memory import Memory, Posted, Us
    from reviewbot.github.subject import Subject


async def mark_fixed(api: Api, us: Us, subject: Subject, posted: Posted, memory: Memory) -> None:
    """Mark it, unless that was done before, or a person did the like.

    Raises:
        GitHubError: GitHub does not do it.
    """
    thread = posted.thread
    if thread is None or thread.resolved or thread.minimized or memory.says_fixed(posted.id):
        return
    if await _done(api.threads.resolve(thread.id)):
        return
    if await _done(api.threads.minimize(posted.comment.node_id)):
        return
    text = f"Fixed in {subject.head[:7]}: this code is not there any more."
    await _answer(api, us, subject, posted, text, memory.fixed_key(posted.id))


async def show_again(api: Api, us: Us, subject: Subject, posted: Posted, memory: Memory) -> None:
    """Undo what :func:`mark_fixed` did.

    Raises:
        GitHubError: GitHub does not do it.
    """
    thread = posted.thread
    if thread is not None and thread.resolved and await _done(api.threads.unresolve(thread.id)):
        return
    hidden = thread is not None and thread.minimized
    if hidden and await _done(api.threads.unminimize(posted.comment.node_id)):
        return
    text = f"Back in {subject.head[:7]}: this code is there again."
    await _answer(api, us, subject, posted, text, memory.back_key(posted.id))


async def _answer(  # noqa: PLR0917 - two callers
    api: Api, us: Us, subject: Subject, posted: Posted, text: str, key: str
) -> None:
    pull = subject.pull
    marker = markers.write(
        Marker("reply", subject.head, subject.base, key=key), pull.bound, us.secrets
    )
    await api.reviews.reply(pull.repo, pull.number, posted.comment.id, with_marker(text, marker))


async def _done(change: Awaitable[Denied | None]) -> bool:
    """Whether GitHub did it; what it finds unprocessable is no other than what it denies."""
    try:
        return await change is None
    except InvalidError:
        return False
