"""Post a review and its summary comment, never twice, and without losing valid comments.

If the response to a POST is lost, we look for our marker before a retry. If GitHub rejects a review
(422), GitHub does not name the invalid comment. So halves are posted until the invalid comments are
isolated; these are returned with a reason.

GitHub's replicas may lag by some seconds. A replica may not know the pull request (404) or its head
(422) yet, so such an error is retried before it counts.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from reviewbot.core.events.report import counts_for_fail_on
from reviewbot.github import markers
from reviewbot.github.client.errors import (
    GitHubError,
    InvalidError,
    NotFoundError,
    OvertakenError,
    UncertainWriteError,
)
from reviewbot.github.client.exchange import Urgency
from reviewbot.github.markers import Noted
from reviewbot.github.publish.comment_text import with_marker
from reviewbot.github.publish.listed_findings import ReviewText
from reviewbot.github.publish.review_comments import (
    MAX_COMMENTS,
    FindingWithoutComment,
    review_payload,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from reviewbot.github.api.comments import Comment
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.api.reviews import Review
    from reviewbot.github.identity import BotIdentity, PullName
    from reviewbot.github.markers import Marker
    from reviewbot.github.publish.review_comments import CommentPlan, Inline
    from reviewbot.github.state.prior import Prior

MOST_TRIES: Final = 2 * MAX_COMMENTS
"""Maximum number of requests for one review: enough to find every invalid comment, even if all are
invalid."""
MOST_LOST: Final = 16
"""Maximum number of lost responses of one review. After that, the caller retries later."""
PAUSES_S: Final = (1.0, 3.0)
"""Between the tries, while GitHub may not know the pull request or its head yet."""
_REFUSED: Final = "GitHub does not accept a comment there."
_MORE: Final = ReviewText("More comments of the same review.", ())
_PENDING: Final = "pending review"
_OVERTAKEN: Final = "another run of reviewbot writes the summary of the pull request"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PostedReview:
    """Result of a post: the first review, if any, and the findings that its body does not list."""

    review: Review | None
    left: tuple[FindingWithoutComment, ...]


class ReviewPoster:
    """Poster of one review.

    ``commit_id`` is the head that the comments refer to. The key of ``marker`` is the prefix of the
    keys of all parts.
    """

    def __init__(
        self,
        api: Api,
        pull: PullName,
        identity: BotIdentity,
        *,
        commit_id: str,
        marker: Marker,
    ) -> None:
        self._reviews, self._pull, self._identity = api.reviews, pull, identity
        self._commit_id, self._marker = commit_id, marker
        self._tries = self._lost = 0
        self._first: Review | None = None
        self._listed: tuple[FindingWithoutComment, ...] = ()
        self._refused: list[Inline] = []

    async def post(
        self,
        plan: CommentPlan,
        text: Callable[[int], ReviewText],
        pending: Iterable[Review] = (),
    ) -> PostedReview:
        """Post the comments of ``plan``, and ``text`` above them.

        ``text`` returns the review body for a number of comments. After a refusal there are fewer
        comments, and the body may list other findings. Our ``pending`` reviews are deleted first.

        Raises:
            GitHubError: GitHub rejects the whole review.
        """
        for review in pending:
            await self._delete(review)
        await self._post(plan.inline, text)
        refused = [one.without_comment(_REFUSED) for one in self._refused]
        listed = {one.finding.id for one in self._listed}
        rest = [one for one in plan.rest if one.finding.id not in listed]
        return PostedReview(self._first, (*refused, *rest))

    async def _post(self, inline: Sequence[Inline], text: Callable[[int], ReviewText]) -> None:
        try:
            try:
                await self._create(inline, text)
            except InvalidError:
                if self._tries > 1:
                    raise
                await asyncio.sleep(PAUSES_S[0])
                await self._create(inline, text)
        except InvalidError:
            if not inline:
                raise
            if len(inline) == 1 or self._tries >= MOST_TRIES:
                self._refused += inline
                return
            half = len(inline) // 2
            for part in (inline[:half], inline[half:]):
                await self._post(part, text)

    async def _create(self, inline: Sequence[Inline], text: Callable[[int], ReviewText]) -> None:
        said = text(len(inline)) if self._first is None else _MORE
        key = f"{self._marker.key}.{_name_of((*inline, *said.listed))}"
        counted = (one.finding for one in said.listed if counts_for_fail_on(one.finding))
        noted = (Noted(one.id, one.severity) for one in counted)
        marker = replace(self._marker, key=key, findings=tuple(noted))
        written = markers.write(marker, self._pull.bound, self._identity.secrets)
        body = with_marker(said.text, written)
        payload = review_payload(inline, commit_id=self._commit_id, body=body)
        while True:
            self._tries += 1
            try:
                review = await retry_until_consistent(
                    lambda: self._reviews.create(self._pull.repo, self._pull.number, payload),
                    NotFoundError,
                )
            except UncertainWriteError:
                found = await self._find(key)
                if found is None:
                    self._lost += 1
                    if self._lost >= MOST_LOST:
                        raise
                    continue
                review = found
            except InvalidError as error:
                # An earlier run, or somebody else with our token, has begun a review.
                if _PENDING not in str(error).lower() or not await self._delete_pending():
                    raise
                continue
            if self._first is None:
                self._first, self._listed = review, said.listed
            return

    async def _find(self, key: str) -> Review | None:
        """Return the review with that key, if it was made after all."""
        for review in await self._reviews.all(self._pull.repo, self._pull.number):
            if self._identity.wrote(review.author) and review.state != "PENDING":
                marker = markers.shape(review.body, self._pull.bound)
                if marker is not None and marker.key == key:
                    return review
        return None

    async def _delete_pending(self) -> bool:
        """Delete a pending review under our login; return False if there is none."""
        reviews = await self._reviews.all(self._pull.repo, self._pull.number)
        pending = [
            one
            for one in reviews
            if one.state == "PENDING"
            and self._identity.wrote(one.author)
            # With a person's token, that person may be writing this review now.
            and (one.author.is_bot or markers.shape(one.body, self._pull.bound))
        ]
        for review in pending:
            await self._delete(review)
        return bool(pending) and self._tries < MOST_TRIES

    async def _delete(self, review: Review) -> None:
        await self._reviews.delete_pending(self._pull.repo, self._pull.number, review.id)


def _name_of(content: Sequence[Inline | FindingWithoutComment]) -> str:
    """Return the key of a part, derived from its content, so that retries recognise the part."""
    ids = ",".join(one.finding.id for one in content)
    return hashlib.sha256(ids.encode()).hexdigest()[:16]


async def retry_until_consistent(
    request: Callable[[], Awaitable[T]], *lagging: type[GitHubError]
) -> T:
    """Return the result of a request that may be refused with ``lagging`` for some seconds."""
    for pause in PAUSES_S:
        try:
            return await request()
        except lagging:
            await asyncio.sleep(pause)
    return await request()


async def create_once(
    make: Callable[[], Awaitable[T]], find: Callable[[], Awaitable[T | None]]
) -> T:
    """Return the result of ``make``. If its response is lost, retry only if ``find`` returns None.

    ``find`` is called for some seconds, because GitHub's lists may be late.
    """
    try:
        return await make()
    except UncertainWriteError:
        for pause in (0.0, *PAUSES_S):
            await asyncio.sleep(pause)
            if (found := await find()) is not None:
                return found
        return await make()


async def put_summary(
    api: Api, pull: PullName, identity: BotIdentity, prior: Prior, text: str
) -> Comment:
    """Update the summary comment, or create the comment if there is none.

    Raises:
        OvertakenError: another run has replaced the summary comment of ``prior``.
        GitHubError: GitHub rejects the comment.
    """
    there = await _first_summary(api, pull, identity)
    known = prior.summary[1].key if prior.summary else None
    if there is not None and _key(there, pull) != known:
        raise OvertakenError(_OVERTAKEN)
    if there is not None:
        try:
            number = there.id
            return await retry_until_consistent(
                lambda: api.comments.update(pull.repo, number, text, urgency=Urgency.FINAL),
                InvalidError,
            )
        except NotFoundError:  # deleted just now
            pass
    create = partial(api.comments.create, pull.repo, pull.number, text)
    made = await create_once(
        lambda: retry_until_consistent(create, NotFoundError, InvalidError),
        lambda: _first_summary(api, pull, identity),
    )
    first = await _first_summary(api, pull, identity) or made
    if first.id == made.id:
        return made
    # Two concurrent runs have each created one: the older one stays.
    with suppress(GitHubError):  # retried at the end
        await api.comments.delete(pull.repo, made.id)
    raise OvertakenError(_OVERTAKEN)


def _key(comment: Comment, pull: PullName) -> str | None:
    marker = markers.shape(comment.body, pull.bound)
    return marker.key if marker else None


async def _first_summary(api: Api, pull: PullName, identity: BotIdentity) -> Comment | None:
    comments = await retry_until_consistent(
        lambda: api.comments.all(pull.repo, pull.number), NotFoundError, InvalidError
    )
    ours = [
        comment
        for comment in comments
        if identity.wrote(comment.author)
        and (marker := markers.shape(comment.body, pull.bound)) is not None
        and marker.kind == "summary"
    ]
    # Others with our login may have written an older one.
    signed = [one for one in ours if identity.signed(one.body, pull)]
    return next(iter((*signed, *ours)), None)
