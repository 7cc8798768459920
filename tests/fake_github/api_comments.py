"""Calls on review comments and on comments of issues, and reactions to both."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tests.fake_github import reviewing, shapes_talk
from tests.fake_github.comments import Comment, IssueComment, Reaction, ReviewComment
from tests.fake_github.pulls import Issue, PullRequest
from tests.fake_github.routing import Call, route
from tests.fake_github.wire import (
    INTEGRATION,
    Answer,
    Refused,
    not_found,
    unprocessable,
    validation_failed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fake_github.wire import JSON

C = TypeVar("C", bound=Comment)
REPO = "/repos/{owner}/{repo}"
PULL, PULLS = "pull_requests=read", "pull_requests=write"
ISSUE, ISSUES = "issues=read; pull_requests=read", "issues=write; pull_requests=write"


# --- Review comments


def _review_comment(call: Call) -> ReviewComment:
    comment = call.repo.review_comments.get(call.number("comment_id"))
    if comment is None or (comment.pending and comment.user is not call.actor.user):
        raise not_found()
    return comment


@route(f"GET {REPO}/pulls/{{pull_number}}/comments", needs=PULL)
def list_review_comments(call: Call) -> Answer:
    pull = call.repo.pull(call.number("pull_number"))
    return call.page(_chosen(call, pull.review_comments), shapes_talk.review_comment)


@route(f"GET {REPO}/pulls/comments", needs=PULL)
def list_all_review_comments(call: Call) -> Answer:
    seen = [one for one in call.repo.review_comments.values() if not one.pending]
    return call.page(_chosen(call, seen), shapes_talk.review_comment)


@route(f"POST {REPO}/pulls/{{pull_number}}/comments", needs=PULLS)
def create_review_comment(call: Call) -> Answer:
    pull = call.repo.pull(call.number("pull_number"))
    if (first := call.body.get("in_reply_to")) is not None:
        comment = _reply(call, pull, first)
    else:
        comment = reviewing.single_comment(pull, call.user, call.body, call.actor.app)
    return Answer(shapes_talk.review_comment(comment), 201)


@route(f"POST {REPO}/pulls/{{pull_number}}/comments/{{comment_id}}/replies", needs=PULLS)
def create_reply(call: Call) -> Answer:
    pull = call.repo.pull(call.number("pull_number"))
    comment = _reply(call, pull, call.number("comment_id"))
    return Answer(shapes_talk.review_comment(comment), 201)


def _reply(call: Call, pull: PullRequest, first: int) -> ReviewComment:
    to = call.repo.review_comments.get(first)
    if to is None or to.thread.pull is not pull:
        raise not_found()
    return reviewing.reply(pull, call.user, to, call.text("body"), call.actor.app)


@route(f"GET {REPO}/pulls/comments/{{comment_id}}", needs=PULL)
def get_review_comment(call: Call) -> Answer:
    return Answer(shapes_talk.review_comment(_review_comment(call)))


@route(f"PATCH {REPO}/pulls/comments/{{comment_id}}", needs=PULLS)
def change_review_comment(call: Call) -> Answer:
    comment, body = _review_comment(call), call.text("body")
    _must_own(call, comment)
    if not body.strip():
        raise validation_failed("PullRequestReviewComment", "body", code="missing_field")
    if reviewing.too_long(body, comment.thread.pull):
        message = f"Body is too long (maximum is {call.world.rules.body_units} characters)"
        raise unprocessable(message)
    _edit(call, comment, body)
    about = {"repo": call.repo, "pull": comment.thread.pull, "comment": comment}
    call.world.happened("pull_request_review_comment", "edited", sender=call.user, **about)
    return Answer(shapes_talk.review_comment(comment))


@route(f"DELETE {REPO}/pulls/comments/{{comment_id}}", needs=PULLS)
def delete_review_comment(call: Call) -> Answer:
    comment = _review_comment(call)
    _must_own(call, comment)
    reviewing.remove(comment)
    return Answer(status=204)


# --- Comments of issues and pull requests


def _issue(call: Call) -> Issue:
    found = call.repo.issues.get(call.number("issue_number"))
    if found is None:
        raise not_found()
    _reading(call, found, writing=call.request.method != "GET")
    return found


def _reading(call: Call, issue: Issue, *, writing: bool) -> None:
    """``pull_requests`` is good for pull requests alone."""
    needed = {"issues": "write" if writing else "read"}
    plain = not isinstance(issue, PullRequest)
    if plain and call.actor.kind == "installation" and not call.actor.holds(needed):
        raise Refused(403, INTEGRATION)


def _issue_comment(call: Call) -> IssueComment:
    comment = call.repo.issue_comments.get(call.number("comment_id"))
    if comment is None:
        raise not_found()
    _reading(call, comment.issue, writing=call.request.method != "GET")
    return comment


@route(f"GET {REPO}/issues/{{issue_number}}", needs=ISSUE)
def get_issue(call: Call) -> Answer:
    return Answer(shapes_talk.issue(_issue(call)))


@route(f"GET {REPO}/issues/{{issue_number}}/comments", needs=ISSUE)
def list_issue_comments(call: Call) -> Answer:
    return call.page(_chosen(call, _issue(call).comments), shapes_talk.issue_comment)


@route(f"POST {REPO}/issues/{{issue_number}}/comments", needs=ISSUES)
def create_issue_comment(call: Call) -> Answer:
    made = reviewing.comment_on_issue(_issue(call), call.user, call.text("body"), call.actor.app)
    return Answer(shapes_talk.issue_comment(made), 201)


@route(f"GET {REPO}/issues/comments/{{comment_id}}", needs=ISSUE)
def get_issue_comment(call: Call) -> Answer:
    return Answer(shapes_talk.issue_comment(_issue_comment(call)))


@route(f"PATCH {REPO}/issues/comments/{{comment_id}}", needs=ISSUES)
def change_issue_comment(call: Call) -> Answer:
    comment, body = _issue_comment(call), call.text("body")
    _must_own(call, comment)
    reviewing.check_issue_body(comment.issue, body)
    _edit(call, comment, body)
    about = {"repo": call.repo, "issue": comment.issue, "comment": comment}
    call.world.happened("issue_comment", "edited", sender=call.user, **about)
    return Answer(shapes_talk.issue_comment(comment))


@route(f"DELETE {REPO}/issues/comments/{{comment_id}}", needs=ISSUES)
def delete_issue_comment(call: Call) -> Answer:
    comment = _issue_comment(call)
    _must_own(call, comment)
    reviewing.remove(comment)
    return Answer(status=204)


# --- What both have


def _chosen(call: Call, comments: Sequence[C]) -> list[C]:
    since = call.request.query.get("since", "")
    stamp = call.world.clock.stamp
    found = [one for one in comments if stamp(one.updated) >= since]
    return found[::-1] if call.request.query.get("direction") == "desc" else found


def _must_own(call: Call, comment: Comment) -> None:
    """Stricter than GitHub with Apps: nothing that reviewbot does changes the words of others."""
    if comment.user is call.user:
        return
    if call.actor.kind == "user" and call.repo.permission(call.user) in ("write", "admin"):
        return
    raise Refused(403, INTEGRATION)


def _edit(call: Call, comment: Comment, body: str) -> None:
    comment.body, comment.updated = body, call.world.clock.now()


def _react(call: Call, comment: Comment) -> Answer:
    content = call.text("content")
    for reaction in comment.reactions:
        if reaction.user is call.user and reaction.content == content:
            return Answer(shapes_talk.reaction(call.world, reaction))
    number, node_id = call.world.identity("REA")
    made = Reaction(number, node_id, call.user, content, call.world.clock.now())
    comment.reactions.append(made)
    return Answer(shapes_talk.reaction(call.world, made), 201)


def _unreact(call: Call, comment: Comment) -> Answer:
    number = call.number("reaction_id")
    for reaction in comment.reactions:
        if reaction.id == number and reaction.user is call.user:
            comment.reactions.remove(reaction)
            return Answer(status=204)
    raise not_found()


def _shown_reactions(call: Call, comment: Comment) -> Answer:
    wanted = call.request.query.get("content")
    found = [one for one in comment.reactions if wanted in (None, one.content)]

    def show(one: Reaction) -> JSON:
        return shapes_talk.reaction(call.world, one)

    return call.page(found, show)


def _issue_reaction_allowed(call: Call) -> None:
    strict = call.world.rules.documented_reactions and call.actor.kind == "installation"
    if strict and not call.actor.holds({"issues": "write"}):
        raise Refused(403, INTEGRATION, headers={"x-accepted-github-permissions": "issues=write"})


@route(f"GET {REPO}/issues/comments/{{comment_id}}/reactions", needs=ISSUE)
def list_issue_reactions(call: Call) -> Answer:
    return _shown_reactions(call, _issue_comment(call))


@route(f"POST {REPO}/issues/comments/{{comment_id}}/reactions", needs=ISSUES)
def create_issue_reaction(call: Call) -> Answer:
    _issue_reaction_allowed(call)
    return _react(call, _issue_comment(call))


@route(f"DELETE {REPO}/issues/comments/{{comment_id}}/reactions/{{reaction_id}}", needs=ISSUES)
def delete_issue_reaction(call: Call) -> Answer:
    _issue_reaction_allowed(call)
    return _unreact(call, _issue_comment(call))


@route(f"GET {REPO}/pulls/comments/{{comment_id}}/reactions", needs=PULL)
def list_reactions(call: Call) -> Answer:
    return _shown_reactions(call, _review_comment(call))


@route(f"POST {REPO}/pulls/comments/{{comment_id}}/reactions", needs=PULLS)
def create_reaction(call: Call) -> Answer:
    return _react(call, _review_comment(call))


@route(f"DELETE {REPO}/pulls/comments/{{comment_id}}/reactions/{{reaction_id}}", needs=PULLS)
def delete_reaction(call: Call) -> Answer:
    return _unreact(call, _review_comment(call))
