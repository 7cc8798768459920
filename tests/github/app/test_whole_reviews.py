"""Whole reviews by the App, from the webhook to the comments on the pull request."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from reviewbot.github.app import poller
from reviewbot.github.app.bot import PATIENCE_S
from reviewbot.github.client.rate_limit import Pace
from reviewbot.store.keys import Limits
from tests.fake_anthropic import FakeAnthropic
from tests.fake_github import FakeGitHub, faults
from tests.github.action_runs import find_marked, hanging
from tests.github.app_runs import AppServer, app_server, lose_a_record
from tests.support.examples import PROFILE
from tests.support.github_stories import (
    BASE,
    ONE,
    TWO,
    check,
    conclusions,
    replies,
    summary_of,
    titles,
)
from tests.virtual_time import in_virtual_time


async def test_a_pull_request_that_is_opened_is_reviewed(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    await server.settle()
    assert titles(pull) == ["**error: Division by zero**", "**warning: None is returned**"]
    assert "1 error and 1 warning are open." in summary_of(pull)
    assert conclusions(pull) == ["failure"]


async def test_a_push_is_reviewed_alone_and_open_findings_stay_open(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await server.settle()
    pull.push(TWO)
    await server.settle()
    assert "BUG error" not in model.requests[-1].text
    assert titles(pull) == ["**error: Division by zero**", "**warning: None is returned**"]
    assert "Since the last review: 1 new and 1 still open" in summary_of(pull)
    assert conclusions(pull) == ["failure", "failure"]


async def test_a_push_during_a_review_supersedes_it(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    asked = hanging(model, then=find_marked)
    await server.deliver()
    await asked.wait()
    pull.push(TWO)
    await server.settle()
    assert sorted(conclusions(pull)) == ["cancelled", "failure"]
    assert titles(pull) == ["**error: Division by zero**", "**warning: None is returned**"]
    assert len(pull.comments) == 1


@pytest.mark.parametrize("ending", ["close", "to_draft"])
async def test_closing_a_pull_request_ends_its_review(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer, ending: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    asked = hanging(model, then=find_marked)
    await server.deliver()
    await asked.wait()
    getattr(pull, ending)()
    await server.settle()
    assert conclusions(pull) == ["cancelled"]
    assert pull.comments == []
    if ending == "close":
        pull.reopen()
    else:
        pull.ready()
    await server.settle()
    assert titles(pull) == ["**error: Division by zero**"]
    assert conclusions(pull) == ["cancelled", "failure"]


async def test_a_draft_is_reviewed_only_when_somebody_asks_for_it(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, draft=True)
    await server.settle()
    assert conclusions(pull) == []
    pull.comment("/review", by="octo")
    await server.settle()
    assert titles(pull) == ["**error: Division by zero**"]


async def test_a_head_that_comes_back_is_reviewed(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    first = pull.head_sha
    asked = hanging(model)
    await server.deliver()
    await asked.wait()
    asked.clear()
    pull.push(TWO)
    await server.deliver()
    await asked.wait()
    model.respond = find_marked
    pull.head_repo.move(pull.head_ref, first, by="octocat")  # type: ignore[union-attr]
    await server.settle()
    assert conclusions(pull).count("cancelled") == 2
    assert titles(pull) == ["**error: Division by zero**"]
    assert len(conclusions(pull)) == 3


async def test_a_delivery_that_comes_again_does_nothing(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    [delivery] = [one for one in github.postman.waiting if one.event == "pull_request"]
    await server.settle()
    await server.take(delivery)
    await server.take(replace(delivery, guid="another-id"))
    await server.settle()
    assert len(model.requests) == 1
    assert len(pull.repo.check_runs) == 1


async def test_a_fork_is_reviewed_like_any_other(github: FakeGitHub, server: AppServer) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, fork="mona", by="mona")
    await server.settle()
    assert titles(pull) == ["**error: Division by zero**"]
    assert conclusions(pull) == ["failure"]


async def test_the_buttons_of_a_check_run_have_it_reviewed_again(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await server.settle()
    [run] = pull.repo.check_runs.values()
    assert [action["identifier"] for action in run.actions] == ["review", "review-full"]
    for button, asked in (("review", 1), ("review-full", 2)):
        delivery = github.delivery(
            "check_run", "requested_action", run=run, requested_action=button
        )
        await server.take(delivery)
        await server.settle()
        assert len(model.requests) == asked
    assert len(pull.repo.check_runs) == 3
    assert titles(pull) == ["**error: Division by zero**"]


async def test_a_check_suite_that_is_asked_for_again_is_reviewed_again(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await server.settle()
    [run] = pull.repo.check_runs.values()
    delivery = github.delivery("check_suite", "rerequested", suite=run.suite)
    await server.take(delivery)
    await server.settle()
    assert len(pull.repo.check_runs) == 2


async def test_a_check_suite_of_a_fork_is_reviewed_again(
    github: FakeGitHub, server: AppServer
) -> None:
    """GitHub names no pull request of a fork: our own check runs do."""
    pull = github.pull(base=BASE, head=BASE | ONE, fork="mona", by="mona")
    await server.settle()
    [run] = pull.repo.check_runs.values()
    delivery = github.delivery("check_suite", "rerequested", suite=run.suite)
    assert delivery.payload["check_suite"]["pull_requests"] == []
    await server.take(delivery)
    await server.settle()
    assert len(pull.repo.check_runs) == 2


async def test_an_installation_that_is_gone_has_its_reviews_ended(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    asked = hanging(model)
    await server.deliver()
    await asked.wait()
    installation = github.world.installation_of(pull.repo, github.app)
    delivery = github.delivery("installation", "suspend", installation=installation)
    await server.take(delivery)
    await server.settle()
    assert conclusions(pull) == ["cancelled"]


async def test_commands_are_answered_once_and_acknowledged_at_once(
    github: FakeGitHub, server: AppServer
) -> None:
    github.rules.documented_reactions = False
    pull = github.pull(base=BASE, head=BASE | ONE)
    await server.settle()
    for text, answer in (
        ("/help", "Commands, at the beginning of a line:"),
        ("/config", "| Setting | Value | From |"),
        ("/reviwe", "`/reviwe` is not a command of reviewbot. Was it `/review`? `/help` lists"),
        ("/review stop", "No review is under way."),
        ("/ignore", "Write it as an answer to one of the comments"),
    ):
        comment = pull.comment(text, by="octo")
        await server.settle()
        assert replies(pull)[-1].startswith(answer)
        if text != "/reviwe":
            assert [one.content for one in comment.reactions] == ["eyes"]
    assert len(replies(pull)) == 5


async def test_each_unknown_command_is_answered_once_on_a_pull_request(
    github: FakeGitHub, server: AppServer
) -> None:
    """It may be another bot's, whose users do not want to be told of us each time."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    await server.settle()
    for text in ("/lgtm", "/frobnicate", "/frobnicate\nplease", "@reviewbot summarize"):
        pull.comment(text, by="octo")
        await server.settle()
    assert replies(pull) == [
        "`/frobnicate` is not a command of reviewbot. `/help` lists them all.",
        "`/summarize` is not a command of reviewbot. `/help` lists them all.",
    ]


async def test_config_says_what_applies_and_where_it_comes_from(
    github: FakeGitHub, server: AppServer
) -> None:
    base = BASE | {".reviewbot.yml": "summary: false\nmodel: gold\nexclude: ['docs/**']\n"}
    pull = github.pull(base=base, head=base | ONE)
    await server.settle()
    pull.comment("/config", by="octo")
    await server.settle()
    [answer] = replies(pull)
    assert "| `exclude` | `docs/**` | .reviewbot.yml of main |" in answer
    assert "| `model` | `claude-sonnet-5-5` | the server" in answer
    assert "Ignored in the repository's file, because the server sets it: model." in answer


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    "text", ["/review full", "/help", "/ignore", "/reviwe", "/frobnicate", "/review stop"]
)
async def test_strangers_command_nothing_and_get_no_answer(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer, text: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await server.settle()
    pull.comment(text, by="mallory")
    pull.reply(pull.review_comments[0], text, by="mallory")
    await server.settle()
    assert replies(pull) == []
    assert len(model.requests) == 1
    assert len(pull.repo.check_runs) == 1


async def test_a_review_of_everything_can_be_asked_for(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await server.settle()
    pull.comment("/review", by="octo")
    await server.settle()
    assert len(model.requests) == 1
    pull.comment("@reviewbot review full please", by="octo")
    await server.settle()
    assert len(model.requests) == 2
    assert titles(pull) == ["**error: Division by zero**"]


async def test_a_running_review_can_be_stopped(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    asked = hanging(model)
    await server.deliver()
    await asked.wait()
    pull.comment("/review stop", by="octo")
    await server.settle()
    assert replies(pull) == ["Stopped 1 review."]
    assert conclusions(pull) == ["cancelled"]


async def test_a_slip_in_the_id_of_what_is_to_be_ignored_is_told(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await server.settle()
    pull.comment("/ignore 00000000000000aa", by="octo")
    await server.settle()
    assert replies(pull) == [
        "No finding here has the id `00000000000000aa`. If a later review reports it, it is"
        " ignored."
    ]
    assert conclusions(pull) == ["failure"]


async def test_what_is_ignored_turns_the_check_green_at_once(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await server.settle()
    pull.reply(pull.review_comments[0], "/ignore it is a test", by="octo")
    await server.settle()
    assert "is ignored from now on" in replies(pull)[0]
    assert conclusions(pull)[-1] == "success"
    assert len(model.requests) == 1


async def test_an_invalid_configuration_of_the_base_has_rules_alone_review(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    wrong = {".reviewbot.yml": "if_incomplete: neutral\nexclude: ['*.js']\nsumary: false\n"}
    code = {"new.js": "if (x == NaN) {\n  go();\n}\n"}
    pull = github.pull(base=BASE | wrong, head=BASE | wrong | ONE | code)
    await server.settle()
    line = ".reviewbot.yml of main:3: sumary: is not a setting; did you mean summary?"
    [run] = pull.repo.check_runs.values()
    assert run.conclusion == "failure"
    assert line in (run.summary or "")
    assert summary_of(pull).startswith("**Reviewed by rules and linters only. Incomplete: ")
    assert line in summary_of(pull)
    assert titles(pull) == []
    assert model.requests == []
    pull.rebase({".reviewbot.yml": "summary: false\n"})
    await server.settle()
    assert len(titles(pull)) == 2  # those that were listed, too
    assert conclusions(pull)[-1] == "failure"


async def test_a_mistake_in_a_change_of_the_configuration_is_posted_on_its_line(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | {".reviewbot.yml": "summary: false\njobs: many\n"})
    await server.settle()
    assert titles(pull) == ["**error: Invalid setting: jobs**"]
    assert pull.review_comments[0].thread.anchor.line == 2
    pull.push({".reviewbot.yml": "summary: false\njobs: 3\n"})
    await server.settle()
    assert conclusions(pull) == ["failure", "success"]


async def test_a_crash_between_a_write_and_its_record_posts_nothing_twice(
    github: FakeGitHub, server: AppServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = lose_a_record(monkeypatch)
    pull = github.pull(base=BASE, head=BASE | TWO)
    await server.settle()
    assert lost
    assert len(pull.reviews) == 1
    assert len(pull.comments) == 1
    assert conclusions(pull) == ["failure"]
    [run] = pull.repo.check_runs.values()
    assert run.annotations == []  # each finding has its comment


async def test_an_installation_that_has_used_up_its_day_is_told_so_and_costs_nothing(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    github.install(github.repository("octo/hello", BASE))
    async with app_server(github, model, tmp_path, limits=Limits(usd_per_day=0.001)) as server:
        pull = github.pull(base=BASE, head=BASE | ONE)
        await server.settle()
        pull.comment("/review", by="octo")
        await server.settle()
    used_up = "the day's budget has no room for this review: $0.00 of $0.00 are used"
    [check] = pull.repo.check_runs.values()
    assert check.conclusion == "failure"
    assert f"Not reviewed: {used_up}" in (check.summary or "")
    assert [used_up in told for told in replies(pull)] == [True]
    assert not model.requests


async def test_github_being_away_for_a_while_loses_nothing(
    github: FakeGitHub, server: AppServer
) -> None:
    github.fail(
        faults.error("GET", "/pulls/1$", 404, times=1),
        faults.error("POST", "/check-runs$", 500, times=1),
        faults.error("POST", "/reviews$", 502, times=1),
        faults.error("GET", "/comments$", 404, times=1),
    )
    pull = github.pull(base=BASE, head=BASE | TWO)
    await server.settle()
    assert len(titles(pull)) == 2
    assert conclusions(pull) == ["failure"]
    assert len(pull.reviews) == 1


@pytest.mark.slow
@in_virtual_time
async def test_many_pull_requests_at_once_on_one_installation_all_come_to_their_end() -> None:
    number = 100 if PROFILE == "nightly" else 20
    async with FakeGitHub() as github, FakeAnthropic() as model:
        model.respond = find_marked
        repository = github.repository("octo/hello", BASE)
        github.install(repository)
        pace = Pace(patience_s=PATIENCE_S)  # the App's own
        # It takes an hour, in which each look at the database takes real time.
        with tempfile.TemporaryDirectory() as folder, patch.object(poller, "POLL_S", 30.0):
            async with app_server(github, model, Path(folder), pace=pace) as server:
                pulls = [
                    repository.open_pull(BASE | TWO, whole=True, branch=f"b{one}")
                    for one in range(number)
                ]
                server.look_every_s = 30.0
                await server.settle()
        assert all(len(titles(pull)) == 2 for pull in pulls)
        assert all(len(pull.comments) == 1 for pull in pulls)
        assert conclusions(pulls[0]) == ["failure"] * number
        assert not [one for one in github.requests if one.status in (403, 422, 429)]
        check(github)
