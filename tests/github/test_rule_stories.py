"""Rules of a repository and suppressions in its code, from a push to what is on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.github.app_runs import AppServer, app_server
from tests.support.custom_rules import CASES_PATH, FILES, PATH, RULE
from tests.support.github_stories import BASE, conclusions, summary_of, titles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner

PRINT = "**error: Use the logger instead of print**"
CODE = {"new.py": "print(x)\n"}
SUPPRESSED = {
    "new.py": "print(x)  # reviewbot: ignore[custom/no-print] a script\n"
    "assert (y, 'text')  # reviewbot: ignore[python/assert-tuple] as is\n"
}


@pytest.fixture
async def offline(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> AsyncIterator[AppServer]:
    github.install(github.repository("octo/hello", BASE))
    async with app_server(github, model, tmp_path, REVIEWBOT_MODEL="offline") as made:
        yield made


async def test_the_app_runs_the_rules_of_the_base(github: FakeGitHub, offline: AppServer) -> None:
    pull = github.pull(base=BASE | FILES, head=BASE | FILES | CODE)
    await offline.settle()
    assert titles(pull) == [PRINT]
    assert conclusions(pull) == ["failure"]


async def test_the_action_runs_the_rules_of_the_base(github: FakeGitHub, runner: Runner) -> None:
    pull = github.pull(base=BASE | FILES, head=BASE | FILES | CODE)
    run = await runner.run(pull, model="offline")
    assert titles(pull) == [PRINT]
    (described,) = run.sarif["runs"][0]["tool"]["driver"]["rules"]
    assert described["shortDescription"]["text"] == "Use the logger instead of print"


async def test_a_pull_request_cannot_add_or_remove_rules_for_its_own_review(
    github: FakeGitHub, offline: AppServer
) -> None:
    added = github.pull(base=BASE, head=BASE | FILES | CODE)
    await offline.settle()
    assert titles(added) == []
    removed = github.pull(base=BASE | FILES, head=BASE | CODE)
    await offline.settle()
    assert titles(removed) == [PRINT]


async def test_the_check_names_the_file_and_line_of_a_bad_rule(
    github: FakeGitHub, offline: AppServer
) -> None:
    bad = BASE | FILES | {PATH: RULE.replace("error", "fatal")}
    pull = github.pull(base=bad, head=bad | CODE)
    await offline.settle()
    [run] = pull.repo.check_runs.values()
    assert run.conclusion == "failure"
    assert f"{PATH} of main:3: severity: must be of" in (run.summary or "")


async def test_the_action_fails_with_the_file_of_a_rule_whose_cases_do_not_hold(
    github: FakeGitHub, runner: Runner
) -> None:
    bad = BASE | FILES | {CASES_PATH: "id: custom/no-print\nvalid: [x]\ninvalid: [y]\n"}
    pull = github.pull(base=bad, head=bad | CODE)
    run = await runner.run(pull, model="offline")
    assert (run.code, run.outputs["outcome"]) == (3, "incomplete")
    assert f"{CASES_PATH} of main:3: invalid[0]: the rule does" in run.summary.replace("\\", "")


async def test_the_app_lists_added_suppressions_and_hides_no_error_for_them(
    github: FakeGitHub, offline: AppServer
) -> None:
    base = BASE | FILES | {".reviewbot.yml": "rules: {python/assert-tuple: warning}"}
    pull = github.pull(base=base, head=base | SUPPRESSED)
    await offline.settle()
    assert titles(pull) == [PRINT]
    assert "This change adds 2 suppressions: new.py:1, new.py:2." in summary_of(pull)


async def test_the_action_lists_added_suppressions_after_each_push(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE | FILES, head=BASE | FILES | SUPPRESSED)
    await runner.run(pull, model="offline")
    pull.push({"other.py": "x = 1\n"})
    await runner.run(pull, model="offline")
    assert "This change adds 2 suppressions: new.py:1, new.py:2." in summary_of(pull)
    assert PRINT in titles(pull)


async def test_a_suppression_of_the_base_hides_an_error(
    github: FakeGitHub, offline: AppServer
) -> None:
    base = BASE | FILES | {"new.py": "# reviewbot: ignore[custom/no-print] a script\nprint(x)\n"}
    changed = {"new.py": "# reviewbot: ignore[custom/no-print] a script\nprint(y)\n"}
    pull = github.pull(base=base, head=base | changed)
    await offline.settle()
    assert titles(pull) == []
    assert conclusions(pull) == ["success"]
    assert "suppression" not in summary_of(pull)
