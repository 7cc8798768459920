"""Read what the answer to a reply needs: the thread, and the code of the finding at the head.

A reply takes few requests to GitHub: the payload of its event has the pull request, and each list
is read once.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.parse import FileDiff, parse_diff
from reviewbot.core.diff.write import file_diff_text
from reviewbot.core.safety.redact import redact_file
from reviewbot.errors import DiffError, ReviewbotError
from reviewbot.github.change.fetch import MAX_DIFF, NOT_TOLD
from reviewbot.github.change.subject import Subject
from reviewbot.github.dialogue.replies import (
    ANSWERED,
    FixedAnswer,
    decide,
    is_open,
)
from reviewbot.github.identity import PullName  # noqa: TC001 - decoded
from reviewbot.github.state.prior import WITHDRAWN, WRITERS
from reviewbot.github.state.withdrawals import all_changes_digest, changes_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.diff.hunks import DiffLine, Hunk, LineKind
    from reviewbot.core.prompt.reply import FindingReply
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.dialogue.replies import PersonReply
    from reviewbot.github.identity import BotIdentity

_NAMELESS: Final = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n"
_MARKS: Final[dict[LineKind, str]] = {"added": "+", "removed": "-", "context": " "}
SHOWN_LINES: Final = 300
"""Most lines of the diff of the finding's file that a model is shown."""
NOT_SHOWN: Final = (
    "I could not look at the code: GitHub does not return the changes of this file. The finding"
    " stays open."
)


@dataclass(frozen=True, slots=True)
class AnswerPlace:
    """The place of an answer, and what it may end.

    Attributes:
        pull: the pull request.
        head: the commit whose code decides.
        base: the commit of the base.
        page: the repository's page, ``https://HOST/OWNER/REPO``.
        thread: id of the first comment of the thread.
        node: id of the thread at GraphQL, to resolve it; empty if we may not.
        key: the ids of finding and reply, which end the key of the answer.
        path: the finding's file.
        digest: digest of the changes of this file, for a withdrawal.
        whole_digest: digest of all changes, for a withdrawal by code elsewhere.
    """

    pull: PullName
    head: str
    base: str
    page: str
    thread: int
    node: str
    key: str
    path: str
    digest: str
    whole_digest: str

    @property
    def subject(self) -> Subject:
        """The pull request at the commit whose code decides."""
        return Subject(self.pull, self.head, self.base, None, self.page, "")

    def answer_key(self, withdrawn_by: str | None = None) -> str:
        """Return the key of an answer.

        ``withdrawn_by`` is the file with the line that withdraws the finding; None if it stands.
        """
        if withdrawn_by is None:
            return f"{ANSWERED}-{self.key}"
        digest = self.digest if withdrawn_by == self.path else self.whole_digest
        return f"{WITHDRAWN}-{self.key}-{digest}"


@dataclass(frozen=True, slots=True)
class Disputed:
    """A reply that a model answers: ``diff`` has the lines to show."""

    place: AnswerPlace
    reply: FindingReply
    diff: bytes


async def read_reply(
    api: Api, reply: PersonReply, identity: BotIdentity, *, page: str
) -> FixedAnswer | Disputed | None:
    """Return the answer to a reply, or what a model is asked; None for silence.

    Raises:
        GitHubError: GitHub refuses a request.
    """
    name = reply.pull
    comments = await api.reviews.comments(name.repo, name.number)
    decided = await asyncio.to_thread(decide, reply, comments, identity)
    if decided is None or not await _may_reply(api, reply):
        return None
    threads = await api.threads.all(name.repo, name.number)
    thread = next((known for known in threads if known.first_comment == reply.thread), None)
    if isinstance(decided, FixedAnswer):
        is_closed = thread is not None and thread.resolved
        return None if is_closed else decided
    if not is_open(decided.reply.id, thread, comments, name, identity):
        return None
    files = await _changes_at_head(api, reply)
    found = [file for file in files if file.path == decided.comment.path and file.hunks]
    diff = await asyncio.to_thread(_shown, found[0], decided.reply) if len(found) == 1 else None
    if diff is None:
        return FixedAnswer(f"{ANSWERED}-{decided.key}", NOT_SHOWN)
    place = AnswerPlace(
        pull=name,
        head=reply.head,
        base=reply.base,
        page=page,
        thread=reply.thread,
        node=thread.id if thread is not None and thread.can_resolve else "",
        key=decided.key,
        path=found[0].path,
        digest=await asyncio.to_thread(changes_digest, found[0]),
        whole_digest=await asyncio.to_thread(all_changes_digest, files),
    )
    return Disputed(place, decided.reply, diff)


async def _may_reply(api: Api, reply: PersonReply) -> bool:
    """Return whether a person gets answers: the author of the pull request, and who may write."""
    if reply.sender.lower() == reply.author.lower():
        return True
    return await api.pulls.permission(reply.pull.repo, reply.sender) in WRITERS


async def _changes_at_head(api: Api, reply: PersonReply) -> tuple[FileDiff, ...]:
    """Return the changes at the head; none if GitHub does not return them in one piece."""
    repo = reply.pull.repo
    try:
        data = await api.pulls.compare_diff(repo, reply.base, reply.head, max_bytes=MAX_DIFF)
        return await asyncio.to_thread(parse_diff, data)
    except (*NOT_TOLD, DiffError):
        return ()


def _shown(file: FileDiff, reply: FindingReply) -> bytes | None:
    """Return the redacted lines around a finding as a diff; None if they cannot be searched.

    Secrets are replaced before lines are left out: a part of a private key does not look like one.
    """
    try:
        replaced = redact_file(file).replacements
    except ReviewbotError:
        return None
    lines = [
        (number, at, line._replace(text=replaced.get((number, at), line.text)))
        for number, hunk in enumerate(file.hunks)
        for at, line in enumerate(hunk.lines)
    ]
    numbers = [line.old_no if reply.side == "LEFT" else line.new_no for _, _, line in lines]
    middle = numbers.index(reply.line) if reply.line in numbers else 0
    first = max(0, min(middle - SHOWN_LINES // 2, len(lines) - SHOWN_LINES))
    kept = lines[first : first + SHOWN_LINES]
    written = b"".join(
        _hunk_text(file.hunks[number], [(at, line) for other, at, line in kept if other == number])
        for number in dict.fromkeys(number for number, _, _ in kept)
    )
    try:
        [parsed] = parse_diff(_NAMELESS + written)
        shown = FileDiff(file.path, file.path, "modified", hunks=parsed.hunks)
        return file_diff_text(shown)
    except (DiffError, ValueError):
        return None


def _hunk_text(hunk: Hunk, lines: Sequence[tuple[int, DiffLine]]) -> bytes:
    """Return a part of a hunk as a hunk. ``lines`` have their index in ``hunk``."""
    before = hunk.lines[: lines[0][0]]
    old = _side(hunk.old_start, hunk.old_count, before, [line for _, line in lines], "added")
    new = _side(hunk.new_start, hunk.new_count, before, [line for _, line in lines], "removed")
    rows = [f"@@ -{old} +{new} @@"]
    rows += [_MARKS[line.kind] + line.text for _, line in lines]
    return "".join(f"{row}\n" for row in rows).encode("utf-8", "surrogateescape")


def _side(
    start: int, count: int, before: Sequence[DiffLine], kept: Sequence[DiffLine], other: LineKind
) -> str:
    """Return start and count of one side; the start of a side without lines is the line before."""
    first = start + (not count) + sum(line.kind != other for line in before)
    number = sum(line.kind != other for line in kept)
    return f"{first if number else max(0, first - 1)},{number}"
