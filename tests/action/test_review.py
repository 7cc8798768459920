"""Reviews by the Action: which runs review, what they read, and how they end."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.github_stories import BASE, ONE, TWO, app, conclusions, summary_of, titles

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner


async def test_a_first_review_is_on_the_lines_in_the_summary_and_in_the_check(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    run = await runner.run(pull)
    assert titles(pull) == ["**error: Division by zero**", "**warning: None is returned**"]
    assert [(one.thread.anchor.path, one.thread.anchor.line) for one in pull.review_comments] == [
        ("app.py", 10),
        ("app.py", 50),
    ]
    assert "1 error and 1 warning are open." in summary_of(pull)
    assert conclusions(pull) == ["neutral"]
    assert run.code == 0
    assert run.outputs["outcome"] == "findings"
    assert (run.outputs["errors"], run.outputs["warnings"]) == ("1", "1")
    assert run.outputs["summary-url"]
    assert run.outputs["review-url"]
    assert len(run.sarif["runs"][0]["results"]) == 2
    assert "Division by zero" in run.summary


async def test_the_permissions_of_the_documented_workflow_are_enough(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    granted = {"contents": "read", "pull_requests": "write", "checks": "write"}
    runner.token = github.world.actions_token(pull.repo, granted)
    await runner.run(pull)
    pull.push(app((10, "line_10 = 1")))
    run = await runner.run(pull)
    assert "1 resolved" in summary_of(pull)
    assert "could not be" not in run.summary
    assert conclusions(pull) == ["neutral", "success"]


async def test_the_head_has_no_say_in_its_own_review(github: FakeGitHub, runner: Runner) -> None:
    hostile = {
        ".reviewbot.yml": "exclude: ['**']\nfail_on: never\n",
        ".gitattributes": "* binary\n",
    }
    pull = github.pull(base=BASE, head=BASE | ONE | hostile)
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"


@pytest.mark.slow
async def test_four_hundred_files_are_all_in_the_coverage(
    github: FakeGitHub, runner: Runner
) -> None:
    files = {f"src/m{number}.py": f"x = {number}\n" for number in range(400)}
    pull = github.pull(base=BASE, head=BASE | files | ONE)
    run = await runner.run(pull)
    assert run.outputs["outcome"] == "findings"
    assert "401 files: 401 reviewed" in summary_of(pull)


async def test_a_file_that_cannot_be_fetched_fails_the_check(
    github: FakeGitHub, runner: Runner
) -> None:
    github.rules.diff_lines, github.rules.patch_lines, github.rules.blob_bytes = 50, 20, 1_000
    big = {"big.py": "".join(f"value_{number} = {number}\n" for number in range(200))}
    pull = github.pull(base=BASE, head=BASE | big | ONE)
    run = await runner.run(pull)
    assert (run.code, run.outputs["outcome"]) == (3, "incomplete")
    assert conclusions(pull) == ["failure"]
    assert "big.py" in summary_of(pull)
    assert titles(pull) == ["**error: Division by zero**"]


@pytest.mark.parametrize(
    ("inputs", "code", "conclusion"),
    [
        ({"fail_on": "error"}, 1, "failure"),
        ({"fail_on": "never"}, 0, "neutral"),
        ({}, 0, "neutral"),
    ],
)
async def test_fail_on_decides_the_exit_code_and_the_check(
    github: FakeGitHub, runner: Runner, inputs: dict[str, str], code: int, conclusion: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    run = await runner.run(pull, **inputs)
    assert run.code == code
    assert conclusions(pull) == [conclusion]


async def test_a_clean_change_is_green(github: FakeGitHub, runner: Runner) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, "line_10 = 11")))
    run = await runner.run(pull, fail_on="note")
    assert (run.code, run.outputs["outcome"]) == (0, "clean")
    assert conclusions(pull) == ["success"]
    assert pull.reviews == []


async def test_nothing_to_review_is_not_green(github: FakeGitHub, runner: Runner) -> None:
    pull = github.pull(base=BASE, head=BASE | {"package-lock.json": "{}\n"})
    await runner.run(pull)
    assert conclusions(pull) == ["neutral"]


async def test_a_draft_is_skipped_and_says_so(github: FakeGitHub, runner: Runner) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, draft=True)
    run = await runner.run(pull)
    assert (run.code, run.outputs) == (0, {"outcome": "skipped"})
    assert "a draft" in run.summary
    assert pull.repo.check_runs == {}


@pytest.mark.parametrize(
    ("body", "by", "outcome"),
    [
        ("/review", "octo", "findings"),
        ("/review", "mallory", "skipped"),
        ("nice work", "octo", "skipped"),
        ("/help", "octo", "skipped"),
    ],
)
async def test_a_comment_starts_a_review_if_its_author_may_write(
    github: FakeGitHub, runner: Runner, body: str, by: str, outcome: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    comment = pull.comment(body, by=by)
    runner.event(pull, "issue_comment", "created", comment=comment, sender=github.user(by))
    env = runner.environment(pull) | {"GITHUB_EVENT_NAME": "issue_comment"}
    assert (await runner.step(env)).outputs["outcome"] == outcome


def git_init(folder: Path) -> None:
    subprocess.run(["git", "init", "-q", str(folder)], check=True)


async def test_a_checkout_that_has_the_head_spares_requests_and_is_read_as_data(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, tmp_path: Path
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    assert pull.diff_text  # the objects are on the disk from here on
    work = tmp_path / "work"
    git_init(work)
    pull.repo.store.save()
    shutil.copytree(pull.repo.store.folder / "objects", work / ".git/objects", dirs_exist_ok=True)
    (work / "app.py").write_text("what stands in the folder counts for nothing\n")
    planted = tmp_path / "planted"
    hook = f"[core]\n\tfsmonitor = touch {planted}\n[diff]\n\texternal = touch {planted}\n"
    with (work / ".git/config").open("a") as config:
        config.write(hook)
    runner.event(pull)
    env = runner.environment(pull) | {"GITHUB_WORKSPACE": str(work)}
    await runner.step(env)
    assert github.called("GET", "/contents/app.py") == []
    assert "line_4 = 4" in model.requests[0].text  # further than the diff goes
    assert "what stands in the folder" not in model.requests[0].text
    assert not planted.exists()


async def test_a_checkout_of_something_else_is_not_used(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, tmp_path: Path
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    git_init(tmp_path / "work")
    runner.event(pull)
    for folder in (tmp_path / "work", tmp_path / "nowhere"):
        env = runner.environment(pull, full="true") | {"GITHUB_WORKSPACE": str(folder)}
        assert (await runner.step(env)).outputs["errors"] == "1"
    assert len(github.called("GET", "/contents/app.py")) == 2
    assert "line_4 = 4" in model.requests[0].text
