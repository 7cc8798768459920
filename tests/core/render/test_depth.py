"""Files that nothing read: each format names them, and none calls the review clean."""

from __future__ import annotations

import json

from reviewbot.core.events import events as ev
from reviewbot.core.render import final
from reviewbot.core.render.layout import plain
from reviewbot.core.render.terminal import LISTED, event_lines, final_lines
from reviewbot.core.render.wording import acceptance, outcome, unreviewed
from tests.support.documents import report_of
from tests.support.reports import FINDING

COBOL = ev.FileCoverage("a.cbl", "unread", "There are no offline rules for COBOL.")
VENDORED = ev.FileCoverage("vendor/a.rs", "unread", "New, and vendored.", by_policy=True)
SCRIPT = ev.FileCoverage("bin/run it", "unread", "Its language is unknown.")
COVERAGE = (ev.FileCoverage("app/db.py", "reviewed"), COBOL, SCRIPT)
DEPTH = "25 rules for Python ran; no model read this."
SHALLOW = report_of(outcome="shallow", coverage=COVERAGE, depth=DEPTH)
NOTHING_READ = report_of(
    outcome="incomplete", coverage=(COBOL,), reasons=("a.cbl not read: No rules.",)
)


def test_the_outcome_counts_unread_files_and_says_what_ran() -> None:
    assert outcome(SHALLOW) == f"Shallow: no findings in 3 files, of which 2 were not read. {DEPTH}"
    assert outcome(NOTHING_READ) == ("Incomplete: 1 of 1 file was not read.")


def test_findings_beside_unread_files_count_them_too() -> None:
    report = report_of(FINDING, coverage=COVERAGE)
    assert outcome(report) == "1 warning in 3 files, of which 2 were not read."


def test_unread_files_are_missing_only_if_they_make_the_review_incomplete() -> None:
    assert unreviewed(SHALLOW) == ()
    assert unreviewed(NOTHING_READ) == (COBOL,)


def test_the_line_that_accepts_unread_files_names_languages_and_quotes_paths() -> None:
    assert acceptance(SHALLOW)[1] == 'accept_unread: [cobol, "/bin/run it"]'
    assert acceptance(report_of()) == ("", "")
    glob = ev.FileCoverage("**", "unread", None)
    assert acceptance(report_of(outcome="shallow", coverage=(glob,)))[1] == (
        'accept_unread: ["/\\\\*\\\\*"]'
    )
    many = tuple(ev.FileCoverage(f"bin/{n}", "unread", None) for n in range(100))
    assert len(acceptance(report_of(outcome="shallow", coverage=many))[1].split(",")) == 10


def test_advice_about_files_that_the_policy_leaves_unread_names_their_paths() -> None:
    report = report_of(outcome="shallow", coverage=(VENDORED,))
    advice, setting = acceptance(report)
    assert setting == 'accept_unread: ["/vendor/a.rs"]'
    assert "add !PATH to exclude" in advice
    assert "with a model" not in advice
    both, setting = acceptance(report_of(outcome="shallow", coverage=(COBOL, VENDORED)))
    assert setting == 'accept_unread: [cobol, "/vendor/a.rs"]'
    assert "add !PATH to exclude" in both
    assert "with a model" in both


def test_the_terminal_names_unread_files_and_what_to_do() -> None:
    text = plain(final_lines(SHALLOW, width=200))
    assert "not read   a.cbl: There are no offline rules for COBOL." in text
    assert "review with a model" in text
    assert " ".join(acceptance(SHALLOW)) in text
    assert " ".join(acceptance(NOTHING_READ)) in plain(final_lines(NOTHING_READ, width=200))
    chunk = ev.ChunkFinished("c1", "a.cbl", "unread", "offline", 1, "No rules.")
    assert plain(event_lines(chunk, width=80)) == "not read a.cbl: No rules.\n"


def test_a_thousand_reasons_for_unread_files_are_cut_visibly() -> None:
    many = tuple(ev.FileCoverage(f"{n}.cbl", "unread", f"Reason {n}.") for n in range(1000))
    text = plain(final_lines(report_of(outcome="shallow", coverage=many), width=200))
    assert f"{1000 - LISTED} more reasons" in text


def test_documents_list_unread_files_with_their_reasons() -> None:
    assert "`a.cbl` (unread): There are no offline rules" in final("markdown")(SHALLOW)
    assert f"`{acceptance(SHALLOW)[1]}`" in final("markdown")(SHALLOW)
    run = json.loads(final("sarif")(SHALLOW))["runs"][0]
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert [one["level"] for one in notes] == ["warning", "warning"]
    (first, second) = json.loads(final("rdjson")(SHALLOW))["diagnostics"]
    assert first["message"] == "Not read: There are no offline rules for COBOL."
    assert second["code"] == {"value": "file-unread"}
    assert "of which 2 were not read" in final("annotations")(SHALLOW)
