"""Pull requests that the Action reviews with linters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fake_github import faults
from tests.support.github_stories import BASE, app, conclusions, summary_of, titles

if TYPE_CHECKING:
    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner

UNKNOWN = app((30, "line_30 = unknown_name"))
UNDEFINED = "**error: Undefined name `unknown_name`**"
NARROW = BASE | {".reviewbot.yml": "summary: false\ncontext_lines: 1\n"}


@pytest.fixture(autouse=True)
def _no_linters() -> None:
    """The installed linters run."""


@pytest.mark.parametrize(
    "text", ["print(unknown)  # noqa: F821\n", "# ruff : file-ignore[F821]\nprint(unknown)\n"]
)
async def test_a_comment_that_the_change_adds_hides_nothing_from_a_linter(
    github: FakeGitHub, runner: Runner, text: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | {"bad.py": text})
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


@pytest.mark.parametrize("base", [BASE, NARROW], ids=["context", "no context"])
async def test_a_linter_reads_a_modified_file_in_full_beside_a_model(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, base: dict[str, str]
) -> None:
    pull = github.pull(base=base, head=base | UNKNOWN)
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert titles(pull) == [UNDEFINED]
    assert len(github.called("GET", "/contents/app.py")) == 1
    (request,) = model.requests
    assert "line 30 (ruff/F821)" in request.text
    assert "line_1 = 1" not in request.text


@pytest.mark.parametrize("base", [BASE, NARROW], ids=["context", "no context"])
async def test_a_review_by_a_model_goes_on_without_the_linter_if_github_refuses_the_file(
    github: FakeGitHub, runner: Runner, base: dict[str, str]
) -> None:
    pull = github.pull(base=base, head=base | UNKNOWN)
    github.fail(faults.error("GET", "/contents/app.py", 404, times=None))
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "0"
    assert titles(pull) == []
    assert conclusions(pull) == ["success"]


async def test_a_comment_of_an_earlier_push_hides_nothing_from_a_linter_beside_a_model(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((1, "# ruff: noqa")))
    await runner.run(pull)
    pull.push(app((1, "# ruff: noqa"), (30, "line_30 = unknown_name")))
    await runner.run(pull)
    assert titles(pull) == [UNDEFINED]
