"""Read what earlier reviews left: comments, the state block and dismissals.

The pull request is the only store, for the App and the Action alike. A comment is ours if we are
its author and its marker is for this pull request (:mod:`reviewbot.github.markers`). That is
enough to post nothing twice. Others may write under our name, as all workflows of a repository do,
or edit our texts, so the state block is trusted only if it is signed. An Action without a key
cannot sign. Such an Action trusts its own block, reviews everything each time, and is not paused.

A finding is dismissed by ``/ignore``, or by resolving its thread, of a person who may write to the
repository at this moment. The author of the pull request sets a finding aside by ``/ignore``
without such permission. ``/ignore undo`` takes an earlier ``/ignore`` back.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from reviewbot.github import markers
from reviewbot.github.state.block import unpack
from reviewbot.github.state.prior import WITHDRAWN, WRITERS, Posted, Prior
from reviewbot.github.webhook import commands
from reviewbot.github.webhook.commands import BotCommand

if TYPE_CHECKING:
    from reviewbot.github.api.comments import Comment
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.api.records import Author
    from reviewbot.github.api.reviews import Review, ReviewComment
    from reviewbot.github.api.threads import ReviewThread
    from reviewbot.github.identity import BotIdentity, PullName
    from reviewbot.github.markers import Marker

_WITHDRAWAL: Final = re.compile(rf"{WITHDRAWN}-([0-9a-f]{{16}})-[0-9]{{1,19}}-([0-9a-f]{{16}})")


async def read_prior(api: Api, pull: PullName, identity: BotIdentity) -> Prior:
    """Return what earlier reviews of ``pull`` have left there.

    Raises:
        GitHubError: the request failed. Post nothing then: it could be a duplicate.
    """
    comments, on_lines, reviews, discussion = await asyncio.gather(
        api.comments.all(pull.repo, pull.number),
        api.reviews.comments(pull.repo, pull.number),
        api.reviews.all(pull.repo, pull.number),
        api.threads.discussion(pull.repo, pull.number),
    )
    reader = _PriorReader(pull, identity)
    reader.found.issues = discussion.issues

    def read() -> None:
        reader.below(comments)
        reader.of_reviews(reviews)
        reader.on_lines(on_lines, discussion.threads)

    await asyncio.to_thread(read)  # it parses Markdown, which strangers wrote
    await _dismiss(api, pull, reader, discussion.author)
    return reader.found


@dataclass(frozen=True, slots=True, order=True)
class _Wish:
    """The wish of a person to dismiss a finding, or to take that back; earlier ones come first."""

    created: str
    finding: str
    login: str
    is_undo: bool = False


async def _dismiss(api: Api, pull: PullName, reader: _PriorReader, author: str) -> None:
    """Set which findings are dismissed, and which the author set aside."""
    found, levels = reader.found, dict[str, str]()

    async def may_write(login: str) -> bool:
        if login not in levels:
            levels[login] = await api.pulls.permission(pull.repo, login)
        return levels[login] in WRITERS

    for wish in sorted(reader.wishes):
        if await may_write(wish.login):
            if wish.is_undo:
                found.dismissed.pop(wish.finding, None)
                found.set_aside.pop(wish.finding, None)
                found.withdrawn.pop(wish.finding, None)
            else:
                found.dismissed.setdefault(wish.finding, wish.login)
        elif wish.login.lower() == author.lower():
            if wish.is_undo:
                found.set_aside.pop(wish.finding, None)
            else:
                found.set_aside.setdefault(wish.finding, wish.login)
    for finding_id, login in reader.resolved:
        if finding_id not in found.dismissed and await may_write(login):
            found.dismissed[finding_id] = login


class _PriorReader:
    """Collector of our comments, our reviews and the dismissals."""

    def __init__(self, pull: PullName, identity: BotIdentity) -> None:
        self._identity, self._pull = identity, pull
        self._parse = partial(markers.shape, pull=pull.bound)
        self.found = Prior()
        self.wishes: list[_Wish] = []
        self.resolved: list[tuple[str, str]] = []
        """The findings whose thread a person resolved, with the person's login."""

    def below(self, comments: tuple[Comment, ...]) -> None:
        """Read the comments below the pull request: the summary, and ``/ignore ID``."""
        found = self.found
        for comment in comments:
            marker = self._parse(comment.body) if self._identity.wrote(comment.author) else None
            if marker is None:
                command = self._ignores(comment.author, comment.body)
                if command and (named := markers.FINDING_ID.match(command.text)):
                    self._wish(comment, named[0], command)
                continue
            self._note_reply(marker)
            if marker.kind != "summary":
                continue
            is_signed = self._identity.signed(comment.body, self._pull)
            if found.summary is None or (is_signed and not found.signed):
                found.summary, found.signed = (comment, marker), is_signed  # others use our login
            elif self._is_ours(comment.body):
                found.summaries.append(comment)
        if found.summary and found.summary[1].state and self._is_ours(found.summary[0].body):
            found.block = unpack(found.summary[1].state)

    def of_reviews(self, reviews: tuple[Review, ...]) -> None:
        """Read the reviews as a whole."""
        ours = [review for review in reviews if self._identity.wrote(review.author)]
        unsent = [review for review in ours if review.state == "PENDING"]
        found = self.found
        found.drafts = [
            review for review in unsent if not review.author.is_bot and not self._parse(review.body)
        ]
        found.pending = [review for review in unsent if review not in found.drafts]
        for review in ours:
            marker = self._parse(review.body)
            if marker is not None and marker.kind == "review" and review.state != "PENDING":
                found.reviews.append(review)
                found.listed.update(noted.id for noted in marker.findings)

    def on_lines(
        self, comments: tuple[ReviewComment, ...], threads: tuple[ReviewThread, ...]
    ) -> None:
        """Read the comments on lines: findings, and ``/ignore`` in their threads."""
        by_first = {thread.first_comment: thread for thread in threads}
        answered = {comment.in_reply_to for comment in comments}
        found = self.found
        finding_of: dict[int, str] = {}
        for comment in comments:
            if not self._identity.wrote(comment.author):
                continue
            marker = self._parse(comment.body)
            self._note_reply(marker)
            if comment.in_reply_to is not None or marker is None or marker.kind != "finding":
                self._note_withdrawal(marker, comment)
                continue
            noted, thread = marker.findings[0], by_first.get(comment.id)
            finding_of[comment.id] = noted.id
            posted = Posted(
                noted.id,
                noted.severity,
                comment,
                thread,
                rule=marker.rule,
                ours=self._is_ours(comment.body),
                touched=comment.id in answered or _is_closed(thread),
                key=marker.key,
            )
            older = found.posted.setdefault(noted.id, posted)
            if posted.ours and not older.ours:
                found.posted[noted.id] = posted
                found.copies.append(older.comment)
            elif older is not posted:
                # Two runs at once wrote both, or somebody with our login copied one of them.
                at_once = _is_same_place(comment, older.comment)
                is_duplicate = posted.ours and not posted.touched and at_once
                (found.duplicates if is_duplicate else found.copies).append(comment)
            if thread is not None and (login := self._identity.resolved_by_another(thread)):
                self.resolved.append((noted.id, login))
        for comment in comments:
            about = finding_of.get(comment.in_reply_to or 0)
            if about and (command := self._ignores(comment.author, comment.body)):
                self._wish(comment, about, command)

    def _is_ours(self, body: str) -> bool:
        """Return whether a marker is trusted: signed, or there is no key to sign with."""
        return not self._identity.secrets or self._identity.signed(body, self._pull)

    def _note_reply(self, marker: Marker | None) -> None:
        if marker is not None and marker.kind == "reply" and marker.key is not None:
            self.found.replies.add(marker.key)

    def _note_withdrawal(self, marker: Marker | None, comment: ReviewComment) -> None:
        """Note a finding that we withdrew. Only a signed reply counts: others use our login."""
        match = _WITHDRAWAL.fullmatch((marker and marker.key) or "")
        if match is not None and self._identity.signed(comment.body, self._pull):
            digests = self.found.withdrawn.get(match[1], frozenset())
            self.found.withdrawn[match[1]] = digests | {match[2]}

    def _wish(self, comment: Comment | ReviewComment, finding_id: str, command: BotCommand) -> None:
        login, is_undo = comment.author.login, command.name == "ignore undo"
        self.wishes.append(_Wish(comment.created, finding_id, login, is_undo))

    def _ignores(self, author: Author, body: str) -> BotCommand | None:
        """Return the ``/ignore`` of a person, or that which takes it back; None without one."""
        if author.is_bot or markers.has_marker(body):  # we can have the token of a person
            return None
        command = commands.find(body, self._identity.mention)
        if isinstance(command, BotCommand) and command.name in commands.AUTHOR_COMMANDS:
            return command
        return None


def _is_same_place(one: ReviewComment, other: ReviewComment) -> bool:
    """Return whether two comments are on the same lines, as far as that can be told."""
    if one.original_commit == other.original_commit:
        places = [(each.path, each.side, each.original_line) for each in (one, other)]
    else:
        places = [(each.path, each.side, each.line) for each in (one, other)]
    return places[0] == places[1] and places[0][2] is not None


def _is_closed(thread: ReviewThread | None) -> bool:
    return thread is not None and (thread.resolved or thread.minimized is not None)
