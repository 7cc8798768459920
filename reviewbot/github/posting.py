"""Posts a review and its summary comment: never twice, and never losing all for one bad line.

A POST whose answer is lost is not repeated before our marker was looked for. Where GitHub refuses a
review (422), it does not say for which of its comments: halves are posted until the bad ones stand
alone, and those come back with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reviewbot.github import markers
from reviewbot.github.client.exchange import Urgency
from reviewbot.github.errors import InvalidError, NotFoundError, UncertainWriteError
from reviewbot.github.review_comments import Elsewhere, review_payload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reviewbot.github.api.comments import Comment
    from reviewbot.github.api.reviews import Review
    from reviewbot.github.gateway import Api
    from reviewbot.github.markers import Marker
    from reviewbot.github.memory import Memory, PullName, Us
    from reviewbot.github.review_comments import CommentPlan, Inline

MOST_TRIES: Final = 16
"""Requests that one review may take: enough for three bad comments among thirty."""
_REFUSED: Final = "GitHub takes no comment there."
_MORE: Final = "More comments of the same review."
_PENDING: Final = "pending review"


@dataclass(frozen=True, slots=True)
class PostedReview:
    """What came of it: the first review, if there is one, and the plan as it was carried out."""

    review: Review | None
    plan: CommentPlan


class ReviewPoster:
    """Posts one review.

    Args:
        api: GitHub.
        pull: the pull request.
        us: who we are.
        commit_id: the head that the comments are placed on.
        marker: of the review; its key names each part of it.
    """

    def __init__(self, api: Api, pull: PullName, us: Us, *, commit_id: str, marker: Marker) -> None:
        self._reviews, self._pull, self._us = api.reviews, pull, us
        self._commit_id, self._marker = commit_id, marker
        self._part = self._tries = 0
        self._first: Review | None = None
        self._refused: list[Inline] = []

    async def post(
        self, plan: CommentPlan, memory: Memory, body: Callable[[str], str]
    ) -> PostedReview:
        """Post the comments of ``plan``, and ``body`` above them.

        Args:
            plan: what has no comment yet.
            memory: what is there already.
            body: makes the text of the review, with the marker that it is given.

        Raises:
            GitHubError: GitHub does not take it at all.
        """
        for review in memory.pending:
            await self._delete(review)
        await self._post(plan.inline, body)
        refused = {one.finding.id for one in self._refused}
        rest = [Elsewhere(one.finding, _REFUSED, one.link) for one in self._refused]
        inline = tuple(one for one in plan.inline if one.finding.id not in refused)
        return PostedReview(self._first, replace(plan, inline=inline, rest=(*rest, *plan.rest)))

    async def _post(self, inline: Sequence[Inline], body: Callable[[str], str]) -> None:
        try:
            await self._create(inline, body)
        except InvalidError:
            if not inline:
                raise
            if len(inline) == 1 or self._tries >= MOST_TRIES:
                self._refused += inline
                return
            half = len(inline) // 2
            for part in (inline[:half], inline[half:]):
                await self._post(part, body if self._first is None else _more)

    async def _create(self, inline: Sequence[Inline], body: Callable[[str], str]) -> None:
        self._part += 1
        key = f"{self._marker.key}.{self._part}"
        marker = replace(self._marker, key=key)
        text = body(markers.write(marker, str(self._pull), self._us.secrets))
        payload = review_payload(inline, commit_id=self._commit_id, body=text)
        while True:
            self._tries += 1
            try:
                review = await self._reviews.create(self._pull.repo, self._pull.number, payload)
            except UncertainWriteError:
                found = await self._find(key)
                if found is None:
                    if self._tries >= MOST_TRIES:
                        raise
                    continue
                review = found
            except InvalidError as error:
                # Somebody else with our token has begun one meanwhile, or an earlier run did.
                if _PENDING not in str(error).lower() or not await self._delete_pending():
                    raise
                continue
            self._first = self._first or review
            return

    async def _find(self, key: str) -> Review | None:
        """The review with that key, if it was made after all."""
        for review in await self._reviews.all(self._pull.repo, self._pull.number):
            if self._us.wrote(review.author):
                marker = markers.shape(review.body, str(self._pull))
                if marker is not None and marker.key == key:
                    return review
        return None

    async def _delete_pending(self) -> bool:
        """Delete what somebody left unsent in our name; False: there is nothing."""
        reviews = await self._reviews.all(self._pull.repo, self._pull.number)
        pending = [one for one in reviews if one.state == "PENDING" and self._us.wrote(one.author)]
        for review in pending:
            await self._delete(review)
        return bool(pending) and self._tries < MOST_TRIES

    async def _delete(self, review: Review) -> None:
        await self._reviews.delete_pending(self._pull.repo, self._pull.number, review.id)


def _more(marker: str) -> str:
    return f"{_MORE}\n\n{marker}"


async def put_summary(api: Api, pull: PullName, us: Us, memory: Memory, text: str) -> Comment:
    """Write the one summary comment: in place of the last one, or anew if there is none.

    Raises:
        GitHubError: GitHub does not take it.
    """
    if memory.summary is not None:
        try:
            return await api.comments.update(
                pull.repo, memory.summary[0].id, text, urgency=Urgency.FINAL
            )
        except NotFoundError:  # deleted just now
            pass
    try:
        made = await api.comments.create(pull.repo, pull.number, text)
    except UncertainWriteError:
        made = await _first_summary(api, pull, us) or await api.comments.create(
            pull.repo, pull.number, text
        )
    first = await _first_summary(api, pull, us) or made
    if first.id == made.id:
        return made
    # Two runs at once have each made one: the older one stays.
    await api.comments.delete(pull.repo, made.id)
    return await api.comments.update(pull.repo, first.id, text, urgency=Urgency.FINAL)


async def _first_summary(api: Api, pull: PullName, us: Us) -> Comment | None:
    for comment in await api.comments.all(pull.repo, pull.number):
        marker = us.wrote(comment.author) and markers.shape(comment.body, str(pull))
        if marker and marker.kind == "summary":
            return comment
    return None
