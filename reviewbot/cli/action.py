"""``reviewbot action``: the GitHub Action, run by a runner, or by hand on a recorded event."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.action.inputs import OUTPUT_FILE, SUMMARY_FILE, read_inputs
from reviewbot.action.runner_files import SUMMARY_LIMIT, write_outputs, write_summary
from reviewbot.action.wanted import Skipped, read_event
from reviewbot.cli.interrupts import stop_on_interrupt
from reviewbot.cli.output import Outputs
from reviewbot.cli.review import exit_code
from reviewbot.cli.target import Target
from reviewbot.core.render import final
from reviewbot.core.render.annotations import failure, notice
from reviewbot.errors import (
    EXIT_INCOMPLETE,
    EXIT_OK,
    ConfigError,
    ReviewbotError,
)
from reviewbot.github.memory import Memory, PullName, Us
from reviewbot.job import StopSignal
from reviewbot.prepare import prepare, workers
from reviewbot.review import review
from reviewbot.settings import API_KEY, OFFLINE, load_settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from reviewbot.action.inputs import ActionInputs
    from reviewbot.action.wanted import Wanted
    from reviewbot.core.report import Report
    from reviewbot.github.assignment import Assignment
    from reviewbot.github.client.pacing import Pace
    from reviewbot.github.gateway import Api, Gateway
    from reviewbot.github.publication import Publication, Published
    from reviewbot.settings import Settings

EPILOG: Final = """\
In a workflow, action.yml sets everything. By hand, on a recorded event:

  GITHUB_REPOSITORY=octo/hello GITHUB_TOKEN=... reviewbot action \\
      --event-name pull_request --event event.json

exit codes:
  0 nothing at or above fail-on   1 something   2 usage or configuration, no key
  3 incomplete, even if there are findings     130 interrupted
"""

_KEY_HINT: Final = (
    "no model can be asked: pass anthropic-api-key: ${{ secrets.ANTHROPIC_API_KEY }}, or"
    " model: offline to have the offline rules alone review"
)
_FORK_HINT: Final = (
    "this pull request comes from a fork, and GitHub gives its workflows no secrets, so no model"
    " can be asked: set model: offline for forks, or install reviewbot as an App, which reviews"
    " them like all others"
)
_FORK_NOTICE: Final = (
    "This pull request comes from a fork: GitHub gives its workflows a token that can only read, so"
    " the review is in the log, its annotations and the job's summary alone."
)
_UNPOSTED: Final = "There is no github-token, so nothing is posted on the pull request."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--event", metavar="FILE", help="the event (default: GITHUB_EVENT_PATH)")
    parser.add_argument(
        "--event-name", metavar="NAME", help="its name (default: GITHUB_EVENT_NAME)"
    )
    parser.epilog = EPILOG


def run(args: argparse.Namespace) -> int:
    """Review the pull request of the event; the exit code says how it went."""
    given = {"GITHUB_EVENT_PATH": args.event, "GITHUB_EVENT_NAME": args.event_name}
    env = {**os.environ, **{name: value for name, value in given.items() if value}}
    try:
        return asyncio.run(Action(read_inputs(env)).run())
    except ReviewbotError as error:
        _tell_of_failure(error, env)
        raise


def _tell_of_failure(error: ReviewbotError, env: Mapping[str, str]) -> None:
    """Say why there is no review where it is seen: the log's last line is easily missed."""
    sentence = str(error)
    _say(failure(sentence))
    files = [Path(env[name]) if env.get(name) else None for name in (SUMMARY_FILE, OUTPUT_FILE)]
    with suppress(ReviewbotError):  # what went wrong first is what is told
        write_summary(files[0], f"**Nothing was reviewed:** {_safe(sentence)}")
        write_outputs(files[1], {"outcome": "incomplete"})


class Action:
    """One run of the Action.

    Args:
        inputs: what the runner gives.
        pace: what may be asked of GitHub, and how fast.
    """

    def __init__(self, inputs: ActionInputs, *, pace: Pace | None = None) -> None:
        self._inputs, self._pace = inputs, pace
        self._stop = StopSignal()

    async def run(self) -> int:
        """Review what the event is about; the exit code says how it went.

        Raises:
            ReviewbotError: nothing was reviewed, and why.
        """
        from reviewbot.github.gateway import Gateway

        inputs = self._inputs
        wanted = await asyncio.to_thread(read_event, inputs)
        if isinstance(wanted, Skipped):
            return self._skip(wanted)
        async with AsyncExitStack() as stack:
            stack.callback(stop_on_interrupt(self._stop))
            github = await stack.enter_async_context(
                Gateway(inputs.token, base_url=inputs.api_url, pace=self._pace)
            )
            return await self._review(github, wanted)

    def _skip(self, skipped: Skipped) -> int:
        sentence = f"Nothing was reviewed: {skipped.reason}."
        _say(notice(sentence))
        write_summary(self._inputs.step_summary, _safe(sentence))
        write_outputs(self._inputs.output, {"outcome": "skipped"})
        return EXIT_OK

    async def _review(self, github: Gateway, wanted: Wanted) -> int:
        from reviewbot.github.assignment import assign
        from reviewbot.github.memory import WRITERS, read_memory

        inputs, api = self._inputs, github.holder()
        pull = PullName(inputs.repository, wanted.number)
        if wanted.by and await api.pulls.permission(pull.repo, wanted.by) not in WRITERS:
            return self._skip(Skipped(f"{wanted.by} may not write to this repository"))
        us, memory = Us(""), Memory()
        if inputs.token is not None:
            us = Us(await github.login())
            memory = await read_memory(api, pull, us)
        assignment = await assign(
            api,
            pull,
            memory,
            page=inputs.page,
            load=self._load,
            full=wanted.full,
            config=inputs.config,
        )
        self._check_key(assignment)
        publication = self._publication(api, us, assignment)
        try:
            await publication.begin()
            await self._stream(assignment, publication)
            published = await publication.end(assignment.files)
        except BaseException as error:
            with suppress(ReviewbotError):
                sentence = str(error) if isinstance(error, ReviewbotError) else "It broke off."
                await publication.fail(sentence)
            raise
        return self._tell(published, assignment)

    def _load(self, config: tuple[str, str] | None) -> Settings:
        name, text = config or (".reviewbot.yml", None)
        return load_settings(
            flags=self._inputs.flags, env=self._inputs.env, config_text=text, config_name=name
        )

    def _check_key(self, assignment: Assignment) -> None:
        """A green check must not come of a key that is not there.

        Raises:
            ConfigError: nobody chose the offline rules, and there is no key for anything else.
        """
        settings = assignment.settings
        chosen = "model" in settings.origins
        if settings.model.problem or (settings.model.name == OFFLINE and not chosen):
            hint = _FORK_HINT if self._is_read_only(assignment) else _KEY_HINT
            raise ConfigError(hint, source=API_KEY)

    def _is_read_only(self, assignment: Assignment) -> bool:
        return self._inputs.event_name == "pull_request" and assignment.pull.is_fork

    def _publication(self, api: Api, us: Us, assignment: Assignment) -> Publication:
        from reviewbot.github.publication import Publication
        from reviewbot.github.subject import PublishOptions

        inputs, settings = self._inputs, assignment.settings
        options = PublishOptions(
            fail_on=settings.fail_on,
            if_incomplete=inputs.if_incomplete,
            check=inputs.check,
            review=inputs.review_comments,
            summary=inputs.summary_comment,
            link_hosts=settings.link_hosts,
            details_url=f"{inputs.page}/actions/runs/{inputs.run_id}" if inputs.run_id else None,
        )
        if inputs.token is None or self._is_read_only(assignment):
            options = replace(options, check=None, review=False, summary=False)
        key = f"run-{inputs.run_id or 'local'}-{assignment.subject.head[:12]}"
        return Publication(api, us, assignment.subject, options, key=key, clock=_now)

    async def _stream(self, assignment: Assignment, publication: Publication) -> None:
        """Review, and show findings in the log as they come."""
        settings, pull = assignment.settings, assignment.pull
        prepared = await asyncio.to_thread(
            prepare,
            assignment.diff,
            settings,
            attributes=assignment.attributes,
            notices=(*assignment.notices, *self._notices(assignment)),
            beside=assignment.beside,
        )
        async with AsyncExitStack() as stack:
            able = await stack.enter_async_context(
                workers(prepared, settings, title=pull.title, description=pull.body)
            )
            outputs = stack.enter_context(Outputs("terminal", None, prepared.job.files))
            events = review(prepared.job, able.run_batch, summarize=able.summarize, stop=self._stop)
            await stack.enter_async_context(aclosing(events))
            async for event in events:
                publication.take(event)
                await outputs.take(event)
        with suppress(OSError):  # what was learned about tokens is a convenience
            await asyncio.to_thread(prepared.calibration.save)

    def _notices(self, assignment: Assignment) -> tuple[str, ...]:
        if self._is_read_only(assignment):
            return (_FORK_NOTICE,)
        return () if self._inputs.token else (_UNPOSTED,)

    def _tell(self, published: Published, assignment: Assignment) -> int:
        """Annotations, the job's summary, outputs and the SARIF file; the exit code."""
        report = replace(published.report, notices=(*published.report.notices, *published.problems))
        _say(final("annotations")(report))
        for problem in published.problems:
            _say(notice(problem))
        inputs = self._inputs
        Target(inputs.sarif).replace(final("sarif")(report))
        write_summary(inputs.step_summary, _summary(report))
        write_outputs(inputs.output, _outputs(report, published, inputs.sarif))
        code = exit_code(report, assignment.settings)
        if code == EXIT_INCOMPLETE and inputs.if_incomplete == "neutral":
            return EXIT_OK
        return code


def _summary(report: Report) -> str:
    from reviewbot.core.render.markdown import render

    return render(report, limit=SUMMARY_LIMIT)


def _outputs(report: Report, published: Published, sarif: Path) -> dict[str, str]:
    counts = report.counts
    return {
        "outcome": report.outcome or "incomplete",
        "findings": str(sum(counts.values())),
        "errors": str(counts["error"]),
        "warnings": str(counts["warning"]),
        "notes": str(counts["note"]),
        "cost-usd": "" if report.cost_usd is None else f"{report.cost_usd:.4f}",
        "sarif-file": str(sarif),
        "review-url": published.review_url or "",
        "summary-url": published.summary_url or "",
    }


def _safe(sentence: str) -> str:
    from reviewbot.core.render.markdown_text import literal

    return literal(sentence)


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
