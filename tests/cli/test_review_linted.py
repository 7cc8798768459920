"""``reviewbot review`` with linters beside a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fake_anthropic import Answer, FakeAnthropic
from tests.fake_github import faults
from tests.support.commands import run_linted_command
from tests.support.pull_requests import NAME, opened
from tests.support.repositories import _alone, git

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["_alone"]

LINES = [f"value_{number} = {number}\n" for number in range(1, 100)]
BEFORE = "".join(LINES)
LOOP = "python/mutate-while-iterating"
"""The rule of the finding in the other file of the pull request."""
AFTER = "".join([*LINES[:49], "value_50 = unknown_name\n", *LINES[50:]])


async def rules(folder: Path, fake: FakeAnthropic, *arguments: str, **variables: str) -> list[str]:
    """The rules of the findings of a review by a model that finds nothing, sorted."""
    fake.enqueue(Answer())
    keys = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
    review = ("review", "--no-summary", "--format", "ndjson", "--fail-on", "never", *arguments)
    done = await run_linted_command(folder, *review, **keys, **variables)
    assert done.code == 0, done.err
    return sorted(event["finding"]["rule"] for event in done.events if event["type"] == "finding")


@pytest.fixture
def repository() -> None:
    """A repository with a modified file."""
    git("init", "--quiet", "-b", "main")
    Path("a.py").write_text(BEFORE)
    git("add", ".")
    git("commit", "--quiet", "-m", "x")
    Path("a.py").write_text(AFTER)
    Path("narrow.yml").write_text("context_lines: 3\n")
    Path("off.yml").write_text("context_lines: 0\n")


def staged() -> tuple[str, ...]:
    git("add", "a.py")
    return ("--staged",)


def committed() -> tuple[str, ...]:
    git("mv", "a.py", "b.py")
    git("commit", "--quiet", "-a", "-m", "y")
    return ("--commit", "HEAD")


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("source", [tuple, staged, committed])
async def test_a_linter_reads_a_modified_file_in_full_beside_a_model(
    source: Callable[[], tuple[str, ...]], tmp_path: Path
) -> None:
    async with FakeAnthropic() as fake:
        assert await rules(tmp_path, fake, *source()) == ["ruff/F821"]
    assert "|value_40 =" in fake.requests[0].text
    assert "|value_39 =" not in fake.requests[0].text


@pytest.mark.usefixtures("repository")
async def test_a_model_that_gets_no_context_gets_none_for_a_linter(tmp_path: Path) -> None:
    async with FakeAnthropic() as fake:
        assert await rules(tmp_path, fake, "--config", "narrow.yml") == ["ruff/F821"]
        assert await rules(tmp_path, fake, "--config", "off.yml") == []
    assert "|value_47 =" in fake.requests[0].text
    assert "|value_46 =" not in fake.requests[0].text


async def test_a_linter_reads_a_modified_file_of_a_pull_request_in_full(tmp_path: Path) -> None:
    async with (
        FakeAnthropic() as fake,
        opened({"a.py": BEFORE}, {"a.py": AFTER}) as (github, _, env),
    ):
        assert await rules(tmp_path, fake, "--pr", NAME, **env) == [LOOP, "ruff/F821"]
        assert len(github.called("GET", "/contents/a.py")) == 1
        github.fail(faults.error("GET", "/contents/a.py", 404, times=None))
        assert await rules(tmp_path, fake, "--pr", NAME, **env) == [LOOP]
