"""Runs of workflows of GitHub Actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.github.api.records import commit, repository, segment
from reviewbot.github.client.errors import NotFoundError

if TYPE_CHECKING:
    from reviewbot.github.client.caller import AccountClient, Record

MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """A run of a workflow.

    ``pulls`` are the pull requests that GitHub names; none for a fork. ``url`` is its page.
    """

    id: int
    status: str
    conclusion: str | None
    pulls: tuple[int, ...]
    url: str


class WorkflowRuns:
    """API calls for runs of workflows."""

    def __init__(self, caller: AccountClient) -> None:
        self._caller = caller

    async def at(self, repo: str, workflow: str, head_sha: str) -> tuple[WorkflowRun, ...]:
        """Return the runs of a workflow for pull requests with that head.

        ``workflow`` is the name of its file, such as ``reviewbot.yml``.

        Raises:
            NotFoundError: there is no such workflow, or GitHub does not show it.
            ForbiddenError: the permission ``actions: read`` is missing.
        """
        name = segment(workflow)
        if name is None:
            raise NotFoundError(f"{workflow[:80]!r} is not the name of a workflow", status=404)
        path = f"{repository(repo)}/actions/workflows/{name}/runs"
        parameters = {"head_sha": commit(head_sha), "event": "pull_request"}
        return await self._caller.every(path, _run, parameters, within="workflow_runs", most=MOST)


def _run(found: Record) -> WorkflowRun:
    return WorkflowRun(
        id=found["id"],
        status=found["status"],
        conclusion=found.get("conclusion"),
        pulls=tuple(pull["number"] for pull in found.get("pull_requests") or ()),
        url=found.get("html_url") or "",
    )
