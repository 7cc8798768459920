"""The report is what the events came to."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import given

from reviewbot.core.events import events as ev
from reviewbot.core.events.report import (
    Report,
    ReportBuilder,
    counts_for_fail_on,
    fold,
    reaches_threshold,
)
from reviewbot.core.findings.finding import SEVERITIES, Evidence, Placement, Severity
from tests.review_strategies import reports, streams
from tests.support.reports import FINDING, HELD, PLAN


def raised(**changes: object) -> ev.FindingRaised:
    return ev.FindingRaised(replace(FINDING, **changes))  # type: ignore[arg-type]  # by field name


def chunk(name: str, path: str, status: ev.ChunkStatus, reason: str | None = None) -> ev.Event:
    return ev.ChunkFinished(name, path, status, "m", 1, reason)


def end(outcome: ev.Outcome = "findings") -> ev.ReviewFinished:
    return ev.ReviewFinished(
        outcome, (ev.FileCoverage("a.py", "reviewed"),), ev.Usage(5, 6), 0.2, 3.0, 1.0, {}, ("why",)
    )


def test_the_end_decides_outcome_coverage_usage_and_times() -> None:
    progress = ev.ReviewProgress(0, 2, 0, 3, 0, ev.Usage(1, 1), 0.1)
    report = fold([PLAN, progress, end()])
    assert (report.outcome, report.reasons) == ("findings", ("why",))
    assert report.coverage == (ev.FileCoverage("a.py", "reviewed"),)
    assert report.pending == ()
    assert (report.usage, report.cost_usd) == (ev.Usage(5, 6), 0.2)
    assert (report.duration_s, report.time_to_first_finding_s) == (3.0, 1.0)


def test_the_end_says_what_each_model_did() -> None:
    shares = (ev.ModelShare("m", 2, 1, ev.Usage(5, 6), 0.2),)
    assert fold([PLAN, replace(end(), by_model=shares)]).by_model == shares
    assert fold([PLAN]).by_model == ()


def test_the_plan_gives_models_files_notices_and_estimate() -> None:
    report = fold([PLAN])
    assert report.models == ("m", "offline")
    assert report.files == PLAN.files
    assert (report.chunks, report.batches) == (3, 1)
    assert report.estimate == PLAN.estimate
    assert (report.notices, report.version) == (("Be careful.",), "0.1.0")


def test_before_the_end_there_is_no_outcome_and_usage_is_that_of_the_last_progress() -> None:
    first = ev.ReviewProgress(0, 2, 0, 3, 0, ev.Usage(1, 1), 0.1)
    report = fold([PLAN, first, replace(first, usage=ev.Usage(2, 2), cost_usd=0.2)])
    assert report.outcome is None
    assert not report.complete
    assert (report.usage, report.cost_usd) == (ev.Usage(2, 2), 0.2)
    assert (report.duration_s, report.time_to_first_finding_s) == (None, None)


def test_no_events_are_an_unfinished_review_of_nothing() -> None:
    assert fold([]) == Report()


def test_an_unread_file_without_chunks_is_decided_by_the_plan() -> None:
    generated = ev.PlannedFile("a_pb2.py", "added", 3, 0, unread="New, and generated.")
    report = fold([replace(PLAN, files=(generated,))])
    assert report.coverage == (
        ev.FileCoverage("a_pb2.py", "unread", "New, and generated.", by_policy=True),
    )
    assert report.pending == ()


def test_before_the_end_only_files_whose_chunks_all_finished_are_decided() -> None:
    report = fold(
        [
            PLAN,
            ev.FileSkipped("c.lock", "A lockfile."),
            chunk("c1", "a.py", "reviewed"),
            chunk("c3", "b.py", "failed", "It was refused."),
        ]
    )
    assert report.coverage == (
        ev.FileCoverage("b.py", "failed", "It was refused."),
        ev.FileCoverage("c.lock", "skipped", "A lockfile."),
    )
    assert report.pending == ("a.py",)


@pytest.mark.parametrize(
    ("one", "two", "status", "reason"),
    [
        ("reviewed", "reviewed", "reviewed", None),
        ("reviewed", "failed", "partly", "Part 2 of 2: two"),
        ("failed", "failed", "failed", "Part 1 of 2: one"),
        ("partly", "reviewed", "partly", "Part 1 of 2: one"),
        ("unread", "failed", "partly", "Part 2 of 2: two"),
        ("unread", "unread", "unread", "one"),
        ("reviewed", "unread", "unread", "two"),
        ("skipped", "unread", "unread", "two"),
        ("reviewed", "skipped", "skipped", "two"),
    ],
)
def test_a_file_is_as_well_covered_as_its_chunks(
    one: ev.ChunkStatus, two: ev.ChunkStatus, status: ev.CoverageStatus, reason: str | None
) -> None:
    report = fold(
        [
            PLAN,
            chunk("c1", "a.py", one, None if one == "reviewed" else "one"),
            chunk("c2", "a.py", two, None if two == "reviewed" else "two"),
        ]
    )
    assert report.coverage == (ev.FileCoverage("a.py", status, reason),)


def test_findings_are_worst_first_then_inline_then_sure_then_by_place() -> None:
    order: list[dict[str, object]] = [
        {"severity": "error", "confidence": 0.1, "line": 9},
        {"severity": "error", "placement": Placement("file", "why"), "confidence": 1.0},
        {"severity": "warning", "confidence": 0.9},
        {"severity": "warning", "confidence": 0.8, "path": "a.py", "line": 7},
        {"severity": "warning", "confidence": 0.8, "path": "b.py", "line": 2},
        {"severity": "warning", "confidence": 0.8, "path": "b.py", "line": 10},
        {"severity": "note"},
    ]
    events = [raised(id=f"{index:016}", **changes) for index, changes in enumerate(order)]
    report = fold([*events[3:], *events[:3]])
    assert [int(finding.id) for finding in report.findings] == list(range(len(order)))


def test_a_withdrawn_finding_does_not_stand_and_keeps_its_reason() -> None:
    builder = ReportBuilder()
    builder.add(raised())
    builder.add(ev.FindingWithdrawn(FINDING.id, "Disproved."))
    assert builder.report.findings == ()
    assert [(one.finding, one.reason) for one in builder.report.withdrawn] == [
        (FINDING, "Disproved.")
    ]
    assert builder.withdrawal(FINDING.id) == builder.report.withdrawn[0]


def verified(verdict: Literal["supported", "cannot_tell"] = "supported") -> ev.FindingVerified:
    return ev.FindingVerified(FINDING.id, verdict, "It is so.", None, HELD)


def test_a_verdict_changes_its_finding_and_is_kept() -> None:
    report = fold([raised(verification="pending"), verified("cannot_tell")])
    assert [(finding.verification, finding.placement) for finding in report.findings] == [
        ("cannot_tell", HELD)
    ]
    assert report.verdicts == (verified("cannot_tell"),)


@pytest.mark.parametrize(
    "later", [ev.FindingWithdrawn(FINDING.id, "Merged."), raised(verification="pending")]
)
def test_a_verdict_goes_with_its_finding(later: ev.Event) -> None:
    assert fold([raised(), verified(), later]).verdicts == ()


def test_a_verdict_about_an_unknown_finding_is_about_one_of_an_earlier_review() -> None:
    assert fold([verified()]) == replace(fold([]), earlier=(verified(),))
    gone = ev.FindingWithdrawn(FINDING.id, "It is fixed.", Evidence("a.py", 4, "x"), "fixed")
    assert fold([verified(), gone]) == replace(fold([]), earlier=(gone,))
    assert fold([gone, raised()]).earlier == ()
    assert fold([raised(), gone]).findings == (FINDING,)


def test_a_refuted_finding_keeps_the_evidence() -> None:
    evidence = Evidence("a.py", 4, "return")
    report = fold([raised(), ev.FindingWithdrawn(FINDING.id, "Refuted.", evidence)])
    assert [(one.evidence, one.is_refuted) for one in report.withdrawn] == [(evidence, True)]
    report = fold([raised(), ev.FindingWithdrawn(FINDING.id, "Merged.")])
    assert [one.is_refuted for one in report.withdrawn] == [False]


def test_a_finding_that_is_pending_at_the_end_is_unverified() -> None:
    running = [raised(verification="pending"), raised(id="b" * 16, verification="supported")]
    assert [one.verification for one in fold(running).findings] == ["pending", "supported"]
    ended = fold([*running, end("cancelled")])
    assert [one.verification for one in ended.findings] == ["unverified", "supported"]


def test_a_finding_that_another_model_raises_again_stands_again() -> None:
    again = raised(model="other")
    report = fold([raised(), ev.FindingWithdrawn(FINDING.id, "Refused."), again])
    assert report.findings == (again.finding,)
    assert report.withdrawn == ()


def test_withdrawing_what_was_never_raised_changes_nothing() -> None:
    assert fold([ev.FindingWithdrawn("0" * 16, "why")]) == Report()


def test_the_last_summary_is_kept() -> None:
    summary = ev.ReviewSummary("It adds a cache.")
    assert fold([ev.ReviewSummary("x"), summary]).summary == summary


def test_what_only_shows_activity_leaves_no_trace() -> None:
    started = ev.ChunkStarted("c1", "a.py", "b1", "m", 1)
    retrying = ev.ChunkRetrying("c1", "a.py", "m", 1, "why", "m", 1.0)
    assert fold([PLAN, started, retrying]) == fold([PLAN])


def test_counts_leave_out_what_is_held_back() -> None:
    report = fold([raised(severity="error"), raised(id="b" * 16, severity="error", placement=HELD)])
    assert report.counts == {"error": 1, "warning": 0, "note": 0}
    assert [finding.id for finding in report.held] == ["b" * 16]


@pytest.mark.parametrize(
    ("severity", "failing"),
    [("error", "error warning note"), ("warning", "warning note"), ("note", "note")],
)
def test_a_finding_fails_every_threshold_up_to_its_severity(
    severity: Severity, failing: str
) -> None:
    report = fold([raised(severity=severity)])
    assert [name for name in SEVERITIES if reaches_threshold(report, name)] == failing.split()
    assert not reaches_threshold(report, "never")


def test_findings_without_a_line_fail_and_held_ones_never_do() -> None:
    outside = raised(severity="error", placement=Placement("outside", "Not in the diff."))
    held = raised(severity="error", placement=HELD)
    assert reaches_threshold(fold([outside]), "error")
    assert not reaches_threshold(fold([held]), "note")
    assert counts_for_fail_on(outside.finding)
    assert not counts_for_fail_on(held.finding)


@pytest.mark.parametrize("outcome", ["incomplete", "superseded", "cancelled"])
def test_only_clean_shallow_and_findings_are_complete(outcome: ev.Outcome) -> None:
    assert not fold([end(outcome)]).complete
    assert fold([end("clean")]).complete
    assert fold([end("shallow")]).complete
    assert fold([end("findings")]).complete


@given(streams())
def test_every_finding_stands_or_is_withdrawn_and_never_both(stream: list[ev.Event]) -> None:
    report = fold(stream)
    standing = {finding.id for finding in report.findings}
    gone = {one.finding.id for one in report.withdrawn}
    seen = {event.finding.id for event in stream if isinstance(event, ev.FindingRaised)}
    assert standing | gone == seen
    assert not standing & gone


@given(reports)
def test_a_stricter_threshold_never_fails_less(report: Report) -> None:
    results = [reaches_threshold(report, name) for name in (*SEVERITIES[:1], "warning", "note")]
    assert results == sorted(results)


def test_a_verdict_changes_verification_and_placement() -> None:
    held = Placement("outside", "It is doubtful.", held=True)
    verdict = ev.FindingVerified(FINDING.id, "cannot_tell", "r", None, held)
    builder = ReportBuilder()
    builder.add(raised(verification="pending"))
    builder.add(verdict)
    [found] = builder.report.findings
    assert (found.verification, found.placement) == ("cannot_tell", held)
    assert builder.finding(FINDING.id) == found
    assert fold([verdict]).findings == ()


def test_refuted_findings_are_known_by_id_even_if_an_earlier_review_raised_them() -> None:
    evidence = Evidence("a.py", 1, "x")
    report = fold(
        [
            raised(),
            ev.FindingWithdrawn(FINDING.id, "It is refuted.", evidence),
            ev.FindingWithdrawn("prior", "It is refuted.", evidence),
            ev.FindingWithdrawn("other", "It was merged."),
        ]
    )
    assert report.refuted == (FINDING.id, "prior")
    assert [one.is_refuted for one in report.withdrawn] == [True]


def test_a_refuted_finding_that_is_raised_again_is_open() -> None:
    gone = ev.FindingWithdrawn(FINDING.id, "It is refuted.", Evidence("a.py", 1, "x"))
    assert fold([raised(), gone, raised()]).refuted == ()
