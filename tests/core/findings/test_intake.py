"""Intake: a draft becomes a finding that is placed, safe to show, and gated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.core.findings.draft import own_draft, parse_draft
from reviewbot.core.findings.finding import Guideline
from reviewbot.core.findings.intake import FindingFilters, Intake
from reviewbot.core.findings.levels import PathRules, RuleLevels
from reviewbot.core.render import FINAL, final
from tests.support.documents import report_of
from tests.support.findings import ITEM
from tests.support.views import hunk, view

if TYPE_CHECKING:
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.findings.suggestions import Edit


def admit(where: str = "a.py", gates: FindingFilters | None = None, **changes: Any) -> Finding:
    return admitted(where, gates, **changes)[0]


def admitted(
    where: str = "a.py",
    gates: FindingFilters | None = None,
    code: str = "+x = 1\n+y = 2",
    **changes: Any,
) -> tuple[Finding, Edit | None]:
    intake = Intake([view(hunk(code), path=where)], gates or FindingFilters())
    draft = parse_draft(ITEM | {"line": 1, "end_line": 1} | changes)
    found = intake.admit(draft, model="m", attempt=2)
    assert found
    return found


@pytest.mark.parametrize(
    ("path", "claimed"),
    [
        ("src/a.py", "src/a.py"),
        ("src/a.py", "./src/a.py"),
        ("src/a.py", "a/src/a.py"),
        ("src/a.py", "b/src/a.py"),
        ("na\udcffme.py", "na\\xffme.py"),
        ("tab\there.py", "tab\there.py"),
    ],
)
def test_a_path_may_be_written_as_it_was_shown_or_as_diffs_write_it(
    path: str, claimed: str
) -> None:
    finding = admit(path, path=claimed)
    assert (finding.path, finding.placement.kind, finding.line) == (path, "inline", 1)


@pytest.mark.parametrize("claimed", ["c/src/a.py", "a.py", "SRC/a.py", "../src/a.py"])
def test_another_path_is_not_guessed_at(claimed: str) -> None:
    finding = admit("src/a.py", path=claimed)
    assert finding.placement.kind == "outside"
    assert not finding.placement.held
    assert finding.chunk == "c1"
    strict = FindingFilters(confidence=0.7)
    assert admit("src/a.py", path=claimed, confidence=0.3, gates=strict).placement.held


def test_a_quote_that_is_nowhere_leaves_the_finding_with_its_file() -> None:
    finding = admit(quote="z = 'nowhere at all'")
    assert (finding.placement.kind, finding.placement.reason) == (
        "file",
        "The code it quotes is not in the diff.",
    )
    assert (finding.quote, finding.line) == ("z = 'nowhere at all'", 1)


def test_a_held_finding_without_a_place_is_not_shown_beside_other_code() -> None:
    strict = FindingFilters(confidence=0.7)
    finding = admit(quote="z = 'nowhere at all'", confidence=0.5, gates=strict)
    assert (finding.placement.kind, finding.placement.held) == ("file", True)


def test_a_finding_of_a_model_is_shown_whatever_its_confidence() -> None:
    finding = admit(confidence=0.0)
    assert (finding.placement.kind, finding.placement.held) == ("inline", False)


def test_a_note_of_a_rule_is_listed_unless_the_threshold_is_lowered() -> None:
    draft = replace(parse_draft(ITEM | {"confidence": 0.5}), rule="python/eval")
    for gates, held in ((FindingFilters(), True), (FindingFilters(rule_confidence=0.5), False)):
        admitted = Intake([view(hunk("+x = 1"))], gates).admit(draft, model="offline", attempt=1)
        assert admitted is not None
        assert admitted[0].placement.held is held


def test_a_suggestion_for_other_lines_than_the_quoted_ones_is_not_offered() -> None:
    assert admitted(suggestion="x = 5")[1]
    assert not admitted(suggestion="x = 5", end_line=2)[1]


def test_the_configuration_decides_severity_and_silence() -> None:
    gates = FindingFilters(levels=RuleLevels({"bug": "note", "docs": "off"}))
    assert admit(gates=gates).severity == "note"
    intake = Intake([view(hunk("+x = 1"))], gates)
    draft = parse_draft(ITEM | {"category": "docs"})
    assert intake.admit(draft, model="m", attempt=1) is None


def test_a_decoy_that_stands_in_the_code_is_no_sign_of_confusion() -> None:
    gates = FindingFilters(decoys=frozenset({"frobnicate_all"}))
    words = {"quote": "frobnicate_all(x)", "title": "frobnicate_all twice"}
    finding, _ = admitted(gates=gates, code="+frobnicate_all(x)", **words)
    assert finding.placement.kind == "inline"
    assert admit(gates=gates, **words).placement.held


def test_a_level_of_a_path_holds_there_alone() -> None:
    gates = FindingFilters(levels=RuleLevels({}, (PathRules(("tests/",), {"bug": "off"}),)))
    assert admit("src/a.py", gates=gates, path="src/a.py").severity == "warning"
    intake = Intake([view(hunk("+x = 1"), path="tests/a.py")], gates)
    draft = parse_draft(ITEM | {"path": "tests/a.py"})
    assert intake.admit(draft, model="m", attempt=1) is None


def is_reported(code: str, *, line: int = 1, heed_added: bool = True, **changes: Any) -> bool:
    """Return whether a finding of the rule ``python/x`` on ``x = 1`` is reported."""
    intake = Intake([view(hunk(code))], FindingFilters(heed_added=heed_added))
    quote = code.split("\n")[line - 1][1:]
    draft = own_draft(
        ITEM | {"rule": "python/x", "quote": quote, "line": line, "end_line": line} | changes
    )
    return intake.admit(draft, model="offline", attempt=1) is not None


@pytest.mark.parametrize("name", ["python/x", "bug", "security, python/x"])
def test_a_suppression_hides_a_finding_of_the_rule_or_category_it_names(name: str) -> None:
    assert not is_reported(f"+x = 1  # reviewbot: ignore[{name}] why")
    assert not is_reported(f" # reviewbot: ignore[{name}] why\n+x = 1", line=2)


@pytest.mark.parametrize(
    "code",
    [
        "+x = 1  # reviewbot: ignore[python/y] why",
        "+x = 1\n # reviewbot: ignore[python/x] why",
        "+x = 1\n+y = 2  # reviewbot: ignore[python/x] why",
    ],
)
def test_a_suppression_of_another_rule_or_line_hides_nothing(code: str) -> None:
    assert is_reported(code)


def test_a_suppression_hides_no_finding_of_a_model() -> None:
    assert is_reported("+x = 1  # reviewbot: ignore[bug] why", rule=None)


def test_a_suppression_hides_no_finding_on_a_removed_line() -> None:
    code = " # reviewbot: ignore[bug]\n-x = 12345\n+y"
    assert is_reported(code, line=2, side="LEFT")


@pytest.mark.parametrize("severity", ["error", "warning", "note"])
def test_an_added_suppression_hides_errors_only_where_it_is_heeded(severity: str) -> None:
    added = "+x = 1  # reviewbot: ignore[python/x]"
    assert not is_reported(added, severity=severity)
    shown = is_reported(added, heed_added=False, severity=severity)
    assert shown == (severity == "error")
    known = " # reviewbot: ignore[python/x]\n+x = 1"
    assert not is_reported(known, line=2, heed_added=False, severity=severity)


RULES = (Guideline("AGENTS.md", 7, "Never return `None` from a handler."),)
QUOTING = 'It breaks "never return None from a handler".'


def test_a_finding_names_the_rule_of_the_team_that_it_quotes() -> None:
    intake = Intake([view(hunk("+x = 1"))], FindingFilters(), RULES)
    quoting = ITEM | {"message": QUOTING}
    for draft, expected in (
        (parse_draft(quoting), RULES[0]),
        (parse_draft(quoting | {"message": "It returns None."}), None),
        (replace(parse_draft(quoting), rule="python/eval"), None),
    ):
        taken = intake.admit(draft, model="m", attempt=1)
        assert taken is not None
        assert taken[0].guideline == expected


@pytest.mark.parametrize("name", FINAL)
def test_every_format_keeps_the_characters_of_a_name_in_title_and_message(name: str) -> None:
    finding = admit(title="No __init__ in A", message="if __name__ == '__main__' is *not* run")
    text = final(name)(report_of(finding))
    assert "No `__init__` in A" in text
    assert "`__name__ == '__main__'`" in text
