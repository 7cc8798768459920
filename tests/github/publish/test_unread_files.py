"""Pull requests with source files that no model, rule or linter reads: never a green check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.github_stories import BASE, conclusions, summary_of

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner

COBOL = {"legacy/pay.cbl": "       PROGRAM-ID. PAY.\n"}
PYTHON = {"other.py": "x = 1\n"}


async def test_a_shallow_review_has_a_neutral_check_that_names_the_files_and_the_setting(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | COBOL | PYTHON)
    run = await runner.run(pull, model="offline")
    assert (run.code, run.outputs["outcome"]) == (0, "shallow")
    assert conclusions(pull) == ["neutral"]
    (check,) = pull.repo.check_runs.values()
    assert (check.title or "").startswith(
        "Shallow: no findings in 2 files, of which 1 was not read."
    )
    for text in (check.summary or "", summary_of(pull)):
        assert "`legacy/pay.cbl` (unread)" in text
        assert "`accept_unread: [cobol]`" in text


async def test_an_unread_file_stays_unread_in_later_reviews(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | COBOL | PYTHON)
    await runner.run(pull, model="offline")
    pull.push({"more.py": "y = 2\n"})
    run = await runner.run(pull, model="offline")
    assert run.outputs["outcome"] == "shallow"
    assert conclusions(pull)[-1] == "neutral"


async def test_a_pull_request_of_which_no_source_file_was_read_fails_its_check(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | COBOL)
    run = await runner.run(pull, model="offline")
    assert (run.code, run.outputs["outcome"]) == (3, "incomplete")
    assert conclusions(pull) == ["failure"]


async def test_the_base_can_accept_unread_files(github: FakeGitHub, runner: Runner) -> None:
    accepted = {**BASE, ".reviewbot.yml": "accept_unread: [cobol]\n"}
    pull = github.pull(base=accepted, head=accepted | COBOL | PYTHON)
    run = await runner.run(pull, model="offline")
    assert (run.code, run.outputs["outcome"]) == (0, "clean")
    assert conclusions(pull) == ["success"]
