"""Threads on lines: read, resolve and hide them, and undo that. Read the issues to close.

Only GraphQL supports this. The first page of threads also has the author of the pull request and
the issues that it closes. Without ``issues: read``, GitHub refuses them and returns the rest.
Resolving needs ``contents: write``, which few installations grant. So a refusal is a result, not an
error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.prompt.purpose import BODY_LIMIT, ISSUES_LIMIT, ClosingIssue
from reviewbot.github.api.records import repository
from reviewbot.github.client.errors import IncompleteListError, NotFoundError

if TYPE_CHECKING:
    from reviewbot.github.client.caller import AccountClient

MOST: Final = 5_000

_LIST: Final = """\
query ($owner: String!, $name: String!, $number: Int!, $after: String, $issues: Boolean!) {
  repository(owner: $owner, name: $name) {
    id
    pullRequest(number: $number) {
      author { login }
      closingIssuesReferences(first: 20) @include(if: $issues) {
        nodes { number title body repository { id } }
      }
      reviewThreads(first: 100, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes {
          id isResolved viewerCanResolve
          resolvedBy { login }
          comments(first: 1) { nodes { fullDatabaseId isMinimized minimizedReason } }
        }
      }
    }
  }
}
"""
_ISSUES: Final = ("repository", "pullRequest", "closingIssuesReferences")


def _mutation(name: str, result: str) -> str:
    """Return a mutation of one object; ``result`` is the part of its response that we read."""
    given = f"{name[0].upper()}{name[1:]}Input!"
    return f"mutation ($input: {given}) {{\n  {name}(input: $input) {{ {result} }}\n}}\n"


_RESOLVE: Final = _mutation("resolveReviewThread", "thread { isResolved }")
_UNRESOLVE: Final = _mutation("unresolveReviewThread", "thread { isResolved }")
_MINIMIZE: Final = _mutation("minimizeComment", "minimizedComment { isMinimized }")
_UNMINIMIZE: Final = _mutation("unminimizeComment", "unminimizedComment { isMinimized }")


@dataclass(frozen=True, slots=True)
class ReviewThread:
    """A review thread.

    Attributes:
        resolved_by: login of the person who resolved the thread; None if an App or nobody did.
        first_comment: REST id of the first comment.
        minimized: reason why the first comment is hidden, such as ``outdated``; None if the
            comment is visible.
        can_resolve: whether we may resolve the thread.
    """

    id: str
    resolved: bool
    resolved_by: str | None
    first_comment: int | None
    minimized: str | None
    can_resolve: bool = False


@dataclass(frozen=True, slots=True)
class Discussion:
    """What a pull request has besides comments.

    Attributes:
        threads: its review threads.
        issues: the issues of the repository that it closes, without those that GitHub does not
            show.
        author: login of its author; empty if the account is deleted.
    """

    threads: tuple[ReviewThread, ...]
    issues: tuple[ClosingIssue, ...] = ()
    author: str = ""


class Threads:
    """API calls for threads."""

    def __init__(self, caller: AccountClient) -> None:
        self._caller = caller

    async def all(self, repo: str, number: int) -> tuple[ReviewThread, ...]:
        """Return the threads of a pull request."""
        return (await self._read(repo, number, issues=False)).threads

    async def discussion(self, repo: str, number: int) -> Discussion:
        """Return the threads of a pull request, its author and the issues that it closes."""
        return await self._read(repo, number, issues=True)

    async def _read(self, repo: str, number: int, *, issues: bool) -> Discussion:
        repository(repo)
        owner, name = repo.split("/")
        variables: dict[str, Any] = {
            "owner": owner,
            "name": name,
            "number": number,
            "issues": issues,
        }
        found: list[ReviewThread] = []
        closing: tuple[ClosingIssue, ...] = ()
        while True:
            data = await self._caller.graphql(_LIST, variables, optional=_ISSUES)
            home = (data or {}).get("repository") or {}
            pull = home.get("pullRequest")
            if pull is None:
                raise NotFoundError(
                    f"GitHub did not return the threads of {repo}#{number}", status=404
                )
            if variables["issues"]:
                closing, variables["issues"] = _issues(pull, home.get("id")), False
            threads = pull["reviewThreads"]
            found += map(_thread, threads["nodes"])
            if not threads["pageInfo"]["hasNextPage"]:
                author = (pull.get("author") or {}).get("login") or ""
                return Discussion(tuple(found), closing, author)
            after = threads["pageInfo"]["endCursor"]
            if len(found) >= MOST or after == variables.get("after"):
                raise IncompleteListError(f"{repo}#{number} has more than {MOST:,} threads")
            variables["after"] = after

    async def resolve(self, thread: str) -> bool:
        """Resolve a thread; return False without permission, or if it is gone."""
        return await self._change(_RESOLVE, {"threadId": thread})

    async def minimize(self, node_id: str) -> bool:
        """Hide a comment or a review as outdated; return False as :meth:`resolve` does."""
        return await self._change(_MINIMIZE, {"subjectId": node_id, "classifier": "OUTDATED"})

    async def unresolve(self, thread: str) -> bool:
        """Reopen a thread; return False as :meth:`resolve` does."""
        return await self._change(_UNRESOLVE, {"threadId": thread})

    async def unminimize(self, node_id: str) -> bool:
        """Show a hidden comment again; return False as :meth:`resolve` does."""
        return await self._change(_UNMINIMIZE, {"subjectId": node_id})

    async def _change(self, mutation: str, given: dict[str, str]) -> bool:
        return await self._caller.graphql(mutation, {"input": given}, writes=True) is not None


def _issues(pull: dict[str, Any], repository_id: str | None) -> tuple[ClosingIssue, ...]:
    """Return the issues to close, without those of other repositories, which may be private."""
    nodes = (pull.get("closingIssuesReferences") or {}).get("nodes") or ()
    shown = (issue for issue in nodes if issue and issue["repository"]["id"] == repository_id)
    return tuple(
        ClosingIssue(issue["number"], issue["title"], issue["body"][:BODY_LIMIT]) for issue in shown
    )[:ISSUES_LIMIT]


def _thread(found: dict[str, Any]) -> ReviewThread:
    first = next(iter((found.get("comments") or {}).get("nodes") or ()), None)
    return ReviewThread(
        found["id"],
        found["isResolved"],
        (found.get("resolvedBy") or {}).get("login"),
        int(first["fullDatabaseId"]) if first else None,
        str(first.get("minimizedReason")).lower() if first and first.get("isMinimized") else None,
        found.get("viewerCanResolve") is True,
    )
