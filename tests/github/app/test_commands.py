"""Commands in comments, processed by the App beside pushes and under limits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.fake_github import FakeGitHub, faults
from tests.github.action_runs import find_marked, hanging
from tests.github.app_runs import app_server
from tests.server.nodes import until
from tests.support.app_reviews import lost_and_late, settle
from tests.support.github_stories import BASE, ONE, TWO, app, conclusions, replies, titles

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import FakeAnthropic
    from tests.github.app_runs import AppServer


@pytest.mark.slow
async def test_a_stop_does_not_wait_behind_a_push_that_cannot_be_had(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    """A review runs, and costs; the push after it is tried for an hour and three quarters."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    asked = hanging(model)
    await server.deliver()
    await asked.wait()
    denied = faults.error("GET", "/contents/", 403, times=None)
    github.fail(denied)
    pull.push(TWO)
    await server.deliver()
    await until(lambda: bool(denied.hit))
    pull.comment("/review stop", by="octo")
    await server.deliver()
    await until(lambda: len(denied.hit) >= 4)  # three more tries
    answered = replies(pull)
    github.faults.clear()
    model.respond = find_marked  # the push is reviewed in the end: it was not what ran
    await settle(server)
    assert answered == ["Stopped 1 review."]


@pytest.mark.slow
async def test_a_rate_limited_installation_delays_no_other(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    """Together they have more to do than a node does at once."""
    limited = [github.repository(f"busy{number}/app", BASE) for number in range(9)]
    quiet = github.repository("octo/quiet", BASE)
    for repository in (*limited, quiet):
        github.install(repository)
    github.fail(faults.secondary("*", "^/repos/busy", status=429, retry_after=600, times=10**9))
    async with app_server(github, model, tmp_path, pace=None) as server:
        waiting = [
            repository.open_pull(BASE | ONE, whole=True, branch=f"b{number}")
            for repository in limited
            for number in range(4)
        ]
        await server.deliver()
        await asyncio.sleep(1)  # they are at work
        pull = quiet.open_pull(BASE | ONE, whole=True)
        await server.deliver()
        async with asyncio.timeout(60):
            while conclusions(pull) != ["failure"]:  # noqa: ASYNC110 - nothing here could set an event
                await asyncio.sleep(1)
        github.faults.clear()
        await asyncio.sleep(600)
        await settle(server, 600)
    assert all(titles(one) == ["**error: Division by zero**"] for one in (*waiting, pull))


@pytest.mark.real_time
async def test_a_command_is_acknowledged_while_a_push_is_processed(
    github: FakeGitHub, server: AppServer
) -> None:
    github.rules.documented_reactions = False
    slow = faults.slow("GET", "/compare/", 2.0, times=1)
    github.fail(slow)
    pull = github.pull(base=BASE, head=BASE | ONE)
    await server.deliver()
    await until(lambda: bool(slow.hit))
    comment = pull.comment("/help", by="octo")
    await server.deliver()
    await until(lambda: bool(comment.reactions))
    assert replies(pull) == []
    await settle(server)
    assert len(replies(pull)) == 1


@pytest.mark.slow
async def test_a_command_that_fails_is_still_answered(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    github.fail(faults.error("GET", "/compare/", 404, times=None))
    github.fail(faults.error("GET", "/pulls/1/files", 422, times=None))
    pull.comment("/review full", by="octo")
    pull.comment("/review full", by="mallory")
    await settle(server)
    [told] = replies(pull)
    assert told.startswith("This could not be done: GitHub refused it; the operator of reviewbot")


async def test_stop_is_answered_with_what_it_did_although_the_answer_fails_at_first(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    asked = hanging(model)
    await server.deliver()
    await asked.wait()
    github.fail(faults.error("POST", "/issues/1/comments", 500, times=2))
    pull.comment("/review stop", by="octo")
    await settle(server)
    assert replies(pull) == ["Stopped 1 review."]


async def test_an_ignore_command_that_is_confirmed_takes_effect(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    found = pull.review_comments[0].body.split("findings=")[1][:16]
    theirs = pull.review_comment("app.py", 12, "What of this?", by="octo")
    pull.reply(theirs, f"/ignore {found}", by="octo")
    await settle(server)
    confirmed = any("is ignored from now on" in one for one in replies(pull))
    assert confirmed == (conclusions(pull)[-1] == "success")


async def test_ignore_on_a_draft_starts_no_review(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, draft=True)
    await settle(server)
    pull.comment("/ignore 0123456789abcdef", by="octo")
    await settle(server)
    assert model.requests == []


@pytest.mark.slow
async def test_ten_reviews_asked_for_in_a_row_end_in_one_result(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    for _ in range(10):
        pull.comment("/review", by="octo")
    await settle(server)
    assert titles(pull) == ["**error: Division by zero**"]
    latest = max(pull.repo.check_runs.values(), key=lambda run: run.id)
    assert latest.conclusion == "failure"


@pytest.mark.parametrize("where", ["below", "thread"])
async def test_an_answer_whose_response_was_lost_is_given_once(
    github: FakeGitHub, server: AppServer, where: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await settle(server)
    path = "/issues/1/comments$" if where == "below" else "/pulls/1/comments"
    github.fail(*lost_and_late(path, b"[]", times=2))
    if where == "below":
        pull.comment("/help", by="octo")
    else:
        pull.reply(pull.review_comments[0], "/help", by="octo")
    await settle(server)
    assert len(replies(pull)) == 1


async def test_an_answer_that_github_forbids_delays_no_push(
    github: FakeGitHub, server: AppServer
) -> None:
    """The conversation is locked: GitHub refuses the answer, and will do so for hours."""
    pull = github.pull(base=BASE, head=BASE | app((10, "line_10 = 11")))
    await settle(server)
    pull.locked = True
    pull.repo.allow("hubot", "write")
    pull.comment("/help", by="hubot")
    pull.push(ONE)
    await server.deliver()
    for _ in range(100):
        await asyncio.sleep(0.05)
        if len(conclusions(pull)) > 1:
            break
    began = len(conclusions(pull))
    pull.locked = False
    await settle(server)
    assert began == 2


async def test_config_names_all_settings_of_the_file_that_are_heeded(
    github: FakeGitHub, server: AppServer
) -> None:
    base = BASE | {".reviewbot.yml": "summary: false\nlink_hosts: [example.com]\n"}
    pull = github.pull(base=base, head=base | ONE)
    await settle(server)
    pull.comment("/config", by="octo")
    await settle(server)
    assert "example.com" in replies(pull)[-1]
