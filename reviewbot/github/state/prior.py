"""What earlier reviews left on a pull request. Pure.

:mod:`reviewbot.github.state.read_prior` reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.findings.finding import CATEGORIES
from reviewbot.github.state.block import Record
from reviewbot.github.state.comment_hunk import commented_code
from reviewbot.github.state.fingerprint import Fingerprint

if TYPE_CHECKING:
    from reviewbot.core.findings.finding import Severity, Side
    from reviewbot.core.prompt.purpose import ClosingIssue
    from reviewbot.github.api.comments import Comment
    from reviewbot.github.api.reviews import Review, ReviewComment
    from reviewbot.github.api.threads import ReviewThread
    from reviewbot.github.identity import BotIdentity
    from reviewbot.github.markers import Marker
    from reviewbot.github.state.block import Pause, StateBlock

HIDDEN_AS: Final = "outdated"
"""Expected ``minimizedReason`` of comments we hid."""
WITHDRAWN: Final = "withdrawn"
"""Beginning of the key of a reply of ours that withdraws a finding. The id of the finding follows,
the comment that it answers, and a digest of the changes of the file."""
WRITERS: Final = ("admin", "write")
"""Permissions of people who may command; GitHub gives ``maintain`` as ``write``."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A finding with one of our inline comments.

    Attributes:
        severity: the severity in the comment.
        thread: its review thread; None if GitHub does not return the thread.
        rule: the rule or category; None if the comment does not say it.
        ours: whether the marker is trusted.
        touched: whether it was answered, resolved or hidden.
        key: key of the review that posted the comment.
    """

    id: str
    severity: Severity
    comment: ReviewComment
    thread: ReviewThread | None
    rule: str | None = None
    ours: bool = True
    touched: bool = False
    key: str | None = None

    @property
    def record(self) -> Record:
        """The record rebuilt from the comment, without a title."""
        comment, rule = self.comment, self.rule or "bug"
        code = Fingerprint.of(commented_code(comment))
        category = rule if rule in CATEGORIES else "bug"
        last = comment.line or comment.original_line or 0
        first = comment.start_line or comment.original_start_line or last
        return Record(
            id=self.id,
            path=comment.path,
            side=side_of(comment),
            line=min(first, last) or 1,
            fingerprint=str(code or ""),
            rule=rule,
            category=category,
            title="",
            severity=self.severity,
            comment=comment.id,
            hidden=self.thread is not None and self.thread.minimized == HIDDEN_AS,
        )


@dataclass(slots=True)
class Prior:
    """The prior state of a pull request.

    Attributes:
        summary: our one summary comment and its marker.
        block: the state block of the summary, if it is trusted.
        signed: whether the summary comment is signed.
        reviews: reviews of ours that are posted, oldest first.
        listed: ids of findings that our review bodies list.
        pending: our pending reviews; GitHub accepts no other until they are deleted.
        drafts: pending reviews of the person whose token we use; they block others, too.
        posted: findings with a comment of ours, by their ids.
        dismissed: the login of the person who dismissed a finding, by finding id.
        set_aside: the login of the author, who may not write, of the pull request, by the id of
            each finding that the author set aside.
        withdrawn: digests of the withdrawals of findings after a reply, by finding id
            (:mod:`reviewbot.github.state.withdrawals`).
        replies: keys of our replies.
        duplicates: comments on findings that already have one, posted by concurrent runs, and not
            answered, resolved or hidden by anybody.
        copies: our other inline comments that repeat the id of an older one.
        summaries: summary comments of ours besides ``summary``.
        issues: the issues of the repository that the pull request closes.
    """

    summary: tuple[Comment, Marker] | None = None
    block: StateBlock | None = None
    signed: bool = False
    reviews: list[Review] = field(default_factory=list)
    listed: set[str] = field(default_factory=set)
    pending: list[Review] = field(default_factory=list)
    drafts: list[Review] = field(default_factory=list)
    posted: dict[str, Posted] = field(default_factory=dict)
    dismissed: dict[str, str] = field(default_factory=dict)
    set_aside: dict[str, str] = field(default_factory=dict)
    withdrawn: dict[str, frozenset[str]] = field(default_factory=dict)
    replies: set[str] = field(default_factory=set)
    duplicates: list[ReviewComment] = field(default_factory=list)
    copies: list[ReviewComment] = field(default_factory=list)
    summaries: list[Comment] = field(default_factory=list)
    issues: tuple[ClosingIssue, ...] = ()

    def records(self, identity: BotIdentity, key: str = "") -> dict[str, Record]:
        """Return the findings of earlier reviews by id: of the block, and of our comments.

        A comment that the block does not know was posted by a run that ended early, or there is no
        block. The review ``key`` is not an earlier one.
        """
        found = {record.id: record for record in self.block.records} if self.block else {}
        for id_, one in found.items():
            if one.state != "resolved":
                is_away = one.state == "dismissed" and id_ in self.withdrawn
                is_away |= id_ in self.dismissed
                found[id_] = replace(one, state="dismissed" if is_away else "open")
        for id_, posted in self.posted.items():
            if not posted.ours or (posted.key == key and id_ not in found):
                continue
            if id_ in found:
                found[id_] = _with_comment(found[id_], posted)
            else:
                closed = posted.thread is not None and identity.resolved(posted.thread)
                found[id_] = replace(posted.record, state="resolved" if closed else "open")
        return found

    def record(self, finding_id: str) -> Record | None:
        """Return the record of a finding in the trusted state; None if there is none."""
        records = self.block.records if self.block else ()
        return next((record for record in records if record.id == finding_id), None)

    @property
    def is_first(self) -> bool:
        """True if no review has posted a summary; the state of a mere pause has no settings."""
        return self.summary is None or (self.block is not None and not self.block.settings)

    @property
    def pause(self) -> Pause | None:
        """The pause of the reviews, by a signed state; a pause in another state has no effect."""
        return self.block.pause if self.block and self.signed else None

    def replied(self, what: str, finding_id: str) -> int:
        """Return how often we answered in the thread of a finding, such as ``fixed``."""
        return sum(key.startswith(f"{what}-{finding_id}-") for key in self.replies)


def side_of(comment: ReviewComment) -> Side:
    """Return the side of the diff that a comment is on."""
    return "LEFT" if comment.side == "LEFT" else "RIGHT"


def _with_comment(record: Record, posted: Posted) -> Record:
    """Return a record with its comment, at the line to which GitHub has moved it."""
    comment = posted.comment
    line = comment.start_line or comment.line or record.line
    return replace(record, comment=comment.id, line=line)
