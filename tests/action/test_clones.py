"""On a runner, the Action reads code beyond a change from git, and fetches once what is missing."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.fake_anthropic.verdicts import after_lookups
from tests.fake_github import Fault
from tests.support.github_stories import titles

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub, PullRequest
    from tests.github.action_runs import Runner

FILLING = "".join(f"    x{number} = {number}\n" for number in range(1, 40))
USE = f"def charge(order):\n{FILLING}    return 1\n"
NEW = USE.replace("return 1", "return rate_of(order)  # BUG error Crash in `rate_of`")
# Only a search finds the definition: nothing imports its file.
TAX = {"elsewhere/tax.py": "def rate_of(order):\n    return order.rate\n"}
CONFIG = {".reviewbot.yml": "summary: false\nverify: true\n"}
BASE = CONFIG | TAX | {"shop/use.py": USE}
DEFINITION = '=== file "elsewhere/tax.py", unchanged\nR1 |def rate_of(order):'
UNAVAILABLE = "The code beyond the change was not searched"


async def review(github: FakeGitHub, runner: Runner, workspace: Path) -> PullRequest:
    pull = github.pull(base=BASE, head=BASE | {"shop/use.py": NEW})
    runner.event(pull)
    await runner.step(runner.environment(pull) | {"GITHUB_WORKSPACE": str(workspace)})
    assert len(titles(pull)) == 1
    return pull


def checkout_of(folder: Path, *, objects: Path | None = None) -> Path:
    """Make a repository, with the objects of another one or with none."""
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    if objects is not None:
        shutil.copytree(objects, folder / ".git/objects", dirs_exist_ok=True)
    return folder


def below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.fixture(autouse=True)
def _searching(model: FakeAnthropic) -> None:
    """Let the verifier search for a name."""
    model.verify = after_lookups(("search_code", {"text": "rate_of"}))


def evidence(model: FakeAnthropic) -> str:
    """What the verifier got for its search."""
    return "\n".join(result["content"] for result in model.verifications[-1].results)


def summary(pull: PullRequest) -> str:
    return "\n".join(one.body for one in pull.comments)


@pytest.mark.parametrize("checkout", [False, True])
async def test_what_the_checkout_lacks_is_fetched_once_and_removed_afterwards(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, tmp_path: Path, *, checkout: bool
) -> None:
    # A checkout is one of the merge commit alone, which has neither head nor merge base.
    work = checkout_of(tmp_path / "work") if checkout else tmp_path
    before = below(tmp_path / "work")
    pull = await review(github, runner, work)
    assert DEFINITION in evidence(model)
    assert UNAVAILABLE not in summary(pull)
    packs = [one for one in github.git_requests if b"command=fetch" in one.raw]
    assert len(packs) <= 2, "one fetch: its negotiation may take a second request"
    assert not github.called("GET", "/contents/elsewhere")
    assert below(tmp_path / "work") == before
    assert not [one for one in below(tmp_path) if one.name == "clone"]


async def test_a_fetch_that_fails_is_told_and_is_not_fatal(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, tmp_path: Path
) -> None:
    github.fail(Fault("GET", ".git/info/refs", 500, b"", times=9))
    pull = await review(github, runner, tmp_path)
    assert DEFINITION not in evidence(model)
    assert UNAVAILABLE in summary(pull)


async def test_a_checkout_with_head_and_merge_base_is_read_without_a_fetch(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, tmp_path: Path
) -> None:
    github.before_git = lambda _: pytest.fail("it was fetched")
    pull = github.pull(base=BASE, head=BASE | {"shop/use.py": NEW})
    pull.repo.store.save()
    work = checkout_of(tmp_path / "work", objects=pull.repo.store.folder / "objects")
    runner.event(pull)
    await runner.step(runner.environment(pull) | {"GITHUB_WORKSPACE": str(work)})
    assert DEFINITION in evidence(model)
