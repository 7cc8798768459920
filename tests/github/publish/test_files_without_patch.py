"""A file whose patch GitHub does not show has no comments; its findings are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fake_github import faults
from tests.github.app_runs import lose_a_record
from tests.support.github_stories import BASE, ONE, app, conclusions, summary_of, titles

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub, PullRequest
    from tests.github.action_runs import Runner
    from tests.github.app_runs import AppServer

REASON = "GitHub shows no lines of its file, and accepts no comment there."
BIG = "BUG error Big bug"
EITHER = pytest.mark.parametrize("summary", ["true", "false"], ids=["summary", "no summary"])


def file_of(count: int, bug: str = BIG) -> dict[str, str]:
    """A file of so many lines, the fifth of which is found fault with."""
    rows = [f"y_{number} = {number}" for number in range(1, count + 1)]
    rows[4] += f"  # {bug}" if bug else ""
    return {"big.py": "\n".join(rows) + "\n"}


@pytest.fixture(autouse=True)
def _small(github: FakeGitHub) -> None:
    github.rules.patch_lines = 20


def texts(pull: PullRequest) -> str:
    """What the summary and the texts of reviews say."""
    return "\n".join([*(one.body for one in pull.reviews), *(one.body for one in pull.comments)])


def told(pull: PullRequest) -> int:
    """How many findings are told of with the reason."""
    return texts(pull).count(REASON)


def posts(github: FakeGitHub) -> list[int | None]:
    """How the reviews that we sent were answered."""
    return [one.status for one in github.called("POST", "/reviews")]


@EITHER
async def test_a_finding_in_a_file_without_patch_is_reported_once_until_it_is_resolved(
    github: FakeGitHub, runner: Runner, summary: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE | file_of(60))
    for number in range(3):
        run = await runner.run(pull, fail_on="error", summary_comment=summary)
        assert run.outputs["errors"] == "2"
        assert titles(pull) == ["**error: Division by zero**"]
        assert told(pull) == (number == 0 or summary == "false")
        assert summary == "false" or "Big bug" in summary_of(pull)
        pull.push({f"c{number}.py": "x = 1\n"})
    assert posts(github) == [200]
    assert "/big.py#L5" in texts(pull)
    [*_, check] = pull.repo.check_runs.values()
    assert {one["path"] for one in check.annotations} == {"big.py"}
    pull.push(file_of(60, bug="") | app((10, "line_10 = 1")))
    await runner.run(pull, fail_on="error", summary_comment=summary)
    assert conclusions(pull)[-1] == "success"
    assert posts(github) == [200]


async def test_only_comments_that_github_can_show_count_towards_the_limit(
    github: FakeGitHub, runner: Runner
) -> None:
    rows = "".join(f"x = {number}  # BUG error Big {number}x\n" for number in range(40))
    pull = github.pull(base=BASE, head=BASE | ONE | {"big.py": rows})
    await runner.run(pull)
    assert posts(github) == [200]
    assert titles(pull) == ["**error: Division by zero**"]
    assert summary_of(pull).count("\n- 🛑 error") == 41
    assert summary_of(pull).count(REASON) == 40


@EITHER
async def test_a_comment_stays_the_only_one_when_its_file_loses_and_regains_its_patch(
    github: FakeGitHub, runner: Runner, summary: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | file_of(10))
    for count in (10, 60, 60, 10):
        pull.push(file_of(count))
        run = await runner.run(pull, summary_comment=summary)
        assert run.outputs["errors"] == "1"
        assert titles(pull) == ["**error: Big bug**"]
    assert posts(github) == [200]
    assert told(pull) == 0


async def test_a_finding_in_the_summary_gets_one_comment_once_github_shows_its_file(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | file_of(60))
    await runner.run(pull)
    assert (told(pull), titles(pull)) == (1, [])
    for count in (10, 11):
        pull.push(file_of(count))
        run = await runner.run(pull)
        assert run.outputs["errors"] == "1"
        assert (told(pull), titles(pull)) == (0, ["**error: Big bug**"])
    assert posts(github) == [200]


async def test_a_finding_in_a_review_body_is_not_reported_again_once_github_shows_its_file(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | file_of(60))
    for count in (60, 10):
        pull.push(file_of(count))
        run = await runner.run(pull, summary_comment="false")
        assert run.outputs["errors"] == "1"
    assert (told(pull), titles(pull)) == (1, [])


async def test_code_that_is_binary_for_github_has_no_comment_either(
    github: FakeGitHub, runner: Runner
) -> None:
    code = f"zero = '\0'\ny = 2  # {BIG}\n"
    pull = github.pull(base=BASE, head=BASE | ONE | {"zero.py": code})
    run = await runner.run(pull)
    assert run.outputs["errors"] == "2"
    assert posts(github) == [200]
    assert told(pull) == 1


@pytest.mark.parametrize("files", [1, 300], ids=["listed", "in one piece"])
@pytest.mark.parametrize("compared", [True, False], ids=["compared", "not compared"])
async def test_files_without_patch_are_known_whatever_the_source_of_the_diff(
    github: FakeGitHub, runner: Runner, files: int, compared: bool
) -> None:
    github.rules.diff_files = files
    pull = github.pull(base=BASE, head=BASE | ONE | file_of(60))
    if not compared:
        github.fail(faults.error("GET", "/compare/", 502, times=4))
    run = await runner.run(pull)
    assert run.outputs["errors"] == "2"
    assert posts(github) == [200]
    assert told(pull) == 1


async def test_the_app_sends_no_comment_in_a_file_without_patch_on_a_retry_either(
    github: FakeGitHub, server: AppServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = lose_a_record(monkeypatch)
    pull = github.pull(base=BASE, head=BASE | ONE | file_of(60))
    await server.settle()
    assert lost
    pull.push({"c.py": "x = 1\n"})
    await server.settle()
    assert posts(github) == [200]
    assert titles(pull) == ["**error: Division by zero**"]
    assert "Big bug" in summary_of(pull)
