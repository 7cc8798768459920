"""The check of a merge group: the worst of our checks of its pull requests.

Each pull request is judged at the head that was added to the queue, by its newest check run with
our name, of our App and with the number of the pull request in its external id: two pull requests
may have one head. In a workflow, a head without such a check run, as of a fork, is judged by the
newest run of the same workflow.

A group passes only if each of its pull requests has a result. A check that still runs, an answer
that GitHub does not give now, and a queue that does not list the group yet are waited for.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from reviewbot.core.render.markdown_text import code_span, literal
from reviewbot.core.wording import count, listed
from reviewbot.github.api.merge_queues import group_of
from reviewbot.github.client.errors import GitHubError, RateLimitedError, UnavailableError
from reviewbot.github.publish import check_run
from reviewbot.github.publish.check_annotations import title_line
from reviewbot.github.publish.check_run import pull_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reviewbot.core.events.records import Json
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.api.merge_queues import QueueEntry

WAIT_S: Final = 600.0
"""Seconds to wait for checks that still run, from the start of the check of the merge group."""
POLL_S: Final = 40.0
"""Seconds between two looks at the checks of a merge group. In the App a look is an attempt of the
delivery, so the looks of a whole wait leave attempts for failures."""

Result = Literal["failure", "missing", "running", "neutral", "success"]
GroupConclusion = Literal["failure", "neutral", "success"]

ORDER: Final[tuple[Result, ...]] = ("failure", "missing", "running", "neutral", "success")
"""The worst first. ``missing`` is every check without a result that counts: cancelled, timed out,
stale, absent or unreadable."""
_WORDS: Final[Mapping[Result, str]] = {
    "failure": "Failed",
    "missing": "No result",
    "running": "Still running",
    "neutral": "Neutral",
    "success": "Passed",
}
_RESULTS: Final[Mapping[str | None, Result]] = {
    "failure": "failure",
    "neutral": "neutral",
    "success": "success",
}
_RUN_RESULTS: Final[Mapping[str | None, Result]] = {"failure": "failure", "success": "success"}
"""Results of a run of a workflow. A run whose jobs were skipped has reviewed nothing."""
_LATER: Final = (RateLimitedError, UnavailableError)
"""Errors after which a later request may succeed."""
NO_CHECK: Final = (
    "there is no check. Write `/review` on the pull request, then add it to the queue again"
)
"""Detail of a pull request without our check run, in the App."""
NO_RUN: Final = (
    "there is no check and no run of this workflow. Push to the pull request, then add it to the"
    " queue again"
)
"""The same in a workflow."""
_UNLISTED: Final = (
    "The merge queue does not list all pull requests of this merge group, so their checks are not"
    " known. Add the pull requests to the queue again."
)


@dataclass(frozen=True, slots=True)
class CheckSource:
    """Where the results of pull requests are looked up.

    Attributes:
        repo: ``OWNER/REPO``.
        page: address of the repository's page.
        name: name of our check runs.
        app_id: id of the App that wrote our check runs; None if we may write none.
        workflow: name of the file of our workflow; None for an App.
    """

    repo: str
    page: str
    name: str
    app_id: int | None
    workflow: str | None = None


@dataclass(frozen=True, slots=True)
class PullResult:
    """The result of one pull request of a merge group.

    Attributes:
        number: number of the pull request.
        head: the commit that was judged.
        result: what counts for the group.
        detail: more about the result, as Markdown; may be empty.
        url: page of the check or of the run of the workflow; may be empty.
    """

    number: int
    head: str
    result: Result
    detail: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The results of a merge group.

    ``problem`` is a sentence if the pull requests of the group are not known. ``may_change`` says
    whether that may change soon.
    """

    results: tuple[PullResult, ...] = ()
    problem: str = ""
    may_change: bool = False

    @property
    def waits(self) -> bool:
        """True if the result is not known yet: nothing has failed, and something may change."""
        if self.problem:
            return self.may_change
        return worst(result.result for result in self.results) == "running"

    @property
    def conclusion(self) -> GroupConclusion:
        """Conclusion of the check of the merge group, if nothing is waited for any more."""
        result = worst(pull.result for pull in self.results)
        if self.problem or result in ("failure", "missing", "running"):
            return "failure"
        return "neutral" if result == "neutral" else "success"

    @property
    def title(self) -> str:
        """The result on one line."""
        if self.problem:
            return "The pull requests of this merge group are not known"
        groups = ((result, self._numbers(result)) for result in ORDER)
        parts = [f"{_WORDS[result]}: {numbers}" for result, numbers in groups if numbers]
        return ". ".join(parts)

    def _numbers(self, result: Result) -> str:
        numbers = [f"#{pull.number}" for pull in self.results if pull.result == result]
        if len(numbers) > 5:
            return count(len(numbers), "pull request")
        return listed(numbers) if numbers else ""


def worst(results: Iterable[Result]) -> Result:
    """Return the worst result; ``missing`` if there is none."""
    return min(results, key=ORDER.index, default="missing")


async def judge(api: Api, source: CheckSource, branch: str, head: str) -> GroupResult:
    """Return the results of the merge group with a head, as they are now.

    ``branch`` is the branch that the group would be merged into. Errors of GitHub are results.
    """
    try:
        group = group_of(await api.merge_queues.get(source.repo, branch), head)
    except GitHubError as error:
        problem = f"The merge queue could not be read: {error.for_author}."
        return GroupResult(problem=problem, may_change=isinstance(error, _LATER))
    if group is None:
        return GroupResult(problem=_UNLISTED, may_change=True)
    return GroupResult(
        tuple(await asyncio.gather(*(_judge(api, source, entry) for entry in group)))
    )


async def _judge(api: Api, source: CheckSource, entry: QueueEntry) -> PullResult:
    number, head = entry.number, entry.pull_head
    try:
        judged = await _by_check(api, source, entry) or await _by_workflow(api, source, entry)
    except GitHubError as error:
        reason = literal(error.for_author, 500)
        result: Result = "running" if isinstance(error, _LATER) else "missing"
        return PullResult(number, head, result, f"it could not be read: {reason}")
    if judged is not None:
        return judged
    if source.workflow is None:
        return PullResult(number, head, "missing", NO_CHECK)
    return PullResult(number, head, "missing", NO_RUN)


async def _by_check(api: Api, source: CheckSource, entry: QueueEntry) -> PullResult | None:
    """Return the result by our newest check run; None if there is none."""
    if source.app_id is None:
        return None
    runs = await api.checks.at(source.repo, entry.pull_head, name=source.name, app_id=source.app_id)
    ours = (run for run in runs if pull_of(run.external_id) == entry.number)
    newest = max(ours, key=lambda run: run.id, default=None)
    if newest is None:
        return None
    return _result(entry, newest.status, newest.conclusion, newest.url, _RESULTS)


async def _by_workflow(api: Api, source: CheckSource, entry: QueueEntry) -> PullResult | None:
    """Return the result by the newest run of our workflow; None if there is none."""
    if source.workflow is None:
        return None
    runs = await api.workflow_runs.at(source.repo, source.workflow, entry.pull_head)
    # GitHub names no pull request of a fork.
    ours = (run for run in runs if not run.pulls or entry.number in run.pulls)
    newest = max(ours, key=lambda run: run.id, default=None)
    if newest is None:
        return None
    return _result(entry, newest.status, newest.conclusion, newest.url, _RUN_RESULTS)


def _result(
    entry: QueueEntry,
    status: str,
    conclusion: str | None,
    url: str,
    results: Mapping[str | None, Result],
) -> PullResult:
    number, head = entry.number, entry.pull_head
    if status != "completed":
        return PullResult(number, head, "running", "", url)
    result = results.get(conclusion, "missing")
    detail = "" if result != "missing" else f"it ended as {conclusion or 'unknown'}"
    return PullResult(number, head, result, detail, url)


def begun(head: str, key: str, started_at: str, name: str, details_url: str | None = None) -> Json:
    """Return the body that creates the check run of a merge group.

    Args:
        head: head of the merge group.
        key: distinguishes this check run from others at the commit.
        started_at: RFC 3339 time.
        name: name of the check run.
        details_url: page with more.
    """
    first = check_run.created(
        head_sha=head,
        external_id=f"merge-group:{key}",
        started_at=started_at,
        details_url=details_url,
        name=name,
    )
    minutes = f"{WAIT_S / 60:.0f} minutes"
    summary = (
        "This commit is a merge group. Its result is the worst of the checks of its pull requests."
        f" Checks that still run are waited for, up to {minutes}."
    )
    return first | {"output": {"title": "Waiting for the pull requests", "summary": summary}}


def ended(group: GroupResult, source: CheckSource, completed_at: str) -> Json:
    """Return the body that concludes the check run of a merge group."""
    return {
        "status": "completed",
        "conclusion": group.conclusion,
        "completed_at": completed_at,
        "output": {"title": title_line(group.title), "summary": summary(group, source)},
    }


def summary(group: GroupResult, source: CheckSource) -> str:
    """Return the results of a merge group as Markdown, with a line for each pull request."""
    if group.problem:
        return literal(group.problem, 1_000)
    only_runs = source.app_id is None and source.workflow is not None
    by = [] if only_runs else [f"by their checks {code_span(source.name)}"]
    by += ["by the newest run of this workflow"] if source.workflow is not None else []
    first = f"A merge group gets the worst result of its pull requests, {', else '.join(by)}."
    lines = [_line(result, source.page, timed_out=group.waits) for result in group.results]
    return "\n".join([first, "", *lines])


def _line(pull: PullResult, page: str, *, timed_out: bool) -> str:
    words = "No result" if pull.result == "running" and pull.detail else _WORDS[pull.result]
    if pull.result == "running" and timed_out:
        words = f"{words} after {WAIT_S / 60:.0f} minutes"
    shown = f"[{words}]({pull.url})" if pull.url else words
    detail = f": {pull.detail}" if pull.detail else ""
    return f"- [#{pull.number}]({page}/pull/{pull.number}) at `{pull.head[:7]}`: {shown}{detail}."
