"""Pull requests in merge queues, and the checks of reviewbot at their heads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fake_github import checks
from tests.support.github_stories import BASE, app

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub, PullRequest
    from tests.fake_github.checks import CheckRun
    from tests.fake_github.people import App


def pulls(github: FakeGitHub, number: int, **more: Any) -> list[PullRequest]:
    """Open pull requests, without the deliveries about them."""
    repo = github.repository("octo/hello", BASE)
    made = [repo.open_pull(app((10 + n, f"x = {n}")), **more) for n in range(number)]
    github.postman.waiting.clear()
    return made


def put_check(
    pull: PullRequest,
    conclusion: str | None,
    *,
    by: App,
    number: int | None = None,
    name: str = "reviewbot",
) -> CheckRun:
    """Write a check run at the head of a pull request; it runs if it has no conclusion."""
    body: dict[str, Any] = {
        "name": name,
        "head_sha": pull.head_sha,
        "external_id": f"{number or pull.number}:review",
        "output": {"title": "A review", "summary": "A review."},
        "status": "in_progress",
    }
    if conclusion is not None:
        body |= {"status": "completed", "conclusion": conclusion}
    return checks.create(pull.repo, by, body)


def end_check(run: CheckRun, conclusion: str) -> None:
    """Conclude a check run."""
    checks.update(run, run.app, {"status": "completed", "conclusion": conclusion})


def group_checks(pull: PullRequest) -> list[CheckRun]:
    """The check runs at merge groups, without those at heads of pull requests."""
    heads = {other.head_sha for other in pull.repo.pulls}
    return [run for run in pull.repo.check_runs.values() if run.head_sha not in heads]


def checks_at(pull: PullRequest) -> list[CheckRun]:
    """The check runs at the head of a pull request."""
    return [run for run in pull.repo.check_runs.values() if run.head_sha == pull.head_sha]
