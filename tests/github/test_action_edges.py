"""Stories of the Action that go wrong: what its author, its runner and its operator do to it."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.core.render.annotations import LIMIT
from reviewbot.errors import ConfigError, ReviewbotError
from reviewbot.github.markers import Marker, write
from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.fake_github import FakeGitHub, Fault, PullRequest, faults
from tests.github.action_runs import WRITES, Run, Runner, bound_to, find_marked, outputs_of
from tests.runner_model import commands
from tests.support.action_commands import act, recorded
from tests.support.commands import environment_in
from tests.support.github_states import state_of
from tests.support.github_stories import (
    BASE,
    ONE,
    REFUSAL,
    TWO,
    Overtaken,
    app,
    bug,
    conclusions,
    summary_of,
    titles,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import Recorded

pytestmark = pytest.mark.edge


# --- Exit codes and gates


async def test_if_incomplete_neutral_does_not_let_a_finding_at_fail_on_pass(
    github: FakeGitHub, runner: Runner
) -> None:
    """One file too large to be had is enough, and that is for the author to choose."""
    github.rules.diff_lines, github.rules.patch_lines, github.rules.blob_bytes = 50, 20, 1_000
    big = {"big.py": "".join(f"value_{number} = {number}\n" for number in range(200))}
    pull = github.pull(base=BASE, head=BASE | big | ONE)
    run = await runner.run(pull, fail_on="error", if_incomplete="neutral")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull) == ["failure"]
    assert run.code == 1


async def test_fail_on_of_the_base_is_heeded_as_the_documentation_says(
    github: FakeGitHub, runner: Runner
) -> None:
    base = BASE | {".reviewbot.yml": "summary: false\nfail_on: error\n"}
    pull = github.pull(base=base, head=base | ONE)
    run = await runner.run(pull)  # no input fail-on
    assert conclusions(pull) == ["failure"]
    assert run.code == 1


# --- A run that is run again


async def test_a_second_attempt_of_a_run_has_each_annotation_once(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
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


# --- What is lost


@pytest.mark.slow
@pytest.mark.unposted("GitHub does not take it")
async def test_a_review_that_could_not_be_posted_is_not_called_no_review(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)

    def break_github(request: Recorded) -> Answer:
        github.fail(faults.error("GET", "/issues/1/comments", 404, times=None))
        return find_marked(request)

    model.respond = break_github
    done = await act(
        tmp_path,
        ANTHROPIC_API_KEY=model.key,
        ANTHROPIC_BASE_URL=model.base_url,
        GITHUB_REPOSITORY=pull.repo.full_name,
        GITHUB_API_URL=github.url,
        GITHUB_TOKEN=github.world.actions_token(pull.repo, WRITES).value,
        GITHUB_EVENT_NAME="pull_request",
        GITHUB_EVENT_PATH=recorded(github, pull, tmp_path),
        GITHUB_STEP_SUMMARY=str(tmp_path / "summary"),
    )
    assert done.code != 0
    assert "::error file=app.py,line=10" in done.out
    assert "Nothing was reviewed" not in (tmp_path / "summary").read_text()


async def test_a_check_that_has_ended_stays_so_if_those_beside_it_cannot_be_listed(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | {"ok.py": "x = 1\n"})
    github.fail(Fault("GET", "/commits/.*/check-runs", 502, times=None, skip=1))
    run = await runner.run(pull)
    assert conclusions(pull) == ["success"]
    assert run.code == 0
    assert "Whether another check hides this one is not sure: GitHub did not" in run.summary


async def test_a_sarif_file_that_cannot_be_written_is_told_before_the_review(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    runner.event(pull)
    env = runner.environment(pull, sarif=str(runner.folder / "reports" / "out.sarif"))
    with pytest.raises(ReviewbotError):
        await runner.step(env)
    assert model.requests == []


# --- What an author does


async def test_a_sarif_file_is_not_written_through_a_link_of_the_pull_request(
    github: FakeGitHub, runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    home.mkdir()
    (home / ".bashrc").write_text("mine\n")
    (work / "results.sarif").symlink_to("../home/.bashrc")  # of the head, as git checked it out
    monkeypatch.chdir(work)
    pull = github.pull(base=BASE, head=BASE | ONE)
    runner.event(pull)
    with pytest.raises(ReviewbotError, match="it is a link"):
        await runner.step(runner.environment(pull, sarif="results.sarif"))
    assert (home / ".bashrc").read_text() == "mine\n"


async def test_anybodys_comment_starts_no_review_though_the_input_names_the_pull_request(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    """``pull-request: ${{ github.event.issue.number }}`` is what many a workflow would have."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    comment = pull.comment("nice work", by="mallory")
    runner.event(pull, "issue_comment", "created", comment=comment, sender=github.user("mallory"))
    env = runner.environment(pull, pull_request="1") | {"GITHUB_EVENT_NAME": "issue_comment"}
    assert (await runner.step(env)).outputs["outcome"] == "skipped"
    assert model.requests == []


async def test_a_closed_pull_request_costs_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    pull.close()
    env = runner.environment(pull, pull_request="1") | {"GITHUB_EVENT_NAME": "workflow_dispatch"}
    run = await runner.step(env)
    assert model.requests == []
    assert "meanwhile" not in run.summary


async def test_a_command_on_a_closed_pull_request_costs_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    pull.close()
    comment = pull.comment("/review", by="octo")
    runner.event(pull, "issue_comment", "created", comment=comment, sender=github.user("octo"))
    env = runner.environment(pull) | {"GITHUB_EVENT_NAME": "issue_comment"}
    await runner.step(env)
    assert model.requests == []


# --- Events


@pytest.mark.parametrize("action", ["labeled", "edited", "review_requested", "assigned"])
async def test_an_event_that_the_workflow_asked_for_is_reviewed_or_fails(
    github: FakeGitHub, runner: Runner, action: str
) -> None:
    """``types:`` of the workflow says when; a green check for nothing is none."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    runner.event(pull)
    path = runner.folder / "event.json"
    payload = json.loads(path.read_text()) | {"action": action}
    path.write_text(json.dumps(payload))
    env = runner.environment(pull, fail_on="error")
    assert (await runner.step(env)).code != 0


async def test_a_review_of_a_person_is_an_event_of_a_pull_request(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    runner.event(pull)
    env = runner.environment(pull) | {"GITHUB_EVENT_NAME": "pull_request_review"}
    try:
        await runner.step(env)
    except ReviewbotError as error:
        assert "is about no pull request" not in str(error)


# --- Words


async def test_a_notice_names_what_a_workflow_has(github: FakeGitHub, runner: Runner) -> None:
    base = BASE | {
        ".reviewbot.yml": "summary: false\nroutes: [{categories: [docs], model: small-one}]\n"
    }
    pull = github.pull(base=base, head=base | {"new.js": "if (x == NaN) {\n  go();\n}\n"})
    run = await runner.run(pull, model="offline")
    assert "--model" not in run.summary


async def test_what_could_not_be_posted_has_room_among_the_notices(
    github: FakeGitHub, runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    base = {".reviewbot.yml": "summary: false\nmax_notes: 100\n", "app.py": ""}
    head = {"app.py": "".join(f"x = {n}  # BUG note Bug {n}\n" for n in range(20))}
    pull = github.pull(base=base, head=base | head)
    runner.token = github.world.actions_token(pull.repo, WRITES | {"pull_requests": "read"})
    await runner.run(pull)
    shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("::notice")]
    assert len(shown) <= LIMIT


# --- Cancellation


@pytest.mark.slow
@pytest.mark.real_time
async def test_a_runner_that_cancels_twice_leaves_no_check_that_never_ends(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    """A runner sends SIGINT, SIGTERM 7.5 seconds later, SIGKILL 2.5 seconds after that."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    asked = asyncio.Event()

    def hang(_: Recorded) -> Answer:
        asked.set()
        return Answer(delay=30.0)

    model.respond = hang
    # GitHub takes its time for what ends the check.
    github.fail(faults.slow("PATCH", "/check-runs/", 2.0, times=None))
    process = await start(github, model, pull, tmp_path)
    await asyncio.wait_for(asked.wait(), 30)
    process.send_signal(signal.SIGINT)
    await asyncio.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    await asyncio.sleep(2.5)  # what was on its way
    assert [run.status for run in pull.repo.check_runs.values()] == ["completed"]


@pytest.mark.slow
@pytest.mark.real_time
async def test_a_runner_that_cancels_while_comments_are_posted_ends_the_check(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    """As a push does, by ``cancel-in-progress``: SIGINT, and SIGTERM while a write is slow."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    slow = github.fail(faults.slow("POST", "/reviews", 3.0))
    process = await start(github, model, pull, tmp_path, GITHUB_OUTPUT=str(tmp_path / "outputs"))
    for _ in range(600):
        if slow.hit:
            break
        await asyncio.sleep(0.05)
    assert slow.hit
    process.send_signal(signal.SIGINT)
    await asyncio.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    await asyncio.sleep(3.5)  # what was on its way
    assert [run.status for run in pull.repo.check_runs.values()] == ["completed"]
    assert outputs_of((tmp_path / "outputs").read_text())["outcome"] == "cancelled"
    assert "Division by zero" in (tmp_path / "reviewbot.sarif").read_text()


async def start(
    github: FakeGitHub, model: FakeAnthropic, pull: PullRequest, folder: Path, **more: str
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "reviewbot", "action"),
        *("--event-name", "pull_request", "--event", recorded(github, pull, folder)),
        cwd=folder,
        env=environment_in(
            folder,
            ANTHROPIC_API_KEY=model.key,
            ANTHROPIC_BASE_URL=model.base_url,
            GITHUB_REPOSITORY=pull.repo.full_name,
            GITHUB_API_URL=github.url,
            GITHUB_TOKEN=github.world.actions_token(pull.repo, WRITES).value,
            **more,
        ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


# --- Two at once


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
async def test_a_double_that_somebody_has_touched_is_not_deleted(
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


# --- The event file


async def test_an_event_file_that_cannot_be_read_is_no_success(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    (runner.folder / "event.json").write_text('{"action": "opened", "pull_request": ')
    with pytest.raises(ReviewbotError):
        await runner.step(runner.environment(pull))


async def test_a_recorded_event_is_reviewed_in_the_repository_that_it_is_of(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    other = github.pull(base=BASE, head=BASE | TWO, repository="octo/other")
    runner.event(pull)
    try:
        await runner.step(runner.environment(other))
    except ReviewbotError:
        return
    assert titles(other) == []


# --- Words of GitHub


async def test_no_line_of_the_log_is_a_command_of_somebody_else(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    github.fail(
        faults.Fault("GET", "/pulls/1$", 422, {"message": "##[add-mask]app is odd"}, times=None)
    )
    process = await start(github, model, pull, tmp_path)
    out, err = await process.communicate()
    found = commands((out + b"\n" + err).decode())
    assert [one for one in found if one.name == "legacy"] == []


@pytest.mark.unposted("the token has ended")
@pytest.mark.unended("its token has ended")
async def test_a_token_that_ends_during_the_review_loses_no_finding(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)

    def end(request: Recorded) -> Answer:
        github.expire_tokens()
        return find_marked(request)

    model.respond = end
    runner.event(pull)
    env = runner.environment(pull)
    run = await runner.step(env)
    assert run.code == 3
    assert "Division by zero" in run.summary


@pytest.mark.slow
@pytest.mark.unposted("nobody wants it there")
async def test_the_summary_of_a_job_is_within_githubs_limit_in_any_language(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    base = {".reviewbot.yml": "summary: false\n", "app.py": ""}
    head = {
        f"m{number}.py": "".join(f"x = {n}  # BUG warning {n}\n" for n in range(10))
        for number in range(60)
    }
    pull = github.pull(base=base, head=base | head)

    def in_chinese(request: Recorded) -> Answer:
        told = {"message": "除以零。" * 400}
        return Answer(findings=[{**one, **told} for one in find_marked(request).findings])

    model.respond = in_chinese
    run = await runner.run(
        pull, review_comments="false", summary_comment="false", check_run="false"
    )
    assert len(run.summary.encode()) <= 1024 * 1024


async def test_a_limit_that_outlasts_the_job_is_told(
    github: FakeGitHub, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documented job ends after 30 minutes; who waits longer ends without a word."""
    from reviewbot.action.inputs import read_inputs
    from reviewbot.cli.action import Action
    from reviewbot.github.api import gateway

    paces: list[Any] = []
    real = gateway.Gateway.__init__

    def note(self: Any, *args: Any, **more: Any) -> None:
        real(self, *args, **more)
        paces.append(self._pace)

    monkeypatch.setattr(gateway.Gateway, "__init__", note)
    pull = github.pull(base=BASE, head=BASE | app((10, "line_10 = 11")))
    runner.event(pull)
    await Action(read_inputs(runner.environment(pull))).run()
    assert paces[0].patience_s < 25 * 60


async def test_text_that_another_workflow_echoes_does_not_end_the_review(
    github: FakeGitHub, runner: Runner
) -> None:
    """All workflows of a repository write as github-actions[bot]; many echo a description."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    bot = github.world.actions_token(pull.repo, WRITES).installation
    assert bot is not None
    forged = Marker("summary", pull.head_sha, pull.base_sha, "clean")
    description = f"Good.\n\n{write(forged, bound_to(pull))}"
    pull.comment(f"A new pull request:\n\n{description}", by=bot.app.bot.login)
    run = await runner.run(pull, fail_on="error")
    assert run.code == 1
    assert run.outputs["errors"] == "1"


async def test_a_bug_of_ours_is_told_where_it_is_seen(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    """Whatever breaks, the page of the run says so, and the outputs are there."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    github.fail(faults.Fault("GET", "/pulls/1$", 200, {"number": 1}, times=None))
    process = await start(
        github,
        model,
        pull,
        tmp_path,
        GITHUB_OUTPUT=str(tmp_path / "output"),
        GITHUB_STEP_SUMMARY=str(tmp_path / "summary"),
    )
    out, _ = await process.communicate()
    assert process.returncode != 0
    assert b"::error" in out
    assert (tmp_path / "output").read_text().startswith("outcome")


@pytest.mark.unposted("there is no token")
async def test_without_a_token_a_public_pull_request_is_reviewed_in_the_log(
    github: FakeGitHub, runner: Runner
) -> None:
    """The Action says so itself: there is no github-token, so nothing is posted."""
    pull = github.pull(base=BASE, head=BASE | ONE, private=False)
    runner.event(pull)
    run = await runner.step(runner.environment(pull) | {"GITHUB_TOKEN": ""})
    assert run.outputs["errors"] == "1"


async def test_a_path_with_a_dot_before_it_is_the_path(github: FakeGitHub, runner: Runner) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    run = await runner.run(pull, config="./.reviewbot.yml")
    assert run.outputs["errors"] == "1"


async def test_a_fork_whose_token_may_write_gets_its_comments(
    github: FakeGitHub, runner: Runner
) -> None:
    """«Send write tokens to workflows from pull requests», a setting of private repositories."""
    pull = github.pull(base=BASE, head=BASE | ONE, fork="mona", by="mona")
    await runner.run(pull)
    assert titles(pull) == ["**error: Division by zero**"]


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target"])
async def test_a_fork_whose_job_may_make_no_check_run_gets_its_comments(
    github: FakeGitHub, runner: Runner, event: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, fork="mona", by="mona")
    runner.token = github.world.actions_token(pull.repo, WRITES | {"checks": "none"})
    runner.event(pull)
    run = await runner.step(runner.environment(pull) | {"GITHUB_EVENT_NAME": event})
    assert titles(pull) == ["**error: Division by zero**"]
    assert "There is no check run" in run.summary
    assert "comes from a fork" not in run.summary


async def test_by_hand_the_help_says_what_is_posted_and_how_inputs_are_given(
    tmp_path: Path,
) -> None:
    done = await act(tmp_path, "--help")
    assert "REVIEWBOT_ACTION_" in done.out
    assert "post" in done.out.lower() or "comment" in done.out.lower()


# --- Without some of what is posted


@pytest.mark.parametrize("summary", ["true", "false"])
async def test_what_two_jobs_at_once_have_doubled_is_single_at_the_end(
    github: FakeGitHub, runner: Runner, summary: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    runner.event(pull)
    jobs = [runner.environment(pull, summary_comment=summary) for _ in range(2)]
    await asyncio.gather(*map(runner.step, jobs))
    await runner.run(pull, summary_comment=summary)
    assert sorted(titles(pull)) == ["**error: Division by zero**", "**warning: None is returned**"]


async def test_without_a_summary_each_finding_on_no_line_is_told_of_once(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    def nowhere(title: str) -> dict[str, Any]:
        return finding(path="app.py", quote=f"{title}()", line=3, end_line=3, title=title)

    pull = github.pull(base=BASE, head=BASE | ONE)
    model.respond = lambda _: Answer(findings=[nowhere("First")])
    await runner.run(pull, summary_comment="false")
    model.respond = lambda _: Answer(findings=[nowhere("First"), nowhere("Second")])
    for number in range(2):
        pull.push(app((20 + number, f"line = {number}")))
        await runner.run(pull, summary_comment="false", full="true")
    told = [one.body for one in pull.reviews]
    assert [("First" in text, "Second" in text) for text in told] == [(True, False), (False, True)]


async def test_a_good_comment_is_posted_however_many_bad_ones_come_before_it(
    github: FakeGitHub, runner: Runner
) -> None:
    head = app(
        *((number, f"x = {number}  # BUG warning Bug {number}") for number in range(1, 60, 2))
    )
    pull = github.pull(base=BASE, head=BASE | head)
    for number in range(1, 16, 2):
        text = f"**warning: Bug {number}**".encode()
        github.fail(Fault("POST", "/reviews$", 422, REFUSAL, contains=text, times=None))
    await runner.run(pull)
    assert len(titles(pull)) == 2
    assert summary_of(pull).count("GitHub takes no comment there.") == 8


@pytest.mark.parametrize("head", [ONE, {"b.py": "x = 1\n"}], ids=["findings", "clean"])
@pytest.mark.parametrize("off", [{"summary_comment": "false"}, {"review_comments": "false"}, {}])
async def test_a_fork_is_told_so_whatever_is_posted(
    github: FakeGitHub, runner: Runner, head: dict[str, str], off: dict[str, str]
) -> None:
    pull = github.pull(base=BASE, head=BASE | head, fork="mona", by="mona", private=False)
    if head is ONE:  # another workflow has reviewed it, with more rights
        await runner.run(pull)
    runner.token = github.world.actions_token(pull.repo, dict.fromkeys(WRITES, "read"))
    run = await runner.run(pull, **off)
    assert run.summary.count("comes from a fork") == 1
    assert "permissions:" not in run.summary


@pytest.mark.unposted("the token may not write")
async def test_a_fork_is_told_so_although_no_check_run_was_asked_for(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, fork="mona", by="mona", private=False)
    runner.token = github.world.actions_token(pull.repo, dict.fromkeys(WRITES, "read"))
    run = await runner.run(pull, check_run="false")
    assert "comes from a fork" in run.summary
    assert "permissions:" not in run.summary


async def test_without_comments_the_summary_leads_to_the_code(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, review_comments="false")
    assert titles(pull) == []
    assert f"/blob/{pull.head_sha}/app.py#L10" in summary_of(pull)


async def test_dependabot_without_a_key_is_told_where_its_secrets_are(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, by="dependabot[bot]")
    runner.event(pull)
    env = runner.environment(pull) | {"ANTHROPIC_API_KEY": ""}
    with pytest.raises(ConfigError, match="Secrets and variables, Dependabot"):
        await runner.step(env)


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
