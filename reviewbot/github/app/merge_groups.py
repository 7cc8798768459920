"""The check run of the App on merge groups; see :mod:`reviewbot.github.publish.merge_group`.

The state is the check run itself: when it began, and whether it has ended. So a wait survives a
restart, another attempt creates no second check run, and a merge group that was destroyed is not
waited for. Between two looks the delivery is postponed, and takes no slot of the inbox.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from reviewbot.core.render import TOOL_NAME
from reviewbot.github.app.retries import WaitError
from reviewbot.github.app.subjects import installation_at
from reviewbot.github.client.errors import InvalidError, UnavailableError, UncertainWriteError
from reviewbot.github.publish import check_run, merge_group
from reviewbot.github.publish.check_reporter import CheckReporter
from reviewbot.github.publish.merge_group import POLL_S, WAIT_S, CheckSource, GroupResult
from reviewbot.store.eventlog import rfc3339

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from reviewbot.github.api.checks import CheckRun
    from reviewbot.github.api.gateway import Gateway
    from reviewbot.github.webhook.tasks import MergeGroupDestroyed, MergeGroupRequested


class AppMergeGroups:
    """Checks of merge groups by the App.

    ``web_url`` is the address of GitHub's pages. ``clock`` returns Unix milliseconds; the nodes
    share it, because any of them may continue a wait.
    """

    def __init__(
        self, github: Gateway, *, web_url: str, clock: Callable[[], Awaitable[int]]
    ) -> None:
        self._github, self._web_url, self._clock = github, web_url, clock

    async def check(self, task: MergeGroupRequested) -> None:
        """Conclude the check run of a merge group. The call is idempotent.

        Raises:
            WaitError: a check still runs, or GitHub does not answer.
            GitHubError: GitHub refuses the check run.
        """
        try:
            await self._check(task)
        except (UnavailableError, UncertainWriteError) as error:
            raise WaitError(error.for_author, seconds=POLL_S) from error

    async def _check(self, task: MergeGroupRequested) -> None:
        reporter = await self._begun(task)
        run = reporter.run
        if run is None or run.status == "completed":
            return
        source = self._source(task, run.app_id)
        api = self._github.installation(installation_at(task.repository))
        group = await merge_group.judge(api, source, task.branch, task.head_sha)
        left = _started(run) + WAIT_S - await self._now()
        if group.waits and left > 0:
            raise WaitError("a merge group waits for its checks", seconds=min(POLL_S, left))
        await reporter.end([merge_group.ended(group, source, await self._stamp())])

    async def stop(self, task: MergeGroupDestroyed) -> None:
        """End the check run of a merge group that is gone, unless it has ended or never began."""
        reporter = await self._reporter(task)
        with suppress(InvalidError):  # GitHub has deleted the commit
            await reporter.begin(make=False)
        if reporter.run is not None and reporter.run.status != "completed":
            sentence = "The merge group was merged or taken out of the queue."
            await reporter.end(
                [check_run.ended("cancelled", sentence, completed_at=await self._stamp())]
            )

    async def fail(self, task: MergeGroupRequested, reason: str) -> None:
        """End the check run of a merge group after the last attempt.

        Raises:
            GitHubError: GitHub refuses the check run.
        """
        reporter = await self._begun(task)
        if reporter.run is not None and reporter.run.status != "completed":
            group = GroupResult(problem=f"The merge group could not be checked: {reason}.")
            source = self._source(task, reporter.run.app_id)
            await reporter.end([merge_group.ended(group, source, await self._stamp())])

    async def _begun(self, task: MergeGroupRequested) -> CheckReporter:
        """Return the reporter of the check run, which is created once.

        Raises:
            GitHubError: GitHub refuses the check run.
        """
        reporter = await self._reporter(task)
        await reporter.begin()
        if reporter.refused is not None:
            raise reporter.refused
        return reporter

    async def _reporter(self, task: MergeGroupRequested | MergeGroupDestroyed) -> CheckReporter:
        api = self._github.installation(installation_at(task.repository))
        first = merge_group.begun(task.head_sha, task.head_sha[:12], await self._stamp(), TOOL_NAME)
        return CheckReporter(api, task.repository.full_name, first)

    async def _now(self) -> float:
        """Return the time in seconds since 1970."""
        return await self._clock() / 1000

    async def _stamp(self) -> str:
        return rfc3339(await self._clock())

    def _source(self, task: MergeGroupRequested, app_id: int | None) -> CheckSource:
        repo = task.repository.full_name
        return CheckSource(repo, f"{self._web_url}/{repo}", TOOL_NAME, app_id)


def _started(run: CheckRun) -> float:
    """Return when a check run began, in seconds since 1970; long ago if GitHub does not say."""
    return datetime.fromisoformat(run.started_at).timestamp() if run.started_at else 0.0
