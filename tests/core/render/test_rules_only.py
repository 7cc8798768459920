"""A review by rules and linters in place of a model says so first, and is never called clean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reviewbot.core.events import events as ev
from reviewbot.core.events.report import ReportBuilder
from reviewbot.core.render.layout import plain
from reviewbot.core.render.terminal import event_lines, final_lines
from reviewbot.core.render.wording import outcome
from tests.support.documents import report_of
from tests.support.reports import FINDING, PLAN

READ = (ev.FileCoverage("app/db.py", "reviewed"),)
FAILED = ev.FileCoverage("b.py", "failed", "Overloaded.")
KEYLESS = ev.RulesOnly("This job has no key.")
INVALID = ev.RulesOnly("Correct .reviewbot.yml of main:3.", is_incomplete=True)
FIRST = "Reviewed by rules and linters only"


@pytest.mark.parametrize(
    ("is_found", "state", "why", "sentence"),
    [
        (False, "shallow", KEYLESS, "Shallow: no findings in 1 file."),
        (True, "findings", KEYLESS, "1 warning in 1 file."),
        (
            False,
            "incomplete",
            INVALID,
            "Incomplete: the configuration of the base is invalid; nothing was found in the rest.",
        ),
        (
            True,
            "incomplete",
            INVALID,
            "Incomplete: the configuration of the base is invalid; 1 warning found.",
        ),
    ],
)
def test_the_outcome_begins_with_who_reviewed(
    is_found: bool, state: ev.Outcome, why: ev.RulesOnly, sentence: str
) -> None:
    found = [FINDING] if is_found else []
    report = report_of(*found, outcome=state, coverage=READ, reasons=(why.reason,))
    report = replace(report, rules_only=why)
    assert outcome(report) == f"{FIRST}. {sentence}"
    assert report.is_list_only is why.is_incomplete
    assert f"  {why.reason}\n" in plain(final_lines(report, width=100))


def test_the_first_line_in_a_terminal_has_the_reason() -> None:
    started = replace(PLAN, rules_only=KEYLESS)
    builder = ReportBuilder()
    builder.add(started)
    assert builder.report.rules_only == KEYLESS
    assert plain(event_lines(started, width=100)).startswith(f"{FIRST}: This job has no key.\n")


def test_the_reason_is_named_beside_files_that_failed() -> None:
    report = report_of(
        outcome="incomplete",
        coverage=(*READ, FAILED),
        reasons=(INVALID.reason, "b.py not reviewed: Overloaded."),
    )
    text = plain(final_lines(replace(report, rules_only=INVALID), width=100))
    assert INVALID.reason in text
    assert text.count("Overloaded.") == 1
