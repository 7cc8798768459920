"""Pull requests that the Action reviews with linters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.github_stories import BASE, conclusions, summary_of

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner


@pytest.fixture(autouse=True)
def _no_linters() -> None:
    """The installed linters run."""


async def test_a_comment_that_the_change_adds_hides_nothing_from_a_linter(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | {"bad.py": "print(unknown)  # noqa: F821\n"})
    run = await runner.run(pull, model="offline", fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull) == ["failure"]
    assert "1 comment that would silence a linter: bad.py:1" in summary_of(pull).replace("\\", "")


async def test_a_finding_of_a_linter_is_resolved_once_the_linter_no_longer_reports_it(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | {"bad.py": "x = 1\nprint(unknown)\n"})
    await runner.run(pull, model="offline", fail_on="error")
    pull.push({"bad.py": "unknown = 2\nprint(unknown)\n"})
    await runner.run(pull, model="offline", fail_on="error")
    assert conclusions(pull) == ["failure", "success"]
    assert "1 resolved" in summary_of(pull)


async def test_a_finding_of_a_linter_stays_open_while_the_linter_does_not_run(
    github: FakeGitHub, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull = github.pull(base=BASE, head=BASE | {"bad.py": "x = 1\nprint(unknown)\n"})
    await runner.run(pull, model="offline", fail_on="error")
    monkeypatch.setattr("reviewbot.models.linters.linters.find_programs", tuple)
    pull.push({"bad.py": "x = 2\nprint(unknown)\n"})
    await runner.run(pull, model="offline", fail_on="error")
    assert conclusions(pull) == ["failure", "failure"]
    assert "1 still open" in summary_of(pull)
