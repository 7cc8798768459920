"""Calls on reviews: list, create, submit, change, dismiss, delete while pending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fake_github import reviewing, shapes_talk
from tests.fake_github.routing import Call, route
from tests.fake_github.wire import INTEGRATION, Answer, Refused, not_found, unprocessable

if TYPE_CHECKING:
    from tests.fake_github.comments import Review
    from tests.fake_github.pulls import PullRequest

READ, WRITE = "pull_requests=read", "pull_requests=write"
BASE = "/repos/{owner}/{repo}/pulls/{pull_number}/reviews"
ONE = BASE + "/{review_id}"


def _pull(call: Call) -> PullRequest:
    return call.repo.pull(call.number("pull_number"))


def _visible(call: Call, review: Review) -> bool:
    return review.state != "PENDING" or review.user is call.actor.user


def _review(call: Call) -> Review:
    number = call.number("review_id")
    for review in _pull(call).reviews:
        if review.id == number and _visible(call, review):
            return review
    raise not_found()


def _own(call: Call) -> Review:
    review = _review(call)
    if review.user is not call.actor.user:
        raise Refused(403, INTEGRATION)
    return review


@route(f"GET {BASE}", needs=READ)
def list_reviews(call: Call) -> Answer:
    seen = [one for one in _pull(call).reviews if _visible(call, one)]
    return call.page(seen, shapes_talk.review)


@route(f"POST {BASE}", needs=WRITE)
def create_review(call: Call) -> Answer:
    review = reviewing.create_review(
        _pull(call),
        call.user,
        call.body.get("body") or "",
        call.body.get("event") or None,
        call.body.get("comments") or [],
        commit=call.body.get("commit_id"),
        app=call.actor.app,
    )
    return Answer(shapes_talk.review(review))


@route(f"GET {ONE}", needs=READ)
def get_review(call: Call) -> Answer:
    return Answer(shapes_talk.review(_review(call)))


@route(f"GET {ONE}/comments", needs=READ)
def list_comments(call: Call) -> Answer:
    return call.page(_review(call).comments, shapes_talk.comment_of_review)


@route(f"PUT {ONE}", needs=WRITE)
def change_review(call: Call) -> Answer:
    review, body = _own(call), call.text("body")
    reviewing.check_review_body(review.pull, body)
    if not body.strip():
        raise unprocessable("Body can't be blank")
    review.body = body
    return Answer(shapes_talk.review(review))


@route(f"DELETE {ONE}", needs=WRITE)
def delete_review(call: Call) -> Answer:
    review = _own(call)
    if review.state != "PENDING":
        raise unprocessable("Can not delete a non-pending pull request review")
    shown = shapes_talk.review(review)
    reviewing.discard(review)
    return Answer(shown)


@route(f"POST {ONE}/events", needs=WRITE)
def submit_review(call: Call) -> Answer:
    review, event = _own(call), call.text("event")
    if review.state != "PENDING":
        raise unprocessable("Could not submit a review that is not pending")
    body = call.body.get("body")
    said = review.body if body is None else body
    reviewing.check_review_body(review.pull, said)
    reviewing.check_event(review.pull, call.user, event, said, bool(review.comments))
    reviewing.submit(review, event, body)
    return Answer(shapes_talk.review(review))


@route(f"PUT {ONE}/dismissals", needs=WRITE)
def dismiss_review(call: Call) -> Answer:
    review = _review(call)
    call.text("message")
    if review.state not in ("APPROVED", "CHANGES_REQUESTED"):
        state = review.state.lower().replace("_", " ")
        raise unprocessable(f"Can not dismiss a {state} pull request review")
    review.state = "DISMISSED"
    return Answer(shapes_talk.review(review))
