"""Rules that people keep dismissing in a folder are proposed to be turned off there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.config.file import parse_config
from reviewbot.core.findings.levels import PathRules, RuleLevels
from reviewbot.github.state.block import ClosedRecord, StateBlock
from reviewbot.github.state.proposals import MOST, Proposal, configuration, proposals
from tests.github.app_runs import AppServer, app_server
from tests.support.github_stories import BASE, summary_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub


def dismissed(number: int, **changes: Any) -> ClosedRecord:
    values: dict[str, Any] = {
        "rule": "ruff/F401",
        "model": "",
        "prompt_version": "",
        "fate": "dismissed",
        "severity": "warning",
        "folder": "src/legacy",
    }
    return ClosedRecord(id=f"{number:016x}", **values | changes)


def state(*records: ClosedRecord, merged: bool = True) -> StateBlock:
    return StateBlock("s", closed=records, merged=merged)


WARNED = "assert (1, 'text')\n"
"""Code with a warning of the rule python/assert-tuple."""
THREE = tuple(dismissed(number) for number in range(3))


def test_three_dismissals_of_a_rule_in_a_folder_are_a_proposal() -> None:
    states = [state(record) for record in THREE]
    assert proposals(states, RuleLevels()) == (Proposal("ruff/F401", "src/legacy", 3),)


@pytest.mark.parametrize(
    "states",
    [
        [state(*THREE[:2])],
        [state(*THREE, merged=False)],
        *(
            [state(*(dismissed(number, **changes) for number in range(3)))]
            for changes in (
                {"rule": "bug"},
                {"fate": "fixed"},
                {"severity": "error"},
                {"severity": None},
                {"folder": None},
                {"folder": ""},
                {"folder": "src/*"},
                {"folder": "!src"},
                {"folder": 'a"]\nmodel: x'},
                {"rule": "x: off}\nmodel: y"},
                {"rule": "custom/no-print"},
                {"rule": "python/no-such-rule"},
            )
        ),
        [state(*THREE[:2], dismissed(3, folder="src"))],
    ],
)
def test_anything_else_is_none(states: list[StateBlock]) -> None:
    assert proposals(states, RuleLevels()) == ()


@pytest.mark.parametrize(
    "levels",
    [
        RuleLevels({"ruff/F401": "off"}),
        RuleLevels({}, (PathRules(("/src/",), {"ruff/F401": "off"}),)),
    ],
)
def test_a_rule_that_is_off_already_is_not_proposed(levels: RuleLevels) -> None:
    assert proposals([state(*THREE)], levels) == ()


def test_the_lines_turn_the_rules_off_in_their_folders_alone() -> None:
    found = (Proposal("ruff/F401", "src/legacy code", 3), Proposal("python/eval", "a.b", 4))
    values = parse_config(configuration(found), name="x", trusted=False).values
    by_path = tuple(
        PathRules(tuple(entry["paths"]), entry["rules"]) for entry in values["path_rules"]
    )
    levels = RuleLevels({}, by_path)
    assert levels.at("src/legacy code/deep/x.py") == {"ruff/F401": "off"}
    assert levels.at("a.b/x.py") == {"python/eval": "off"}
    assert levels.at("lib/src/legacy code/x.py") == {}


def test_the_most_frequent_come_first_and_their_number_is_limited() -> None:
    records = [
        dismissed(100 * folder + number, folder=f"f{folder}")
        for folder in range(20)
        for number in range(3 + folder)
    ]
    found = proposals([state(*records)], RuleLevels())
    assert len(found) == MOST
    assert found[0] == Proposal("ruff/F401", "f19", 22)


@pytest.fixture
async def offline(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> AsyncIterator[AppServer]:
    github.install(github.repository("octo/hello", BASE))
    async with app_server(github, model, tmp_path, REVIEWBOT_MODEL="offline") as made:
        yield made


@pytest.mark.parametrize(("by", "shown"), [("octo", True), ("octocat", False)])
async def test_the_first_summary_of_the_next_pull_request_folds_the_proposals(
    github: FakeGitHub, offline: AppServer, by: str, shown: bool
) -> None:
    """octo may write; octocat is the author."""
    lines = '```yaml\npath_rules:\n  - paths: ["/lib/"]\n    rules: {python/assert-tuple: off}\n```'
    for number in range(4):
        pull = github.pull(base=BASE, head=BASE | {f"lib/a{number}.py": WARNED})
        await offline.settle()
        summary = summary_of(pull)
        assert ("<summary>Proposals</summary>" in summary) == (shown and number == 3)
        assert (lines in summary) == (shown and number == 3)
        pull.reply(pull.review_comments[0], "/ignore as @octo told mallory", by=by)
        await offline.settle()
        assert "mallory" not in summary_of(pull)
        pull.merge()
        await offline.settle()
