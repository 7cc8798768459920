"""Runs at once, and runs that were interrupted, lose and repeat nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from reviewbot.github.markers import Marker, write
from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.fake_github import faults
from tests.github.action_runs import WRITES, Runner, bound_to
from tests.support.github_states import state_of
from tests.support.github_stories import BASE, ONE, TEXT, Overtaken, app, bug, nothing, titles

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Run


async def test_a_finding_that_a_concurrent_job_listed_in_the_summary_is_not_lost(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, "a = 1 / zero"), (50, "b = 2 / none")))
    both = [
        finding(path="app.py", quote=quote, line=line, end_line=line, title=title)
        for quote, line, title in (
            ("a = 1 / zero", 10, "Division by zero"),
            ("b = 2 / none", 50, "None divides nothing"),
        )
    ]
    model.respond = lambda _: Answer(findings=[both[len(model.requests) % 2]])
    runner.event(pull)
    github.fail(faults.at_once("POST", "/comments$"))
    jobs = [runner.environment(pull, review_comments="false") for _ in range(2)]
    await asyncio.gather(*map(runner.step, jobs))
    assert len(model.requests) == 2
    model.respond = nothing
    run = await runner.run(pull, review_comments="false")
    assert run.outputs["errors"] == "2"


@pytest.mark.parametrize("summary", ["true", "false"])
async def test_a_review_after_a_crash_before_the_summary_posts_nothing_twice(
    github: FakeGitHub, runner: Runner, summary: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | app(*map(bug, range(1, 41))))
    github.fail(faults.error("POST", "/issues/", 500, times=None))
    await runner.run(pull, summary_comment=summary)
    github.faults.clear()
    run = await runner.run(pull, summary_comment=summary)
    assert run.outputs["findings"] == "40"
    assert len(titles(pull)) == 10


async def test_without_a_key_an_earlier_signed_summary_is_edited(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    bot = github.world.actions_token(pull.repo, WRITES).installation
    assert bot is not None
    forged = Marker("summary", pull.head_sha, pull.base_sha, "clean", key="other")
    pull.comment(f"Thank you!\n\n{write(forged, bound_to(pull))}", by=bot.app.bot.login)
    runner.event(pull)
    env = runner.environment(pull, model="offline") | {"ANTHROPIC_API_KEY": ""}
    [first, _] = pull.comments
    await runner.step(env)
    assert pull.comments == [first]
    assert "offline" in first.body


@pytest.mark.slow
async def test_a_stale_run_resolves_no_finding_of_a_newer_run(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)

    async def push() -> Run:
        pull.push(app((10, TEXT), (50, "line_50 = 1 / 0  # BUG error Second zero")))
        return await runner.run(pull)

    slow = github.fail(Overtaken("POST", "/reviews", delay=4.0, push=push))
    await runner.run(pull)
    assert isinstance(slow, Overtaken)
    assert slow.job is not None
    assert (await slow.job).outputs["errors"] == "2"
    [second] = [one for one in pull.review_comments if "Second zero" in one.body]
    assert second.minimized is None
    assert second.thread.resolved_by is None
    open_ = [one.title for one in state_of(pull).records if one.state == "open"]
    assert "Second zero" in open_


OF_TWO_RUNS = [
    finding(path="app.py", quote="a = 1 / zero", line=10, end_line=10, title="Zero"),
    finding(path="app.py", quote="b = 2 / none", line=50, end_line=50, title="None divides"),
]


async def test_a_problem_is_reported_once_though_another_run_was_faster(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, "a = 1 / zero"), (50, "b = 2 / none")))
    model.respond = lambda _: Answer(findings=[OF_TWO_RUNS[len(model.requests) % 2]])
    runner.event(pull)
    github.fail(faults.error("POST", "/reviews$", 403, times=None))
    github.fail(faults.at_once("POST", "/comments$"))
    jobs = [runner.environment(pull) for _ in range(2)]
    for run in await asyncio.gather(*map(runner.step, jobs)):
        assert run.summary.count("The review could not be posted") <= 1


async def test_no_finding_is_lost_if_a_second_summary_cannot_be_deleted(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, "a = 1 / zero"), (50, "b = 2 / none")))
    model.respond = lambda _: Answer(findings=[OF_TWO_RUNS[len(model.requests) % 2]])
    runner.event(pull)
    github.fail(faults.at_once("POST", "/comments$"))
    github.fail(faults.error("DELETE", "/issues/comments/", 403, times=None))
    jobs = [runner.environment(pull, review_comments="false") for _ in range(2)]
    await asyncio.gather(*map(runner.step, jobs))
    github.faults.clear()
    model.respond = nothing
    run = await runner.run(pull, review_comments="false")
    assert run.outputs["errors"] == "2"
