"""Jobs at once on one pull request post each finding once."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from tests.fake_anthropic import Answer, FakeAnthropic
from tests.fake_github import FakeGitHub, Fault, PullRequest, faults
from tests.github.action_runs import Run, Runner, find_marked
from tests.support.github_states import state_of
from tests.support.github_stories import BASE, ONE, TWO, Overtaken, app, bug, titles

if TYPE_CHECKING:
    from tests.fake_anthropic import Recorded


async def test_two_jobs_at_once_post_each_finding_once(github: FakeGitHub, runner: Runner) -> None:
    """The workflow for pushes and the one for comments are in groups of their own."""
    pull = github.pull(base=BASE, head=BASE | TWO)
    runner.event(pull)
    first, second = runner.environment(pull), runner.environment(pull)
    await asyncio.gather(runner.step(first), runner.step(second))
    assert sorted(titles(pull)) == ["**error: Division by zero**", "**warning: None is returned**"]
    assert len([one for one in pull.comments if "kind=summary" in one.body]) == 1


async def two_at_once(
    github: FakeGitHub, runner: Runner, pull: PullRequest, **inputs: str
) -> list[Run]:
    """Two jobs, each of which has looked at what is there before the other posts."""
    runner.event(pull)
    github.fail(faults.at_once("POST", "/reviews"))
    jobs = [runner.environment(pull, **inputs) for _ in range(2)]
    return await asyncio.gather(*map(runner.step, jobs))


@pytest.mark.parametrize("summary", ["true", "false"])
async def test_two_jobs_at_once_post_ten_comments_and_a_later_push_posts_none(
    github: FakeGitHub, runner: Runner, summary: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | app(*map(bug, range(1, 41))))
    await two_at_once(github, runner, pull, summary_comment=summary)
    first = titles(pull)
    assert len(set(first)) == len(first) == 10
    pull.push(app(*map(bug, range(1, 41)), (60, "line = 60")))
    run = await runner.run(pull, summary_comment=summary)
    assert titles(pull) == first
    assert run.outputs["findings"] == "40"


async def test_findings_of_only_the_later_of_two_jobs_are_in_the_state(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    def fewer(request: Recorded) -> Answer:
        found = find_marked(request).findings
        return Answer(findings=found if len(model.requests) > 1 else found[:35])

    pull = github.pull(base=BASE, head=BASE | app(*map(bug, range(1, 41))))
    model.respond = fewer
    await two_at_once(github, runner, pull)
    assert len(set(titles(pull))) == len(titles(pull)) == 10
    assert {f"Bug {n}" for n in range(1, 41)} <= {one.title for one in state_of(pull).records}


@pytest.mark.slow
async def test_two_jobs_of_one_name_post_each_finding_once(
    github: FakeGitHub, runner: Runner
) -> None:
    """Those of a matrix have the same run, attempt and job."""
    pull = github.pull(base=BASE, head=BASE | app(*map(bug, range(1, 34))))
    runner.event(pull)
    github.fail(faults.at_once("POST", "/reviews"))
    jobs = [runner.environment(pull) for _ in range(2)]
    jobs[1]["GITHUB_RUN_ID"] = jobs[0]["GITHUB_RUN_ID"]
    await asyncio.gather(*map(runner.step, jobs))
    await runner.run(pull)
    assert len(set(titles(pull))) == len(titles(pull)) == 10


@pytest.mark.parametrize("how", ["ignored", "resolved"])
async def test_a_duplicate_that_somebody_has_touched_is_not_deleted(
    github: FakeGitHub, runner: Runner, how: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    runner.event(pull)
    github.fail(
        faults.at_once("POST", "/reviews"),
        Fault("DELETE", "/pulls/comments/", 403, {"message": "No"}, times=None),
    )
    jobs = [runner.environment(pull) for _ in range(2)]
    await asyncio.gather(*map(runner.step, jobs))
    github.faults.clear()
    _, younger = pull.review_comments
    if how == "ignored":
        pull.reply(younger, "/ignore", by="octo")
    else:
        pull.resolve(younger.thread, by="octo")
    for full in ("false", "true"):
        run = await runner.run(pull, full=full)
        assert run.outputs["errors"] == "0"
    assert younger in pull.review_comments
    pull.review_comments[0].deleted = True  # nothing else may be there twice
    pull.threads.remove(pull.threads[0])


async def test_a_second_summary_that_could_not_be_deleted_is_at_the_next_push(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    runner.event(pull)
    github.fail(
        faults.at_once("POST", "/issues/1/comments"),
        Fault("DELETE", "/issues/comments/", 403, {"message": "No"}, times=None),
    )
    jobs = [runner.environment(pull) for _ in range(2)]
    await asyncio.gather(*map(runner.step, jobs))
    assert len(pull.comments) == 2
    github.faults.clear()
    await runner.run(pull)
    assert len(pull.comments) == 1


async def test_two_jobs_at_once_lead_to_the_review_that_has_the_comments(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    runner.event(pull)
    github.fail(faults.at_once("POST", "/reviews"))
    jobs = [runner.environment(pull) for _ in range(2)]
    runs = [*await asyncio.gather(*map(runner.step, jobs)), await runner.run(pull)]
    [filled] = [one for one in pull.reviews if one.comments]
    links = {run.outputs["review-url"].rpartition("#")[2] for run in runs}
    assert links == {f"pullrequestreview-{filled.id}"}


@pytest.mark.parametrize("whose", ["another workflow's", "a person's"])
async def test_a_comment_that_somebody_has_copied_is_left_alone(
    github: FakeGitHub, runner: Runner, whose: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    if whose == "a person's":
        runner.token = github.world.personal_token("octo")
    await runner.run(pull)
    [ours] = pull.review_comments
    text = ours.body
    if whose == "another workflow's":
        text = re.sub(r" sig=\w{64}", "", text)
    pull.review_comment("app.py", 11, f"From elsewhere:\n\n{text}", by=ours.user.login)
    await runner.run(pull)
    assert len(pull.review_comments) == 2
    pull.threads.pop()  # nothing else may be there twice


@pytest.mark.parametrize("summary", ["true", "false"])
async def test_duplicates_of_two_jobs_at_once_are_removed(
    github: FakeGitHub, runner: Runner, summary: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    runner.event(pull)
    jobs = [runner.environment(pull, summary_comment=summary) for _ in range(2)]
    await asyncio.gather(*map(runner.step, jobs))
    await runner.run(pull, summary_comment=summary)
    assert sorted(titles(pull)) == ["**error: Division by zero**", "**warning: None is returned**"]


@pytest.mark.slow
async def test_jobs_at_two_heads_at_once_leave_one_comment_on_a_line(
    github: FakeGitHub, runner: Runner
) -> None:
    """A workflow without a concurrency group: the older job posts after the newer one."""
    pull = github.pull(base=BASE, head=BASE | ONE)

    async def push() -> Run:
        pull.push({"app.py": f"# head\n{ONE['app.py']}"})
        return await runner.run(pull)

    slow = github.fail(Overtaken("POST", "/reviews", delay=4.0, push=push))
    await runner.run(pull)
    assert isinstance(slow, Overtaken)
    assert slow.job is not None
    assert (await slow.job).outputs["errors"] == "1"
    for _ in range(2):
        run = await runner.run(pull)
        assert run.outputs["errors"] == "1"
        assert len(titles(pull)) == 1
