"""Outbox that publishes the App's reviews and answers on GitHub while their events arrive.

A publication is stored with its review, so a restart loses nothing. If a node ends, another node
continues from the stored events and the state of the pull request.
"""

from __future__ import annotations

import asyncio
import json
import logging
import zlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias
from weakref import WeakValueDictionary

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.events.records import from_record
from reviewbot.core.events.report import ReportBuilder
from reviewbot.errors import ReviewbotError
from reviewbot.github.app import targets
from reviewbot.github.app.poller import Poller
from reviewbot.github.app.retries import for_author, pause_after
from reviewbot.github.app.targets import AnswerTarget, ReplyTarget, ReviewTarget
from reviewbot.github.client.errors import RateLimitedError
from reviewbot.github.commands.answers import answer_once
from reviewbot.github.commands.explain import reply_text
from reviewbot.github.dialogue.answer import answer_text, post_answer, withdrawn_by
from reviewbot.github.publish.publication import Publication
from reviewbot.github.webhook.tasks import RepositoryRef
from reviewbot.store import publications, reviews

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.events.events import Event
    from reviewbot.github.api.gateway import Api, Gateway
    from reviewbot.github.app.targets import Target
    from reviewbot.github.identity import BotIdentity
    from reviewbot.store.database import Database
    from reviewbot.store.hub import Hub
    from reviewbot.store.queue import Claimed

AT_ONCE: Final = 500
"""Maximum number of reviews that a node follows; most of them only wait."""
SHARE: Final = 4
"""One installation may use at most one in ``SHARE`` slots, so that others need not wait."""

log = logging.getLogger(__name__)


AfterWithdrawal: TypeAlias = "Callable[[RepositoryRef, int, str], Awaitable[object]]"
"""Function from a repository, the number of a pull request, and the key of the withdrawal."""


async def _nothing(_repository: RepositoryRef, _number: int, _key: str) -> None:
    pass


class _LeftError(Exception):
    """The events ended before the review did: this node shuts down."""


class Outbox:
    """Outbox of one node.

    ``public_url`` is the public address of this server, for links; None if not configured.
    """

    def __init__(
        self,
        database: Database,
        hub: Hub,
        github: Gateway,
        identity: Callable[[], Awaitable[BotIdentity]],
        *,
        node: str,
        public_url: str | None = None,
    ) -> None:
        self._database, self._hub, self._github, self._identity = database, hub, github, identity
        self._public_url = public_url
        self.after_withdrawal: AfterWithdrawal = _nothing
        """Called after a finding was withdrawn, to review the pull request again."""
        self._poller = Poller(
            "publisher",
            database,
            publications.QUEUE,
            self._publish,
            node=node,
            log_as=("publication failed", "review_id"),
            requeue=lambda _: 0.0,
        )
        self._posting: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def wake(self) -> None:
        """Wake the outbox for a new publication."""
        self._poller.wake()

    async def work(self) -> None:
        """Publish until cancelled; unfinished publications are found again."""
        await self._poller.run(self._round)

    async def _round(self) -> None:
        if self._hub.closing.is_set():
            return  # this node shuts down: another node continues
        await self._poller.claim(at_once=AT_ONCE, per_installation=max(1, AT_ONCE // SHARE))

    async def _publish(self, claimed: Claimed) -> None:
        """Make one attempt to publish.

        If it is cancelled, or the node ends, nothing is recorded.
        """
        extra = {"review_id": claimed.id}
        publication = None
        problems: tuple[str, ...] = ()
        try:
            query = partial(publications.read, review_id=claimed.id)
            installation, stored = await self._database.read(query)
            target = targets.from_json(stored)
            api, identity = self._github.installation(installation), await self._identity()
            if isinstance(target, ReplyTarget):
                await self._reply(claimed, target, api, identity)
            elif isinstance(target, AnswerTarget):
                await self._answer(claimed, target, installation, identity)
            else:
                publication = self._publication(claimed.id, target, api, identity)
                problems = await self._to_its_end(claimed, target, publication)
        except _LeftError:
            return
        except Exception as error:  # noqa: BLE001 - after any error the result is not published
            await self._not_done(claimed, publication, error)
        else:
            for problem in problems:
                log.warning("published only in part: %s", problem, extra=extra)
            log.info("published a review", extra=extra)
        finally:
            if publication is not None:
                await publication.stop()

    async def _reply(
        self, claimed: Claimed, target: ReplyTarget, api: Api, identity: BotIdentity
    ) -> None:
        """Post the answer to a question, or the reason why there is no answer.

        Raises:
            _LeftError: the node shuts down before the question has ended.
            GitHubError: GitHub rejects the reply.
        """
        builder = ReportBuilder()
        async for event in self._events(claimed.id):
            builder.add(event)
        if builder.report.outcome is None:
            raise _LeftError
        text = await asyncio.to_thread(reply_text, builder.report, target.link_hosts)
        async with self._posting_lock(target):
            await answer_once(api, identity, target.question, text)
            await self._poller.done(claimed)

    async def _answer(
        self, claimed: Claimed, target: AnswerTarget, installation: int, identity: BotIdentity
    ) -> None:
        """Post the answer to a reply; a withdrawal also brings the check up to date.

        Raises:
            _LeftError: the node shuts down before the answer has ended.
            ReviewbotError: GitHub rejects the answer, or the review after it cannot begin.
        """
        builder = ReportBuilder()
        async for event in self._events(claimed.id):
            builder.add(event)
        report, place = builder.report, target.place
        if report.outcome is None:
            raise _LeftError
        text = await asyncio.to_thread(answer_text, report, place, target.link_hosts)
        async with self._posting_lock(target):
            await post_answer(
                self._github.installation(installation),
                identity,
                place,
                text,
                withdrawn_by=(file := withdrawn_by(report)),
                again=claimed.tries > 1,
            )
            if file is not None:
                pull = place.pull
                where = RepositoryRef(installation, pull.repository_id or 0, pull.repo)
                await self.after_withdrawal(where, pull.number, place.answer_key(file))
            await self._poller.done(claimed)

    def _publication(
        self, review_id: str, target: ReviewTarget, api: Api, identity: BotIdentity
    ) -> Publication:
        link = f"{self._public_url}/#r={review_id}" if self._public_url else None
        return Publication(
            api,
            identity,
            target.subject,
            replace(target.options, details_url=link),
            key=review_id,
        )

    async def _to_its_end(
        self, claimed: Claimed, target: ReviewTarget, publication: Publication
    ) -> tuple[str, ...]:
        """Follow the review and publish it. Return sentences about requests that GitHub refused.

        Raises:
            _LeftError: the node shuts down before the review has ended.
            GitHubError: GitHub refuses a request.
        """
        await self._begun(claimed, target, publication)
        async for event in self._events(claimed.id):
            publication.take(event)
        if not publication.ended:
            raise _LeftError
        async with self._posting_lock(target):
            files = await self._files(claimed.id)
            overtaken = await self._is_overtaken(claimed, target)
            published = await publication.end(files, overtaken=overtaken)
            # Before the lock is released: the next review checks whether this one was published.
            await self._poller.done(claimed)
        return published.problems

    async def _is_overtaken(self, claimed: Claimed, target: ReviewTarget) -> bool:
        """Return whether a newer review of the same head of the pull request is published already.

        A review of another head does not count: the head may have been restored since.
        """
        query = partial(publications.published_after, review_id=claimed.id)
        newer = map(targets.from_json, await self._database.read(query))
        return any(
            isinstance(published, ReviewTarget) and published.subject.head == target.subject.head
            for published in newer
        )

    async def _begun(
        self, claimed: Claimed, target: ReviewTarget, publication: Publication
    ) -> None:
        query = partial(reviews.find, review_id=claimed.id)
        row = await self._database.read(query)
        superseded = row is not None and "superseded" in (row.stop, row.outcome)
        overtaken = superseded or await self._is_overtaken(claimed, target)
        await publication.begin(make=not overtaken)
        if (unknown := publication.unknown) and pause_after(unknown, claimed.tries) is not None:
            raise unknown  # after the last attempt, continue without a check run

    def _posting_lock(self, target: Target) -> asyncio.Lock:
        """Return the lock that lets one review of a pull request be posted at a time."""
        return self._posting.setdefault(str(target.pull).lower(), asyncio.Lock())

    async def _files(self, review_id: str) -> tuple[FileDiff, ...]:
        """Return the whole diff, which is not kept in memory during the review."""
        query = partial(publications.QUEUE.body, work=review_id)
        stored = await self._database.read(query)
        return await asyncio.to_thread(lambda: parse_diff(zlib.decompress(stored)))

    async def _events(self, review_id: str) -> AsyncIterator[Event]:
        async for some in self._hub.follow(review_id, 0):
            for line in some.split(b"\n"):
                if line.startswith(b"data: "):
                    yield from_record(json.loads(line[6:]))

    async def _not_done(
        self, claimed: Claimed, publication: Publication | None, error: Exception
    ) -> None:
        pause = pause_after(error, claimed.tries)
        if pause is None and publication is not None:
            try:
                await publication.fail(f"The review could not be posted: {for_author(error)}")
            except ReviewbotError as failed:  # a check run must not stay unfinished
                limited = isinstance(failed, RateLimitedError)
                pause = pause_after(failed if limited else None, claimed.tries)
        await self._poller.not_done(claimed, error, pause)
