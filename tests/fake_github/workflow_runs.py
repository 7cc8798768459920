"""Runs of workflows, as far as their results can be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.fake_github import shapes, shapes_checks

if TYPE_CHECKING:
    from tests.fake_github.pulls import PullRequest
    from tests.fake_github.repository import Repository
    from tests.fake_github.wire import JSON


@dataclass(eq=False, kw_only=True)
class WorkflowRun:
    """A run of a workflow at a commit. ``conclusion`` is None while it runs."""

    id: int
    node_id: str
    repo: Repository
    path: str
    event: str
    head_sha: str
    branch: str
    conclusion: str | None

    @property
    def status(self) -> str:
        return "in_progress" if self.conclusion is None else "completed"


def add(
    pull: PullRequest,
    conclusion: str | None,
    *,
    path: str = ".github/workflows/reviewbot.yml",
    event: str = "pull_request",
) -> WorkflowRun:
    """A run of a workflow at the head of a pull request."""
    repo = pull.repo
    number, node_id = repo.world.identity("WFR")
    run = WorkflowRun(
        id=number,
        node_id=node_id,
        repo=repo,
        path=path,
        event=event,
        head_sha=pull.head_sha,
        branch=pull.head_ref,
        conclusion=conclusion,
    )
    repo.workflow_runs.append(run)
    return run


def shape(run: WorkflowRun) -> JSON:
    """A run as JSON."""
    repo, world = run.repo, run.repo.world
    url = f"{shapes.repository_url(repo)}/actions/runs/{run.id}"
    stamp = world.clock.stamp()
    commit = repo.store.commits[run.head_sha]
    who = {"name": commit.author, "email": f"{commit.author}@users.noreply.github.com"}
    return {
        "id": run.id,
        "name": "reviewbot",
        "node_id": run.node_id,
        "check_suite_id": 1,
        "check_suite_node_id": "CS_1",
        "head_branch": run.branch,
        "head_sha": run.head_sha,
        "path": run.path,
        "run_number": 1,
        "run_attempt": 1,
        "event": run.event,
        "display_title": commit.message,
        "status": run.status,
        "conclusion": run.conclusion,
        "workflow_id": 7,
        "url": url,
        "html_url": f"{world.web_url}/{repo.full_name}/actions/runs/{run.id}",
        "pull_requests": shapes_checks.pull_requests(repo, run.head_sha),
        "created_at": stamp,
        "updated_at": stamp,
        "run_started_at": stamp,
        "jobs_url": f"{url}/jobs",
        "logs_url": f"{url}/logs",
        "check_suite_url": f"{shapes.repository_url(repo)}/check-suites/1",
        "artifacts_url": f"{url}/artifacts",
        "cancel_url": f"{url}/cancel",
        "rerun_url": f"{url}/rerun",
        "workflow_url": f"{shapes.repository_url(repo)}/actions/workflows/7",
        "head_commit": {
            "id": commit.sha,
            "tree_id": commit.tree,
            "message": commit.message,
            "timestamp": stamp,
            "author": who,
            "committer": who,
        },
        "repository": shapes.repository(repo),
        "head_repository": shapes.repository(repo),
    }
