"""What is known of a pull request from earlier reviews: our own comments there, and people's words.

There is no other memory: the Action has no store, and the App finds here what it posted, whatever
became of its database. A comment is ours if we are its author and its marker is for this pull
request (:mod:`reviewbot.github.markers`). That is enough to post nothing twice. Others may write
under our name, as all workflows of a repository do, or edit what we wrote: so what the last review
saw is believed only if it is signed. What to ignore comes from people's commands alone, and only
from people who may write to the repository at this moment.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from reviewbot.core.findings import worse
from reviewbot.github import commands, markers
from reviewbot.github.commands import Command
from reviewbot.github.comment_hunk import commented_code
from reviewbot.github.markers import FIXED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reviewbot.core.findings import Severity
    from reviewbot.github.api.comments import Comment
    from reviewbot.github.api.records import Author
    from reviewbot.github.api.reviews import Review, ReviewComment
    from reviewbot.github.api.threads import ReviewThread
    from reviewbot.github.gateway import Api
    from reviewbot.github.markers import Marker, Noted
    from reviewbot.github.names import PullName, Us

HIDDEN_AS: Final = "outdated"
"""As what we hide comments."""
WRITERS: Final = ("admin", "write")
"""Permissions of people who may command; GitHub gives ``maintain`` as ``write``."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A finding that has a comment of ours on a line.

    ``fixed``: its marker says, surely in our words, that we marked it as fixed. ``touched``: it was
    answered, resolved or hidden. ``marker``: if that is surely ours.
    """

    id: str
    severity: Severity
    comment: ReviewComment
    thread: ReviewThread | None
    fixed: bool = False
    touched: bool = False
    marker: Marker | None = None

    @property
    def is_raised(self) -> bool:
        """Whether it is worse than its marker says."""
        return self.marker is not None and self.marker.findings[0].severity != self.severity

    @property
    def code(self) -> tuple[str, ...]:
        """The lines that the comment was written on, as they were; empty if that is not known."""
        return commented_code(self.comment)


@dataclass(frozen=True, slots=True)
class OurReview:
    """A review of ours that is posted; ``signed``: its marker, by us."""

    review: Review
    signed: bool


@dataclass(frozen=True, slots=True)
class Told:
    """A finding that the text of a review of ours tells of; ``signed``: its marker, by us."""

    noted: Noted
    review: Review
    signed: bool
    marker: Marker | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known of a pull request.

    Attributes:
        summary: our one summary comment, and what its marker says of the last review.
        signed: whether that marker bears our signature, so that what it says can be relied on.
        reviews: the reviews of ours that are posted, oldest first.
        told: findings on no line that the text of a review of ours tells of, by their ids.
        pending: reviews of ours that somebody left unsent; they block every other one.
        drafts: reviews that a person is writing, whose token we have; they block others, too.
        posted: findings with a comment of ours, by their ids.
        ignored: findings that somebody told us to ignore: the login of who, by their ids.
        replies: keys of what we have answered.
        doubles: comments on findings that have one already: two runs at once have posted them,
            and nobody has answered, resolved or hidden them.
        copies: comments of ours that have the id of another one, and are none of these.
        summaries: further summary comments of ours, likewise.
    """

    summary: tuple[Comment, Marker] | None = None
    signed: bool = False
    reviews: tuple[OurReview, ...] = ()
    told: Mapping[str, Told] = field(default_factory=dict)
    pending: tuple[Review, ...] = ()
    drafts: tuple[Review, ...] = ()
    posted: Mapping[str, Posted] = field(default_factory=dict)
    ignored: Mapping[str, str] = field(default_factory=dict)
    replies: frozenset[str] = frozenset()
    doubles: tuple[ReviewComment, ...] = ()
    copies: tuple[ReviewComment, ...] = ()
    summaries: tuple[Comment, ...] = ()

    @property
    def marked(self) -> frozenset[str]:
        """Ids of findings whose comments we marked as fixed, and have not shown again."""
        return frozenset(id_ for id_, one in self.posted.items() if one.fixed)

    @property
    def told_and_fixed(self) -> dict[str, Noted]:
        """What is told of or ignored, and whose code was gone at the last review; by ids."""
        fixed = self.summary[1].fixed if self.summary and self.signed else ()
        return {one.id: one for one in fixed}

    @property
    def signed_summary(self) -> str:
        """The last summary as it stands, if it is surely ours."""
        return self.summary[0].body if self.summary and self.signed else ""

    def has_reply(self, what: str, finding_id: str) -> bool:
        """Whether we answered the comment on a finding: that it is ``fixed``, or ``back``."""
        return any(key.startswith(f"{what}-{finding_id}-") for key in self.replies)


async def read_memory(api: Api, pull: PullName, us: Us) -> Memory:
    """What earlier reviews of ``pull`` have left there.

    Raises:
        GitHubError: GitHub does not give it; then nothing must be posted, for it might be there.
    """
    comments, on_lines, reviews, threads = await asyncio.gather(
        api.comments.all(pull.repo, pull.number),
        api.reviews.comments(pull.repo, pull.number),
        api.reviews.all(pull.repo, pull.number),
        api.threads.all(pull.repo, pull.number),
    )
    found = _Reader(pull, us)

    def read() -> None:
        found.below(comments)
        found.of_reviews(reviews)
        found.on_lines(on_lines, threads)
        found.raise_severities()

    await asyncio.to_thread(read)  # it parses Markdown, which strangers wrote
    ignored: dict[str, str] = {}
    levels: dict[str, str] = {}
    for finding_id, login in found.asked_to_ignore:
        if finding_id not in ignored:
            if login not in levels:
                levels[login] = await api.pulls.permission(pull.repo, login)
            if levels[login] in WRITERS:
                ignored[finding_id] = login
    return Memory(
        summary=found.summary,
        signed=found.signed,
        reviews=tuple(found.reviews),
        told=found.told,
        pending=found.pending,
        drafts=found.drafts,
        posted=found.posted,
        ignored=ignored,
        replies=frozenset(found.replies),
        doubles=tuple(found.doubles),
        copies=tuple(found.copies),
        summaries=tuple(found.summaries),
    )


class _Reader:
    """Finds what is ours among all that is there."""

    def __init__(self, pull: PullName, us: Us) -> None:
        self._us, self._pull = us, pull
        self._parse = partial(markers.shape, pull=pull.bound)
        self.summary: tuple[Comment, Marker] | None = None
        self.signed = False
        self.summaries: list[Comment] = []
        self.reviews: list[OurReview] = []
        self.told: dict[str, Told] = {}
        self.pending: tuple[Review, ...] = ()
        self.drafts: tuple[Review, ...] = ()
        self.posted: dict[str, Posted] = {}
        self.asked_to_ignore: list[tuple[str, str]] = []
        self.replies: set[str] = set()
        self.doubles: list[ReviewComment] = []
        self.copies: list[ReviewComment] = []

    def below(self, comments: tuple[Comment, ...]) -> None:
        """Comments below the pull request: the summary, and ``/ignore ID``."""
        for comment in comments:
            marker = self._parse(comment.body) if self._us.wrote(comment.author) else None
            if marker is not None:
                if marker.kind == "summary":
                    self._note_summary(comment, marker)
                self._note_reply(marker)
            elif named := markers.FINDING_ID.match(
                self._ignores(comment.author, comment.body) or ""
            ):
                self.asked_to_ignore.append((named[0], comment.author.login))

    def _note_summary(self, comment: Comment, marker: Marker) -> None:
        signed = self._us.signed(comment.body, self._pull)
        if self.summary is None or (signed and not self.signed):  # who has our login is not us
            self.summary, self.signed = (comment, marker), signed
        elif self._is_ours(comment.body):
            self.summaries.append(comment)

    def of_reviews(self, reviews: tuple[Review, ...]) -> None:
        """Reviews as a whole."""
        ours = [review for review in reviews if self._us.wrote(review.author)]
        unsent = [review for review in ours if review.state == "PENDING"]
        self.drafts = tuple(
            review for review in unsent if not review.author.is_bot and not self._parse(review.body)
        )
        self.pending = tuple(review for review in unsent if review not in self.drafts)
        for review in ours:
            marker = self._parse(review.body)
            if marker is not None and marker.kind == "review" and review.state != "PENDING":
                signed = self._us.signed(review.body, self._pull)
                self.reviews.append(OurReview(review, signed))
                for noted in marker.findings:
                    self.told.setdefault(noted.id, Told(noted, review, signed, marker))

    def on_lines(
        self, comments: tuple[ReviewComment, ...], threads: tuple[ReviewThread, ...]
    ) -> None:
        """Comments on lines: findings, and ``/ignore`` in their threads."""
        by_first = {thread.first_comment: thread for thread in threads}
        answered = {comment.in_reply_to for comment in comments}
        finding_of: dict[int, str] = {}
        for comment in comments:
            if not self._us.wrote(comment.author):
                continue
            marker = self._parse(comment.body)
            self._note_reply(marker)
            first = comment.in_reply_to is None
            if first and marker is not None and marker.kind == "finding":
                noted = marker.findings[0]
                finding_of[comment.id] = noted.id
                thread = by_first.get(comment.id)
                ours = self._is_ours(comment.body)
                posted = Posted(
                    noted.id,
                    noted.severity,
                    comment,
                    thread,
                    fixed=ours and marker.outcome == FIXED,
                    touched=comment.id in answered or _is_closed(thread),
                    marker=marker if ours else None,
                )
                older = self.posted.setdefault(noted.id, posted).comment
                if older is not comment:
                    # Two runs at once wrote both, or somebody with our login copied one of them.
                    is_double = ours and not posted.touched and same_place(comment, older) is True
                    (self.doubles if is_double else self.copies).append(comment)
        for comment in comments:
            about = finding_of.get(comment.in_reply_to or 0)
            if about and self._ignores(comment.author, comment.body) is not None:
                self.asked_to_ignore.append((about, comment.author.login))

    def raise_severities(self) -> None:
        """What a later review called worse than the first one, its summary alone says."""
        marker = self.summary[1] if self.summary and self.signed else None
        for one in (*marker.findings, *marker.fixed) if marker else ():
            if one.id in self.posted:
                posted = self.posted[one.id]
                severity = worse(posted.severity, one.severity)
                self.posted[one.id] = replace(posted, severity=severity)
            if one.id in self.told:
                told = self.told[one.id]
                severity = worse(told.noted.severity, one.severity)
                self.told[one.id] = replace(told, noted=replace(told.noted, severity=severity))

    def _is_ours(self, body: str) -> bool:
        """Whether a marker is believed: signed, unless we have nothing to sign with."""
        return not self._us.secrets or self._us.signed(body, self._pull)

    def _note_reply(self, marker: Marker | None) -> None:
        if marker is not None and marker.kind == "reply" and marker.key is not None:
            self.replies.add(marker.key)

    def _ignores(self, author: Author, body: str) -> str | None:
        """What stands behind the ``/ignore`` of a person; None if it is none."""
        if author.is_bot or markers.has_marker(body):  # we can have the token of a person
            return None
        command = commands.find(body, self._us.mention)
        if isinstance(command, Command) and command.name == "ignore":
            return command.text
        return None


def same_place(one: ReviewComment, other: ReviewComment) -> bool | None:
    """Whether two comments are on the same lines; None if that cannot be told."""
    if one.original_commit == other.original_commit:
        places = [(each.path, each.side, each.original_line) for each in (one, other)]
    elif one.line is not None and other.line is not None:
        places = [(each.path, each.side, each.line) for each in (one, other)]
    else:
        return None
    return places[0] == places[1]


def _is_closed(thread: ReviewThread | None) -> bool:
    return thread is not None and (thread.resolved or thread.minimized is not None)
