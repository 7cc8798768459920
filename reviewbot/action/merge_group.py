"""Conclude the job of a merge group by the checks of its pull requests. No model is asked.

See :mod:`reviewbot.github.publish.merge_group`. The exit code of the job is the result. The job
also writes a check run, as for a pull request, if it may.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from reviewbot.action.report import say
from reviewbot.action.runner_files import write_outputs, write_summary
from reviewbot.core.render import TOOL_NAME
from reviewbot.core.render.annotations import failure, notice
from reviewbot.errors import EXIT_FINDINGS, EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_OK
from reviewbot.github.client.errors import GitHubError
from reviewbot.github.publish import check_run, merge_group
from reviewbot.github.publish.check_reporter import CheckReporter
from reviewbot.github.publish.merge_group import POLL_S, WAIT_S, CheckSource, worst
from reviewbot.github.publish.publication import now

if TYPE_CHECKING:
    from reviewbot.action.inputs import ActionInputs
    from reviewbot.core.events.records import Json
    from reviewbot.github.api.gateway import Gateway
    from reviewbot.github.publish.merge_group import GroupResult
    from reviewbot.github.webhook.tasks import MergeGroupRequested
    from reviewbot.pipeline.job import StopSignal

log = logging.getLogger(__name__)


class ActionMergeGroup:
    """Check of a merge group by the Action. ``stop`` ends it early."""

    def __init__(self, inputs: ActionInputs, github: Gateway, stop: StopSignal) -> None:
        self._inputs, self._stop = inputs, stop
        self._api = github.holder()

    async def run(self, task: MergeGroupRequested) -> int:
        """Wait for the result, report it, and return the exit code."""
        reporter = await self._begun(task)
        run = reporter.run if reporter else None
        inputs = self._inputs
        source = CheckSource(
            inputs.repository,
            inputs.page,
            inputs.check or TOOL_NAME,
            run.app_id if run else None,
            inputs.workflow,
        )
        group = await self._stop.unless_stopped(self._judged(source, task))
        if group is None:
            sentence = "The job was cancelled."
            await self._end(reporter, check_run.ended("cancelled", sentence, completed_at=now()))
            return EXIT_INTERRUPTED
        await self._end(reporter, merge_group.ended(group, source, now()))
        return self._report(group, source)

    async def _judged(self, source: CheckSource, task: MergeGroupRequested) -> GroupResult:
        """Return the result once nothing is waited for, or after the time limit."""
        loop = asyncio.get_running_loop()
        end = loop.time() + WAIT_S
        while True:
            group = await merge_group.judge(self._api, source, task.branch, task.head_sha)
            left = end - loop.time()
            if not group.waits or left <= 0:
                return group
            await asyncio.sleep(min(POLL_S, left))

    async def _begun(self, task: MergeGroupRequested) -> CheckReporter | None:
        """Create the check run; return None if it is turned off or cannot be written."""
        inputs = self._inputs
        if inputs.check is None or inputs.token is None:
            return None
        page = f"{inputs.page}/actions/runs/{inputs.run_id}" if inputs.run_id else None
        first = merge_group.begun(task.head_sha, inputs.run_key, now(), inputs.check, page)
        reporter = CheckReporter(self._api, inputs.repository, first)
        try:
            await reporter.begin()
        except GitHubError as error:
            log.warning("could not create the check run: %s", error)
            return None
        if reporter.refused is not None:
            log.warning("could not create the check run: %s", reporter.refused)
        return reporter

    async def _end(self, reporter: CheckReporter | None, body: Json) -> None:
        """End the check run. The exit code counts, so an error is only logged."""
        if reporter is None:
            return
        try:
            await reporter.end([body])
        except GitHubError as error:
            log.warning("the check run could not be ended: %s", error)

    def _report(self, group: GroupResult, source: CheckSource) -> int:
        """Write log, summary and outputs; return the exit code."""
        sentence = group.problem or f"{group.title}."
        passed = group.conclusion != "failure"
        failed = not group.problem and worst(pull.result for pull in group.results) == "failure"
        say(notice(sentence) if passed else failure(sentence))
        write_summary(self._inputs.step_summary, merge_group.summary(group, source))
        is_known = passed or failed
        write_outputs(self._inputs.output, {"outcome": "skipped" if is_known else "incomplete"})
        if passed:
            return EXIT_OK
        return EXIT_FINDINGS if failed else EXIT_INCOMPLETE
