"""What GraphQL shows of the world: a dictionary a node, with functions for what has arguments."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, TypeAlias

from graphql import GraphQLError

from tests.fake_github import shapes, shapes_talk
from tests.fake_github.comments import IssueComment, Review, ReviewComment, Thread
from tests.fake_github.people import User
from tests.fake_github.pulls import Issue, PullRequest
from tests.fake_github.repository import Repository
from tests.fake_github.wire import INTEGRATION, JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graphql import GraphQLResolveInfo

    from tests.fake_github.comments import Comment
    from tests.fake_github.merge_queue import QueueEntry
    from tests.fake_github.routing import Call

    Info: TypeAlias = GraphQLResolveInfo[Call]

LARGEST_INT = 2**31 - 1


def show(call: Call, thing: Any) -> JSON:
    """Any node."""
    kinds: list[tuple[type[Any], Callable[[Call, Any], JSON]]] = [
        (Repository, repository),
        (PullRequest, pull_request),
        (Issue, issue),
        (Thread, thread),
        (ReviewComment, review_comment),
        (IssueComment, issue_comment),
        (Review, review),
        (User, actor),
    ]
    return next(make(call, thing) for kind, make in kinds if isinstance(thing, kind))


def _number(value: int) -> int | None:
    """``databaseId``, which ends at 32 bits; ``fullDatabaseId`` does not."""
    return value if value <= LARGEST_INT else None


def _reads(call: Call) -> None:
    if call.actor.kind == "installation" and not call.actor.holds({"pull_requests": "read"}):
        raise GraphQLError(INTEGRATION, extensions={"type": "FORBIDDEN"})


def connection(name: str, items: Sequence[Any], make: Callable[[Any], Any]) -> Any:
    """A field with ``first``, ``after``, ``last`` and ``before``, one of the first two a must."""

    def resolve(
        _: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        **__: Any,
    ) -> JSON:
        if first is None and last is None:
            raise GraphQLError(
                f"You must provide a `first` or `last` value to properly paginate the `{name}` "
                "connection.",
                extensions={"type": "MISSING_PAGINATION_BOUNDARIES"},
            )
        for word, count in (("first", first), ("last", last)):
            if count is not None and not 1 <= count <= 100:
                raise GraphQLError(
                    f"Requesting {count} records on the `{name}` connection exceeds the `{word}` "
                    "limit of 100 records.",
                    extensions={"type": "EXCESSIVE_PAGINATION"},
                )
        start = 0 if after is None else _place(after) + 1
        end = len(items) if before is None else _place(before)
        if first is not None:
            end = min(end, start + first)
        if last is not None:
            start = max(start, end - last)
        nodes = [make(item) for item in items[start:end]]
        cursors = [_cursor(place) for place in range(start, start + len(nodes))]
        pairs = zip(nodes, cursors, strict=True)
        return {
            "nodes": nodes,
            "edges": [{"node": node, "cursor": cursor} for node, cursor in pairs],
            "totalCount": len(items),
            "pageInfo": {
                "endCursor": cursors[-1] if cursors else None,
                "startCursor": cursors[0] if cursors else None,
                "hasNextPage": end < len(items),
                "hasPreviousPage": start > 0,
            },
        }

    return resolve


def _cursor(place: int) -> str:
    return base64.b64encode(f"cursor:v2:{place}".encode()).decode()


def _place(cursor: str) -> int:
    try:
        return int(base64.b64decode(cursor).decode().removeprefix("cursor:v2:"))
    except ValueError:
        message = f"`{cursor}` does not appear to be a valid cursor."
        raise GraphQLError(message, extensions={"type": "INVALID_CURSOR_ARGUMENTS"}) from None


def actor(call: Call, who: User) -> JSON:
    """A bot's name has no ``[bot]`` here."""
    shown = shapes.user(call.world, who)
    return {
        "__typename": who.kind,
        "id": who.node_id,
        "login": who.login.removesuffix("[bot]"),
        "url": shown["html_url"],
        "databaseId": _number(who.id),
    }


def repository(call: Call, repo: Repository) -> JSON:
    def pull(_: Info, number: int) -> JSON:
        _reads(call)
        found = repo.issues.get(number)
        if not isinstance(found, PullRequest):
            message = f"Could not resolve to a PullRequest with the number of {number}."
            raise GraphQLError(message, extensions={"type": "NOT_FOUND"})
        return pull_request(call, found)

    def pulls(
        info: Info,
        states: list[str] | None = None,
        orderBy: dict[str, str] | None = None,  # noqa: N803 - a name of GitHub's
        **page: Any,
    ) -> Any:
        _reads(call)
        found = [
            one
            for one in repo.pulls
            if states is None or ("MERGED" if one.merged else one.state.upper()) in states
        ]
        if orderBy is not None:
            key = {"UPDATED_AT": "updated", "CREATED_AT": "created"}[orderBy["field"]]
            is_down = orderBy["direction"] == "DESC"
            found.sort(key=lambda one: getattr(one, key), reverse=is_down)
        return connection("pullRequests", found, lambda one: pull_request(call, one))(info, **page)

    def queue(_: Info, branch: str | None = None) -> JSON | None:
        is_app = call.actor.kind == "installation" and not call.app.is_actions
        if is_app and not call.actor.holds({"merge_queues": "read"}):
            raise GraphQLError(INTEGRATION, extensions={"type": "FORBIDDEN"})
        found = repo.queues.get(branch or repo.default_branch)
        return None if found is None else _merge_queue(call, found)

    def ref(_: Info, qualifiedName: str) -> JSON | None:  # noqa: N803 - a name of GitHub's
        sha = repo.branches.get(qualifiedName.removeprefix("refs/heads/"))
        if sha is None:
            return None
        return {"name": qualifiedName, "target": {"__typename": "Commit", "oid": sha}}

    return {
        "__typename": "Repository",
        "id": repo.node_id,
        "databaseId": _number(repo.id),
        "name": repo.name,
        "nameWithOwner": repo.full_name,
        "isPrivate": repo.private,
        "pullRequest": pull,
        "pullRequests": pulls,
        "mergeQueue": queue,
        "ref": ref,
    }


def _merge_queue(call: Call, entries: list[QueueEntry]) -> JSON:
    def commit(sha: str | None) -> JSON | None:
        return None if sha is None else {"__typename": "Commit", "oid": sha}

    def entry(one: QueueEntry) -> JSON:
        return {
            "id": one.node_id,
            "position": one.position,
            "baseCommit": commit(one.base),
            "headCommit": commit(one.head),
            "pullRequest": pull_request(call, one.pull),
        }

    return {"entries": connection("entries", entries, entry)}


def pull_request(call: Call, pull: PullRequest) -> JSON:
    stamp = call.world.clock.stamp
    threads = [one for one in pull.threads if one.visible]
    reviews = [one for one in pull.reviews if one.state != "PENDING" or one.user is call.actor.user]

    def chosen_reviews(
        info: Info,
        states: list[str] | None = None,
        author: str | None = None,
        **page: Any,
    ) -> Any:
        found = [
            one
            for one in reviews
            if (states is None or one.state in states)
            and author in (None, one.user.login, one.user.login.removesuffix("[bot]"))
        ]
        return connection("reviews", found, lambda one: review(call, one))(info, **page)

    return {
        "__typename": "PullRequest",
        "id": pull.node_id,
        "databaseId": _number(pull.id),
        "fullDatabaseId": str(pull.id),
        "number": pull.number,
        "state": "MERGED" if pull.merged else pull.state.upper(),
        "isDraft": pull.draft,
        "title": pull.title,
        "body": pull.body or "",
        "bodyText": pull.body or "",
        "author": actor(call, pull.user),
        "createdAt": stamp(pull.created),
        "updatedAt": stamp(pull.updated),
        "viewerDidAuthor": pull.user is call.actor.user,
        "authorAssociation": shapes.association(pull.repo, pull.user),
        "headRefOid": pull.head_sha,
        "headRefName": pull.head_ref,
        "baseRefOid": pull.base_sha,
        "baseRefName": pull.base_ref,
        "url": shapes.web_url(pull),
        "reviewThreads": connection("reviewThreads", threads, lambda one: thread(call, one)),
        "reviews": chosen_reviews,
        "comments": connection("comments", pull.comments, lambda one: issue_comment(call, one)),
        "closingIssuesReferences": connection(
            "closingIssuesReferences", pull.closes, lambda closed: _closed_issue(call, closed)
        ),
    }


def issue(call: Call, shown_issue: Issue) -> JSON:
    stamp = call.world.clock.stamp
    return {
        "__typename": "Issue",
        "id": shown_issue.node_id,
        "number": shown_issue.number,
        "title": shown_issue.title,
        "body": shown_issue.body or "",
        "bodyText": shown_issue.body or "",
        "author": actor(call, shown_issue.user),
        "createdAt": stamp(shown_issue.created),
        "updatedAt": stamp(shown_issue.updated),
        "viewerDidAuthor": shown_issue.user is call.actor.user,
        "authorAssociation": shapes.association(shown_issue.repo, shown_issue.user),
        "url": shapes.web_url(shown_issue),
        "repository": lambda _: repository(call, shown_issue.repo),
    }


def _closed_issue(call: Call, shown_issue: Issue) -> JSON | GraphQLError:
    """Without ``issues: read``, an issue is null, and an error names its place."""
    if call.actor.kind == "installation" and not call.actor.holds({"issues": "read"}):
        return GraphQLError(INTEGRATION, extensions={"type": "FORBIDDEN"})
    return issue(call, shown_issue)


def may_resolve(call: Call, one: Thread) -> bool:
    """An App needs to be allowed to write contents; a person, to push or to be the author."""
    if call.actor.kind == "installation":
        return call.actor.holds({"contents": "write", "pull_requests": "write"})
    pull = one.pull
    return pull.user is call.user or pull.repo.permission(call.user) in ("write", "admin")


def thread(call: Call, one: Thread) -> JSON:
    was, now = one.anchor, one.now
    seen = [comment for comment in one.comments if not comment.pending]
    writes = may_resolve(call, one)
    by = one.resolved_by
    return {
        "__typename": "PullRequestReviewThread",
        "id": one.node_id,
        "isResolved": by is not None,
        "isCollapsed": by is not None or now is None,
        "isOutdated": now is None,
        "path": was.path,
        "line": None if now is None else now.line,
        "startLine": None if now is None else now.start_line,
        "originalLine": was.line,
        "originalStartLine": was.start_line,
        "diffSide": was.side or "RIGHT",
        "startDiffSide": was.start_side,
        "subjectType": was.subject.upper(),
        "resolvedBy": None if by is None or by.kind != "User" else actor(call, by),
        "viewerCanResolve": writes and by is None,
        "viewerCanUnresolve": writes and by is not None,
        "viewerCanReply": True,
        "comments": connection("comments", seen, lambda one: review_comment(call, one)),
        "pullRequest": lambda _: pull_request(call, one.pull),
        "repository": lambda _: repository(call, one.pull.repo),
    }


def _written(call: Call, one: Comment | Review, rest: JSON) -> JSON:
    minimized = getattr(one, "minimized", None)
    return {
        "id": one.node_id,
        "databaseId": _number(one.id),
        "fullDatabaseId": str(one.id),
        "author": actor(call, one.user),
        "body": one.body,
        "bodyText": one.body,
        "createdAt": rest.get("created_at") or rest.get("submitted_at"),
        "updatedAt": rest.get("updated_at") or rest.get("submitted_at"),
        "url": rest["html_url"],
        "isMinimized": minimized is not None,
        "minimizedReason": minimized,
        "viewerCanMinimize": True,
        "viewerDidAuthor": one.user is call.actor.user,
        "authorAssociation": rest["author_association"],
    }


def issue_comment(call: Call, one: IssueComment) -> JSON:
    return {"__typename": "IssueComment"} | _written(call, one, shapes_talk.issue_comment(one))


def review_comment(call: Call, one: ReviewComment) -> JSON:
    rest = shapes_talk.review_comment(one)
    first = one.in_reply_to
    return _written(call, one, rest) | {
        "__typename": "PullRequestReviewComment",
        "path": rest["path"],
        "line": rest["line"],
        "startLine": rest["start_line"],
        "originalLine": rest["original_line"],
        "outdated": rest["position"] is None,
        "diffHunk": rest["diff_hunk"],
        "state": "PENDING" if one.pending else "SUBMITTED",
        "replyTo": None if first is None else lambda _: review_comment(call, first),
        "pullRequestReview": lambda _: review(call, one.review),
    }


def review(call: Call, one: Review) -> JSON:
    rest = shapes_talk.review(one)
    return _written(call, one, rest) | {
        "__typename": "PullRequestReview",
        "state": one.state,
        "submittedAt": rest.get("submitted_at"),
        "comments": connection("comments", one.comments, lambda one: review_comment(call, one)),
    }
