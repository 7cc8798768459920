"""Comments below a pull request, and reactions to any comment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from reviewbot.github.api.records import Author, author, body, created, delete, repository
from reviewbot.github.client.exchange import Urgency, write

if TYPE_CHECKING:
    from reviewbot.github.client.caller import AccountClient, Record

MOST: Final = 10_000

Reaction = Literal["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"]

REACTIONS: Final[tuple[Reaction, ...]] = get_args(Reaction)


MOST_MERGED: Final = 50
"""Maximum number of merged pull requests in one request."""
_MERGED: Final = """\
query ($owner: String!, $name: String!, $most: Int!) {
  repository(owner: $owner, name: $name) {
    pullRequests(
      states: MERGED, first: $most, orderBy: {field: UPDATED_AT, direction: DESC}
    ) {
      nodes { number comments(first: 5) { nodes { author { login } body } } }
    }
  }
}
"""


@dataclass(frozen=True, slots=True)
class MergedPull:
    """A merged pull request with its first five comments: the login of the author, and the text.

    GraphQL omits the ``[bot]`` of a login.
    """

    number: int
    comments: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment below a pull request. ``created`` is its time in ISO 8601."""

    id: int
    author: Author
    body: str
    url: str
    created: str = ""


class Comments:
    """API calls for comments."""

    def __init__(self, caller: AccountClient) -> None:
        self._caller = caller

    async def all(self, repo: str, number: int) -> tuple[Comment, ...]:
        """Return the comments below a pull request, oldest first."""
        path = f"{repository(repo)}/issues/{number}/comments"
        return await self._caller.every(path, _comment, most=MOST)

    async def of_merged(self, repo: str, *, most: int = MOST_MERGED) -> tuple[MergedPull, ...]:
        """Return the first comments of the pull requests that were merged last, in one request.

        The result is empty without the permission.
        """
        repository(repo)
        owner, name = repo.split("/")
        variables = {"owner": owner, "name": name, "most": most}
        data = await self._caller.graphql(_MERGED, variables)
        home = (data or {}).get("repository") or {}
        pulls = (home.get("pullRequests") or {}).get("nodes") or ()
        return tuple(
            MergedPull(
                pull["number"],
                tuple(
                    ((comment["author"] or {}).get("login") or "", body(comment))
                    for comment in pull["comments"]["nodes"] or ()
                ),
            )
            for pull in pulls
        )

    async def create(self, repo: str, number: int, text: str) -> Comment:
        """Return a new comment.

        Raises:
            UncertainWriteError: look for it in :meth:`all` before making another.
        """
        path = f"{repository(repo)}/issues/{number}/comments"
        return await self._caller.one(write("POST", path, {"body": text}), _comment)

    async def update(
        self, repo: str, comment: int, text: str, *, urgency: Urgency = Urgency.NORMAL
    ) -> Comment:
        """Update one of our comments."""
        request = write("PATCH", _one(repo, comment), {"body": text}, urgency=urgency)
        return await self._caller.one(request, _comment)

    async def delete(self, repo: str, comment: int) -> None:
        """Delete a comment, if there is one."""
        await delete(self._caller, write("DELETE", _one(repo, comment)))

    async def reactions(self, repo: str, comment: int) -> tuple[tuple[Author, Reaction], ...]:
        """Return the reactions to an inline comment with their authors, without unknown ones."""
        path = _reactions(repo, comment, on_line=True)
        found = await self._caller.every(path, _reaction, most=MOST)
        return tuple((who, one) for who, one in found if one is not None)

    async def react(
        self, repo: str, comment: int, *, on_line: bool, reaction: Reaction = "eyes"
    ) -> None:
        """Add a reaction to a comment, inline or not. The call is idempotent."""
        path = _reactions(repo, comment, on_line=on_line)
        request = write("POST", path, {"content": reaction}, repeatable=True, urgency=Urgency.FINAL)
        await self._caller.answer(request)


def _one(repo: str, comment: int) -> str:
    return f"{repository(repo)}/issues/comments/{comment}"


def _reactions(repo: str, comment: int, *, on_line: bool) -> str:
    kind = "pulls" if on_line else "issues"
    return f"{repository(repo)}/{kind}/comments/{comment}/reactions"


def _reaction(found: Record) -> tuple[Author, Reaction | None]:
    known = (one for one in REACTIONS if one == found["content"])
    return author(found.get("user")), next(known, None)


def _comment(found: Record) -> Comment:
    return Comment(
        id=found["id"],
        author=author(found.get("user")),
        body=body(found),
        url=found.get("html_url") or "",
        created=created(found),
    )
