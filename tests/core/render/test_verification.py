"""What each format shows of findings that are pending, verified, held back or withdrawn."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from reviewbot.core import render
from reviewbot.core.events import events as ev
from reviewbot.core.events.report import Report, Withdrawal
from reviewbot.core.findings.finding import Evidence, Finding, Placement, Verification
from reviewbot.core.render import terminal
from reviewbot.core.render.layout import plain
from reviewbot.core.render.wording import verification
from tests.support.documents import report_of
from tests.support.reports import FINDING

REASON = "Its confidence of 0.3 is below 0.7."
HELD = replace(
    FINDING,
    id="b" * 16,
    severity="error",
    title="Doubtful",
    placement=Placement("outside", REASON, held=True),
)
REFUTED = Withdrawal(
    replace(FINDING, id="d" * 16, title="Refuted"),
    "The verifier found it wrong, by the code in a.py:4.",
    Evidence("a.py", 4, "return"),
)
TALLY = ev.VerificationTally(2, 1, 1, 2, 1, 0, ev.Usage(10, 2), 0.5)
COUNTS = "2 supported, 1 partly true, 1 not introduced, 2 wrong, 1 undecided"


def with_verdicts(*findings: Finding, **changes: Any) -> Report:
    return replace(report_of(*findings), verification=TALLY, withdrawn=(REFUTED,), **changes)


def shown(name: str, report: Report) -> str:
    return render.final(name)(report)


@pytest.mark.parametrize("name", ["annotations", "sarif", "rdjson"])
@pytest.mark.parametrize("state", ["pending", "cannot_tell", "unverified"])
def test_a_finding_without_a_verdict_counts_and_is_labelled(name: str, state: Verification) -> None:
    assert "Not verified." in shown(name, report_of(replace(FINDING, verification=state)))


@pytest.mark.parametrize("name", ["annotations", "sarif", "rdjson"])
@pytest.mark.parametrize("state", ["none", "supported", "partly"])
def test_a_finding_that_needs_no_label_has_none(name: str, state: Verification) -> None:
    assert "Not verified." not in shown(name, report_of(replace(FINDING, verification=state)))


@pytest.mark.parametrize("name", ["annotations", "sarif", "rdjson", "markdown"])
def test_a_refuted_finding_is_in_no_output_for_others(name: str) -> None:
    text = shown(name, with_verdicts(FINDING))
    assert FINDING.title in text
    assert REFUTED.finding.title not in text
    assert "found it wrong" not in text


@pytest.mark.parametrize("name", ["annotations", "sarif", "markdown"])
def test_the_verdicts_are_counted(name: str) -> None:
    assert f"Verification: {COUNTS}" in shown(name, with_verdicts(FINDING))


def test_a_review_without_verification_says_nothing_about_it() -> None:
    assert verification(report_of(FINDING)) == ""
    assert "Verification" not in shown("markdown", report_of(FINDING))


def test_a_request_without_verdict_is_reported_with_its_cost() -> None:
    tally = ev.VerificationTally(usage=ev.Usage(10, 2), cost_usd=0.5)
    text = verification(replace(report_of(), verification=tally))
    assert text == "Verification: no verdict (10 tokens in, 2 out; $0.50)."


def test_json_has_verdicts_and_evidence() -> None:
    verdict = ev.FindingVerified(FINDING.id, "supported", "It is so.", None, FINDING.placement)
    document = json.loads(shown("json", with_verdicts(FINDING, verdicts=(verdict,))))
    assert document["verdicts"][0]["reason"] == "It is so."
    evidence = {"path": "a.py", "line": 4, "quote": "return", "base": False}
    assert document["withdrawn"][0]["evidence"] == evidence
    assert document["verification"]["wrong"] == 2


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        (replace(FINDING, verification="supported"), "verified Wrong (app/db.py:3): Traced."),
        (replace(FINDING, verification="unverified"), "not verified Wrong (app/db.py:3): Traced."),
        (replace(FINDING, verification="partly"), "verified Wrong (app/db.py:3): Traced."),
        (replace(FINDING, verification="cannot_tell"), "not verified Wrong (app/db.py:3): Traced."),
        (HELD, f"held back Doubtful (app/db.py:3): {REASON}"),
    ],
)
def test_a_verdict_is_one_entry_of_the_terminal(finding: Finding, line: str) -> None:
    assert plain(terminal.verified_lines(finding, "Traced.", width=120)) == f"{line}\n"


def test_a_pending_finding_says_so_on_the_terminal() -> None:
    event = ev.FindingRaised(replace(FINDING, verification="pending"))
    text = plain(terminal.event_lines(event, width=100))
    assert "(being verified): Wrong" in text


def test_the_end_on_the_terminal_counts_verdicts_and_held_findings() -> None:
    text = plain(terminal.final_lines(with_verdicts(FINDING, HELD), width=120))
    assert "  held back  1 finding, shown above, not counted\n" in text
    assert f"  verified   {COUNTS} (10 tokens in, 2 out; $0.50)\n" in text


def test_the_end_on_the_terminal_has_no_row_for_what_there_is_none_of() -> None:
    text = plain(terminal.final_lines(report_of(FINDING), width=100))
    assert "held back" not in text
    assert "verified" not in text


def test_verdicts_about_findings_of_earlier_reviews_are_counted_apart() -> None:
    tally = replace(TALLY, fixed=1, open=3)
    text = verification(replace(report_of(), verification=tally))
    assert text == f"Verification: {COUNTS}, 1 fixed, 3 still open (10 tokens in, 2 out; $0.50)."
