"""Model failures for the author of a change: one sentence a cause, no server, port or request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reviewbot.core.events import events as ev
from reviewbot.core.events.coverage import reasons_of
from reviewbot.core.render.author import (
    SENTENCES,
    UNCHECKED_USES,
    cause,
    failure,
    without_details,
)
from reviewbot.core.render.markdown import render
from reviewbot.core.render.wording import causes
from reviewbot.models.base import Fault
from tests.support.documents import report_of

DETAIL = "llm.internal:8443 answered 401: no; check the API key (request req_7)"
AUTH = SENTENCES["auth"]
DENIED = (
    ev.FileCoverage("a.py", "failed", DETAIL, fault="auth"),
    ev.FileCoverage("b.py", "partly", f"Part 1 of 2: {DETAIL}", fault="auth"),
    ev.FileCoverage("c.py", "failed", f"{DETAIL} again", fault="auth"),
    ev.FileCoverage("d.py", "failed", "GitHub does not provide it."),
)


def test_each_cause_is_one_sentence_with_its_number_of_files() -> None:
    reasons = (*reasons_of(DENIED), "Quota.")
    report = without_details(report_of(outcome="incomplete", coverage=DENIED, reasons=reasons))
    assert report.reasons == (
        f"2 files not reviewed: {AUTH}",
        f"b.py reviewed in part only: {AUTH}",
        "d.py not reviewed: GitHub does not provide it.",
        "Quota.",
    )
    assert sorted(causes(report)) == sorted(report.reasons)
    text = render(report)
    assert "internal" not in text
    assert "req_7" not in text
    assert text.count(AUTH) == 2
    assert "Not fully reviewed:\n\n- `a.py`\n- `c.py`\n\n" in text


def test_a_failed_request_about_the_whole_change_is_named_without_its_details() -> None:
    report = report_of(reasons=(f"{UNCHECKED_USES}: {DETAIL}",))
    assert without_details(report).reasons == (f"{UNCHECKED_USES}.",)


def test_the_reason_of_an_unanswered_question_is_the_sentence() -> None:
    report = report_of(outcome="incomplete", coverage=DENIED[:1], reasons=(DETAIL,))
    asked = without_details(replace(report, question="Why?"))
    assert causes(asked) == (AUTH,)
    assert "Not fully reviewed" not in render(asked)


def test_the_table_has_the_kinds_of_the_models() -> None:
    assert set(SENTENCES) == {fault.value for fault in Fault}


@pytest.mark.parametrize("fault", [*SENTENCES, "of a newer version"])
def test_every_kind_of_failure_has_a_sentence_that_says_who_can_do_something(fault: str) -> None:
    sentence = failure(fault)
    assert sentence.endswith(".")
    assert sentence.startswith(cause(fault))
    assert ";" not in cause(fault)
    assert "maintainer" in sentence or "again later" in sentence or sentence.startswith("The model")
