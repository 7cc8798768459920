"""The check run: never green for nothing, always within GitHub's limits."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.core.events import events as ev
from reviewbot.core.events.report import Report, Threshold, fold
from reviewbot.core.findings.finding import SEVERITIES, Finding, Placement, Severity
from reviewbot.core.render.wording import titled
from reviewbot.github.change.subject import PublishOptions
from reviewbot.github.markers import Marker, parse, write
from reviewbot.github.publish.check_annotations import annotation
from reviewbot.github.publish.check_run import (
    MAX_TEXT,
    completed,
    conclusion,
    created,
    ended,
    pull_of,
    updated,
)
from tests.github.diff_strategies import FORGED, PULL
from tests.github.github_rules import acting, check_refusals, html
from tests.review_strategies import reports, texts
from tests.support.documents import report_of
from tests.support.reports import FINDING, HELD, PLAN

if TYPE_CHECKING:
    from collections.abc import Mapping

AT = "2026-11-24T10:00:00Z"
THRESHOLDS: tuple[Threshold, ...] = get_args(Threshold)
DONE = ev.FileCoverage("a.py", "reviewed")


def progress(**changes: Any) -> ev.ReviewProgress:
    return replace(ev.ReviewProgress(3, 12, 5, 20, 0, ev.Usage(1_200, 300), 0.0213), **changes)


BESIDE = Placement("file", "The code is not there.")
COMMENT = "https://github.com/o/r/pull/1#discussion_r1"


def finished(
    report: Report, marker: str = "", comments: Mapping[str, str] | None = None, **options: Any
) -> tuple[dict[str, Any], ...]:
    return completed(
        report,
        PublishOptions(**options),
        completed_at=AT,
        marker=marker,
        comments=comments or {},
    )


def of_severity(*levels: Severity) -> Report:
    found = [replace(FINDING, id=f"{n:016x}", severity=level) for n, level in enumerate(levels)]
    return report_of(*found)


def test_a_text_that_is_cut_leaves_no_fold_open() -> None:
    tally = ev.LookupTally(24, tuple(f"reading {number}.py 1-9" for number in range(24)))
    ends = set()
    for length in range(1, 1_500, 30):
        long = [
            replace(FINDING, id=f"{n:016x}", message="日" * n, placement=BESIDE)
            for n in (9_900, 9_000, length)
        ]
        text = finished(replace(report_of(*long), lookups=tally))[0]["output"]["text"]
        assert text.count("\n<details>\n") == text.count("\n</details>")
        ends.add((text.count("<details>"), "The rest had no room here." in text))
    assert ends == {(1, False), (0, True)}


@settings(deadline=None)
@given(reports, st.sampled_from(THRESHOLDS), st.booleans())
def test_github_never_has_to_refuse_what_a_run_says(
    report: Report, fail_on: Threshold, by_app: bool
) -> None:
    for payload in finished(report, fail_on=fail_on, by_app=by_app):
        assert check_refusals(payload) == []
    assert check_refusals(updated(report, progress())) == []


@given(texts)
def test_no_sentence_is_refused(text: str) -> None:
    sentence = f"It broke. {text}"
    assert check_refusals(ended("failure", sentence, completed_at=AT)) == []
    assert check_refusals(updated(report_of(), progress(activity=text))) == []


@settings(deadline=None)
@given(reports, st.sampled_from(THRESHOLDS), st.sampled_from(("failure", "neutral")))
def test_green_means_reviewed_whole_and_nothing_found(
    report: Report, fail_on: Threshold, if_incomplete: Any
) -> None:
    if conclusion(report, fail_on=fail_on, if_incomplete=if_incomplete) != "success":
        return
    assert report.outcome == "clean"
    assert not report.findings
    assert not report.pending
    assert {file.status for file in report.coverage} <= {"reviewed", "skipped"}
    assert report.covered("reviewed")


def test_clean_is_a_success() -> None:
    assert conclusion(report_of(outcome="clean"), fail_on="note") == "success"


@pytest.mark.parametrize(("fail_on", "level"), list(product(THRESHOLDS, SEVERITIES)))
def test_findings_at_or_above_the_gate_fail_and_others_are_neutral(
    fail_on: Threshold, level: Severity
) -> None:
    fails = fail_on != "never" and SEVERITIES.index(level) <= SEVERITIES.index(fail_on)
    expected = "failure" if fails else "neutral"
    assert conclusion(of_severity(level, "note"), fail_on=fail_on) == (
        "failure" if fail_on == "note" else expected
    )


def test_what_is_held_back_never_fails_and_is_told() -> None:
    report = report_of(replace(FINDING, severity="error", placement=HELD))
    assert conclusion(report, fail_on="note") == "neutral"
    (payload,) = finished(report)
    assert "1 finding held back." in payload["output"]["summary"]


@pytest.mark.parametrize(
    ("status", "how"), [("partly", "reviewed in part only"), ("failed", "not reviewed")]
)
def test_an_incomplete_review_fails_or_is_neutral_if_asked_for(
    status: ev.CoverageStatus, how: str
) -> None:
    report = report_of(outcome="incomplete", coverage=(DONE, ev.FileCoverage("b.py", status, "X.")))
    assert conclusion(report, fail_on="never") == "failure"
    assert conclusion(report, fail_on="never", if_incomplete="neutral") == "neutral"
    (payload,) = finished(report, if_incomplete="neutral")
    assert payload["output"]["title"].startswith("Incomplete: 1 of 2 files was not fully reviewed")
    assert f"- b.py {how}: X." in payload["output"]["summary"]


def test_neutral_for_incomplete_hides_no_finding_at_the_gate() -> None:
    report = report_of(replace(FINDING, severity="error"), outcome="incomplete")
    assert conclusion(report, fail_on="error", if_incomplete="neutral") == "failure"


def test_a_review_that_claims_to_be_clean_and_is_not_is_not_green() -> None:
    for report in (
        report_of(outcome="clean", coverage=(DONE, ev.FileCoverage("b.py", "partly", "X."))),
        fold([PLAN]),
        fold([]),
    ):
        assert conclusion(report, fail_on="error") == "failure"


def test_nothing_to_review_is_not_green() -> None:
    for coverage in ((), (ev.FileCoverage("a.lock", "skipped", "Lockfile."),)):
        report = report_of(outcome="clean", coverage=coverage)
        assert conclusion(report, fail_on="error") == "neutral"
        (payload,) = finished(report)
        assert payload["output"]["title"].startswith("Nothing " if coverage else "No changes.")


@pytest.mark.parametrize(
    ("outcome", "word"), [("cancelled", "Cancelled:"), ("superseded", "Superseded by a newer")]
)
def test_what_was_stopped_is_cancelled_and_says_why(outcome: ev.Outcome, word: str) -> None:
    report = report_of(replace(FINDING, severity="error"), outcome=outcome)
    (payload,) = finished(report)
    assert payload["conclusion"] == "cancelled"
    assert payload["output"]["title"].startswith(word)


def test_a_run_begins_in_progress_and_knows_its_pull_request() -> None:
    payload = created(head_sha="c" * 40, external_id="7", started_at=AT)
    assert check_refusals(payload, create=True) == []
    assert (payload["status"], payload["external_id"]) == ("in_progress", "7")
    url = "https://reviews.example/r/1"
    with_url = created(head_sha="c" * 40, external_id="7", started_at=AT, details_url=url)
    assert with_url["details_url"] == url


@pytest.mark.parametrize(
    ("external_id", "number"),
    [("7", 7), ("7:not-begun", 7), ("", 0), ("07", 0), ("x:7", 0), ("1" * 11, 0), ("\u0667", 0)],
)
def test_an_external_id_says_which_pull_request_or_that_it_says_none(
    external_id: str, number: int
) -> None:
    assert pull_of(external_id) == number


def test_progress_tells_files_findings_cost_and_what_goes_on() -> None:
    report = fold([PLAN, ev.FindingRaised(FINDING), progress(activity="Waiting for a model.")])
    output = updated(report, progress(activity="Waiting for a model."))["output"]
    assert output["title"] == "3 of 12 files, 1 warning"
    assert output["summary"] == (
        "3 of 12 files done; 1 warning so far.\n\nWaiting for a model.\n\n"
        "1,200 tokens in, 300 out; $0.0213.\n\nFound so far:\n\n- ⚠️ warning: `app/db.py` Wrong"
    )


def test_progress_of_many_findings_is_short() -> None:
    output = updated(of_severity(*("error",) * 80), progress())["output"]
    assert output["summary"].count("- 🛑 error: ") == 50
    assert output["summary"].endswith("- and 30 more")


def test_annotations_come_in_fifties_worst_first_and_the_first_request_concludes() -> None:
    payloads = finished(of_severity(*("warning", "error") * 60))
    sizes = [len(payload["output"]["annotations"]) for payload in payloads]
    assert sizes == [50, 50, 20]
    levels = [one["annotation_level"] for each in payloads for one in each["output"]["annotations"]]
    assert levels == ["failure"] * 60 + ["warning"] * 60
    for payload in payloads:
        assert (payload["status"], payload["conclusion"]) == ("completed", "failure")
        assert check_refusals(payload) == []


def test_a_note_is_not_annotated_and_without_a_comment_its_text_is_in_the_check() -> None:
    report = of_severity("note", "note")
    first, second = report.findings
    for comments in ({}, {first.id: COMMENT}):
        [payload] = finished(report, comments=comments)
        assert "annotations" not in payload["output"]
        assert payload["output"]["text"].count(f"note: {second.title}") == 2 - len(comments)


def test_a_finding_has_a_comment_or_an_annotation_or_its_text_in_the_check() -> None:
    commented, annotated = of_severity("error", "error").findings
    beside = replace(FINDING, id="f" * 16, title="Beside", placement=BESIDE)
    [payload] = finished(report_of(commented, annotated, beside), comments={commented.id: COMMENT})
    [entry] = payload["output"]["annotations"]
    assert entry["start_line"] == annotated.line
    text = payload["output"]["text"]
    assert re.findall("^### .*", text, re.MULTILINE) == [f"### {titled(beside)}: Beside"]
    assert text.count("| 🛑 error |") == 2
    assert text.count(COMMENT) == 1


def test_annotations_without_end_are_cut_and_counted() -> None:
    payloads = finished(of_severity(*("error",) * 510))
    assert len(payloads) == 10
    assert "10 more findings without an annotation" in payloads[0]["output"]["summary"]


def test_without_findings_there_is_one_request_without_annotations() -> None:
    (payload,) = finished(report_of(outcome="clean"))
    assert "annotations" not in payload["output"]


def test_an_annotation_is_plain_text_on_lines_of_the_new_file() -> None:
    found = replace(
        FINDING,
        end_line=5,
        scenario="It fails.",
        message="Do **that**, @bob.",
        suggestion="x = 1\n\u202ey",
    )
    assert annotation(found) == {
        "path": "app/db.py",
        "start_line": 3,
        "end_line": 5,
        "annotation_level": "warning",
        "title": "Wrong",
        "message": "It fails.\n\nDo **that**, @bob.",
        "raw_details": "Suggestion, instead of these lines:\n\nx = 1\n\\u202ey",
    }


@pytest.mark.parametrize(
    "finding",
    [
        replace(FINDING, side="LEFT"),
        replace(FINDING, placement=HELD),
        replace(FINDING, placement=Placement("file", "The code is not there.")),
        replace(FINDING, path="app/\udcff.py"),
    ],
)
def test_what_is_on_no_line_of_the_head_is_in_the_text_alone(finding: Finding) -> None:
    assert annotation(finding) is None
    (payload,) = finished(report_of(finding))
    assert f"### {titled(finding)}: Wrong" in payload["output"]["text"]


@pytest.mark.sample(1)
@pytest.mark.parametrize("text", ["x", "\u20ac", "\U0001f308", "\u202e"])
def test_texts_without_end_are_cut_to_the_bytes_that_fit(text: str) -> None:
    long = text * 12_000
    fields: dict[str, Any] = dict.fromkeys(("title", "scenario", "message", "suggestion"), long)
    found = [replace(FINDING, **fields, id=f"{n:016x}", quote=f"{long}\n" * 3) for n in range(9)]
    found[1:] = [replace(finding, placement=BESIDE) for finding in found[1:]]
    coverage = tuple(ev.FileCoverage(f"{n}{text * 90}", "failed", long) for n in range(500))
    report = report_of(*found, outcome="incomplete", coverage=coverage, reasons=(long,) * 9)
    (payload,) = finished(report)
    assert check_refusals(payload) == []
    assert len(payload["output"]["text"].encode()) > MAX_TEXT // 3
    assert "more files: no room here." in payload["output"]["summary"]
    one = payload["output"]["annotations"][0]
    assert re.search(r"(\(cut\)(\n```)?|\.\.\.)$", one["message"])
    assert one["title"].endswith(("...", "(cut)"))


def test_a_truncated_text_says_so_and_closes_its_blocks() -> None:
    code = "```python\n" + "\u20ac = 1\n\n" * 300 + "```"
    found = [replace(FINDING, id=f"{n:016x}", message=code, placement=BESIDE) for n in range(99)]
    text = finished(report_of(*found))[0]["output"]["text"]
    assert text.endswith("\n\nThe rest had no room here.")
    assert html(f"{text}\n<b>") == ["<b>"]  # it is not swallowed by a fence


def test_a_marker_stands_at_the_end_of_the_text_however_long_it_is() -> None:
    made = Marker("check", "a" * 40, "b" * 40, outcome="findings")
    for times in (1, 500):
        report = of_severity(*[SEVERITIES[0]] * times)
        for payload in finished(report, marker=write(made, PULL)):
            assert parse(payload["output"]["text"], PULL) == made
            assert check_refusals(payload) == []


def test_hostile_words_stay_words() -> None:
    bad = f"@bob ![i](https://evil.example/i.png) <img src=x> fixes #1 {FORGED} </p>"
    fields: dict[str, Any] = dict.fromkeys(("title", "scenario", "message", "path", "rule"), bad)
    summary = ev.ReviewSummary(bad, (ev.WalkthroughEntry(bad, bad),), (bad,), bad)
    coverage = (ev.FileCoverage(bad, "failed", bad),)
    end = ev.ReviewFinished("incomplete", coverage, ev.Usage(1), 0.1, 1.0, None, {}, (bad,))
    report = fold([PLAN, ev.FindingRaised(replace(FINDING, **fields)), summary, end])
    (payload,) = finished(report)
    for text in (
        *(payload["output"][key] for key in ("summary", "text")),
        updated(report, progress(activity=bad))["output"]["summary"],
        ended("failure", bad, completed_at=AT)["output"]["summary"],
    ):
        assert acting(text) == []
        assert html(text) == []
        assert "<!--" not in text


def test_a_run_that_could_not_begin_says_what_helps_and_is_never_green() -> None:
    payload = ended("failure", "There is no key: set ANTHROPIC_API_KEY.", completed_at=AT)
    assert payload["output"]["title"] == "There is no key: set ANTHROPIC_API_KEY."
    with pytest.raises(ValueError, match="no success"):
        ended("success", "Fine.", completed_at=AT)


def test_only_an_app_offers_buttons() -> None:
    report = report_of(outcome="clean")
    assert "actions" not in finished(report)[0]
    labels = [action["label"] for action in finished(report, by_app=True)[0]["actions"]]
    assert labels == ["Review again", "Full review"]
