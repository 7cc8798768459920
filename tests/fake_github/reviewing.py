"""Writing reviews and comments by GitHub's rules, whoever writes, by API or by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fake_github import anchoring
from tests.fake_github.comments import IssueComment, Review, ReviewComment, Thread
from tests.fake_github.wire import Refused, units, unprocessable, validation_failed

if TYPE_CHECKING:
    from tests.fake_github.comments import Anchor, Comment
    from tests.fake_github.people import App, User
    from tests.fake_github.pulls import Issue, PullRequest
    from tests.fake_github.wire import JSON

STATES = {"COMMENT": "COMMENTED", "APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}
ONE_PENDING = "User can only have one pending review per pull request"


def too_long(body: str, issue: Issue) -> bool:
    return units(body) > issue.repo.world.rules.body_units


def _length(issue: Issue) -> str:
    return f"Body is too long (maximum is {issue.repo.world.rules.body_units} characters)"


def check_unlocked(issue: Issue, user: User) -> None:
    if issue.locked and issue.repo.permission(user) not in ("write", "admin"):
        raise Refused(403, "Unable to create comment because issue is locked.")


def comment_on_issue(issue: Issue, user: User, body: str, app: App | None = None) -> IssueComment:
    """A comment in the conversation."""
    check_unlocked(issue, user)
    check_issue_body(issue, body)
    world = issue.repo.world
    number, node_id = world.identity("IC")
    now = world.clock.now()
    comment = IssueComment(number, node_id, user, body, now, now, app, issue=issue)
    issue.comments.append(world.add(comment))
    issue.updated = now
    issue.repo.issue_comments[number] = comment
    world.happened(
        "issue_comment", "created", repo=issue.repo, issue=issue, comment=comment, sender=user
    )
    return comment


def check_issue_body(issue: Issue, body: str) -> None:
    if not body.strip():
        raise validation_failed("IssueComment", "data", "Body cannot be blank", "unprocessable")
    if too_long(body, issue):
        raise validation_failed("IssueComment", "data", _length(issue), "unprocessable")


def check_review_body(pull: PullRequest, body: str) -> None:
    if too_long(body, pull):
        raise unprocessable(_length(pull))


def pending_of(pull: PullRequest, user: User) -> Review | None:
    return next((one for one in pull.reviews if one.user is user and one.state == "PENDING"), None)


def create_review(
    pull: PullRequest,
    user: User,
    body: str,
    event: str | None,
    comments: list[JSON],
    *,
    commit: str | None,
    app: App | None = None,
) -> Review:
    """A review with all of its comments, or nothing."""
    check_unlocked(pull, user)
    if len(comments) > pull.repo.world.rules.review_comments:
        raise Refused(502, "Server Error")
    if pending_of(pull, user) is not None:
        raise unprocessable(ONE_PENDING)
    check_event(pull, user, event, body, bool(comments))
    for entry in comments:
        if not str(entry.get("body") or "").strip():
            raise unprocessable("Body can't be blank")
        check_review_body(pull, entry["body"])
    check_review_body(pull, body)
    commit = anchoring.commit_of(pull, commit)
    places = anchoring.places(pull, commit, comments)
    review = _new_review(pull, user, body, commit, app)
    for entry, anchor in zip(comments, places, strict=True):
        _add(review, anchor, entry["body"])
    if event:
        submit(review, event)
    return review


def check_event(
    pull: PullRequest, user: User, event: str | None, body: str, has_comments: bool
) -> None:
    """Whether this person may say this, and says anything."""
    if event in ("APPROVE", "REQUEST_CHANGES") and pull.user is user:
        verb = "approve" if event == "APPROVE" else "request changes on"
        raise unprocessable(f"Review Can not {verb} your own pull request")
    if event == "APPROVE" and user.login == "github-actions[bot]":
        raise unprocessable("GitHub Actions is not permitted to approve pull requests.")
    silent = not body.strip() and (event == "REQUEST_CHANGES" or not has_comments)
    if event in ("COMMENT", "REQUEST_CHANGES") and silent:
        raise unprocessable("Body can't be blank")


def _new_review(pull: PullRequest, user: User, body: str, commit: str, app: App | None) -> Review:
    number, node_id = pull.repo.world.identity("PRR")
    review = Review(
        id=number, node_id=node_id, pull=pull, user=user, body=body, commit=commit, app=app
    )
    pull.reviews.append(pull.repo.world.add(review))
    return review


def submit(review: Review, event: str, body: str | None = None) -> None:
    """The review is there for all to see."""
    world = review.pull.repo.world
    review.state, review.submitted = STATES[event], world.clock.now()
    review.body = review.body if body is None else body
    review.pull.updated = review.submitted
    about = {"repo": review.pull.repo, "pull": review.pull, "sender": review.user}
    world.happened("pull_request_review", "submitted", review=review, **about)
    for comment in review.comments:
        world.happened("pull_request_review_comment", "created", comment=comment, **about)


def _add(review: Review, anchor: Anchor, body: str, thread: Thread | None = None) -> ReviewComment:
    pull, world = review.pull, review.pull.repo.world
    if thread is None:
        number, node_id = world.identity("PRRT")
        thread = world.add(Thread(id=number, node_id=node_id, pull=pull, anchor=anchor))
        if anchor.commit != pull.head_sha:
            thread.follow()
        pull.threads.append(thread)
    number, node_id = world.identity("PRRC")
    now = world.clock.now()
    comment = ReviewComment(
        number,
        node_id,
        review.user,
        body,
        now,
        now,
        review.app,
        thread=thread,
        review=review,
        in_reply_to=thread.comments[0] if thread.comments else None,
    )
    thread.comments.append(world.add(comment))
    review.comments.append(comment)
    pull.repo.review_comments[number] = comment
    return comment


def single_comment(
    pull: PullRequest, user: User, entry: JSON, app: App | None = None
) -> ReviewComment:
    """One comment at once; GitHub makes a review without a body around it."""
    commit = anchoring.commit_of(pull, entry.get("commit_id"))
    _check_single(pull, user, entry["body"])
    anchor = anchoring.single_place(pull, commit, entry)
    review = _new_review(pull, user, "", commit, app)
    comment = _add(review, anchor, entry["body"])
    submit(review, "COMMENT")
    return comment


def reply(
    pull: PullRequest, user: User, to: ReviewComment, body: str, app: App | None = None
) -> ReviewComment:
    """An answer in the thread of a top-level comment."""
    _check_single(pull, user, body)
    if to.in_reply_to is not None or to.pending:
        raise validation_failed(
            "PullRequestReviewComment", "in_reply_to", "in_reply_to is not a top-level comment"
        )
    review = _new_review(pull, user, "", pull.head_sha, app)
    comment = _add(review, to.thread.anchor, body, to.thread)
    submit(review, "COMMENT")
    return comment


def _check_single(pull: PullRequest, user: User, body: str) -> None:
    check_unlocked(pull, user)
    if pending_of(pull, user) is not None:
        message = "user_id can only have one pending review per pull request"
        raise validation_failed("PullRequestReview", "user_id", message)
    if not body.strip():
        raise validation_failed("PullRequestReviewComment", "body", code="missing_field")
    if too_long(body, pull):
        raise validation_failed("PullRequestReviewComment", "body", _length(pull))


def discard(review: Review) -> None:
    """A pending review goes away with its comments."""
    review.pull.reviews.remove(review)
    for comment in list(review.comments):
        remove(comment)


def remove(comment: Comment) -> None:
    """Deletes a comment; a thread goes with its last."""
    comment.deleted = True
    if isinstance(comment, IssueComment):
        comment.issue.comments.remove(comment)
        del comment.issue.repo.issue_comments[comment.id]
    elif isinstance(comment, ReviewComment):
        thread = comment.thread
        thread.comments.remove(comment)
        comment.review.comments.remove(comment)
        del thread.pull.repo.review_comments[comment.id]
        if not thread.comments:
            thread.pull.threads.remove(thread)
