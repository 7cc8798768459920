"""``reviewbot action``: the GitHub Action, run by a runner, or by hand on a recorded event."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.action.event import Merged, RequestedReply, RequestedReview, Skipped, read_event
from reviewbot.action.inputs import INPUT_ADVICE, OUTPUT_FILE, SUMMARY_FILE, read_inputs
from reviewbot.action.report import sarif_target, say
from reviewbot.action.runner_files import write_outputs, write_summary
from reviewbot.cli.interrupts import stop_on_interrupt
from reviewbot.core.render.annotations import failure, notice
from reviewbot.core.render.markdown_text import literal
from reviewbot.errors import EXIT_INTERRUPTED, ConfigError, ReviewbotError
from reviewbot.github.client.errors import (
    BadCredentialsError,
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
    for_author,
)
from reviewbot.pipeline.job import StopSignal

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from reviewbot.action.inputs import ActionInputs
    from reviewbot.github.client.rate_limit import Pace

PATIENCE_S: Final = 600.0
"""Seconds to wait for a rate limit of GitHub: a job that times out reports nothing."""

_REFUSALS: Final = (BadCredentialsError, ForbiddenError, NotFoundError, RateLimitedError)
_NO_TOKEN: Final = f"is empty, and GitHub refuses requests without a token here. {INPUT_ADVICE}"

EPILOG: Final = """\
In a workflow, action.yml sets everything. By hand, on a recorded event, it
posts on the pull request as in a workflow, and writes reviewbot.sarif here:

  GITHUB_REPOSITORY=octo/hello GITHUB_TOKEN=... REVIEWBOT_ACTION_MODEL=offline \\
      reviewbot action --event-name pull_request --event event.json

The inputs of action.yml are variables: REVIEWBOT_ACTION_FAIL_ON for fail-on,
and so on; REVIEWBOT_ACTION_REVIEW_COMMENTS, _SUMMARY_COMMENT and _CHECK_RUN
set to false post nothing.

exit codes:
  0 nothing at or above fail-on      1 a finding at or above it
  2 usage or configuration, no key   3 incomplete, even if there are findings
  130 interrupted
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--event", metavar="FILE", help="the event (default: GITHUB_EVENT_PATH)")
    parser.add_argument(
        "--event-name", metavar="NAME", help="name of the event (default: GITHUB_EVENT_NAME)"
    )
    parser.epilog = EPILOG


def run(args: argparse.Namespace) -> int:
    """Review the pull request of the event, and return the exit code."""
    given = {"GITHUB_EVENT_PATH": args.event, "GITHUB_EVENT_NAME": args.event_name}
    env = {**os.environ, **{name: value for name, value in given.items() if value}}
    try:
        return asyncio.run(Action(read_inputs(env)).run())
    except ReviewbotError as error:
        _report_failure(error, env)
        raise
    except asyncio.CancelledError:  # after a second signal
        return EXIT_INTERRUPTED


def _report_failure(error: ReviewbotError, env: Mapping[str, str]) -> None:
    """Report a failure as an annotation and in the summary, since logs are easily missed."""
    sentence = for_author(error)  # the log has the error itself
    say(failure(sentence))
    files = [Path(env[name]) if env.get(name) else None for name in (SUMMARY_FILE, OUTPUT_FILE)]
    with suppress(ReviewbotError):  # the first error is raised
        write_summary(files[0], f"**Nothing was reviewed:** {literal(sentence)}")
        write_outputs(files[1], {"outcome": "incomplete"})


class Action:
    """One run of the Action.

    Args:
        inputs: inputs of the Action.
        pace: limits for requests to GitHub; None uses default limits.
    """

    def __init__(self, inputs: ActionInputs, *, pace: Pace | None = None) -> None:
        self._inputs, self._pace = inputs, pace

    async def run(self) -> int:
        """Review the pull request of the event, or run its command; return the exit code.

        Raises:
            ReviewbotError: the review or the command failed.
        """
        from reviewbot.action.command import ActionCommand
        from reviewbot.action.merge_group import ActionMergeGroup
        from reviewbot.action.reply import ActionReply
        from reviewbot.action.review import ActionReview
        from reviewbot.github.api.gateway import Gateway
        from reviewbot.github.client.rate_limit import Pace
        from reviewbot.github.webhook.tasks import MergeGroupRequested

        inputs = self._inputs
        wanted = await asyncio.to_thread(read_event, inputs)
        if isinstance(wanted, Skipped):
            return self._skip(wanted)
        sarif = sarif_target(inputs)
        stop, working = StopSignal(), asyncio.current_task()
        pace = self._pace or Pace(patience_s=PATIENCE_S)
        async with AsyncExitStack() as stack:
            stack.callback(stop_on_interrupt(stop, working.cancel if working else None))
            github = await stack.enter_async_context(
                Gateway(inputs.token, base_url=inputs.api_url, pace=pace)
            )
            review = ActionReview(inputs, github, stop, sarif)
            done: int | Skipped
            try:
                if isinstance(wanted, Merged):
                    done = await review.record_merge(wanted)
                elif isinstance(wanted, MergeGroupRequested):
                    done = await ActionMergeGroup(inputs, github, stop).run(wanted)
                elif isinstance(wanted, RequestedReview):
                    done = await review.run(wanted)
                elif isinstance(wanted, RequestedReply):
                    follows = await ActionReply(inputs, github, stop).run(wanted)
                    done = follows if isinstance(follows, Skipped) else await review.run(follows)
                else:
                    command = ActionCommand(inputs, github, stop)
                    result = await command.run(wanted)
                    done = (
                        await command.reviewed(wanted, review.run(result))
                        if isinstance(result, RequestedReview)
                        else result
                    )
            except _REFUSALS as error:
                if inputs.token is not None:
                    raise
                raise ConfigError(_NO_TOKEN, source="the input github-token") from error
        return self._skip(done) if isinstance(done, Skipped) else done

    def _skip(self, skipped: Skipped) -> int:
        sentence = f"Nothing was reviewed: {skipped.reason}."
        say(notice(sentence))
        write_summary(self._inputs.step_summary, literal(sentence))
        write_outputs(self._inputs.output, {"outcome": "skipped"})
        return skipped.code
