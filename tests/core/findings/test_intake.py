"""Intake: a draft becomes a finding that is placed, safe to show, and gated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.core.findings.draft import parse_draft
from reviewbot.core.findings.intake import FindingFilters, Intake
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
    assert admit("src/a.py", path=claimed, confidence=0.3).placement.held


def test_a_quote_that_is_nowhere_leaves_the_finding_with_its_file() -> None:
    finding = admit(quote="z = 'nowhere at all'")
    assert (finding.placement.kind, finding.placement.reason) == (
        "file",
        "The code it quotes is not in the diff.",
    )
    assert (finding.quote, finding.line) == ("z = 'nowhere at all'", 1)


def test_a_held_finding_without_a_place_is_not_shown_beside_other_code() -> None:
    finding = admit(quote="z = 'nowhere at all'", confidence=0.5)
    assert (finding.placement.kind, finding.placement.held) == ("file", True)


def test_a_suggestion_for_other_lines_than_the_quoted_ones_is_not_offered() -> None:
    assert admitted(suggestion="x = 5")[1]
    assert not admitted(suggestion="x = 5", end_line=2)[1]


def test_the_configuration_decides_severity_and_silence() -> None:
    gates = FindingFilters(rules={"bug": "note", "docs": "off"})
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
