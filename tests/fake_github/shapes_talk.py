"""Issues, comments, reviews and reactions as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fake_github import shapes, shapes_checks
from tests.fake_github.comments import REACTIONS

if TYPE_CHECKING:
    from tests.fake_github.comments import Comment, IssueComment, Reaction, Review, ReviewComment
    from tests.fake_github.pulls import Issue
    from tests.fake_github.wire import JSON
    from tests.fake_github.world import World


def reactions(comment: Comment, url: str) -> JSON:
    counts = dict.fromkeys(REACTIONS, 0)
    for reaction in comment.reactions:
        counts[reaction.content] += 1
    total = len(comment.reactions)
    return {"url": f"{url}/reactions", "total_count": total, **counts}


def reaction(world: World, one: Reaction) -> JSON:
    return {
        "id": one.id,
        "node_id": one.node_id,
        "user": shapes.user(world, one.user),
        "content": one.content,
        "created_at": world.clock.stamp(one.created),
    }


def issue(one: Issue) -> JSON:
    """An issue; a pull request is one too, and has ``pull_request``."""
    world, url, web = one.repo.world, shapes.issue_url(one), shapes.web_url(one)
    shown: JSON = {
        "url": url,
        "repository_url": shapes.repository_url(one.repo),
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "timeline_url": f"{url}/timeline",
        "html_url": web,
        "id": one.id,
        "node_id": one.node_id,
        "number": one.number,
        "title": one.title,
        "user": shapes.user(world, one.user),
        "labels": [],
        "state": one.state,
        "state_reason": None,
        "locked": one.locked,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": len(one.comments),
        "created_at": world.clock.stamp(one.created),
        "updated_at": world.clock.stamp(one.updated),
        "closed_at": None if one.closed is None else world.clock.stamp(one.closed),
        "author_association": shapes.association(one.repo, one.user),
        "active_lock_reason": None,
        "body": one.body,
        "closed_by": None,
        "performed_via_github_app": None,
    }
    if hasattr(one, "head_sha"):
        shown["draft"] = one.draft  # type: ignore[attr-defined]
        shown["pull_request"] = {
            "url": f"{shapes.repository_url(one.repo)}/pulls/{one.number}",
            "html_url": web,
            "diff_url": f"{web}.diff",
            "patch_url": f"{web}.patch",
            "merged_at": None,
        }
    return shown


def issue_comment(comment: IssueComment) -> JSON:
    repo = comment.issue.repo
    url = f"{shapes.repository_url(repo)}/issues/comments/{comment.id}"
    return {
        "url": url,
        "html_url": f"{shapes.web_url(comment.issue)}#issuecomment-{comment.id}",
        "issue_url": shapes.issue_url(comment.issue),
        "id": comment.id,
        "node_id": comment.node_id,
        "user": shapes.user(repo.world, comment.user),
        "created_at": repo.world.clock.stamp(comment.created),
        "updated_at": repo.world.clock.stamp(comment.updated),
        "body": comment.body,
        "author_association": shapes.association(repo, comment.user),
        "reactions": reactions(comment, url),
        "performed_via_github_app": shapes_checks.app_or_none(repo.world, comment.app),
    }


def review_comment(comment: ReviewComment) -> JSON:
    """A comment as it is now, and (``original_…``) as it was."""
    pull, was, now = comment.thread.pull, comment.thread.anchor, comment.thread.now
    url = f"{shapes.repository_url(pull.repo)}/pulls/comments/{comment.id}"
    web = f"{shapes.web_url(pull)}#discussion_r{comment.id}"
    stamp = pull.repo.world.clock.stamp
    links = {"self": url, "html": web, "pull_request": shapes.pull_url(pull)}
    shown: JSON = {
        "url": url,
        "pull_request_review_id": comment.review.id,
        "id": comment.id,
        "node_id": comment.node_id,
        "diff_hunk": was.hunk,
        "path": was.path,
        "commit_id": (now or was).commit,
        "original_commit_id": was.commit,
        "user": shapes.user(pull.repo.world, comment.user),
        "body": comment.body,
        "created_at": stamp(comment.created),
        "updated_at": stamp(comment.updated),
        "html_url": web,
        "pull_request_url": shapes.pull_url(pull),
        "author_association": shapes.association(pull.repo, comment.user),
        "_links": {key: {"href": link} for key, link in links.items()},
        "reactions": reactions(comment, url),
        "subject_type": was.subject,
        "original_position": was.position or 1,
        "position": None if now is None else now.position or 1,
        "line": None if now is None else now.line,
        "original_line": was.line,
        "side": was.side or "RIGHT",
        "start_line": None if now is None else now.start_line,
        "original_start_line": was.start_line,
        "start_side": was.start_side,
    }
    if comment.in_reply_to is not None:
        shown["in_reply_to_id"] = comment.in_reply_to.id
    return shown


def comment_of_review(comment: ReviewComment) -> JSON:
    """The older form in which a review lists its comments; pending ones have no line."""
    shown = review_comment(comment)
    if comment.pending:
        shown |= {"line": None, "start_line": None}
    del shown["subject_type"]
    return {key: value for key, value in shown.items() if value is not None or key == "position"}


def review(one: Review) -> JSON:
    world, pull = one.pull.repo.world, one.pull
    web = f"{shapes.web_url(pull)}#pullrequestreview-{one.id}"
    shown: JSON = {
        "id": one.id,
        "node_id": one.node_id,
        "user": shapes.user(world, one.user),
        "body": one.body,
        "state": one.state,
        "html_url": web,
        "pull_request_url": shapes.pull_url(pull),
        "author_association": shapes.association(pull.repo, one.user),
        "_links": {"html": {"href": web}, "pull_request": {"href": shapes.pull_url(pull)}},
        "commit_id": one.commit,
    }
    if one.submitted is not None:
        shown["submitted_at"] = world.clock.stamp(one.submitted)
    return shown
