"""The exit code, the check, the notices and the files that a run of the Action leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.core.render.annotations import LIMIT
from reviewbot.errors import ReviewbotError
from tests.fake_anthropic import Answer, FakeAnthropic
from tests.fake_github import FakeGitHub, Fault, faults
from tests.github.action_runs import WRITES, Runner, find_marked
from tests.support.action_commands import act, recorded
from tests.support.github_stories import BASE, ONE, app, conclusions

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import Recorded


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
    assert "Could not check whether another check hides this one: GitHub did not" in run.summary


async def test_an_unwritable_sarif_file_is_reported_before_the_review(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    runner.event(pull)
    env = runner.environment(pull, sarif=str(runner.folder / "reports" / "out.sarif"))
    with pytest.raises(ReviewbotError):
        await runner.step(env)
    assert model.requests == []


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
        for number in range(30)
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


async def test_a_rate_limit_that_outlasts_the_job_is_reported(
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
