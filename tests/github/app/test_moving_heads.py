"""Heads and bases that change, come back, or that GitHub reports late."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from tests.fake_github import FakeGitHub, Fault
from tests.fake_github.shapes_pulls import full_pull_request
from tests.github.action_runs import find_marked, hanging
from tests.support.app_reviews import settle
from tests.support.github_stories import BASE, ONE, TWO, app, conclusions, summary_of, titles

if TYPE_CHECKING:
    from tests.fake_anthropic import Answer, FakeAnthropic
    from tests.fake_anthropic import Recorded as Asked
    from tests.fake_github import PullRequest, Recorded
    from tests.github.app_runs import AppServer


@dataclass
class Stale(Fault):
    """A JSON answer of a while ago, from a copy of GitHub's that lags behind."""

    was: Any = None
    taken: list[str] = field(default_factory=list)

    def takes(self, request: Recorded) -> bool:
        if "diff" in request.headers.get("accept", ""):
            return False
        return super().takes(request)


def stale(path: str, was: Any, *, times: int | None = 1) -> Fault:
    return Stale("GET", path, 200, was, times=times)


@pytest.mark.slow
async def test_a_head_that_comes_back_after_another_was_reviewed_is_what_the_summary_is_about(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    first = pull.head_sha
    await settle(server)
    pull.push(app((10, "line_10 = 1")))
    await settle(server)
    assert "1 resolved" in summary_of(pull)
    pull.head_repo.move(pull.head_ref, first, by="octocat")  # type: ignore[union-attr]
    await settle(server)
    assert "1 error" in summary_of(pull).split("\n")[0]
    assert f"head={first}" in summary_of(pull)


async def test_a_review_that_was_not_posted_since_the_head_was_another_is_posted_once_it_is_back(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    first = pull.head_sha

    def push_meanwhile(request: Asked) -> Answer:
        if pull.head_sha == first:
            pull.push(app((10, "line_10 = 1")))
            waiting.extend(github.postman.waiting)
            github.postman.waiting.clear()
        return find_marked(request)

    waiting: list[Any] = []
    model.respond = push_meanwhile
    await settle(server)
    assert titles(pull) == []
    github.postman.waiting += waiting
    pull.head_repo.move(pull.head_ref, first, by="octocat")  # type: ignore[union-attr]
    await settle(server)
    assert titles(pull) == ["**error: Division by zero**"]


async def test_a_push_is_reviewed_although_github_reports_the_old_head_at_first(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    before = [
        one for one in github.requests if one.key.endswith("/pulls/1") and one.answer[:1] == b"{"
    ][-1].json
    pull.push(TWO)
    github.fail(stale("/pulls/1$", before, times=3))
    await settle(server)
    assert len(titles(pull)) == 2, "the delivery named the new head"


async def test_a_stale_head_from_github_does_not_supersede_a_newer_one(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    before = [
        one for one in github.requests if one.key.endswith("/pulls/1") and one.answer[:1] == b"{"
    ][-1].json

    def lag(request: Asked) -> Answer:
        github.fail(stale("/pulls/1$", before, times=1))
        return find_marked(request)

    model.respond = lag
    pull.push(TWO)
    await settle(server)
    assert len(titles(pull)) == 2


async def test_a_late_closed_event_does_not_stop_the_review_of_a_reopened_pull_request(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    """GitHub keeps no order, and what was not taken at first is delivered again hours later."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    pull.close()
    [closed] = [
        one
        for one in github.postman.waiting
        if one.event == "pull_request" and one.payload["action"] == "closed"
    ]
    github.postman.waiting.remove(closed)
    asked = hanging(model, then=find_marked)
    pull.reopen()
    await server.deliver()
    await asked.wait()
    model.respond = find_marked
    await server.take(closed)
    for _ in range(20):
        await asyncio.sleep(0.05)
    stopped = await server.service.database.read(
        lambda connection: list(
            connection.scalars(sa.text("SELECT stop FROM rb_reviews WHERE stop IS NOT NULL"))
        )
    )
    pull.close()  # so that the test comes to an end
    await settle(server)
    assert "cancelled" not in stopped


def behind(github: FakeGitHub, pull: PullRequest, *, times: int = 1) -> None:
    """GitHub's next answers on the pull request are the one before what happens now."""
    github.fail(stale("/pulls/1$", full_pull_request(pull), times=times))
    github.clock.ahead += 2


@pytest.mark.parametrize("way", ["reopened", "ready_for_review"])
async def test_a_requested_review_starts_though_github_returns_a_stale_pull_request(
    github: FakeGitHub, server: AppServer, way: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    (pull.close if way == "reopened" else pull.to_draft)()
    github.postman.waiting.clear()
    behind(github, pull)
    (pull.reopen if way == "reopened" else pull.ready)()
    await settle(server)
    assert titles(pull) == ["**error: Division by zero**"]


@pytest.mark.sample(3)
@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("way", ["reopened", "ready_for_review"])
async def test_a_requested_review_with_another_head_is_of_that_head(
    github: FakeGitHub, server: AppServer, way: str, times: int
) -> None:
    """``git push && gh pr ready``; of what is pushed while it is closed, GitHub does not tell."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    (pull.close if way == "reopened" else pull.to_draft)()
    await settle(server)
    github.postman.waiting.clear()
    behind(github, pull, times=times)
    pull.state, pull.closed = "open", None  # the fake lets nobody push to one that is closed
    pull.push(TWO)
    github.postman.waiting.clear()
    (pull.reopen if way == "reopened" else pull.ready)()
    await settle(server)
    assert [run.head_sha for run in pull.repo.check_runs.values()] == [pull.head_sha]
    assert len(titles(pull)) == 2


@pytest.mark.parametrize("way", ["closed", "draft"])
async def test_an_unwanted_review_ends_though_github_returns_a_stale_pull_request(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer, way: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    asked = hanging(model)
    await server.deliver()
    await asyncio.wait_for(asked.wait(), 60)
    behind(github, pull)
    (pull.close if way == "closed" else pull.to_draft)()
    await settle(server)
    assert conclusions(pull) == ["cancelled"]


async def test_changing_the_base_has_the_diff_reviewed(
    github: FakeGitHub, server: AppServer
) -> None:
    """Else: open it against a branch that has the code already, get a green check, retarget."""
    repo = github.world.repositories["octo/hello"]
    repo.commit("work", ONE)
    pull = repo.open_pull(ONE | {"b.py": "x = 1\n"}, base="work")
    await settle(server)
    assert conclusions(pull) == ["success"]
    old = pull.base_ref
    pull.retarget("main")
    changes = {"base": {"ref": {"from": old}, "sha": {"from": repo.branches["work"]}}}
    repo.world.happened(
        "pull_request", "edited", repo=repo, pull=pull, sender=pull.user, changes=changes
    )
    await settle(server)
    assert conclusions(pull)[-1] == "failure"


@pytest.mark.slow
async def test_a_head_that_comes_back_after_another_was_reviewed_does_not_stay_cancelled(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    """Its first review was stopped; what is left to review is less by now: another diff."""
    pull = github.pull(base=BASE, head=BASE | TWO)
    first = pull.head_sha
    asked = hanging(model, then=find_marked)
    await server.deliver()
    await asked.wait()
    pull.push(ONE)
    await settle(server)
    assert conclusions(pull) == ["cancelled", "failure"]
    pull.head_repo.move(pull.head_ref, first, by="octocat")  # type: ignore[union-attr]
    await settle(server)
    runs = [run for run in pull.repo.check_runs.values() if run.head_sha == first]
    assert [run.conclusion for run in runs] == ["cancelled", "failure"]
    assert len(titles(pull)) == 2


async def test_a_second_pull_request_of_the_same_head_does_not_turn_the_check_of_the_first(
    github: FakeGitHub, server: AppServer
) -> None:
    """Branch protection goes by the newest run of that name at the commit."""
    repo = github.world.repositories["octo/hello"]
    repo.commit("lax", {".reviewbot.yml": "summary: false\nfail_on: never\n"})
    pull = repo.open_pull(BASE | ONE, whole=True, fork="mona", by="mona")
    await settle(server)
    assert conclusions(pull) == ["failure"]
    repo.open_pull(head=pull.head_sha, fork="mona", by="mona", base="lax")
    await settle(server)
    at_head = [run for run in repo.check_runs.values() if run.head_sha == pull.head_sha]
    assert max(at_head, key=lambda run: run.id).conclusion == "failure"
