"""Decide whether a reply in the thread of a finding gets an answer. Pure.

All comments on lines of the pull request decide, so nothing is stored. The keys of our answers name
the finding and the reply: an answered reply is never answered again, whether it is edited or its
delivery is repeated. The replies of a person count, too, not only our answers to them: several may
come before the first is answered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.core.findings.finding import CATEGORIES
from reviewbot.core.prompt.explanation import MOST_REMARKS, ThreadComment
from reviewbot.core.prompt.reply import FindingReply
from reviewbot.github import markers
from reviewbot.github.identity import PullName
from reviewbot.github.state.prior import WITHDRAWN, side_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reviewbot.core.findings.finding import Category
    from reviewbot.github.api.reviews import ReviewComment
    from reviewbot.github.api.threads import ReviewThread
    from reviewbot.github.identity import BotIdentity
    from reviewbot.github.markers import Marker
    from reviewbot.github.webhook.tasks import Commented

MOST_IN_THREAD: Final = 3
"""Most answers in a thread."""
MOST_FOR_PERSON: Final = 10
"""Most answers to a person on a pull request. Each has at most two requests with look-ups."""
MOST_ON_PULL: Final = 30
"""Most answers on a pull request, which count although people delete their replies."""
ANSWERED: Final = "reply"
"""Beginning of the key of an answer; that of one that withdraws is :data:`.WITHDRAWN`."""
_LIMIT: Final = "limit"
_RULE: Final = "rule"

THREAD_LIMIT: Final = (
    f"This thread has {MOST_IN_THREAD} answers of reviewbot, the most that it gets. The finding"
    " stays open; `/explain` answers a question, and `/ignore` dismisses the finding."
)
PULL_LIMIT: Final = (
    f"This pull request has {MOST_ON_PULL} answers of reviewbot, the most that it gets. The finding"
    " stays open."
)
PERSON_LIMIT: Final = (
    f"You have had {MOST_FOR_PERSON} answers of reviewbot on this pull request, the most that a"
    " person gets. The finding stays open."
)
OF_A_RULE: Final = (
    "A rule, a linter or the search for secrets reported this, not a model, so a reply does not"
    " withdraw it. `/ignore` dismisses it here; `rules` in `.reviewbot.yml` turns the rule off."
)

_KEY: Final = re.compile(
    rf"(?:{ANSWERED}|{WITHDRAWN})-(?P<finding>[0-9a-f]{{16}})-(?P<reply>[0-9]{{1,19}})"
    r"(?:-[0-9a-f]{16})?"
)
_MENTION: Final = re.compile(r"\s{0,100}@([A-Za-z0-9][A-Za-z0-9_-]{0,99})")
_HEADLINE: Final = re.compile(r"\*\*\S{1,10} \w{1,10}(?:, [a-z ]{1,60})?: (.{1,400})\*\*")


@dataclass(frozen=True, slots=True)
class PersonReply:
    """A reply in a thread on a line.

    Attributes:
        pull: the pull request.
        comment: id of the reply.
        thread: id of the first comment of the thread.
        sender: login of its author.
        author: login of the author of the pull request.
        head: the head of the pull request.
        base: the commit of its base.
        base_ref: the branch of its base, as ``refs/heads/NAME``.
        body: the text of the reply.
    """

    pull: PullName
    comment: int
    thread: int
    sender: str
    author: str
    head: str
    base: str
    base_ref: str
    body: str

    @staticmethod
    def of(task: Commented) -> PersonReply | None:
        """Return the reply of a delivery; None for another comment, or if it needs no answer."""
        where, context = task.repository, task.reply
        if context is None or task.thread is None:
            return None
        return PersonReply(
            PullName(where.full_name, task.number, where.id),
            task.comment,
            task.thread,
            task.sender,
            task.author,
            context.head,
            context.base,
            context.base_ref,
            task.body,
        )


@dataclass(frozen=True, slots=True)
class FixedAnswer:
    """An answer that needs no model. ``key`` names it, so that it is posted once."""

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class DisputedFinding:
    """A finding of a model, about which a reply is answered.

    ``key`` ends the keys of the answer. ``comment`` is our comment with the finding, and ``reply``
    is what a model is asked.
    """

    key: str
    comment: ReviewComment
    reply: FindingReply


def is_for_us(body: str, mention: str) -> bool:
    """Return whether a comment may be a reply to us: not a command, nor to another person.

    ``mention`` is our name in mentions, without ``@``; empty without a name.
    """
    named = _MENTION.match(body)
    is_to_another = named is not None and named[1].lower() != mention.lower()
    return bool(body.strip()) and not body.lstrip().startswith("/") and not is_to_another


def decide(
    reply: PersonReply, comments: Sequence[ReviewComment], identity: BotIdentity
) -> FixedAnswer | DisputedFinding | None:
    """Return the answer to a reply, or what a model is asked; None for silence.

    Callers must check that the author of the reply may write, or is that of the pull request, and
    that the finding is open (:func:`is_open`).

    ``comments`` are all comments on lines of the pull request, oldest first.
    """
    first = next((comment for comment in comments if comment.id == reply.thread), None)
    found = None if first is None else _finding_in(first, reply.pull, identity)
    if first is None or found is None:
        return None
    ours = list(_our_markers(comments, reply.pull, identity))
    keys = {marker.key for _, marker in ours}
    answers = [match for key in keys if key and (match := _KEY.fullmatch(key))]
    [noted] = found.findings
    is_known = str(reply.comment) in {match["reply"] for match in answers}
    if is_known:
        return None
    theirs = [comment for comment in comments if _is_reply_of(comment, reply, identity.mention)]
    of_us = {comment.id for comment in comments if _finding_in(comment, reply.pull, identity)}
    theirs = [comment for comment in theirs if comment.in_reply_to in of_us]
    in_thread = sum(comment.in_reply_to == reply.thread for comment in theirs)
    to_thread = sum(match["finding"] == noted.id for match in answers)
    their_ids = {str(comment.id) for comment in theirs}
    to_person = sum(match["reply"] in their_ids for match in answers)
    fixed: FixedAnswer | None = None
    if found.rule not in CATEGORIES:
        fixed = FixedAnswer(f"{_RULE}-{noted.id}", OF_A_RULE)
    elif max(in_thread, to_thread) >= MOST_IN_THREAD:
        fixed = FixedAnswer(f"{_LIMIT}-{noted.id}", THREAD_LIMIT)
    elif max(len(theirs), to_person) >= MOST_FOR_PERSON:
        fixed = FixedAnswer(f"{_LIMIT}-by-{_key_of(reply.sender)}", PERSON_LIMIT)
    elif len(answers) >= MOST_ON_PULL:
        fixed = FixedAnswer(f"{_LIMIT}-pull", PULL_LIMIT)
    if fixed is not None:
        return None if fixed.key in keys else fixed
    thread = [
        ThreadComment(without_marker(comment.body), identity.wrote(comment.author))
        for comment in comments
        if comment.in_reply_to == reply.thread and comment.id < reply.comment
    ]
    return DisputedFinding(
        f"{noted.id}-{reply.comment}",
        first,
        _asked(first, found, tuple(thread[-MOST_REMARKS:]), reply.body),
    )


def is_open(
    finding_id: str,
    thread: ReviewThread | None,
    comments: Iterable[ReviewComment],
    pull: PullName,
    identity: BotIdentity,
) -> bool:
    """Return whether a finding is open: nobody resolved or hid it, and no reply of ours says so."""
    if thread is not None and (thread.resolved or thread.minimized is not None):
        return False
    keys = [marker.key or "" for _, marker in _our_markers(comments, pull, identity)]
    ends = (f"fixed-{finding_id}-", f"{WITHDRAWN}-{finding_id}-")
    ended = sum(key.startswith(ends) for key in keys)
    return ended <= sum(key.startswith(f"back-{finding_id}-") for key in keys)


def without_marker(body: str) -> str:
    """Return a comment without our marker at its end."""
    text, _, last = body.rstrip().rpartition("\n")
    return text.rstrip() if markers.has_marker(last) else body


def _finding_in(comment: ReviewComment, pull: PullName, identity: BotIdentity) -> Marker | None:
    """Return the trusted marker of a comment of ours with a finding; None for other comments."""
    if comment.in_reply_to is not None or not identity.wrote(comment.author):
        return None
    marker = markers.parse(comment.body, pull.bound, identity.secrets)
    return marker if marker is not None and marker.kind == "finding" else None


def _our_markers(
    comments: Iterable[ReviewComment], pull: PullName, identity: BotIdentity
) -> Iterable[tuple[ReviewComment, Marker]]:
    for comment in comments:
        marker = markers.shape(comment.body, pull.bound) if identity.wrote(comment.author) else None
        if marker is not None and marker.kind == "reply":
            yield comment, marker


def _is_reply_of(comment: ReviewComment, reply: PersonReply, mention: str) -> bool:
    """Return whether a comment is an earlier reply of the same person."""
    is_earlier = comment.in_reply_to is not None and comment.id < reply.comment
    is_theirs = comment.author.login.lower() == reply.sender.lower()
    return (
        is_earlier
        and is_theirs
        and not markers.has_marker(comment.body)
        and is_for_us(comment.body, mention)
    )


def _key_of(login: str) -> str:
    """Return a login as a part of a key."""
    return re.sub(r"[^a-z0-9]+", "-", login.lower())[:60].strip("-")


def _asked(
    first: ReviewComment, marker: Marker, thread: tuple[ThreadComment, ...], text: str
) -> FindingReply:
    [noted] = marker.findings
    category: Category = next(known for known in CATEGORIES if known == marker.rule)
    title, finding = finding_text(without_marker(first.body))
    last = first.line
    return FindingReply(
        id=noted.id,
        side=side_of(first),
        line=last and (first.start_line or last),
        end_line=last,
        category=category,
        severity=noted.severity,
        title=title or f"{first.path}:{first.line or first.original_line}",
        finding=finding,
        thread=thread,
        question=text,
    )


def finding_text(body: str) -> tuple[str, str]:
    """Return the title and the other words of our comment, without what would sway a verifier.

    Severity, confidence and the models are left out: they are in the headline and the details.
    """
    headline, _, words = body.partition("\n\n")
    match = _HEADLINE.match(headline)
    # Comments of earlier versions have a line of facts in place of the details.
    text = words.rpartition("<details>")[0] or words.rpartition("\n\n")[0] or words
    return (match[1] if match else headline), text.strip()
