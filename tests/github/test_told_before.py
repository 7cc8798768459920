"""What earlier reviews told of on no line, read again from their texts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from reviewbot.core.diff import parse_diff
from reviewbot.core.findings import Finding, Placement
from reviewbot.core.redact import REDACTED_MARK
from reviewbot.github.api.records import Author
from reviewbot.github.api.reviews import Review
from reviewbot.github.memory import Memory, Told
from reviewbot.github.review_comments import plan_comments, review_text
from reviewbot.github.told_before import ToldBefore, with_told
from tests.core.test_report import FINDING
from tests.github.diff_strategies import Change, changes
from tests.github.test_review_comments import DIFF, FILES, LINKS
from tests.render.test_documents import report_of

if TYPE_CHECKING:
    from reviewbot.core.report import Report

SAID = replace(FINDING, quote="two = 22", line=3, end_line=3, placement=Placement("inline"))
WITHOUT = parse_diff(DIFF.replace("two = 22", "two = 2222").encode())


def text_of(*findings: Finding) -> str:
    plan = plan_comments(findings, FILES, marker=lambda _: "", links=LINKS, most=0)
    return review_text(report_of(*findings), inline=0, below=plan.rest).text


def remembered(body: str, *ids: str, signed: bool = True) -> Memory:
    review = Review(1, "", Author("reviewbot[bot]", 1, is_bot=True), "COMMENTED", body, None, "")
    return Memory(told={id_: Told(review, signed) for id_ in ids})


def read(memory: Memory, report: Report | None = None) -> ToldBefore:
    return with_told(report or report_of(), memory, FILES, ())


@settings(deadline=None)
@given(changes())
def test_no_word_of_a_finding_makes_another_one_of_it(change: Change) -> None:
    plan = plan_comments(change.findings, change.files, marker=lambda _: "", most=0)
    said = review_text(report_of(*change.findings), inline=0, below=plan.rest)
    told = {one.finding.id: one.finding for one in said.told}
    memory = remembered(said.text, *told)
    found = with_told(report_of(), memory, change.files, ())
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


def test_a_finding_that_the_marker_does_not_note_is_not_believed() -> None:
    assert read(remembered(text_of(SAID), "b" * 16)).report.findings == ()


def test_its_code_is_gone_where_the_diff_has_it_no_more() -> None:
    found = with_told(report_of(), remembered(text_of(SAID), SAID.id), WITHOUT, ())
    assert found.report.findings == ()
    assert found.gone == {SAID.id: SAID.title}


@pytest.mark.parametrize("quote", [f"two = {REDACTED_MARK}", "two = 22..."])
def test_a_line_that_may_be_another_in_the_file_is_not_called_gone(quote: str) -> None:
    body = text_of(SAID).replace("> two = 22", f"> {quote}")
    assert quote in body
    found = with_told(report_of(), remembered(body, SAID.id), WITHOUT, ())
    assert found == ToldBefore(report_of(), {})


def test_what_is_found_again_in_other_words_keeps_the_id_that_was_told() -> None:
    again = replace(SAID, id="c" * 16, rule="another", message="Still so.")
    (one,) = read(remembered(text_of(SAID), SAID.id), report_of(again)).report.findings
    assert (one.id, one.message) == (SAID.id, "Still so.")


def test_another_finding_on_its_lines_is_not_taken_for_it() -> None:
    other = replace(SAID, id="c" * 16, category="security", title="A secret in the code", rule="x")
    found = read(remembered(text_of(SAID), SAID.id), report_of(other)).report.findings
    assert {one.id for one in found} == {SAID.id, other.id}
