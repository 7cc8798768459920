"""A pull request becomes a review of the App: fetched, settled what is to be reviewed, queued."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from reviewbot.github import check_run
from reviewbot.github.app import targets
from reviewbot.github.app.publisher import now
from reviewbot.github.app.repository_config import RepositoryConfig
from reviewbot.github.app.targets import Target
from reviewbot.github.assignment import assign
from reviewbot.github.check_reporter import CheckReporter
from reviewbot.github.memory import PullName, read_memory
from reviewbot.jobs.admission import ReviewRequest, UsedKeyError
from reviewbot.jobs.options import ReviewOptions
from reviewbot.store import publications, turns
from reviewbot.store.publications import NewPublication

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    import sqlalchemy as sa

    from reviewbot.github.app.publisher import Publisher
    from reviewbot.github.assignment import Assignment
    from reviewbot.github.gateway import Gateway
    from reviewbot.github.memory import Us
    from reviewbot.github.tasks import Repository
    from reviewbot.jobs.service import ReviewService
    from reviewbot.settings import Settings

MOST_AGAIN: Final = 20
"""Times that one and the same change is reviewed after its reviews were stopped: its head may go
back and forth."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody or something asks for: a review of what is new, or a fresh one of all of it.

    ``again`` names this wish, if it is to be granted even where there is such a review already.
    """

    full: bool = False
    again: str | None = None


class AppReviews:
    """Begins and ends the reviews of the App.

    Args:
        service: the reviews of the server.
        github: the way to GitHub.
        us: says who we are.
        publisher: who is woken.
        load: makes settings of options, as the server's own.
        web_url: GitHub's pages.
    """

    def __init__(
        self,
        service: ReviewService,
        github: Gateway,
        us: Callable[[], Awaitable[Us]],
        publisher: Publisher,
        load: Callable[[Mapping[str, object]], Settings],
        *,
        web_url: str,
    ) -> None:
        self._service, self._github, self._us = service, github, us
        self._publisher, self._load, self._web_url = publisher, load, web_url

    async def begin(self, repository: Repository, number: int, asked: Asked) -> str | None:
        """Have the pull request reviewed as it is now; nothing if that is done or under way.

        Returns:
            Why there is nothing to review, as the end of a sentence; None if there is.

        Raises:
            GitHubError: the change cannot be had.
            DiffError: it cannot be read.
            ConfigError: the base's configuration is wrong.
            StoreError: the database is away.
        """
        pull = PullName(f"{repository.owner}/{repository.name}", number)
        api = self._github.installation(_installation(repository))
        found = await api.pulls.get(pull.repo, number)
        if found.state == "closed" or (found.draft and asked.again is None):
            return "it is closed" if found.state == "closed" else "it is a draft"
        memory = await read_memory(api, pull, await self._us())
        repo_config = RepositoryConfig(self._load)
        assignment = await assign(
            api,
            pull,
            memory,
            page=f"{self._web_url}/{pull.repo}",
            load=repo_config.settings,
            full=asked.full,
        )
        await self._store(repository, assignment, repo_config, asked)
        return None

    async def _store(
        self,
        repository: Repository,
        assignment: Assignment,
        config: RepositoryConfig,
        asked: Asked,
    ) -> None:
        installation = _installation(repository)
        target = _target(assignment, config)
        diff = await asyncio.to_thread(publications.packed, assignment.whole_diff)
        new = NewPublication(installation, targets.to_json(target), diff)

        def also(connection: sa.Connection, review_id: str) -> None:
            publications.insert(connection, review_id, new)

        change = f"{target.repo.lower()}#{target.number}@{target.head}+{target.base}"
        for nth in range(MOST_AGAIN):
            key = f"{change}/{asked.again or nth}"
            request = await asyncio.to_thread(
                _request, assignment, config, tenant_of(installation), key, cache=not asked.full
            )
            try:
                row, known = await self._service.create(request, also=also)
            except UsedKeyError:  # its title or the like is another by now: the change is the same
                return
            if not known:
                log.info("a review is wanted", extra={"review_id": row.id})
                self._publisher.wake()
                return
            stopped = row.stop is not None or row.outcome in ("cancelled", "superseded")
            if asked.again is not None or not stopped:
                return

    async def tell_failure(self, repository: Repository, number: int, sentence: str) -> None:
        """Show at the head of a pull request why it is not reviewed.

        Raises:
            GitHubError: GitHub does not do it.
        """
        api = self._github.installation(_installation(repository))
        repo = f"{repository.owner}/{repository.name}"
        pull = await api.pulls.get(repo, number)
        first = check_run.created(
            head_sha=pull.head.sha, external_id=f"{number}:not-begun", started_at=now()
        )
        check = CheckReporter(api, repo, first)
        await check.begin()
        await check.end([check_run.ended("failure", sentence, completed_at=now())])

    async def stop(self, repository: Repository, number: int) -> int:
        """End what runs for a pull request; how many reviews that were."""
        tenant = tenant_of(_installation(repository))
        subject = subject_of(f"{repository.owner}/{repository.name}", number)
        return await self._service.stop_subject(tenant, subject)

    async def stop_all(self, installation: int) -> None:
        """End what runs for an installation."""
        tenant = tenant_of(installation)
        for review_id in await self._service.database.read(partial(turns.open_of, tenant=tenant)):
            await self._service.stop(review_id)


def tenant_of(installation: int) -> str:
    """Whose reviews of an installation are."""
    return f"github:{installation}"


def subject_of(repo: str, number: int) -> str:
    """What a newer review of supersedes the older ones."""
    return f"github/{repo.lower()}#{number}"


def _installation(repository: Repository) -> int:
    if repository.installation is None:  # no webhook of an App is without
        raise ValueError("a task of an App names its installation")
    return repository.installation


def _target(assignment: Assignment, config: RepositoryConfig) -> Target:
    subject = assignment.subject
    return Target(
        repo=subject.pull.repo,
        number=subject.pull.number,
        head=subject.head,
        base=subject.base,
        merge_base=subject.merge_base,
        page=subject.page,
        fail_on=config.fail_on,
        if_incomplete=config.if_incomplete,
        link_hosts=config.link_hosts or assignment.settings.link_hosts,
    )


def _request(
    assignment: Assignment, config: RepositoryConfig, tenant: str, key: str, *, cache: bool
) -> ReviewRequest:
    pull = assignment.pull
    return ReviewRequest(
        tenant=tenant,
        diff=assignment.diff,
        options=ReviewOptions(config.options, cache=cache),
        title=pull.title,
        description=pull.body,
        subject=subject_of(assignment.subject.pull.repo, pull.number),
        idempotency_key=key,
        attributes=assignment.attributes,
        notices=(*assignment.notices, *config.notices),
        beside=assignment.beside,
    )
