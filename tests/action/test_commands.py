"""Commands in comments, processed by a job of the Action, as a reader of the page sees it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.action.command import NotAnsweredError
from reviewbot.errors import EXIT_INCOMPLETE, EXIT_INTERRUPTED, ConfigError
from reviewbot.github.commands.answers import NO_FINDING
from reviewbot.models import explanation
from tests.fake_anthropic import Answer, FakeAnthropic, Hang, Script, StatusError
from tests.fake_github import FakeGitHub, PullRequest, faults
from tests.github.action_runs import WRITES, Runner, find_marked
from tests.support.github_stories import (
    BASE,
    ONE,
    conclusions,
    job,
    replies,
    summary_of,
    titles,
)

if TYPE_CHECKING:
    from tests.fake_anthropic import Recorded, Reply
    from tests.fake_github.comments import IssueComment, ReviewComment

ANSWER = "Line 10 divides by zero, whatever comes in."


@pytest.fixture
def pull(github: FakeGitHub) -> PullRequest:
    return github.pull(base=BASE, head=BASE | ONE)


def explaining(reply: Reply) -> Any:
    """A model that finds marked lines, and says ``reply`` to questions."""

    def respond(request: Recorded) -> Reply:
        asks = request.system.startswith("You answer a question")
        return reply if asks else find_marked(request)

    return respond


@pytest.mark.parametrize(
    ("text", "answer", "reaction"),
    [
        ("/help", "Commands, at the beginning of a line:", ["eyes"]),
        ("/config", "| Setting | Value | From |", ["eyes"]),
        ("/review stop", "No review is under way.", ["eyes"]),
        ("/explain", NO_FINDING, ["eyes"]),
        ("/ignore", "Write it as an answer to one of the comments", ["eyes"]),
        ("/reviwe", "`/reviwe` is not a command of reviewbot. Was it `/review`?", []),
        ("/frobnicate", "`/frobnicate` is not a command of reviewbot. `/help`", []),
    ],
)
async def test_a_command_is_acknowledged_and_answered_once(
    runner: Runner, pull: PullRequest, text: str, answer: str, reaction: list[str]
) -> None:
    comment = pull.comment(text, by="octo")
    for _ in range(2):  # as if the job had been run again
        run = await job(runner, pull, comment)
        assert (run.code, run.outputs["outcome"]) == (0, "skipped")
    [said] = replies(pull)
    assert said.startswith(answer)
    assert [one.content for one in comment.reactions] == reaction
    assert runner.model.requests == []
    assert pull.repo.check_runs == {}


@pytest.mark.sample(1)
@pytest.mark.parametrize("text", ["/review", "/help", "/explain", "/ignore", "/frobnicate"])
async def test_strangers_command_nothing_and_get_no_answer(
    model: FakeAnthropic, runner: Runner, pull: PullRequest, text: str
) -> None:
    await runner.run(pull)
    asked = len(model.requests)
    comments: list[IssueComment | ReviewComment] = [
        pull.comment(text, by="mallory"),
        pull.reply(pull.review_comments[0], text, by="mallory"),
    ]
    for comment in comments:
        run = await job(runner, pull, comment)
        assert run.outputs["outcome"] == "skipped"
        assert "mallory may not write to this repository" in run.summary
        assert comment.reactions == []
    assert replies(pull) == []
    assert len(model.requests) == asked


async def test_a_comment_without_a_command_asks_nobody(
    github: FakeGitHub, runner: Runner, pull: PullRequest
) -> None:
    await job(runner, pull, pull.comment("Nice work.", by="octo"))
    assert github.requests == []


async def test_a_review_that_is_asked_for_is_acknowledged_at_once(
    github: FakeGitHub, runner: Runner, pull: PullRequest
) -> None:
    comment = pull.comment("/review full", by="octo")
    run = await job(runner, pull, comment)
    assert run.outputs["outcome"] == "findings"
    assert [one.content for one in comment.reactions] == ["eyes"]
    writes = [one.key for one in github.requests if one.method != "GET"]
    assert "reactions" in writes[0]
    assert titles(pull) == ["**error: Division by zero**"]


async def test_a_command_runs_though_github_forbids_the_reaction(
    github: FakeGitHub, runner: Runner, pull: PullRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    runner.token = github.world.actions_token(pull.repo, {**WRITES, "issues": "read"})
    await job(runner, pull, pull.comment("/help", by="octo"))
    assert replies(pull)[0].startswith("Commands")
    assert "::notice" in (told := capsys.readouterr().out)
    assert "Could not react to the comment: " in told


async def test_config_says_what_applies_and_where_it_comes_from(
    github: FakeGitHub, runner: Runner
) -> None:
    config = {".github/bot.yml": "summary: false\nexclude: ['docs/**']\n"}
    pull = github.pull(base=BASE | config, head=BASE | config | ONE)
    env = {"REVIEWBOT_ACTION_MODEL": "claude-opus-5", "REVIEWBOT_ACTION_CONFIG": ".github/bot.yml"}
    await job(runner, pull, pull.comment("/config", by="octo"), **env)
    [answer] = replies(pull)
    assert "| `exclude` | `docs/**` | .github/bot.yml of main:2 |" in answer
    assert "| `model` | `claude-opus-5` | the input model |" in answer
    assert "| `fail_on` | `never` | the default |" in answer
    assert runner.model.key not in answer


async def test_a_configuration_that_is_wrong_is_told_in_one_sentence(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    asked = len(model.requests)
    pull.rebase({".reviewbot.yml": "confidence: much\n"})
    await job(runner, pull, pull.comment("/config", by="octo"))
    with pytest.raises(NotAnsweredError, match="confidence"):
        await job(runner, pull, pull.reply(pull.review_comments[0], "/explain", by="octo"))
    config, explain = replies(pull)
    assert config.startswith("The configuration cannot be used: .reviewbot.yml")
    assert explain.startswith("Not answered: .reviewbot.yml")
    assert len(model.requests) == asked


async def test_a_dismissal_is_answered_and_turns_the_check_green_at_once(
    model: FakeAnthropic, runner: Runner, pull: PullRequest
) -> None:
    await runner.run(pull, fail_on="error")
    asked = len(model.requests)
    comment = pull.reply(pull.review_comments[0], "/ignore it is a test", by="octo")
    run = await job(runner, pull, comment, REVIEWBOT_ACTION_FAIL_ON="error")
    assert (run.code, run.outputs["outcome"]) == (0, "clean")
    assert "is ignored from now on" in replies(pull)[0]
    assert conclusions(pull) == ["failure", "success"]
    assert "1 finding dismissed by octo" in summary_of(pull)
    assert len(model.requests) == asked


async def test_the_name_that_all_workflows_have_commands_nothing(
    runner: Runner, pull: PullRequest
) -> None:
    await runner.run(pull)
    comment = pull.reply(pull.review_comments[0], "@github-actions ignore", by="octo")
    skipped = await job(runner, pull, comment)
    assert skipped.outputs["outcome"] == "skipped"
    run = await runner.run(pull, full="true")
    assert run.outputs["errors"] == "1"


# --- /explain


async def test_a_finding_is_explained_in_its_thread_and_in_the_log(
    model: FakeAnthropic,
    runner: Runner,
    pull: PullRequest,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(explanation, "SHOWN_EVERY_S", 0.0)
    model.respond = explaining(Answer(call=False, preamble=ANSWER))
    await runner.run(pull)
    comment = pull.reply(pull.review_comments[0], "/explain Why?", by="octo")
    capsys.readouterr()
    for _ in range(2):
        run = await job(runner, pull, comment)
        assert (run.code, run.outputs["outcome"]) == (0, "skipped")
    assert replies(pull) == [f"{ANSWER}\n\nAnswered by `claude-sonnet-5-5`."]
    assert pull.review_comments[-1].in_reply_to is pull.review_comments[0]
    assert ANSWER in " ".join(capsys.readouterr().out.split())
    [asked] = [one for one in model.requests if "<question>" in one.text]
    assert '<question>\n"Why?"\n</question>' in asked.text
    assert "line_10 = 1 / 0" in asked.text
    assert [one.content for one in comment.reactions] == ["eyes"]
    assert len(pull.repo.check_runs) == 1


@pytest.mark.parametrize(
    "reply", [StatusError(401), Answer(call=False, preamble="No.", stop_reason="refusal")]
)
async def test_a_model_that_does_not_answer_is_told_and_fails_the_job(
    model: FakeAnthropic, runner: Runner, pull: PullRequest, reply: Reply
) -> None:
    model.respond = explaining(reply)
    await runner.run(pull)
    comment = pull.reply(pull.review_comments[0], "/explain", by="octo")
    with pytest.raises(NotAnsweredError, match="The question is not answered: ") as raised:
        await job(runner, pull, comment)
    assert raised.value.exit_code == EXIT_INCOMPLETE
    [answer] = replies(pull)
    assert answer.startswith("Not answered: ")
    assert "\n" not in answer


@pytest.mark.parametrize("env", [{"ANTHROPIC_API_KEY": ""}, {"REVIEWBOT_ACTION_MODEL": "offline"}])
async def test_without_a_model_it_is_said_what_it_takes(
    model: FakeAnthropic, runner: Runner, pull: PullRequest, env: dict[str, str]
) -> None:
    await runner.run(pull)
    asked = len(model.requests)
    comment = pull.reply(pull.review_comments[0], "/explain", by="octo")
    with pytest.raises(NotAnsweredError):
        await job(runner, pull, comment, **env)
    assert replies(pull) == [
        "Not answered: this needs a model, and the workflow that answers comments has none. Give"
        " it `anthropic-api-key`."
    ]
    assert len(model.requests) == asked


async def test_an_answer_that_github_took_and_did_not_confirm_is_not_posted_twice(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, pull: PullRequest
) -> None:
    model.respond = explaining(Answer(call=False, preamble=ANSWER))
    await runner.run(pull)
    github.fail(faults.error_after("POST", "/replies$", times=1))
    await job(runner, pull, pull.reply(pull.review_comments[0], "/explain", by="octo"))
    assert len(replies(pull)) == 1


async def test_a_job_that_is_cancelled_says_so_in_the_thread(
    model: FakeAnthropic, runner: Runner, pull: PullRequest
) -> None:
    await runner.run(pull)

    def cancel(_: Recorded) -> Reply:
        os.kill(os.getpid(), signal.SIGTERM)
        return Script([Hang()])

    model.respond = cancel
    run = await job(runner, pull, pull.reply(pull.review_comments[0], "/explain", by="octo"))
    assert run.code == EXIT_INTERRUPTED
    assert replies(pull) == ["Not answered: the question was cancelled."]


# --- /review stop


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        ("cancelled", "The review is stopped."),
        ("neutral", "No review is under way."),
        (None, "The review continues: its job is not in the concurrency group"),
    ],
)
async def test_stop_reports_what_became_of_the_review(
    runner: Runner, pull: PullRequest, ended: str | None, told: str
) -> None:
    """GitHub cancels the job that reviews when the one of the comment begins."""
    await runner.run(pull)
    [check_run] = pull.repo.check_runs.values()
    check_run.status, check_run.conclusion = "in_progress", None
    comment = pull.comment("/review stop", by="octo")

    async def end_its_check() -> None:
        await asyncio.sleep(5)
        if ended is not None:
            check_run.status, check_run.conclusion = "completed", ended

    ending = asyncio.create_task(end_its_check())
    await job(runner, pull, comment)
    await ending
    assert replies(pull)[0].startswith(told)
    check_run.status, check_run.conclusion = "completed", "neutral"  # for the fixture


async def test_a_stop_long_ago_is_not_taken_for_one_now(runner: Runner, pull: PullRequest) -> None:
    await runner.run(pull)
    [check_run] = pull.repo.check_runs.values()
    check_run.conclusion = "cancelled"
    await job(runner, pull, pull.comment("/review stop", by="octo"))
    assert replies(pull) == ["No review is under way; the last one was stopped."]


async def test_without_a_check_run_it_is_said_that_nothing_can_be_seen(
    runner: Runner, pull: PullRequest
) -> None:
    comment = pull.comment("/review stop", by="octo")
    await job(runner, pull, comment, REVIEWBOT_ACTION_CHECK_RUN="false")
    assert replies(pull)[0].startswith("GitHub cancels the running review, if there is one")


# --- What is wrong


async def test_why_there_is_no_review_is_answered(runner: Runner, pull: PullRequest) -> None:
    comment = pull.comment("/review", by="octo")
    for _ in range(2):
        with pytest.raises(ConfigError, match="no model is available"):
            await job(runner, pull, comment, ANTHROPIC_API_KEY="")
    pull.close()
    await job(runner, pull, pull.comment("/review full", by="octo"))
    no_key, closed = replies(pull)
    assert no_key.startswith("Nothing is reviewed: ANTHROPIC\\_API\\_KEY: no model is available")
    assert closed == "Nothing is reviewed: the pull request is closed."


async def test_a_job_that_is_run_again_explains_what_it_could_not_before(
    model: FakeAnthropic, runner: Runner, pull: PullRequest
) -> None:
    model.respond = explaining(StatusError(401))
    await runner.run(pull)
    comment = pull.reply(pull.review_comments[0], "/explain", by="octo")
    for _ in range(2):
        with pytest.raises(NotAnsweredError):
            await job(runner, pull, comment)
    model.respond = explaining(Answer(call=False, preamble=ANSWER))
    run = await job(runner, pull, comment)
    assert run.code == 0
    failed, answer = replies(pull)
    assert failed.startswith("Not answered: ")
    assert answer.startswith(ANSWER)


async def test_without_a_token_it_is_said_that_it_takes_one(
    runner: Runner, pull: PullRequest
) -> None:
    comment = pull.comment("/help", by="octo")
    with pytest.raises(ConfigError, match="is empty, and commands in comments need it"):
        await job(runner, pull, comment, GITHUB_TOKEN="")


async def test_a_comment_on_an_issue_starts_nothing(
    github: FakeGitHub, runner: Runner, pull: PullRequest
) -> None:
    runner.event(pull, "issue_comment", "created", comment=pull.comment("/help", by="octo"))
    path = runner.folder / "event.json"
    payload = json.loads(path.read_text())
    del payload["issue"]["pull_request"]
    path.write_text(json.dumps(payload))
    env = runner.environment(pull) | {"GITHUB_EVENT_NAME": "issue_comment"}
    assert (await runner.step(env)).outputs["outcome"] == "skipped"
    assert github.requests == []


async def test_config_says_who_reviews_what(github: FakeGitHub, runner: Runner) -> None:
    routed = (
        "summary: false\nmodel: claude-sonnet-5-5\nroutes:\n"
        "  - paths: ['*.py', '*.pyi']\n    max_lines: 50\n    model: claude-opus-5-5\n"
        "    fallback_models: [claude-opus-5]\n"
        "ab_split:\n  model: claude-haiku-4-5\n  share: 0.25\n"
    )
    base = BASE | {".reviewbot.yml": routed}
    pull = github.pull(base=base, head=base | ONE)
    await job(runner, pull, pull.comment("/config", by="octo"))
    [answer] = replies(pull)
    where = ".reviewbot.yml of main"
    routes = "paths *.py *.pyi, max_lines 50: claude-opus-5-5, then claude-opus-5"
    assert f"| `routes` | `{routes}` | {where}:3 |" in answer
    assert f"| `ab_split` | `0.25 by file: claude-haiku-4-5` | {where}:8 |" in answer
    assert "| `context_lines` | `10` | the default |" in answer
