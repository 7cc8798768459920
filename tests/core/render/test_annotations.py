"""Workflow commands: ours and no others, the worst first, within GitHub's limits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given

from reviewbot.core import render
from reviewbot.core.events import events as ev
from reviewbot.core.events.report import Report, counts_for_fail_on
from reviewbot.core.findings.finding import SEVERITIES, Placement
from reviewbot.core.render.annotations import LIMIT, failure, notice, render_job
from tests.review_strategies import reports
from tests.runner_model import commands
from tests.support.documents import report_of
from tests.support.reports import FINDING, HELD

lines_of = render.final("annotations")


@given(reports)
def test_every_line_is_one_command_of_ours_whatever_a_finding_says(report: Report) -> None:
    text = lines_of(report)
    found = commands(text)
    assert len(found) == text.count("\n") == len(text.splitlines())
    assert {command.name for command in found} <= {"error", "warning", "notice"}
    assert {key for command in found for key in command.properties} <= {
        "file",
        "line",
        "endLine",
        "title",
    }
    expected = len(list(filter(counts_for_fail_on, report.findings))) + (not report.complete) + 1
    assert len(found) == expected
    text.encode()


def test_special_characters_reach_the_reader_as_they_were() -> None:
    finding = replace(FINDING, path="a,b:c%0A.py", title="50%: a, b", message="100%\n%0A ::x::")
    command = commands(lines_of(report_of(finding)))[0]
    assert command.properties == {
        "file": "a,b:c%0A.py",
        "line": "3",
        "endLine": "3",
        "title": "50%: a, b",
    }
    assert command.data == "100%\n%0A ::x::"


def test_the_worst_come_first_and_what_has_no_room_is_counted() -> None:
    findings = [
        replace(FINDING, id=f"{level}{index:015}", severity=level, line=index + 1)
        for level in reversed(SEVERITIES)
        for index in range(12)
    ]
    found = commands(lines_of(report_of(*findings)))
    assert Counter(command.name for command in found) == {"error": 10, "warning": 10, "notice": 10}
    assert [command.name for command in found] == ["error"] * 10 + ["warning"] * 10 + [
        "notice"
    ] * 10
    assert [command.properties["line"] for command in found[:10]] == [str(n) for n in range(1, 11)]
    assert "2 errors, 2 warnings and 3 notes had no room" in found[-1].data


def test_what_was_not_reviewed_is_the_first_error_with_its_files() -> None:
    coverage = (ev.FileCoverage("a.py", "failed", "Refused."), ev.FileCoverage("b.py", "reviewed"))
    errors = [replace(FINDING, id=f"{index:016}", severity="error") for index in range(10)]
    report = report_of(*errors, outcome="incomplete", coverage=coverage, reasons=("Quota.",))
    found = commands(lines_of(report))
    assert [command.name for command in found] == ["error"] * 10 + ["notice"]
    assert found[0].properties == {"title": "reviewbot: incomplete"}
    assert found[0].data.endswith("\na.py not reviewed: Refused.\nQuota.")
    assert "1 error had no room" in found[-1].data


def test_a_superseded_review_warns() -> None:
    first, last = commands(lines_of(report_of(outcome="superseded")))
    assert (first.name, last.name) == ("warning", "notice")


def test_a_clean_review_is_one_notice() -> None:
    (command,) = commands(lines_of(report_of(outcome="clean")))
    assert (command.name, command.data) == ("notice", "No findings in 1 file.")


def test_without_a_new_line_there_is_no_line_and_held_ones_are_only_counted() -> None:
    left = replace(FINDING, side="LEFT")
    away = replace(FINDING, id="b" * 16, placement=Placement("file", "The code is not there."))
    held = replace(FINDING, id="c" * 16, placement=HELD)
    one, two, last = commands(lines_of(report_of(left, away, held)))
    assert "line" not in one.properties | two.properties
    assert one.data.endswith("On line 3 of the old file.")
    assert two.data.endswith("Not placed on a line: The code is not there.")
    assert last.data.endswith("1 finding held back.")


def test_a_message_without_end_is_cut_visibly() -> None:
    first, _ = commands(lines_of(report_of(replace(FINDING, message="x" * 9_999))))
    assert len(first.data) < 5_000
    assert first.data.endswith("x ...")


def test_the_verdict_of_a_job_comes_first_and_notes_have_room_among_githubs_ten() -> None:
    many = [replace(FINDING, id=f"{n:016x}", severity="note") for n in range(20)]
    notes = ("One.", "::error::Two.")
    first, *found = commands(render_job("Bad. x", many, has_failed=True, notes=notes))
    assert first.name == "error"
    assert first.data == (
        "Bad. x 13 notes had no room among the annotations: see the job's log or summary."
    )
    assert [(command.name, command.data) for command in found[:2]] == [
        ("notice", "One."),
        ("notice", "::error::Two."),
    ]
    assert sum(command.name == "notice" for command in found) == LIMIT - 1
    [passed] = commands(render_job("Done.", [], has_failed=False))
    assert (passed.name, passed.data) == ("notice", "Done.")
    assert render_job("x", [], has_failed=False, notes=["more"] * 50).count("::notice") == LIMIT


def test_a_sentence_alone_is_one_command() -> None:
    [bad] = commands(failure("It failed:\n::error::x"))
    [note] = commands(notice("All is well."))
    assert (bad.name, bad.data) == ("error", "It failed:\n::error::x")
    assert (note.name, note.data) == ("notice", "All is well.")
