"""What each format shows of findings that are pending, verified, unproven or refuted."""

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

REASON = "The verifier could neither prove nor refute it."
UNPROVEN = replace(
    FINDING,
    id="b" * 16,
    severity="error",
    title="Doubtful",
    verification="unproven",
    placement=Placement("outside", REASON, held=True),
)
TRIVIAL = replace(UNPROVEN, id="c" * 16, severity="warning", title="Trivial")
REFUTED = Withdrawal(
    replace(FINDING, id="d" * 16, title="Refuted"),
    "The verifier refuted it with the code in a.py:4.",
    Evidence("a.py", 4, "return"),
)
TALLY = ev.VerificationTally(2, 1, 3, 0, ev.Usage(10, 2), 0.5)


def with_verdicts(*findings: Finding, **changes: Any) -> Report:
    return replace(report_of(*findings), verification=TALLY, withdrawn=(REFUTED,), **changes)


def shown(name: str, report: Report) -> str:
    return render.final(name)(report)


@pytest.mark.parametrize("name", ["annotations", "sarif", "rdjson"])
@pytest.mark.parametrize("state", ["pending", "unverified"])
def test_a_finding_without_a_verdict_counts_and_is_labelled(name: str, state: Verification) -> None:
    assert "Not verified." in shown(name, report_of(replace(FINDING, verification=state)))


@pytest.mark.parametrize("name", ["annotations", "sarif", "rdjson"])
@pytest.mark.parametrize("state", ["none", "supported"])
def test_a_finding_that_needs_no_label_has_none(name: str, state: Verification) -> None:
    assert "Not verified." not in shown(name, report_of(replace(FINDING, verification=state)))


@pytest.mark.parametrize("name", ["annotations", "sarif", "rdjson", "markdown"])
def test_a_refuted_finding_is_in_no_output_for_others(name: str) -> None:
    text = shown(name, with_verdicts(FINDING))
    assert FINDING.title in text
    assert REFUTED.finding.title not in text
    assert "refuted it" not in text


@pytest.mark.parametrize("name", ["annotations", "sarif", "markdown"])
def test_the_verdicts_are_counted(name: str) -> None:
    counts = "Verification: 2 supported, 1 unproven, 3 refuted"
    assert counts in shown(name, with_verdicts(FINDING))


def test_a_review_without_verification_says_nothing_about_it() -> None:
    assert verification(report_of(FINDING)) == ""
    assert "Verification" not in shown("markdown", report_of(FINDING))


def test_a_request_without_verdict_is_reported_with_its_cost() -> None:
    tally = ev.VerificationTally(usage=ev.Usage(10, 2), cost_usd=0.5)
    text = verification(replace(report_of(), verification=tally))
    assert text == "Verification: no verdict (10 tokens in, 2 out; $0.50)."


def test_an_unproven_error_is_no_annotation() -> None:
    text = shown("annotations", with_verdicts(FINDING, UNPROVEN, TRIVIAL))
    assert UNPROVEN.title not in text
    assert "2 findings held back." in text


def test_an_unproven_error_is_a_notification_of_sarif_and_no_result() -> None:
    (run,) = json.loads(shown("sarif", with_verdicts(FINDING, UNPROVEN)))["runs"]
    assert [one["properties"]["verification"] for one in run["results"]] == ["none"]
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert f"Unproven: {REASON} error: Doubtful" in [one["message"]["text"] for one in notes]


def test_an_unproven_error_of_rdjson_has_no_range() -> None:
    (one, _) = json.loads(shown("rdjson", with_verdicts(FINDING, UNPROVEN)))["diagnostics"]
    assert (one["severity"], one["location"]) == ("INFO", {"path": UNPROVEN.path})
    assert one["message"].endswith(f"Unproven: {REASON}")


def test_markdown_names_the_state_and_the_line_of_a_held_finding() -> None:
    text = shown("markdown", with_verdicts(FINDING, UNPROVEN, TRIVIAL))
    assert "| 🛑 error, unproven | `app/db.py:3` | Doubtful |" in text
    assert "| ⚠️ warning, held back | `app/db.py:3` | Trivial |" in text
    assert f"Unproven: {REASON}" in text


def test_json_has_verdicts_and_evidence() -> None:
    verdict = ev.FindingVerified(
        FINDING.id, "supported", worth_fixing=True, reason="It is so.", evidence=None,
        placement=FINDING.placement,
    )  # fmt: skip
    document = json.loads(shown("json", with_verdicts(FINDING, verdicts=(verdict,))))
    assert document["verdicts"][0]["reason"] == "It is so."
    assert document["withdrawn"][0]["evidence"] == {"path": "a.py", "line": 4, "quote": "return"}
    assert document["verification"]["refuted"] == 3


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        (replace(FINDING, verification="supported"), "verified Wrong (app/db.py:3): Traced."),
        (replace(FINDING, verification="unverified"), "not verified Wrong (app/db.py:3): Traced."),
        (UNPROVEN, f"unproven Doubtful (app/db.py:3): {REASON}"),
        (TRIVIAL, f"held back Trivial (app/db.py:3): {REASON}"),
    ],
)
def test_a_verdict_is_one_entry_of_the_terminal(finding: Finding, line: str) -> None:
    assert plain(terminal.verified_lines(finding, "Traced.", width=120)) == f"{line}\n"


def test_a_pending_finding_says_so_on_the_terminal() -> None:
    event = ev.FindingRaised(replace(FINDING, verification="pending"))
    text = plain(terminal.event_lines(event, width=100))
    assert "(being verified): Wrong" in text


def test_the_end_on_the_terminal_counts_unproven_errors_apart() -> None:
    report = with_verdicts(FINDING, UNPROVEN, TRIVIAL)
    text = plain(terminal.final_lines(report, width=100))
    assert "  unproven   1 error, shown above, not counted\n" in text
    assert "  held back  1 finding, shown above, not counted\n" in text
    counts = "2 supported, 1 unproven, 3 refuted (10 tokens in, 2 out; $0.50)"
    assert f"  verified   {counts}\n" in text


def test_the_end_on_the_terminal_has_no_row_for_what_there_is_none_of() -> None:
    text = plain(terminal.final_lines(report_of(FINDING, UNPROVEN), width=100))
    assert "  unproven   1 error" in text
    assert "held back" not in text
    assert "verified" not in text
