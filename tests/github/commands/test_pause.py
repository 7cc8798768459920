"""``/pause`` stops the reviews of pushes, and ``/resume`` starts them again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from reviewbot.github import markers
from reviewbot.github.state.block import MOST_CHARACTERS, Pause, pack
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
    from tests.github.action_runs import Run, Runner
    from tests.github.app_runs import AppServer
NO_KEY: Final = {"REVIEWBOT_ACTION_MODEL": "offline", "ANTHROPIC_API_KEY": ""}


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


@pytest.mark.slow
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


async def test_a_job_pauses_and_resumes(github: FakeGitHub, runner: Runner) -> None:
    rule = app((10, "line_10 = eval(line_9)"))
    pull = github.pull(base=BASE, head=BASE | rule)
    await job(runner, pull, pull.comment("/pause", by="octo"))
    assert state_of(pull).pause
    runner.event(pull)
    run = await runner.step(runner.environment(pull))
    assert (run.code, run.outputs["outcome"]) == (0, "skipped")
    assert "octo paused the reviews of this pull request" in run.summary
    assert newest_check(pull)[0] == "neutral"
    done = await job(runner, pull, pull.comment("/resume", by="octo"))
    assert done.outputs["outcome"] != "skipped"
    assert state_of(pull).pause is None


async def push_job(runner: Runner, pull: PullRequest, key: dict[str, str]) -> Run:
    """Run the job of a push."""
    runner.event(pull)
    return await runner.step(runner.environment(pull) | key)


def write_unsigned_pause(pull: PullRequest) -> None:
    """Put a pause into the summary comment, as any workflow of the repository can."""
    [summary] = [one for one in pull.comments if "kind=summary" in one.body]
    bound = f"{pull.repo.id}#{pull.number}"
    marker = markers.shape(summary.body, bound)
    assert marker
    state = pack(replace(state_of(pull), pause=Pause("octo", "2026-11-28T12:00:00Z")))
    written = markers.write(replace(marker, state=state), bound, ())
    summary.body = markers.replaced(summary.body, bound, written)
    assert state_of(pull).pause


@pytest.mark.parametrize("key", [{}, NO_KEY], ids=["with a key", "without a key"])
async def test_a_pause_in_an_unsigned_state_has_no_effect(
    github: FakeGitHub, runner: Runner, key: dict[str, str]
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await push_job(runner, pull, key)
    write_unsigned_pause(pull)
    pull.push(app((10, "line_10 = eval(line_9)")))
    run = await push_job(runner, pull, key)
    assert run.outputs["outcome"] == "findings"
    assert "paused" not in run.summary + summary_of(pull)
    assert state_of(pull).pause is None


async def test_a_job_without_a_key_answers_that_a_pause_has_no_effect(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await push_job(runner, pull, NO_KEY)
    before = summary_of(pull)
    for command, answer in (
        ("/pause", "Not paused: a pause "),
        ("/resume", "Not resumed: a pause "),
    ):
        await job(runner, pull, pull.comment(command, by="octo"), **NO_KEY)
        assert replies(pull)[-1].startswith(answer)
        assert "anthropic-api-key" in replies(pull)[-1]
    assert summary_of(pull) == before


async def test_a_job_without_a_key_neither_sees_nor_ends_a_signed_pause(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, "line_10 = eval(line_9)")))
    await job(runner, pull, pull.comment("/pause", by="octo"))
    await job(runner, pull, pull.comment("/resume", by="octo"), **NO_KEY)
    run = await push_job(runner, pull, {})
    assert run.outputs["outcome"] == "skipped"
    assert model.requests == []
    run = await push_job(runner, pull, NO_KEY)
    assert run.outputs["outcome"] == "findings"


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
