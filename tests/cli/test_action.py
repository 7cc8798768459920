"""``reviewbot action`` as a process: by hand on a recorded event, and as a runner calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reviewbot.action.runner_files import write_outputs
from tests.fake_github import FakeGitHub
from tests.github.action_runs import CONFIG, WRITES, outputs_of
from tests.support.action_commands import act, recorded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


SCRIPT = {"new.js": "if (x == NaN) {\n  go();\n}\n"}


@pytest.fixture
async def github() -> AsyncIterator[FakeGitHub]:
    async with FakeGitHub() as fake:
        yield fake


@pytest.mark.slow
async def test_a_recorded_event_can_be_run_by_hand(github: FakeGitHub, tmp_path: Path) -> None:
    pull = github.pull(base=CONFIG, head=CONFIG | SCRIPT)
    done = await act(
        tmp_path,
        *("--event-name", "pull_request", "--event", recorded(github, pull, tmp_path)),
        GITHUB_REPOSITORY=pull.repo.full_name,
        GITHUB_API_URL=github.url,
        GITHUB_TOKEN=github.world.actions_token(pull.repo, WRITES).value,
        REVIEWBOT_ACTION_MODEL="offline",
    )
    assert (done.code, done.err) == (0, "")
    assert "Nothing equals NaN" in done.out
    assert "::notice title=reviewbot::1 error is open. https://" in done.out
    assert "::error" not in done.out  # the comment has it
    assert len(pull.review_comments) == 1
    assert (tmp_path / "reviewbot.sarif").exists()


async def test_what_is_wrong_is_an_annotation_a_summary_an_output_and_exit_code_two(
    github: FakeGitHub, tmp_path: Path
) -> None:
    pull = github.pull(base=CONFIG, head=CONFIG | SCRIPT)
    done = await act(
        tmp_path,
        GITHUB_REPOSITORY=pull.repo.full_name,
        GITHUB_API_URL=github.url,
        GITHUB_TOKEN=github.world.actions_token(pull.repo, WRITES).value,
        GITHUB_EVENT_NAME="pull_request",
        GITHUB_EVENT_PATH=recorded(github, pull, tmp_path),
        GITHUB_OUTPUT=str(tmp_path / "output"),
        GITHUB_STEP_SUMMARY=str(tmp_path / "summary"),
    )
    assert done.code == 2
    assert done.out.startswith("::error title=reviewbot::ANTHROPIC_API_KEY: no model is available")
    assert "no model is available" in done.err
    assert outputs_of((tmp_path / "output").read_text()) == {"outcome": "incomplete"}
    assert "Nothing was reviewed" in (tmp_path / "summary").read_text()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "GITHUB_REPOSITORY: is not set; a runner sets it"),
        ({"GITHUB_REPOSITORY": "o/r"}, "an event without a name is not supported"),
        ({"GITHUB_REPOSITORY": "o/r", "GITHUB_EVENT_NAME": "push"}, "push is not supported"),
        (
            {"GITHUB_REPOSITORY": "o/r", "GITHUB_EVENT_NAME": "pull_request"},
            "GITHUB_EVENT_PATH: is not set",
        ),
        (
            {"GITHUB_REPOSITORY": "o/r", "REVIEWBOT_ACTION_FAIL_ON": "eror"},
            "the input fail-on: must be one of error, warning, note, never, not 'eror'",
        ),
        (
            {"GITHUB_REPOSITORY": "o/r", "REVIEWBOT_ACTION_FULL": "maybe"},
            "the input full: must be true or false, not 'maybe'",
        ),
        (
            {"GITHUB_REPOSITORY": "o/r", "REVIEWBOT_ACTION_BUDGET_USD": "-1"},
            "the input budget-usd: must be an amount above 0",
        ),
        (
            {"GITHUB_REPOSITORY": "o/r", "REVIEWBOT_ACTION_PULL_REQUEST": "x"},
            "the input pull-request: must be the number of a pull request",
        ),
    ],
)
async def test_a_slip_of_the_pen_is_one_sentence_that_names_it(
    tmp_path: Path, environment: dict[str, str], sentence: str
) -> None:
    done = await act(tmp_path, **environment)
    assert done.code == 2
    assert sentence in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.slow
async def test_nothing_is_read_from_the_folder_it_runs_in(
    github: FakeGitHub, tmp_path: Path
) -> None:
    """It may be a checkout of the pull request."""
    (tmp_path / ".env").write_text(
        "ANTHROPIC_API_KEY=theirs\nANTHROPIC_BASE_URL=http://127.0.0.1:9\nGITHUB_TOKEN=theirs\n"
    )
    (tmp_path / ".reviewbot.yml").write_text("model: offline\nexclude: ['**']\n")
    pull = github.pull(base=CONFIG, head=CONFIG | SCRIPT)
    done = await act(
        tmp_path,
        GITHUB_REPOSITORY=pull.repo.full_name,
        GITHUB_API_URL=github.url,
        GITHUB_TOKEN=github.world.actions_token(pull.repo, WRITES).value,
        GITHUB_EVENT_NAME="pull_request",
        GITHUB_EVENT_PATH=recorded(github, pull, tmp_path),
    )
    assert done.code == 2
    assert "no model is available" in done.err


def test_no_value_of_an_output_can_set_another_one(tmp_path: Path) -> None:
    """Not even one that has read what stood below the outputs of an earlier run."""
    write_outputs(tmp_path / "before", {"outcome": "clean"})
    end = (tmp_path / "before").read_text().splitlines()[-1]
    values = {"title": f"x\n{end}\noutcome<<{end}\nclean", "outcome": "findings"}
    write_outputs(tmp_path / "output", values)
    assert outputs_of((tmp_path / "output").read_text()) == values
