"""Reviews and the comments on lines; :mod:`reviewbot.github.publish` writes their bodies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.github.api.records import Author, author, body, created, delete, repository
from reviewbot.github.client.exchange import Urgency, write

if TYPE_CHECKING:
    from reviewbot.github.client.caller import AccountClient, Record

MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Review:
    """A review. ``state`` is ``PENDING``, ``COMMENTED``, ``APPROVED`` and so on."""

    id: int
    author: Author
    state: str
    body: str
    commit: str | None
    url: str


@dataclass(frozen=True, slots=True)
class ReviewComment:
    """A comment on a line or on a file. ``line`` is None once the diff lacks the line.

    ``start_line`` is None for a comment on one line. ``diff_hunk`` is the hunk of the comment,
    from the hunk header to the line of the comment. ``reactions`` is their number. ``created`` is
    the time in ISO 8601.
    """

    id: int
    node_id: str
    author: Author
    body: str
    path: str
    line: int | None
    start_line: int | None
    original_line: int | None
    original_start_line: int | None
    diff_hunk: str
    side: str
    original_commit: str
    in_reply_to: int | None
    review: int | None
    url: str
    reactions: int = 0
    created: str = ""


class Reviews:
    """API calls for reviews and for comments on lines."""

    def __init__(self, caller: AccountClient) -> None:
        self._caller = caller

    async def create(self, repo: str, number: int, body: Record) -> Review:
        """Create a review with all its comments, or create nothing.

        Raises:
            InvalidError: GitHub rejects a comment, such as one outside the diff.
            UncertainWriteError: the response was lost. Look for the review in :meth:`all`
                before a retry.
        """
        request = write("POST", _reviews(repo, number), body, urgency=Urgency.FINAL)
        return await self._caller.one(request, _review)

    async def all(self, repo: str, number: int) -> tuple[Review, ...]:
        """Return the reviews of a pull request, oldest first; pending reviews only if ours."""
        return await self._caller.every(_reviews(repo, number), _review, most=MOST)

    async def delete_pending(self, repo: str, number: int, review: int) -> None:
        """Delete a pending review, if there is one."""
        path = f"{_reviews(repo, number)}/{review}"
        await delete(self._caller, write("DELETE", path, urgency=Urgency.FINAL))

    async def comments(self, repo: str, number: int) -> tuple[ReviewComment, ...]:
        """Return the comments on lines and files of a pull request, oldest first."""
        path = f"{repository(repo)}/pulls/{number}/comments"
        return await self._caller.every(path, _comment, most=MOST)

    async def reply(self, repo: str, number: int, comment: int, text: str) -> ReviewComment:
        """Reply in the thread that ``comment`` began, and return the reply.

        Raises:
            UncertainWriteError: look for it in :meth:`comments` before making another.
        """
        path = f"{repository(repo)}/pulls/{number}/comments/{comment}/replies"
        return await self._caller.one(write("POST", path, {"body": text}), _comment)

    async def delete_comment(self, repo: str, comment: int) -> None:
        """Delete a comment, if there is one."""
        path = f"{repository(repo)}/pulls/comments/{comment}"
        await delete(self._caller, write("DELETE", path))


def _reviews(repo: str, number: int) -> str:
    return f"{repository(repo)}/pulls/{number}/reviews"


def _review(found: Record) -> Review:
    return Review(
        id=found["id"],
        author=author(found.get("user")),
        state=found["state"],
        body=body(found),
        commit=found.get("commit_id"),
        url=found.get("html_url") or "",
    )


def _comment(found: Record) -> ReviewComment:
    return ReviewComment(
        id=found["id"],
        node_id=found["node_id"],
        author=author(found.get("user")),
        body=body(found),
        path=found["path"],
        line=found.get("line"),
        start_line=found.get("start_line"),
        original_line=found.get("original_line"),
        original_start_line=found.get("original_start_line"),
        diff_hunk=found.get("diff_hunk") or "",
        side=found.get("side") or "RIGHT",
        original_commit=found["original_commit_id"],
        in_reply_to=found.get("in_reply_to_id"),
        review=found.get("pull_request_review_id"),
        url=found.get("html_url") or "",
        reactions=(found.get("reactions") or {}).get("total_count", 0),
        created=created(found),
    )
