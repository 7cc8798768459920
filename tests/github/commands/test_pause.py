"""``/pause`` stops the reviews of pushes, and ``/resume`` starts them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reviewbot.github.state.block import MOST_CHARACTERS
from reviewbot.github.state.prior import Prior
from tests.fake_anthropic import StatusError
from tests.github.action_runs import find_marked, hanging
from tests.server.nodes import until
from tests.support.app_reviews import settle
from tests.support.github_states import state_of
from tests.support.github_stories import (
    BASE,
    ONE,
    TWO,
    app,
    conclusions,
    ignore_first,
    job,
    replies,
    summary_of,
    titles,
)

if TYPE_CHECKING:
    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub, PullRequest
    from tests.github.action_runs import Runner
    from tests.github.app_runs import AppServer


pytestmark = pytest.mark.edge


def newest_check(pull: PullRequest) -> tuple[str | None, str]:
    run = max(pull.repo.check_runs.values(), key=lambda one: one.id)
    return run.conclusion, run.summary or ""


@pytest.mark.parametrize(
    ("head", "conclusion"), [(ONE, "failure"), (app((10, "line_10 = 11")), "neutral")]
)
async def test_a_push_to_a_paused_pull_request_is_not_reviewed_and_its_check_says_who_paused(
    github: FakeGitHub,
    model: FakeAnthropic,
    server: AppServer,
    head: dict[str, str],
    conclusion: str,
) -> None:
    pull = github.pull(base=BASE, head=BASE | head)
    await settle(server)
    pull.comment("/pause", by="octo")
    await settle(server)
    asked = len(model.requests)
    pull.push(app((30, "line_30 = 1  # BUG error Another")))
    await settle(server)
    assert len(model.requests) == asked
    assert state_of(pull).pause
    told, text = newest_check(pull)
    assert told == conclusion
    assert text.startswith("octo paused the reviews of this pull request on ")
    assert ("Still open: 1 finding at error or above." in text) == (conclusion == "failure")
    [answer] = replies(pull)
    assert "Pushes are not reviewed until `/resume`" in answer


async def test_a_dismissal_changes_the_check_of_a_paused_pull_request(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    pull.comment("/pause", by="octo")
    pull.push(TWO)
    await settle(server)
    asked = len(model.requests)
    assert newest_check(pull)[0] == "failure"
    pull.reply(pull.review_comments[0], "/ignore", by="octo")
    await settle(server)
    assert newest_check(pull)[0] == "neutral"
    assert len(model.requests) == asked


async def test_a_dismissal_hides_no_incomplete_review_of_the_same_commit(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    await settle(server)
    pull.push({"b.py": "b = 1\n"})
    model.respond = lambda _: StatusError(401)
    await settle(server)
    pull.comment("/pause", by="octo")
    for comment in pull.review_comments[:2]:
        pull.reply(comment, "/ignore", by="octo")
    await settle(server)
    told, text = newest_check(pull)
    assert told == "failure"
    assert text.endswith("The last review of this commit is incomplete.")


async def test_the_check_of_a_reviewed_commit_does_not_call_it_not_reviewed(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | {"b.py": "b = 1\n"})
    await settle(server)
    pull.comment("/pause", by="octo")
    await settle(server)
    pull.close()
    pull.reopen()
    await settle(server)
    told, text = newest_check(pull)
    assert told == "neutral"
    assert text.endswith("This commit was reviewed before.")


async def test_a_review_that_is_requested_while_paused_is_made_once(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    pull.comment("/pause", by="octo")
    pull.push(TWO)
    await settle(server)
    assert len(titles(pull)) == 1
    pull.comment("/review", by="octo")
    await settle(server)
    assert titles(pull)[1:] == ["**warning: None is returned**"]
    assert "octo paused the reviews of this pull request" in summary_of(pull)
    pull.push(app((30, "line_30 = 1  # BUG error Another")))
    await settle(server)
    assert len(titles(pull)) == 2


async def test_resume_reviews_what_is_new_and_every_push_after_it(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    pull.comment("/pause", by="octo")
    pull.push(TWO)
    await settle(server)
    pull.comment("/resume", by="octo")
    await settle(server)
    assert titles(pull)[1:] == ["**warning: None is returned**"]
    assert state_of(pull).pause is None
    assert "paused" not in summary_of(pull)
    assert conclusions(pull)[-1] == "failure"
    assert replies(pull)[-1] == "Pushes are reviewed again."
    pull.push(app((30, "line_30 = 1  # BUG error Another")))
    await settle(server)
    assert len(titles(pull)) == 3


async def test_a_pause_before_the_first_review_lasts_and_the_first_review_reads_everything(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, draft=True)
    pull.comment("/pause", by="octo")
    await settle(server)
    pull.ready()
    await settle(server)
    assert model.requests == []
    assert newest_check(pull)[0] == "neutral"
    pull.comment("/resume", by="octo")
    await settle(server)
    assert titles(pull) == ["**error: Division by zero**"]
    assert "Everything is reviewed again" not in summary_of(pull)
    assert "Since the last review" not in summary_of(pull)


async def test_a_review_that_runs_during_the_pause_keeps_it(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    asked = hanging(model)
    await server.deliver()
    await asked.wait()
    pull.comment("/pause", by="octo")
    await server.deliver()
    await until(lambda: bool(replies(pull)))
    model.respond = find_marked
    pull.comment("/review full", by="octo")
    await settle(server)
    assert titles(pull) == ["**error: Division by zero**"]
    assert state_of(pull).pause


async def test_strangers_neither_pause_nor_resume(github: FakeGitHub, server: AppServer) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    pull.comment("/pause", by="mallory")
    await settle(server)
    assert state_of(pull).pause is None
    pull.comment("/pause", by="octo")
    pull.comment("/resume", by="mallory")
    await settle(server)
    pause = state_of(pull).pause
    assert pause
    assert pause.by == "octo"


async def test_the_first_pause_stays(github: FakeGitHub, server: AppServer) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    pull.repo.allow("hubot", "write")
    await settle(server)
    pull.comment("/pause", by="octo")
    await settle(server)
    pull.comment("/pause", by="hubot")
    await settle(server)
    assert [one.split(" ", 1)[0] for one in replies(pull)] == ["octo", "octo"]


# --- In the Action


@pytest.mark.parametrize(
    "key", [{}, {"REVIEWBOT_ACTION_MODEL": "offline", "ANTHROPIC_API_KEY": ""}]
)
async def test_a_job_pauses_and_resumes_with_and_without_a_key(
    github: FakeGitHub, runner: Runner, key: dict[str, str]
) -> None:
    rule = app((10, "line_10 = eval(line_9)"))
    pull = github.pull(base=BASE, head=BASE | rule)
    await job(runner, pull, pull.comment("/pause", by="octo"), **key)
    assert state_of(pull).pause
    env = runner.environment(pull) | key
    runner.event(pull)
    run = await runner.step(env)
    assert (run.code, run.outputs["outcome"]) == (0, "skipped")
    assert "octo paused the reviews of this pull request" in run.summary
    assert newest_check(pull)[0] == "neutral"
    done = await job(runner, pull, pull.comment("/resume", by="octo"), **key)
    assert done.outputs["outcome"] != "skipped"
    assert state_of(pull).pause is None


async def test_a_paused_job_fails_while_an_open_finding_reaches_fail_on(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, fail_on="error")
    await job(runner, pull, pull.comment("/pause", by="octo"))
    asked = len(model.requests)
    pull.push(TWO)
    run = await runner.run(pull, fail_on="error")
    assert (run.code, run.outputs["outcome"]) == (1, "skipped")
    assert newest_check(pull)[0] == "failure"
    lax = await runner.run(pull, fail_on="never")
    assert lax.code == 0
    checks = len(pull.repo.check_runs)
    unseen = await runner.run(pull, fail_on="error", check_run="false")
    assert unseen.code == 1
    assert len(pull.repo.check_runs) == checks
    assert len(model.requests) == asked


async def test_a_dismissal_in_a_paused_job_gets_one_answer(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    await job(runner, pull, pull.comment("/pause", by="octo"))
    done = await job(runner, pull, ignore_first(pull))
    assert done.outputs["outcome"] == "skipped"
    assert newest_check(pull)[0] == "neutral"
    assert len(replies(pull)) == 2


async def test_a_state_without_room_for_a_pause_is_not_changed(
    github: FakeGitHub, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    before = summary_of(pull)
    monkeypatch.setattr("reviewbot.github.state.block.MOST_CHARACTERS", 10)
    assert MOST_CHARACTERS > 10
    await job(runner, pull, pull.comment("/pause", by="octo"))
    assert replies(pull) == ["Not paused: the state of this pull request has no room for a pause."]
    assert summary_of(pull) == before


def test_without_a_state_nothing_is_paused() -> None:
    assert Prior().pause is None
    assert Prior().is_first
