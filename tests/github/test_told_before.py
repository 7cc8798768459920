"""What earlier reviews told of on no line, read again from their texts."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from reviewbot.core.diff import parse_diff
from reviewbot.core.findings import Finding, Placement, fingerprint
from reviewbot.core.redact import REDACTED_MARK
from reviewbot.github.api.records import Author
from reviewbot.github.api.reviews import Review
from reviewbot.github.code_marks import is_brought, marks_in
from reviewbot.github.commented_code import CommentedCode
from reviewbot.github.earlier_findings import UNTITLED
from reviewbot.github.markers import Noted
from reviewbot.github.memory import Memory, OurReview, Posted, Told
from reviewbot.github.review_comments import plan_comments, review_text
from reviewbot.github.told_before import Beside, ToldBefore, beside_the_diff, with_told
from reviewbot.github.told_texts import OurTexts
from tests.github.diff_strategies import Change, changes
from tests.support.documents import report_of
from tests.support.github_comments import DIFF, FILES, LINKS, comment
from tests.support.reports import FINDING

if TYPE_CHECKING:
    from reviewbot.core.report import Report

SAID = replace(FINDING, quote="two = 22", line=3, end_line=3, placement=Placement("inline"))
TWICE = DIFF.replace("@@ -20,3 +21,3 @@", "@@ -20,3 +21,4 @@").replace(
    "     x()", "+    two = 22\n     x()"
)
WITHOUT = parse_diff(DIFF.replace("two = 22", "two = 2222").encode())


def text_of(*findings: Finding) -> str:
    plan = plan_comments(findings, FILES, marker=lambda _: "", links=LINKS, most=0)
    return review_text(report_of(*findings), inline=0, below=plan.rest).text


def remembered(body: str, *ids: str, code: str | None = None, signed: bool = True) -> Memory:
    """A review with that text, whose marker notes ``ids``: on SAID's line, or with ``code``."""
    review = Review(1, Author("reviewbot[bot]", 1, is_bot=True), "COMMENTED", body, None, "")
    if code is None:
        code = CommentedCode(FILES).mark(SAID.path, SAID.side, SAID.line, SAID.end_line)
    told = {id_: Told(Noted(id_, SAID.severity, code), review, signed) for id_ in ids}
    return Memory(reviews=(OurReview(review, signed),), told=told)


def read(memory: Memory, report: Report | None = None) -> ToldBefore:
    return with_told(report or report_of(), memory, CommentedCode(FILES), ())


def beside(memory: Memory, code: CommentedCode) -> list[Beside]:
    return beside_the_diff(OurTexts(memory, code.names).told(code), code)


@settings(deadline=None)
@given(changes())
def test_no_word_of_a_finding_makes_another_one_of_it(change: Change) -> None:
    plan = plan_comments(change.findings, change.files, marker=lambda _: "", most=0)
    said = review_text(report_of(*change.findings), inline=0, below=plan.rest)
    told = {one.finding.id: one.finding for one in said.told}
    memory = remembered(said.text, *told)
    found = with_told(report_of(), memory, CommentedCode(change.files), ())
    for one in found.report.findings:
        assert one.severity == told[one.id].severity
        assert one.placement.held == told[one.id].placement.held
    assert found.gone.keys() <= told.keys()


def test_what_a_review_told_of_is_found_again_with_what_it_said() -> None:
    (one,) = read(remembered(text_of(SAID), SAID.id)).report.findings
    assert (one.id, one.path, one.line, one.side) == (SAID.id, SAID.path, 3, "RIGHT")
    assert (one.title, one.message, one.severity) == (SAID.title, SAID.message, SAID.severity)
    assert one.quote == SAID.quote


def test_what_is_not_signed_is_not_believed() -> None:
    found = read(remembered(text_of(SAID), SAID.id, signed=False))
    assert found.report.findings == ()
    assert found.gone == {}


def test_what_the_marker_notes_stands_although_its_words_cannot_be_read() -> None:
    (one,) = read(remembered("Somebody has edited this.", SAID.id)).report.findings
    assert (one.id, one.path, one.line, one.severity) == (SAID.id, SAID.path, 3, SAID.severity)
    assert one.title == UNTITLED


def test_a_finding_that_the_marker_does_not_note_is_not_believed() -> None:
    found = read(remembered(text_of(SAID), "b" * 16)).report.findings
    assert [(one.id, one.title) for one in found] == [("b" * 16, UNTITLED)]


def test_its_code_is_gone_where_the_diff_has_it_no_more() -> None:
    found = with_told(report_of(), remembered(text_of(SAID), SAID.id), CommentedCode(WITHOUT), ())
    assert found.report.findings == ()
    assert found.gone == {SAID.id: SAID.title}


@pytest.mark.parametrize(
    "quote", [f"two = {REDACTED_MARK}", "two = <! -- x", "tw...", "\ntwo = 22\r"]
)
def test_whatever_became_of_a_quote_its_code_is_known(quote: str) -> None:
    body = text_of(SAID).replace("> two = 22", f"> {quote}")
    memory = remembered(body, SAID.id)
    assert [one.id for one in read(memory).report.findings] == [SAID.id]
    assert with_told(report_of(), memory, CommentedCode(WITHOUT), ()).gone.keys() == {SAID.id}


def test_a_review_that_is_incomplete_calls_nothing_fixed() -> None:
    part = replace(report_of(), outcome="incomplete")
    found = with_told(part, remembered(text_of(SAID), SAID.id), CommentedCode(WITHOUT), ())
    assert (found.gone, [one.id for one in found.report.findings]) == ({}, [SAID.id])


def test_it_stands_in_a_file_that_was_renamed_and_wherever_its_lines_move() -> None:
    renamed = "a/app/db.py b/app/new.py\nrename from app/db.py\nrename to app/new.py\n"
    moved = (
        DIFF.replace("a/app/db.py b/app/db.py\n", renamed)
        .replace("+++ b/app/db.py", "+++ b/app/new.py")
        .replace("@@ -1,4 +1,5 @@", "@@ -1,4 +11,5 @@")
        .replace("@@ -20,3 +21,3 @@", "@@ -20,3 +31,3 @@")
    )
    files = parse_diff(moved.encode())
    (one,) = with_told(
        report_of(), remembered(text_of(SAID), SAID.id), CommentedCode(files), ()
    ).report.findings
    assert (one.id, one.path, one.line) == (SAID.id, "app/new.py", 13)


def test_a_copy_of_its_code_elsewhere_does_not_take_its_id() -> None:
    files = parse_diff(TWICE.encode())
    there = replace(SAID, line=23, end_line=23, title="Quite another thing")
    memory = remembered(text_of(SAID), SAID.id)
    found = with_told(report_of(there), memory, CommentedCode(files), ()).report.findings
    assert {one.line: one.title for one in found} == {3: SAID.title, 23: there.title}
    assert next(one.id for one in found if one.line == 3) == SAID.id


def test_what_is_ignored_is_known_under_another_rule_too() -> None:
    again = replace(SAID, id="c" * 16, rule="another", category="security")
    memory = replace(remembered(text_of(SAID), SAID.id), ignored={SAID.id: "octo"})
    (one,) = read(memory, report_of(again)).report.findings
    assert one.id == SAID.id
    assert read(memory).report.findings == ()


def test_what_is_found_again_in_other_words_keeps_the_id_that_was_told() -> None:
    again = replace(SAID, id="c" * 16, rule="another", message="Still so.")
    (one,) = read(remembered(text_of(SAID), SAID.id), report_of(again)).report.findings
    assert (one.id, one.message) == (SAID.id, "Still so.")


def test_another_finding_on_its_lines_is_not_taken_for_it() -> None:
    other = replace(SAID, id="c" * 16, category="security", title="A secret in the code", rule="x")
    found = read(remembered(text_of(SAID), SAID.id), report_of(other)).report.findings
    assert {one.id for one in found} == {SAID.id, other.id}


def test_a_copy_gets_no_id_that_somebody_told_us_to_ignore() -> None:
    second = fingerprint(SAID.path, SAID.rule, SAID.quote, 2)
    there = replace(SAID, line=23, end_line=23, title="Quite another thing")
    told = replace(SAID, id=there.id)
    memory = replace(remembered(text_of(told), told.id), ignored={second: "octo"})
    found = with_told(
        report_of(there), memory, CommentedCode(parse_diff(TWICE.encode())), ()
    ).report.findings
    assert {one.line for one in found} == {3, 23}
    assert second not in {one.id for one in found}


TWO_FILES = DIFF + DIFF.replace("app/db.py", "app/b.py")


def test_the_same_code_in_another_file_is_another_finding() -> None:
    other = replace(SAID, id="c" * 16, path="app/b.py")
    files = parse_diff(TWO_FILES.encode())
    found = with_told(
        report_of(other), remembered(text_of(SAID), SAID.id), CommentedCode(files), ()
    ).report
    assert {one.path: one.id for one in found.findings} == {
        SAID.path: SAID.id,
        "app/b.py": other.id,
    }


def test_it_is_gone_although_another_file_has_such_a_line() -> None:
    files = parse_diff(TWO_FILES.replace("+two = 22", "+two = 23", 1).encode())
    found = with_told(report_of(), remembered(text_of(SAID), SAID.id), CommentedCode(files), ())
    assert found.report.findings == ()
    assert found.gone.keys() == {SAID.id}


def test_it_is_gone_where_only_the_code_of_another_finding_is_left() -> None:
    """Both say the same of the same line; the one that was told is repaired."""
    files = parse_diff(TWICE.replace("+    two = 22", "+    two = 23").encode())
    code = CommentedCode(parse_diff(TWICE.encode())).mark(SAID.path, "RIGHT", 23, 23)
    told = remembered(text_of(SAID), SAID.id, code=code)
    other = replace(SAID, id="c" * 16)
    posted = Posted(other.id, other.severity, comment(other), None)
    memory = replace(told, posted={other.id: posted})
    found = with_told(report_of(other), memory, CommentedCode(files), ())
    assert [one.id for one in found.report.findings] == [other.id]
    assert found.gone.keys() == {SAID.id}


UNCHANGED = replace(SAID, quote="four = 4", line=5, end_line=5)


@pytest.mark.parametrize(
    ("diff", "path"),
    [
        (DIFF.replace(" four = 4\n", "").replace("-1,4 +1,5", "-1,3 +1,4"), "app/db.py"),
        (DIFF.replace("app/db.py", "app/other.py"), "app/db.py"),
    ],
    ids=["its hunk has become shorter", "its file has left the diff"],
)
def test_a_line_that_the_change_was_not_on_is_looked_for_in_its_file(diff: str, path: str) -> None:
    code = CommentedCode(FILES).mark(UNCHANGED.path, "RIGHT", 5, 5)
    memory = remembered(text_of(UNCHANGED), SAID.id, code=code)
    files = parse_diff(diff.encode())
    [one] = beside(memory, CommentedCode(files))
    assert (one.id, one.path) == (SAID.id, path)
    assert marks_in(["x", "four = 4"], [one.code]) == {one.code}
    assert marks_in(["x", "four = 5"], [one.code]) == set()
    (found,) = with_told(
        report_of(), memory, CommentedCode(files), (), in_files={SAID.id: True}
    ).report.findings
    assert (found.id, found.path, found.placement.kind) == (SAID.id, path, "file")
    assert with_told(report_of(), memory, CommentedCode(files), ()).gone.keys() == {SAID.id}


def test_the_file_of_a_mark_is_the_one_that_is_named_whatever_else_has_its_digest() -> None:
    mark = CommentedCode(FILES).mark(UNCHANGED.path, "RIGHT", 5, 5)
    like = next(
        path
        for n in range(10**6)
        if sha256((path := f"f{n}.py").encode()).hexdigest()[:4] == mark[-4:]
    )
    code = CommentedCode(parse_diff(DIFF.replace("app/db.py", like).encode()))
    assert code.name_of(mark, UNCHANGED.path) == UNCHANGED.path
    assert code.name_of(mark, "shown otherwise") == like
    assert CommentedCode(()).name_of(mark, "shown otherwise") is None


def test_code_at_the_top_of_its_hunk_is_looked_for_below_whatever_stands_above_it() -> None:
    files = parse_diff(DIFF.replace("-1,4 +1,5", "-5,4 +5,5").encode())
    mark = CommentedCode(files).mark("app/db.py", "RIGHT", 5, 6)
    assert is_brought(mark)
    assert marks_in(["above", "it", "import os", "one = 11"], [mark]) == {mark}
    assert marks_in(["above", "it", "import os", "one = 12"], [mark]) == set()


def test_code_that_nobody_can_look_for_stands() -> None:
    code = CommentedCode(FILES).mark(UNCHANGED.path, "RIGHT", 5, 5)
    memory = remembered("x", SAID.id, code=code)
    files = parse_diff(DIFF.replace("app/db.py", "app/other.py").encode())
    assert beside(memory, CommentedCode(files)) == []
    found = with_told(report_of(), memory, CommentedCode(files), ())
    assert (found.gone, [one.id for one in found.report.findings]) == ({}, [SAID.id])


def test_two_findings_on_the_same_code_stand_although_their_words_cannot_be_read() -> None:
    found = read(remembered("Somebody has edited this.", SAID.id, "b" * 16))
    assert {one.id for one in found.report.findings} == {SAID.id, "b" * 16}
    assert found.gone == {}
