"""Runs that are repeated, and several steps of one job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fake_anthropic import Answer, FakeAnthropic
from tests.fake_github import FakeGitHub, faults
from tests.github.action_runs import Runner, find_marked
from tests.support.github_stories import BASE, ONE, TWO, titles

if TYPE_CHECKING:
    from tests.fake_anthropic import Recorded


async def test_a_second_attempt_of_a_run_has_each_annotation_once(
    github: FakeGitHub, runner: Runner
) -> None:
    base = BASE | {".reviewbot.yml": "max_inline: 0\n"}
    pull = github.pull(base=base, head=base | ONE)
    runner.event(pull)
    env = runner.environment(pull)
    await runner.step(env)
    await runner.step(env | {"GITHUB_RUN_ATTEMPT": "2"})
    for run in pull.repo.check_runs.values():
        assert [one["start_line"] for one in run.annotations] == [10]


async def test_a_second_attempt_shows_that_it_goes_on(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    runner.event(pull)
    env = runner.environment(pull, full="true")
    await runner.step(env)
    seen: list[str] = []

    def look(request: Recorded) -> Answer:
        seen.append(list(pull.repo.check_runs.values())[-1].status)
        return find_marked(request)

    model.respond = look
    await runner.step(env | {"GITHUB_RUN_ATTEMPT": "2"})
    assert seen == ["in_progress"]


async def test_two_steps_of_one_job_with_names_of_their_own_both_post(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    runner.event(pull)
    env = runner.environment(pull)
    await runner.step(env)
    await runner.step(
        env | {"REVIEWBOT_ACTION_CHECK_NAME": "again", "REVIEWBOT_ACTION_FULL": "true"}
    )
    assert len(pull.repo.check_runs) == 2


async def test_a_lost_answer_of_a_second_attempt_is_not_found_in_the_first(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    runner.event(pull)
    env = runner.environment(pull, full="true")

    def only_errors(request: Recorded) -> Answer:
        found = find_marked(request)
        return Answer(findings=[one for one in found.findings if one["severity"] == "error"])

    model.respond = only_errors
    await runner.step(env)
    model.respond = find_marked
    github.fail(faults.drop("POST", "/reviews"))  # nothing was written
    await runner.step(env | {"GITHUB_RUN_ATTEMPT": "2"})
    assert titles(pull) == ["**error: Division by zero**", "**warning: None is returned**"]
