"""The App concludes the check of a merge group with the worst check of its pull requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from reviewbot.github.publish.merge_group import WAIT_S
from tests.fake_github import faults
from tests.fake_github.merge_queue import enqueue, leave, merge_first
from tests.github.app_runs import app_server
from tests.support.github_stories import app
from tests.support.merge_groups import checks_at, end_check, group_checks, pulls, put_check

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub, PullRequest
    from tests.fake_github.checks import CheckRun
    from tests.fake_github.merge_queue import Method
    from tests.github.app_runs import AppServer


def newest(pull: PullRequest) -> CheckRun:
    return group_checks(pull)[-1]


async def checked(server: AppServer, github: FakeGitHub, *conclusions: str | None) -> CheckRun:
    """Queue one pull request for each conclusion; None is one without a check."""
    made = pulls(github, len(conclusions))
    for pull, conclusion in zip(made, conclusions, strict=True):
        if conclusion is not None:
            put_check(pull, conclusion, by=github.app)
    for pull in made[:-1]:
        enqueue(pull)
    github.postman.waiting.clear()
    enqueue(made[-1])
    await server.settle()
    (run,) = group_checks(made[-1])
    return run


async def test_a_group_of_one_gets_the_result_of_its_pull_request(
    github: FakeGitHub, server: AppServer
) -> None:
    run = await checked(server, github, "success")
    assert (run.name, run.conclusion, run.title) == ("reviewbot", "success", "Passed: #1")
    head = github.repository().pull(1).head_sha
    own = next(check.id for check in run.repo.check_runs.values() if check.head_sha == head)
    assert run.summary == (
        "A merge group gets the worst result of its pull requests, by their checks"
        " `reviewbot`.\n\n"
        f"- [#1]({github.url}/octo/hello/pull/1) at `{head[:7]}`:"
        f" [Passed](https://github.com/octo/hello/runs/{own})."
    )


async def test_a_group_of_three_gets_the_worst_result(
    github: FakeGitHub, server: AppServer
) -> None:
    run = await checked(server, github, "success", "failure", "neutral")
    assert run.conclusion == "failure"
    assert run.title == "Failed: #2. Neutral: #3. Passed: #1"


async def test_a_neutral_result_stays_neutral(github: FakeGitHub, server: AppServer) -> None:
    run = await checked(server, github, "success", "neutral", "success")
    assert (run.conclusion, run.title) == ("neutral", "Neutral: #2. Passed: #1 and #3")


async def test_a_missing_check_fails_the_group_and_is_named(
    github: FakeGitHub, server: AppServer
) -> None:
    run = await checked(server, github, "success", None, "success")
    assert (run.conclusion, run.title) == ("failure", "No result: #2. Passed: #1 and #3")
    assert "there is no check. Write `/review` on the pull request" in (run.summary or "")


@pytest.mark.parametrize("conclusion", ["cancelled", "timed_out", "action_required", "skipped"])
async def test_a_check_without_a_result_fails_the_group(
    github: FakeGitHub, server: AppServer, conclusion: str
) -> None:
    run = await checked(server, github, conclusion)
    assert (run.conclusion, run.title) == ("failure", "No result: #1")
    assert f"it ended as {conclusion}" in (run.summary or "")


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
async def test_the_pull_requests_ahead_are_found_however_the_queue_merges(
    github: FakeGitHub, server: AppServer, method: Method
) -> None:
    first, second = pulls(github, 2)
    put_check(first, "failure", by=github.app)
    put_check(second, "success", by=github.app)
    enqueue(first, method)
    enqueue(second, method)
    await server.settle()
    titles = sorted(run.title or "" for run in group_checks(first))
    assert titles == ["Failed: #1", "Failed: #1. Passed: #2"]


async def test_a_pull_request_that_was_merged_before_does_not_count(
    github: FakeGitHub, server: AppServer
) -> None:
    first, second = pulls(github, 2)
    put_check(first, "neutral", by=github.app)
    put_check(second, "success", by=github.app)
    enqueue(first)
    github.postman.waiting.clear()
    enqueue(second)
    merge_first(first.repo)
    await server.settle()
    assert newest(second).title == "Passed: #2"


async def test_the_newest_check_of_the_pull_request_counts(
    github: FakeGitHub, server: AppServer
) -> None:
    (pull,) = pulls(github, 1)
    put_check(pull, "failure", by=github.app)
    put_check(pull, "success", by=github.app)
    put_check(pull, "failure", by=github.app, number=99)  # another with the same head
    put_check(pull, "failure", by=github.world.app("other"))
    put_check(pull, "failure", by=github.app, name="other")
    enqueue(pull)
    await server.settle()
    assert newest(pull).conclusion == "success"


async def test_a_check_of_another_app_is_not_ours(github: FakeGitHub, server: AppServer) -> None:
    (pull,) = pulls(github, 1)
    put_check(pull, "success", by=github.world.app("other"))
    enqueue(pull)
    await server.settle()
    assert newest(pull).title == "No result: #1"


async def test_a_check_that_still_runs_is_waited_for(github: FakeGitHub, server: AppServer) -> None:
    (pull,) = pulls(github, 1)
    review = put_check(pull, None, by=github.app)
    enqueue(pull)
    await server.deliver()
    await asyncio.sleep(WAIT_S / 2)
    assert (newest(pull).status, newest(pull).title) == (
        "in_progress",
        "Waiting for the pull requests",
    )
    end_check(review, "success")
    await server.settle()
    assert [run.conclusion for run in group_checks(pull)] == ["success"]


async def test_a_wait_survives_a_restart_of_the_server(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    (pull,) = pulls(github, 1)
    github.install(pull.repo)
    review = put_check(pull, None, by=github.app)
    enqueue(pull)
    async with app_server(github, model, tmp_path) as server:
        await server.deliver()
        await asyncio.sleep(60)
    end_check(review, "success")
    async with app_server(github, model, tmp_path) as server:
        await server.settle()
    assert [run.conclusion for run in group_checks(pull)] == ["success"]


@pytest.mark.unended
async def test_groups_that_wait_delay_no_review(github: FakeGitHub, server: AppServer) -> None:
    waiting = pulls(github, 6)
    for pull in waiting:
        put_check(pull, None, by=github.app)
        enqueue(pull)
    await server.deliver()
    await asyncio.sleep(60)
    new = github.repository().open_pull(app((40, "x = 40")))
    await server.deliver()
    await asyncio.sleep(60)
    assert [run.status for run in group_checks(new)] == ["in_progress"] * 6
    assert "completed" in [run.status for run in checks_at(new)]
    await server.settle()
    assert {run.conclusion for run in group_checks(new)} == {"failure"}


@pytest.mark.unended
async def test_a_check_that_never_ends_fails_the_group_after_ten_minutes(
    github: FakeGitHub, server: AppServer
) -> None:
    first, second = pulls(github, 2)
    put_check(first, "success", by=github.app)
    put_check(second, None, by=github.app)
    enqueue(first)
    github.postman.waiting.clear()
    enqueue(second)
    began = asyncio.get_running_loop().time()
    await server.settle()
    run = newest(second)
    assert WAIT_S <= asyncio.get_running_loop().time() - began < WAIT_S + 60
    assert (run.conclusion, run.title) == ("failure", "Still running: #2. Passed: #1")
    assert "[Still running after 10 minutes](https://github.com/" in (run.summary or "")


@pytest.mark.unended
async def test_a_failed_check_ends_the_wait_for_others(
    github: FakeGitHub, server: AppServer
) -> None:
    first, second = pulls(github, 2)
    put_check(first, None, by=github.app)
    put_check(second, "failure", by=github.app)
    enqueue(first)
    github.postman.waiting.clear()
    enqueue(second)
    began = asyncio.get_running_loop().time()
    await server.settle()
    assert asyncio.get_running_loop().time() - began < 60
    assert newest(second).title == "Failed: #2. Still running: #1"
    assert "after 10 minutes" not in (newest(second).summary or "")


@pytest.mark.unended
async def test_the_end_of_a_merge_group_ends_the_wait(
    github: FakeGitHub, server: AppServer, caplog: pytest.LogCaptureFixture
) -> None:
    (pull,) = pulls(github, 1)
    put_check(pull, None, by=github.app)
    entry = enqueue(pull)
    await server.deliver()
    await asyncio.sleep(60)
    leave(entry)
    began = asyncio.get_running_loop().time()
    await server.settle()
    assert asyncio.get_running_loop().time() - began < 60
    assert [run.conclusion for run in group_checks(pull)] == ["cancelled"]
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


async def test_the_end_of_a_group_that_has_a_result_changes_nothing(
    github: FakeGitHub, server: AppServer
) -> None:
    (pull,) = pulls(github, 1)
    put_check(pull, "success", by=github.app)
    entry = enqueue(pull)
    await server.settle()
    leave(entry, "merged")
    await server.settle()
    assert [run.conclusion for run in group_checks(pull)] == ["success"]


async def test_a_repeated_delivery_creates_no_second_check(
    github: FakeGitHub, server: AppServer
) -> None:
    (pull,) = pulls(github, 1)
    put_check(pull, "success", by=github.app)
    entry = enqueue(pull)
    (delivery,) = (sent for sent in github.postman.waiting if sent.event == "merge_group")
    again = github.delivery(
        "merge_group", "checks_requested", entry=entry, repo=pull.repo, sender=pull.user
    )
    for one in (delivery, delivery, again):
        await server.take(one)
        await server.settle()
    assert [run.conclusion for run in group_checks(pull)] == ["success"]


@pytest.mark.parametrize("status", [403, 404])
async def test_an_unreadable_check_fails_the_group_and_is_named(
    github: FakeGitHub, server: AppServer, status: int
) -> None:
    first, second = pulls(github, 2)
    for pull in (first, second):
        put_check(pull, "success", by=github.app)
        enqueue(pull)
    github.postman.waiting = github.postman.waiting[-1:]
    github.fail(faults.error("GET", f"/commits/{first.head_sha}/check-runs", status, times=None))
    await server.settle()
    run = newest(second)
    assert (run.conclusion, run.title) == ("failure", "No result: #1. Passed: #2")
    assert "it could not be read: GitHub does not" in (run.summary or "")


async def test_an_outage_is_waited_for(github: FakeGitHub, server: AppServer) -> None:
    (pull,) = pulls(github, 1)
    put_check(pull, "success", by=github.app)
    enqueue(pull)
    path = f"/commits/{pull.head_sha}/check-runs"
    github.fail(faults.error("GET", path, 502, times=12))
    await server.settle()
    assert [run.conclusion for run in group_checks(pull)] == ["success"]


async def test_a_long_outage_fails_the_group(github: FakeGitHub, server: AppServer) -> None:
    (pull,) = pulls(github, 1)
    put_check(pull, "success", by=github.app)
    enqueue(pull)
    path = f"/commits/{pull.head_sha}/check-runs"
    github.fail(faults.error("GET", path, 502, times=None))
    await server.settle()
    run = newest(pull)
    assert run.conclusion == "failure"
    assert "No result after 10 minutes: it could not be read: GitHub did not answer" in (
        run.summary or ""
    )


async def test_a_queue_that_does_not_list_the_group_yet_is_read_again(
    github: FakeGitHub, server: AppServer
) -> None:
    (pull,) = pulls(github, 1)
    put_check(pull, "success", by=github.app)
    entry = enqueue(pull)
    head, entry.head = entry.head, None
    deliveries, github.postman.waiting = github.postman.waiting, []
    for delivery in deliveries:
        await server.take(delivery)
    await asyncio.sleep(60)
    entry.head = head
    await server.settle()
    assert newest(pull).conclusion == "success"


async def test_a_group_that_is_not_on_the_branch_is_never_green(
    github: FakeGitHub, server: AppServer
) -> None:
    (pull,) = pulls(github, 1)
    put_check(pull, "success", by=github.app)
    entry = enqueue(pull)
    entry.base = "f" * 40
    await server.settle()
    run = newest(pull)
    assert run.conclusion == "failure"
    assert run.title == "The pull requests of this merge group are not known"
    assert "does not list all pull requests" in (run.summary or "")


async def test_an_app_without_the_permission_says_so(github: FakeGitHub, server: AppServer) -> None:
    (pull,) = pulls(github, 1)
    put_check(pull, "success", by=github.app)
    enqueue(pull)
    (installation,) = github.world.installations.values()
    del installation.permissions["merge_queues"]
    await server.settle()
    run = newest(pull)
    assert run.conclusion == "failure"
    assert "must grant the permission merge queues: read" in (run.summary or "")


async def test_titles_of_pull_requests_do_not_reach_the_check(
    github: FakeGitHub, server: AppServer
) -> None:
    (pull,) = pulls(github, 1, title="::error::x @octocat <img src=x>")
    put_check(pull, "success", by=github.app)
    enqueue(pull)
    await server.settle()
    assert "octocat" not in f"{newest(pull).title}{newest(pull).summary}".replace("octo/", "")
