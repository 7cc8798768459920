"""A model's finding joins the rule's finding of the same fault; in doubt, there are two."""

from __future__ import annotations

from typing import Any

import pytest

from reviewbot.core.findings.finding import Guideline, Placement
from reviewbot.core.findings.join import joined, rule_of
from tests.support.findings import finding

HELD = Placement("outside", "Its confidence of 0.5 is below 0.7.", held=True)
NOWHERE = Placement("file", "The code it quotes is not in the diff.")


def rule(**changes: Any) -> Any:
    values: dict[str, Any] = {
        "id": "r",
        "quote": "run(f'ls {path}', shell=True)",
        "scenario": "When a value holds a quote, the shell runs what follows.",
        "category": "security",
        "title": "Values are pasted into a shell command",
        "message": "Pass a list.",
        "rule": "python/shell-injection",
        "model": "offline",
        "sources": ("python/shell-injection",),
    }
    return finding(**values | changes)


def model(**changes: Any) -> Any:
    values: dict[str, Any] = {
        "id": "m",
        "quote": "run(f'ls {path}', shell=True)",
        "scenario": "When the path holds `;`, the shell deletes files.",
        "category": "security",
        "title": "The path becomes a shell command",
        "message": "`path` comes from the request.",
        "rule": "security",
        "model": "claude",
        "sources": ("claude",),
    }
    return finding(**values | changes)


def test_equal_lines_and_common_words_are_one_fault() -> None:
    assert rule_of(model(), [rule()]) == rule()


def test_a_short_range_that_holds_one_finding_of_a_rule_is_one_fault() -> None:
    assert rule_of(model(line=2, end_line=7), [rule()]) == rule()
    assert rule_of(model(line=2, end_line=8), [rule()]) is None
    two = [rule(), rule(id="s", line=5, end_line=5)]
    assert rule_of(model(line=2, end_line=7), two) is None


def test_other_lines_are_two_faults() -> None:
    assert rule_of(model(line=5, end_line=5), [rule()]) is None
    assert rule_of(model(), [rule(line=3, end_line=6)]) is None
    assert rule_of(model(side="LEFT"), [rule()]) is None


def test_two_faults_of_one_line_are_two_findings() -> None:
    other = model(
        title="The exit status of the path is ignored",
        scenario="When `ls` fails, an empty folder is shown.",
    )
    assert rule_of(other, [rule()]) is None


def test_words_of_the_code_alone_are_no_evidence() -> None:
    undefined = rule(title="Undefined name `total_price`", scenario="", message="", quote="x = 1")
    reported = model(title="`total_price` is an undefined name", scenario="It crashes.")
    assert rule_of(reported, [undefined]) == undefined
    unused = rule(title="The result of `total_price` is lost", quote="result = total_price()")
    assert rule_of(model(title="`total_price` has a wrong result", scenario=""), [unused]) is None


def test_of_two_rules_on_one_line_the_one_with_more_common_words_is_joined() -> None:
    unused = rule(id="u", title="Unused variable `command`", rule="ruff/F841", scenario="")
    assert rule_of(model(), [unused, rule()]) == rule()
    assert rule_of(model(), [rule(id="other"), rule()]) is None


@pytest.mark.parametrize("placement", [HELD, NOWHERE])
def test_a_model_finding_that_does_not_count_or_has_no_line_is_not_joined(
    placement: Placement,
) -> None:
    assert rule_of(model(placement=placement), [rule()]) is None


def test_a_rule_finding_without_a_line_is_not_joined() -> None:
    assert rule_of(model(), [rule(placement=NOWHERE)]) is None


def test_a_joined_finding_is_the_rules_with_the_explanation_of_the_model() -> None:
    team_rule = Guideline("AGENTS.md", 3, "Quote values.")
    one = joined(rule(), [model(severity="error", confidence=0.95, guideline=team_rule)])
    assert (one.id, one.rule, one.title, one.model) == (
        "r",
        "python/shell-injection",
        "Values are pasted into a shell command",
        "offline",
    )
    assert (one.severity, one.confidence, one.guideline) == ("error", 0.95, team_rule)
    assert one.message == (
        "Pass a list.\n\nA model reports: The path becomes a shell command\n\n"
        "When the path holds `;`, the shell deletes files.\n\n`path` comes from the request."
    )
    assert one.sources == ("python/shell-injection", "claude")
    assert one.models == ("offline", "claude")


def test_a_joined_finding_is_at_least_as_severe_as_the_rules() -> None:
    assert joined(rule(severity="error"), [model(severity="note")]).severity == "error"


def test_the_title_of_a_model_is_no_markup_in_a_message() -> None:
    one = joined(rule(), [model(title="<b>@octo</b> [x](http://example.test)", scenario="@octo")])
    assert one.message.split("\n\n")[1:3] == [
        "A model reports: `<b>@octo</b>` x (`http://example.test`)",
        "`@octo`",
    ]


def test_a_rule_without_a_scenario_gets_the_models() -> None:
    one = joined(rule(scenario=""), [model()])
    assert one.scenario == "When the path holds `;`, the shell deletes files."
    assert one.message == (
        "Pass a list.\n\nA model reports: The path becomes a shell command\n\n"
        "`path` comes from the request."
    )


def test_the_suggestion_of_a_model_applies_only_to_the_same_lines() -> None:
    offered = model(suggestion="run(['ls', path])", suggestion_applies=True)
    one = joined(rule(), [offered])
    assert (one.suggestion, one.suggestion_applies) == ("run(['ls', path])", True)
    longer = finding(**{name: getattr(offered, name) for name in offered.__slots__} | {"line": 3})
    one = joined(rule(), [longer])
    assert (one.suggestion, one.suggestion_applies) == ("run(['ls', path])", False)


@pytest.mark.parametrize(
    ("applies", "offered", "kept"),
    [(True, True, "rule"), (False, True, "model"), (False, False, "rule")],
)
def test_the_suggestion_of_a_rule_gives_way_only_to_one_that_alone_applies(
    applies: bool, offered: bool, kept: str
) -> None:
    one = joined(
        rule(suggestion="rule", suggestion_applies=applies),
        [model(suggestion="model", suggestion_applies=offered)],
    )
    assert one.suggestion == kept


def test_a_held_back_finding_of_a_rule_counts_if_a_model_reports_it() -> None:
    assert joined(rule(placement=HELD), [model()]).placement == Placement("inline")
    assert joined(rule(), []) == rule()
