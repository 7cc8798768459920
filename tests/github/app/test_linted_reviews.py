"""Pull requests that the App reviews with linters beside a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fake_github import faults
from tests.support.github_stories import BASE, app, conclusions, titles

if TYPE_CHECKING:
    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub
    from tests.github.app_runs import AppServer

UNKNOWN = app((30, "line_30 = unknown_name"))


@pytest.fixture(autouse=True)
def _no_linters() -> None:
    """The installed linters run."""


async def test_a_linter_reads_a_modified_file_in_full_beside_a_model(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | UNKNOWN)
    await server.settle()
    assert titles(pull) == ["**error: Undefined name `unknown_name`**"]
    assert conclusions(pull) == ["failure"]
    assert len(github.called("GET", "/contents/app.py")) == 1
    (request,) = model.requests
    assert "line 30 (ruff/F821)" in request.text
    assert "line_1 = 1" not in request.text


async def test_a_suppression_with_a_space_before_the_colon_hides_nothing(
    github: FakeGitHub, server: AppServer
) -> None:
    silenced = app((1, "# ruff : file-ignore[F821]"), (30, "line_30 = unknown_name"))
    pull = github.pull(base=BASE, head=BASE | silenced)
    await server.settle()
    assert titles(pull) == ["**error: Undefined name `unknown_name`**"]
    assert conclusions(pull) == ["failure"]


async def test_a_review_by_a_model_goes_on_without_the_linter_if_github_refuses_the_file(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | UNKNOWN)
    github.fail(faults.error("GET", "/contents/app.py", 404, times=None))
    await server.settle()
    assert titles(pull) == []
    assert conclusions(pull) == ["success"]
