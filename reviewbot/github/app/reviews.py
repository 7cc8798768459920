"""Create reviews of pull requests: fetch the diff, decide the scope, and queue the review."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from reviewbot.config.settings import OFFLINE
from reviewbot.core.render.markdown_text import literal
from reviewbot.github.app import targets
from reviewbot.github.app.repository_config import RepositoryConfig
from reviewbot.github.app.retries import OtherHeadError
from reviewbot.github.app.subjects import installation_at
from reviewbot.github.app.targets import ReviewTarget
from reviewbot.github.change.base_files import base_files
from reviewbot.github.change.subject import PublishOptions
from reviewbot.github.client.errors import ForbiddenError, NotFoundError
from reviewbot.github.identity import PullName
from reviewbot.github.publish.pause import paused_result, post_check
from reviewbot.github.state.read_prior import read_prior
from reviewbot.github.state.scope import NoSuchFileError, assign
from reviewbot.jobs.admission import IdempotencyConflictError, ReviewRequest
from reviewbot.jobs.options import ReviewOptions
from reviewbot.store import publications, turns
from reviewbot.store import reviews as stored_reviews
from reviewbot.store.publications import NewPublication

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from reviewbot.config.settings import Settings
    from reviewbot.github.api.gateway import Gateway
    from reviewbot.github.api.pulls import PullRequest
    from reviewbot.github.app.outbox import Outbox
    from reviewbot.github.identity import BotIdentity
    from reviewbot.github.state.scope import ReviewScope
    from reviewbot.github.webhook.tasks import RepositoryRef
    from reviewbot.jobs.service import ReviewService
    from reviewbot.store.keys import Limits
    from reviewbot.store.reviews import ReviewRow

MOST_AGAIN: Final = 20
"""Maximum number of repeated reviews of the same diff, after its reviews were stopped or another
head was reviewed: the head may alternate."""

_OTHER_HEAD: Final = "GitHub does not show the new head of the pull request yet"

RULES_ALONE: Final[Mapping[str, Any]] = MappingProxyType(
    {"model": OFFLINE, "fallback_models": [], "lookups": 0, "guidelines": False}
)
"""Options of a review by the rules and the linters. A model that is named replaces all routes."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReviewTrigger:
    """Trigger of a review, incremental or full.

    ``again`` identifies a request that must be granted even if such a review exists. ``head`` is
    the commit of the event, if GitHub stated it. ``explicit`` is True if a person requested this
    review, which is then made of a draft or while the reviews are paused. ``only`` is a gitignore
    pattern of the files to review. ``told_at`` is the ``updated_at`` of an event that reports the
    pull request as open and ready, if any.
    """

    full: bool = False
    again: str | None = None
    head: str | None = None
    explicit: bool = False
    only: str = ""
    told_at: datetime | None = None


class AppReviews:
    """Service that starts and stops the reviews of the App.

    Args:
        load: resolves options to settings, as the server does.
        web_url: address of GitHub's pages.
        limits: usage limits of each installation.
    """

    def __init__(
        self,
        service: ReviewService,
        github: Gateway,
        identity: Callable[[], Awaitable[BotIdentity]],
        publisher: Outbox,
        load: Callable[[Mapping[str, object]], Settings],
        *,
        web_url: str,
        limits: Limits,
    ) -> None:
        self._service, self._github, self._identity = service, github, identity
        self._publisher, self._load, self._web_url = publisher, load, web_url
        self._limits = limits

    async def begin(
        self, repository: RepositoryRef, number: int, asked: ReviewTrigger
    ) -> str | None:
        """Start a review of the pull request's current state, unless one exists or is running.

        Returns:
            The reason why nothing is reviewed, as the end of a sentence in Markdown; else None.

        Raises:
            GitHubError: the diff cannot be fetched.
            DiffError: the diff cannot be parsed.
            ConfigError: the settings of the server are invalid.
            OverLimitError: the installation has reached its daily limit.
            OtherHeadError: GitHub reports a head other than the requested one. That head is
                already reviewed, or GitHub's response is older than the event.
            StoreError: the database is unavailable.
        """
        pull = PullName(repository.full_name, number, repository.id)
        api = self._github.installation(installation_at(repository))
        found = await api.pulls.get(pull.repo, number)
        # GitHub's response may be older than its event.
        if not _is_wanted(found, asked) and not _is_before(found, asked.told_at):
            return "it is closed" if found.state == "closed" else "it is a draft"
        identity = await self._identity()
        prior = await read_prior(api, pull, identity)
        repo_config = RepositoryConfig(self._load)
        if prior.pause is not None and not asked.explicit:
            base = await base_files(api, pull.repo, found.base)
            settings = repo_config.settings(base.config)
            head = asked.head or found.head.sha
            result = paused_result(prior.pause, prior, identity, head, settings)
            await post_check(api, pull, head, result, key=f"paused-{asked.again or 'push'}")
            return "the reviews are paused"
        try:
            assignment = await assign(
                api,
                pull,
                prior,
                page=f"{self._web_url}/{pull.repo}",
                load=repo_config.settings,
                full=asked.full,
                only=asked.only,
                parser=self._service.parser(tenant_of(installation_at(repository))),
            )
        except NoSuchFileError as error:
            return literal(str(error))
        is_other = asked.head not in (None, assignment.subject.head)
        if is_other and _is_before(assignment.pull, asked.told_at):
            raise OtherHeadError(_OTHER_HEAD)
        last = prior.summary[1].head if prior.summary and not prior.is_first else None
        begun = await self._store(repository, assignment, repo_config, asked, last)
        if is_other and not begun:
            raise OtherHeadError(_OTHER_HEAD)
        return None

    async def after_withdrawal(self, repository: RepositoryRef, number: int, key: str) -> None:
        """Bring check and summary up to date after a finding was withdrawn.

        ``key`` identifies the withdrawal. Reviewed hunks are not reviewed again.

        Raises:
            ReviewbotError: as for :meth:`begin`.
        """
        await self.begin(repository, number, ReviewTrigger(again=key))

    async def _store(
        self,
        repository: RepositoryRef,
        assignment: ReviewScope,
        config: RepositoryConfig,
        asked: ReviewTrigger,
        last: str | None,
    ) -> bool:
        """Store the review unless an equivalent review exists. Return whether it was stored.

        ``last`` is the head that the posted summary describes.
        """
        installation = installation_at(repository)
        subject = assignment.subject
        options = replace(PublishOptions.of(assignment.settings), by_app=True)
        target = ReviewTarget(subject, options)
        diff = await asyncio.to_thread(stored_reviews.packed, assignment.whole_diff)
        new = NewPublication(installation, targets.to_json(target), diff)
        also = partial(publications.insert, new=new)
        base = assignment.pull.base.sha  # stays the same until the base branch is changed
        change = f"{str(subject.pull).lower()}@{subject.head}+{base}"
        for nth in range(MOST_AGAIN):
            key = f"{change}/{asked.again or nth}"
            request = await asyncio.to_thread(
                _request,
                assignment,
                config,
                tenant_of(installation),
                key,
                cache=not asked.full and not asked.only,
                limits=self._limits,
            )
            row: ReviewRow | None
            try:
                row, known = await self._service.create(request, also=also)
            except (
                IdempotencyConflictError
            ):  # for example the title has changed; the diff is the same
                row, known = await self._of_key(request), True
            if row and not known:
                log.info("a review is wanted", extra={"review_id": row.id})
                self._publisher.wake()
                return True
            if asked.again is not None or not await self._is_lost(row, subject.head, last):
                return False
        return False

    async def _of_key(self, request: ReviewRequest) -> ReviewRow | None:
        """Return the review with this idempotency key; None if it was just deleted."""
        query = partial(
            stored_reviews.by_idempotency_key,
            tenant=request.tenant,
            key=request.idempotency_key or "",
        )
        return await self._service.database.read(query)

    async def _is_lost(self, row: ReviewRow | None, head: str, last: str | None) -> bool:
        """Return whether the pull request no longer shows a review of this diff.

        The review was stopped, was never posted, or was followed by a review of another head.
        """
        if row is None or row.stop is not None or row.outcome in ("cancelled", "superseded"):
            return True
        if last == head:
            return False
        return await self._service.database.read(partial(publications.is_over, review_id=row.id))

    async def tell_failure(self, repository: RepositoryRef, number: int, sentence: str) -> None:
        """Report at the head of a pull request why the pull request is not reviewed."""
        api = self._github.installation(installation_at(repository))
        pull = PullName(repository.full_name, number)
        head = (await api.pulls.get(pull.repo, number)).head.sha
        await post_check(api, pull, head, ("failure", sentence), key="not-begun")

    async def stop_unwanted(
        self, repository: RepositoryRef, number: int, told_at: datetime | None
    ) -> None:
        """Stop the reviews of a pull request if the pull request is still closed or a draft.

        The event may come hours late, when the pull request is open again. GitHub's response may
        be older than the event.

        ``told_at`` is the ``updated_at`` of the event, if any.

        Raises:
            GitHubError: the request failed for a temporary reason.
        """
        api = self._github.installation(installation_at(repository))
        try:
            pull = await api.pulls.get(repository.full_name, number)
        except (ForbiddenError, NotFoundError):  # we have lost access
            wanted = False
        else:
            wanted = _is_wanted(pull, ReviewTrigger()) and not _is_before(pull, told_at)
        if not wanted:
            await self.stop(repository, number)

    async def stop(self, repository: RepositoryRef, number: int) -> int:
        """Stop the reviews of a pull request, and return their number."""
        tenant = tenant_of(installation_at(repository))
        subject = subject_of(repository.full_name, number)
        return await self._service.stop_subject(tenant, subject)

    async def stop_all(self, installation: int) -> None:
        """Stop the reviews of an installation."""
        tenant = tenant_of(installation)
        for review_id in await self._service.database.read(partial(turns.open_of, tenant=tenant)):
            await self._service.stop(review_id)


def tenant_of(installation: int) -> str:
    """Return the tenant id of an installation."""
    return f"github:{installation}"


def subject_of(repo: str, number: int) -> str:
    """Return the ordering key of a pull request: a newer review supersedes older ones."""
    return f"github/{repo.lower()}#{number}"


def _is_wanted(pull: PullRequest, asked: ReviewTrigger) -> bool:
    return pull.state == "open" and (asked.explicit or not pull.draft)


def _is_before(pull: PullRequest, told_at: datetime | None) -> bool:
    """Return whether GitHub's response is older than its event. GitHub's replicas may lag."""
    return told_at is not None and pull.updated_at < told_at


def _request(
    assignment: ReviewScope,
    config: RepositoryConfig,
    tenant: str,
    key: str,
    *,
    cache: bool,
    limits: Limits,
) -> ReviewRequest:
    pull, purpose = assignment.pull, assignment.purpose
    alone = RULES_ALONE if assignment.context.rules_only else {}
    return ReviewRequest(
        tenant=tenant,
        diff=assignment.diff,
        options=ReviewOptions({**config.options, **alone}, cache=cache),
        title=purpose.title,
        description=purpose.description,
        issues=purpose.issues,
        subject=subject_of(assignment.subject.pull.repo, pull.number),
        idempotency_key=key,
        attributes=assignment.attributes,
        notices=(*assignment.notices, *config.notices),
        beside=assignment.beside,
        whole_files=assignment.whole_files,
        whole=assignment.subject.full,
        context=assignment.context,
        limits=limits,
    )
