"""``/ask`` and a mention: one answer to a question about a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.action.command import NotAnsweredError
from reviewbot.github.client.errors import BlockedError
from reviewbot.github.commands.explain import NO_QUESTION
from reviewbot.pipeline.explain import OFFLINE_CANNOT
from reviewbot.store.keys import Limits
from tests.fake_anthropic import Answer, FakeAnthropic, StatusError
from tests.fake_github import FakeGitHub, faults
from tests.github.action_runs import CONFIG, find_marked
from tests.github.app_runs import app_server
from tests.support.app_reviews import lost_and_late, settle
from tests.support.github_stories import BASE, ONE, conclusions, job, replies

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import Recorded, Reply
    from tests.fake_github import PullRequest
    from tests.github.action_runs import Runner
    from tests.github.app_runs import AppServer

ANSWER = "`line_10` is read nowhere in the lines shown."
SECRET = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
OTHER = {"docs/notes.md": "Some notes.\n", "yarn.lock": "a 1\n"}


def answering(reply: Reply) -> Any:
    """A model that finds marked lines, and says ``reply`` to questions."""

    def respond(request: Recorded) -> Reply:
        asks = request.system.startswith("You answer a question")
        return reply if asks else find_marked(request)

    return respond


def questions(model: FakeAnthropic) -> list[Recorded]:
    return [one for one in model.requests if one.system.startswith("You answer a question")]


@pytest.fixture
def pull(github: FakeGitHub, model: FakeAnthropic) -> PullRequest:
    model.respond = answering(Answer(call=False, preamble=ANSWER))
    return github.pull(base=BASE, head=BASE | ONE | OTHER, title="Divide", body="It is fine.")


@pytest.mark.parametrize("text", ["/ask Who reads it?", "@reviewbot Who reads it?"])
async def test_a_question_gets_one_answer_below_the_pull_request(
    model: FakeAnthropic, server: AppServer, pull: PullRequest, text: str
) -> None:
    await settle(server)
    pull.comment("I wonder about line 10.", by="mallory")
    pull.comment(text, by="octo")
    await settle(server)
    assert replies(pull) == [f"{ANSWER}\n\nAnswered by `claude-sonnet-5-5`."]
    [asked] = questions(model)
    assert asked.system.startswith("You answer a question about a pull request")
    assert 'text: "Who reads it?"' in asked.text
    assert 'title: "Divide"\ndescription: "It is fine."' in asked.text
    assert 'a person: "I wonder about line 10."' in asked.text
    assert "line_10 = 1 / 0" in asked.text
    assert '"yarn.lock" added +1 -0, not shown' in asked.text
    assert len(conclusions(pull)) == 1


async def test_a_question_in_a_thread_is_answered_there(
    model: FakeAnthropic, server: AppServer, pull: PullRequest
) -> None:
    await settle(server)
    theirs = pull.review_comment("app.py", 12, "What of this line?", by="mallory")
    pull.reply(theirs, "/ask Is she right?", by="octo")
    pull.reply(pull.review_comments[0], "/ask Is it sure?", by="octo")
    await settle(server)
    answers = [one.in_reply_to for one in pull.review_comments if "kind=reply" in one.body]
    assert {id(one) for one in answers} == {id(theirs), id(pull.review_comments[0])}
    about_pull, about_finding = sorted(questions(model), key=lambda one: one.system)
    assert about_finding.system.startswith("You answer a question about one finding")
    assert 'in a thread at: "app.py:12"' in about_pull.text
    assert 'a person: "What of this line?"' in about_pull.text


@pytest.mark.parametrize("where", ["lost", "redelivered"])
async def test_a_question_is_never_answered_twice(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer, pull: PullRequest, where: str
) -> None:
    await settle(server)
    if where == "lost":
        github.fail(*lost_and_late("/issues/1/comments$", b"[]", times=2))
    pull.comment("/ask Who reads it?", by="octo")
    waiting = [*github.postman.waiting]
    await settle(server)
    if where == "redelivered":
        github.postman.waiting += waiting
        await settle(server)
    assert len(replies(pull)) == 1
    assert len(questions(model)) == 1


async def test_strangers_and_bots_ask_nothing(
    model: FakeAnthropic, server: AppServer, pull: PullRequest
) -> None:
    pull.repo.allow("triager", "triage")
    await settle(server)
    for login in ("mallory", "triager", "octocat"):
        pull.comment("/ask Who reads it?", by=login)
        pull.comment("@reviewbot Who reads it?", by=login)
    await settle(server)
    [told] = replies(pull)  # octocat is the author, who is told so once
    assert told.startswith("Only people who may write to this repository can use `/ask`.")
    assert questions(model) == []


async def test_the_answer_is_made_safe(
    model: FakeAnthropic, server: AppServer, pull: PullRequest
) -> None:
    said = f"Ask @octo/team: ![x](https://evil.example) [y](https://evil.example) {SECRET}"
    model.respond = answering(Answer(call=False, preamble=said))
    pull.comment(f"/ask Is {SECRET} valid?", by="octo")
    await settle(server)
    [answer] = replies(pull)
    for hostile in ("@octo/team:", "![", "(https://evil.example)", SECRET):
        assert hostile not in answer.replace("`@octo/team`", "")
    assert SECRET not in questions(model)[0].text


async def test_a_command_without_a_question_says_how_to_ask(
    model: FakeAnthropic, server: AppServer, pull: PullRequest
) -> None:
    pull.comment("/ask", by="octo")
    await settle(server)
    assert replies(pull) == [NO_QUESTION]
    assert questions(model) == []


async def test_a_change_without_lines_to_show_is_not_sent(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer, runner: Runner
) -> None:
    pull = github.pull(base=CONFIG, head=CONFIG | {"yarn.lock": "a 1\n"})
    pull.comment("/ask What is it?", by="octo")
    await settle(server)
    with pytest.raises(NotAnsweredError, match="no changed line"):
        await job(runner, pull, pull.comment("/ask What is it?", by="octo"))
    said = "Not answered: the pull request has no changed line that a model could read."
    assert replies(pull) == [said, said]
    assert questions(model) == []


async def test_the_daily_limit_of_an_installation_covers_questions(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    model.respond = answering(Answer(call=False, preamble=ANSWER))
    limits = Limits(tokens_per_day=10)
    pull = github.pull(base=BASE, head=BASE | ONE)
    github.install(pull.repo)
    async with app_server(github, model, tmp_path, limits=limits) as server:
        pull.comment("/ask Who reads it?", by="octo")
        await settle(server)
    [answer] = replies(pull)
    assert answer.startswith("This could not be done: ")
    assert model.requests == []


async def test_the_offline_rules_answer_nothing(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    github.install(pull.repo)
    async with app_server(github, model, tmp_path, REVIEWBOT_MODEL="offline") as server:
        pull.comment("/ask Who reads it?", by="octo")
        await settle(server)
    assert replies(pull) == [OFFLINE_CANNOT]


# --- In the Action


async def test_a_job_answers_a_question_once(
    model: FakeAnthropic, runner: Runner, pull: PullRequest
) -> None:
    comment = pull.comment("/ask Who reads it?", by="octo")
    for _ in range(2):
        run = await job(runner, pull, comment)
        assert (run.code, run.outputs["outcome"]) == (0, "skipped")
    assert replies(pull) == [f"{ANSWER}\n\nAnswered by `claude-sonnet-5-5`."]
    assert len(questions(model)) == 1


async def test_a_job_without_an_answer_says_so_and_fails(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, pull: PullRequest
) -> None:
    model.respond = answering(StatusError(401))
    comment = pull.comment("/ask Who reads it?", by="octo")
    with pytest.raises(NotAnsweredError):
        await job(runner, pull, comment)
    model.respond = answering(Answer(call=False, preamble=ANSWER))
    github.fail(faults.error_after("POST", "/issues/1/comments$", times=1))
    await job(runner, pull, comment)  # as if somebody ran the job again
    refused, answered = replies(pull)
    assert refused.startswith("Not answered: ")
    assert answered.startswith(ANSWER)


async def test_a_job_that_cannot_read_the_change_says_so(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, pull: PullRequest
) -> None:
    comment = pull.comment("/ask Who reads it?", by="octo")
    github.fail(faults.error("GET", "/pulls/1$", 451, times=None))
    with pytest.raises(BlockedError):
        await job(runner, pull, comment)
    assert replies(pull) == [
        "This could not be done: GitHub may not show this repository for legal reasons."
    ]
    assert questions(model) == []
