"""Publish one review: a check run while the review runs, comments when the review has ended."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from reviewbot.core.events.events import (
    ChunkFinished,
    ChunkRetrying,
    ChunkStarted,
    FindingRaised,
    FindingVerified,
    FindingWithdrawn,
    ReviewProgress,
    ReviewStarted,
    Usage,
)
from reviewbot.core.events.report import ReportBuilder
from reviewbot.core.render.waiting import OVERLOADED, overloaded_until
from reviewbot.github import markers
from reviewbot.github.client.errors import ForbiddenError, NotFoundError, OvertakenError
from reviewbot.github.markers import Marker
from reviewbot.github.publish import check_run
from reviewbot.github.publish.check_reporter import CheckReporter
from reviewbot.github.publish.publisher import CommentPublisher

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.events.events import Event
    from reviewbot.core.events.records import Json
    from reviewbot.core.events.report import Report
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.change.permalinks import Permalinks
    from reviewbot.github.change.subject import PublishOptions, Subject
    from reviewbot.github.identity import BotIdentity
    from reviewbot.github.publish.check_run import Conclusion

log = logging.getLogger(__name__)

_OVERTAKEN: Final = "A newer review of the pull request was posted first, so this one was not."
MOST_OVERTAKEN: Final = 6
"""Maximum number of attempts to post comments while other runs write the summary."""
PAUSES_S: Final = (1.0, 3.0)
"""Pauses before the head is fetched again if it differs: GitHub's replicas lag by seconds."""


@dataclass(frozen=True, slots=True)
class Published:
    """Result of a publication.

    Attributes:
        report: the report with open prior findings; decides about exit codes.
        problems: sentences about texts that could not be posted.
        review_url: address of the review at this head, if any.
        summary_url: address of the summary comment, if any.
        comments: addresses of the inline comments, by finding id.
        listed: ids of the findings that the summary lists because of their round.
        by_rules: whether an earlier review read files by rules in place of a model.
        links: addresses of code at the reviewed commit.
        has_check: whether a check run has the result, with annotations.
        denied: whether a permission was missing.
        wrote: whether this publication posted a review or a summary comment.
        failed: whether the publication failed.
    """

    report: Report
    problems: tuple[str, ...] = ()
    denied: bool = False
    wrote: bool = False
    failed: bool = False
    review_url: str | None = None
    summary_url: str | None = None
    comments: Mapping[str, str] = field(default_factory=dict)
    listed: frozenset[str] = frozenset()
    by_rules: bool = False
    links: Permalinks | None = None
    has_check: bool = False


class Publication:
    """Publication of one review.

    ``key`` identifies the review in our markers. It has letters, digits and hyphens.
    """

    def __init__(
        self,
        api: Api,
        identity: BotIdentity,
        subject: Subject,
        options: PublishOptions,
        *,
        key: str,
    ) -> None:
        self._api, self._identity, self._subject, self._options = api, identity, subject, options
        self._key = key
        self._comments = CommentPublisher(api, identity, subject, options, key=key)
        self._builder = ReportBuilder()
        self._progress = ReviewProgress(0, 0, 0, 0, 0, Usage(), None)
        self._waits: dict[str, datetime] = {}
        self._check: CheckReporter | None = None
        self._problems: list[str] = []
        self._settled: Report | None = None
        if options.check is not None:
            first = check_run.created(
                head_sha=subject.head,
                external_id=f"{subject.pull.number}:{key}",
                started_at=now(),
                details_url=options.details_url,
                name=options.check,
            )
            self._check = CheckReporter(api, subject.pull.repo, first)

    async def begin(self, *, make: bool = True) -> None:
        """Begin the check run.

        If ``make`` is False, a newer review has taken the place of this one. Its run must stay the
        newest one, because GitHub uses that, so none is created for this review. A run that exists
        is ended.

        Raises:
            GitHubError: the request failed for a temporary reason.
        """
        if self._check is not None:
            await self._check.begin(make=make)
            if (refused := self._check.refused) is not None:
                log.warning("there is no check run: %s", refused)
                self._problems.append(f"There is no check run: {refused.for_author}.")

    def take(self, event: Event) -> None:
        """Take the next event of the review, and return at once."""
        self._builder.add(event)
        match event:
            case ReviewStarted():
                total = sum(bool(file.chunks) for file in event.files)
                self._progress = replace(self._progress, files_total=total)
            case ReviewProgress():
                self._progress = event
            case FindingRaised() | FindingVerified() | FindingWithdrawn():
                pass
            case ChunkRetrying() if event.fault == OVERLOADED:
                self._waits[event.chunk] = datetime.now(UTC) + timedelta(seconds=event.delay_s)
            case ChunkStarted() | ChunkFinished():
                if self._waits.pop(event.chunk, None) is None:
                    return
            case _:
                return
        if self._check is not None:
            self._check.update(self._state)

    def _state(self) -> Json:
        """Return the body that shows the newest state of the running review."""
        time = datetime.now(UTC)
        ends = [until for until in self._waits.values() if until > time]
        until = overloaded_until(self._progress.activity)
        if ends:  # rounded up to the minute
            until = f"{max(ends) + timedelta(seconds=59):%H:%M}"
        return check_run.updated(self._builder.report, self._progress, until)

    @property
    def ended(self) -> bool:
        """True once the review has ended."""
        return self._builder.report.outcome is not None

    async def end(self, files: Sequence[FileDiff], *, overtaken: bool = False) -> Published:
        """Post the result of the review. The call is idempotent.

        ``files`` is the whole diff of the pull request at its head. If a newer review was posted
        (``overtaken``), only the check run is ended.

        Raises:
            GitHubError: the request failed for a temporary reason.
        """
        report = self._builder.report
        if overtaken:
            self._problems.append(_OVERTAKEN)
            await self.fail(_OVERTAKEN, "cancelled")
        else:
            if report.outcome not in ("cancelled", "superseded", None):
                await self._post(report, files)
            if self._check is not None:
                bodies = await asyncio.to_thread(self._ending, self.published)
                await self._check.end(bodies)
        return self.published

    @property
    def published(self) -> Published:
        """Result so far."""
        return Published(
            self._settled or self._builder.report,
            problems=(*self._problems, *self._comments.problems),
            denied=self._comments.denied or self._is_denied,
            wrote=self._comments.wrote,
            review_url=self._comments.review_url,
            summary_url=self._comments.summary_url,
            comments=self._comments.comments,
            listed=self._comments.listed,
            by_rules=self._comments.by_rules,
            links=self._subject.links,
            has_check=self.is_posted,
        )

    @property
    def _is_denied(self) -> bool:
        return self._check is not None and isinstance(self._check.refused, ForbiddenError)

    @property
    def unknown(self) -> NotFoundError | None:
        """Error that prevented the check run, if a retry after some seconds may succeed."""
        refused = None if self._check is None else self._check.refused
        return refused if isinstance(refused, NotFoundError) else None

    @property
    def is_posted(self) -> bool:
        """True once the check run has ended, which is the last step."""
        return self._check is not None and self._check.is_ended

    async def fail(self, sentence: str, conclusion: Conclusion | None = None) -> None:
        """End the check run of a review that failed or could not be posted, unless it has ended.

        ``sentence`` is the reason. ``conclusion`` is None for the conclusion of incomplete reviews.
        """
        if self._check is not None and not self._check.is_ended:
            how = conclusion or self._options.if_incomplete
            await self._check.end([check_run.ended(how, sentence, completed_at=now())])

    async def stop(self) -> None:
        """Stop sending. The check run stays as it is, so that another node can continue."""
        if self._check is not None:
            await self._check.stop()

    async def _post(self, report: Report, files: Sequence[FileDiff]) -> None:
        """Post comments and summary. Retry if another run has replaced the summary meanwhile."""
        for left in reversed(range(MOST_OVERTAKEN)):
            if not await self._is_current():
                return
            try:
                self._settled = await self._comments.post(report, files)
            except OvertakenError:
                if not left:
                    raise
            else:
                return

    async def _is_current(self) -> bool:
        """Return whether the pull request is open at the reviewed head. Otherwise add a problem."""
        name = self._subject.pull
        state = "open"
        for pause in (0.0, *PAUSES_S):
            await asyncio.sleep(pause)
            pull = await self._api.pulls.get(name.repo, name.number)
            if pull.head.sha == self._subject.head and pull.state == "open":
                return True
            state = pull.state
        why = "was closed" if state == "closed" else "has a newer head"
        self._problems.append(
            f"The pull request {why} meanwhile, so nothing more was posted on it."
        )
        return False

    def _ending(self, done: Published) -> tuple[Json, ...]:
        report = replace(done.report, notices=(*done.problems, *done.report.notices))
        subject = self._subject
        marker = Marker("check", subject.head, subject.base, report.outcome, key=self._key)
        return check_run.completed(
            report,
            self._options,
            completed_at=now(),
            marker=markers.write(marker, subject.pull.bound, self._identity.secrets),
            comments=done.comments,
            listed=done.listed,
            by_rules=done.by_rules,
            links=subject.links,
        )


def now() -> str:
    """Return the time, RFC 3339."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
