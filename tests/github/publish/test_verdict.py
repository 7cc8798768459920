"""The verdict is done only if nothing blocks the pull request, and all was read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reviewbot.core.events.events import FileCoverage, ModelShare, PlannedFile, RulesOnly, Usage
from reviewbot.core.events.report import Report, Threshold
from reviewbot.core.findings.finding import Placement, Severity
from reviewbot.github.publish.verdict import BY_RULES, verdict
from tests.support.findings import finding

READ = (FileCoverage("a.py", "reviewed"),)


def reviewed(*severities: Severity, held: bool = False, **more: object) -> Report:
    place = Placement("outside", "Held back.", held=True) if held else Placement("inline")
    found = tuple(
        finding(id=f"{number:016x}", severity=severity, placement=place)
        for number, severity in enumerate(severities)
    )
    report = Report("findings" if found else "clean", findings=found, coverage=READ)
    return replace(report, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("severities", "fail_on", "text"),
    [
        ([], "error", "Done: nothing blocks this."),
        (["note"], "error", "Done: nothing blocks this."),
        (["warning"], "error", "Done: nothing blocks this; 1 warning is open."),
        (
            ["warning", "warning", "note"],
            "never",
            "Done: nothing blocks this; 2 warnings are open.",
        ),
        (["warning", "note"], "warning", "1 warning is open."),
        (["warning", "note"], "note", "1 warning and 1 note are open."),
        (["note"], "note", "1 note is open."),
        (["error"], "error", "1 error is open."),
        (["error"], "never", "1 error is open."),
        (["error", "warning", "warning"], "error", "1 error and 2 warnings are open."),
    ],
)
def test_open_findings_decide(severities: list[Severity], fail_on: Threshold, text: str) -> None:
    assert verdict(reviewed(*severities), fail_on) == text


def test_findings_that_are_held_back_do_not_block() -> None:
    assert verdict(reviewed("error", held=True), "note") == "Done: nothing blocks this."


@pytest.mark.parametrize(
    "report",
    [
        Report(),
        reviewed(outcome="incomplete", coverage=(FileCoverage("a.py", "failed", "Busy."),)),
        reviewed(outcome="shallow", coverage=(*READ, FileCoverage("b.go", "unread", "No rules."))),
        reviewed("note", coverage=(*READ, FileCoverage("b.go", "unread", "No rules."))),
        reviewed(coverage=(FileCoverage("a.lock", "skipped", "Lock."),)),
        reviewed(outcome="superseded"),
        reviewed(outcome="cancelled"),
    ],
    ids=["unfinished", "failed", "shallow", "unread", "skipped", "superseded", "cancelled"],
)
def test_a_review_that_did_not_read_all_is_not_done(report: Report) -> None:
    assert "Done" not in verdict(report, "error")


@pytest.mark.parametrize(("model", "is_done"), [("offline", True), ("claude", False)])
def test_rules_suffice_only_where_no_model_is_set(model: str, is_done: bool) -> None:
    file = PlannedFile("a.py", "modified", 1, 1, chunks=("c1",), model=model)
    share = ModelShare("offline", 1, 0, Usage(), 0.0)
    report = reviewed(files=(file,), by_model=(share,), depth="No model read this.")
    assert verdict(report, "error").startswith("Done") == is_done


def test_files_that_rules_read_in_an_earlier_review_are_not_done() -> None:
    text = verdict(reviewed(), "error", by_rules=True)
    assert text == f"No findings in 1 file. {BY_RULES}"


def test_a_review_by_rules_in_place_of_a_model_is_never_done() -> None:
    why = RulesOnly("No key.")
    for report in (reviewed("warning", rules_only=why), reviewed(rules_only=why)):
        said = verdict(report, "never")
        assert said.startswith("Reviewed by rules and linters only.")
        assert "Done" not in said
