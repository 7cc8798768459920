"""JSON, SARIF and rdjson: valid whatever the review holds, and honest about what is missing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from jsonschema import Draft4Validator, Draft7Validator

from reviewbot.core import render
from reviewbot.core.events import events as ev
from reviewbot.core.events.report import Report, counts_for_fail_on
from reviewbot.core.findings.finding import SEVERITIES, Finding, Placement
from reviewbot.core.render import sarif as sarif_module
from reviewbot.core.render.inert import well_formed
from reviewbot.core.render.sarif import RuleText
from tests.review_strategies import reports, texts
from tests.runner_model import commands
from tests.support.documents import report_of
from tests.support.reports import FINDING, HELD

SCHEMAS = Path(__file__).parents[2] / "schemas"
document, sarif, rdjson = render.final("json"), render.final("sarif"), render.final("rdjson")
FIX = replace(FINDING, suggestion="x = 2\n", suggestion_applies=True, end_line=4)
LEFT = replace(FIX, side="LEFT", suggestion_applies=False)


@cache
def sarif_schema() -> Draft4Validator:
    return Draft4Validator(json.loads((SCHEMAS / "sarif-2.1.0-rtm.5.json").read_text("utf-8")))


@cache
def rdjson_schema() -> Draft7Validator:
    schema = json.loads((SCHEMAS / "rdformat.json").read_text("utf-8"))
    (result,) = [part for part in schema["oneOf"] if part["title"] == "DiagnosticResult"]
    return Draft7Validator(result)


def run_of(report: Report) -> dict[str, Any]:
    log = json.loads(sarif(report))
    sarif_schema().validate(log)
    (run,) = log["runs"]
    found: dict[str, Any] = run
    return found


def diagnostics_of(report: Report) -> list[dict[str, Any]]:
    result = json.loads(rdjson(report))
    rdjson_schema().validate(result)
    found: list[dict[str, Any]] = result["diagnostics"]
    return found


def place_of(result: dict[str, Any]) -> dict[str, Any]:
    (location,) = result["locations"]
    found: dict[str, Any] = location["physicalLocation"]
    return found


def assert_strict(text: str) -> None:
    """ASCII, no lone surrogate (a strict JSON reader refuses them), no command to a runner."""
    assert text.isascii()
    json.dumps(json.loads(text), ensure_ascii=False).encode()
    assert commands(text) == []


def test_sarif_describes_a_rule_with_its_own_texts() -> None:
    report = report_of(replace(FINDING, rule="python/x", category="security"))
    text = RuleText("`x` [a](b)", "Do not.", "error", "https://example.com/x")
    log = json.loads(sarif_module.render(report, {"python/x": text}))
    sarif_schema().validate(log)
    assert log["runs"][0]["tool"]["driver"]["rules"] == [
        {
            "id": "python/x",
            "shortDescription": {"text": "`x` [a] (b)"},
            "fullDescription": {"text": "Do not."},
            "defaultConfiguration": {"level": "error"},
            "help": {
                "text": "Do not.\n\nhttps://example.com/x",
                "markdown": "**`x` [a](b)**\n\nDo not.\n\n<https://example.com/x>",
            },
            "properties": {"tags": ["security"], "security-severity": "8.0"},
            "helpUri": "https://example.com/x",
        }
    ]


def test_sarif_rates_a_rule_of_a_category_as_its_worst_finding() -> None:
    found = [
        replace(FINDING, id=name, rule="security", category="security", severity=name)
        for name in SEVERITIES
    ]
    for findings in (found, found[::-1]):
        (rule,) = run_of(report_of(*findings))["tool"]["driver"]["rules"]
        assert rule["properties"]["security-severity"] == "8.0"
        assert rule["defaultConfiguration"] == {"level": "error"}


def test_sarif_describes_another_rule_by_its_category() -> None:
    (rule,) = run_of(report_of(replace(FINDING, rule="custom/x", category="bug")))["tool"][
        "driver"
    ]["rules"]
    assert rule["shortDescription"] == {"text": "Bug: custom/x"}
    assert rule["defaultConfiguration"] == {"level": "warning"}
    assert rule["properties"] == {"tags": ["bug"]}
    assert "helpUri" not in rule


@given(reports)
def test_sarif_is_valid_for_any_report(report: Report) -> None:
    text = sarif(report)
    assert_strict(text)
    run = run_of(report)
    assert len(run["results"]) == sum(map(counts_for_fail_on, report.findings))
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        uri = place_of(result)["artifactLocation"]["uri"]
        assert re.fullmatch(r"(?!/)(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+", uri)


@given(reports)
def test_rdjson_is_valid_for_any_report(report: Report) -> None:
    assert_strict(rdjson(report))
    codes = [diagnostic["code"]["value"] for diagnostic in diagnostics_of(report)]
    others = codes.count("review-incomplete") + codes.count("file-unread")
    assert len(codes) - others == len(report.findings)


@given(reports)
def test_a_review_that_is_not_complete_is_never_empty(report: Report) -> None:
    failed = "review-incomplete" in [one["code"]["value"] for one in diagnostics_of(report)]
    (invocation,) = run_of(report)["invocations"]
    assert failed is not report.complete
    assert invocation["executionSuccessful"] is report.complete
    levels = [note["level"] for note in invocation["toolExecutionNotifications"]]
    assert ("error" in levels) is not report.complete


@given(reports)
def test_the_json_document_holds_the_whole_report(report: Report) -> None:
    decoded = json.loads(document(report))
    assert commands(document(report)) == []
    assert decoded["outcome"] == report.outcome
    assert decoded["counts"] == report.counts
    assert [one["id"] for one in decoded["findings"]] == [one.id for one in report.findings]
    assert len(decoded["withdrawn"]) == len(report.withdrawn)
    assert [one["path"] for one in decoded["coverage"]] == [one.path for one in report.coverage]


@given(texts)
def test_well_formed_text_keeps_all_but_lone_surrogates(text: str) -> None:
    fixed = well_formed({"a": [text, 1, None]})["a"][0]
    fixed.encode()
    if text.isprintable():
        assert fixed == text


def test_paths_are_relative_and_every_odd_byte_is_encoded() -> None:
    names = (b"src/a b.py", b"\xff\xfe/x", b"C:/x", b"//host/x", b"a?b#c", b"/", "\u00fc".encode())
    for name in names:
        path = name.decode(errors="surrogateescape")
        (result,) = run_of(report_of(replace(FINDING, path=path)))["results"]
        uri = place_of(result)["artifactLocation"]["uri"]
        assert unquote_to_bytes(uri) == (name.lstrip(b"/") or b".")
        assert ":" not in uri


def test_a_path_that_no_bytes_can_have_is_still_a_uri() -> None:
    (result,) = run_of(report_of(replace(FINDING, path="a\ud800")))["results"]
    assert place_of(result)["artifactLocation"]["uri"] == "a%3F"


def test_a_finding_on_new_lines_has_its_region_and_its_fix() -> None:
    (result,) = run_of(report_of(FIX))["results"]
    assert place_of(result)["region"] == {"startLine": 3, "endLine": 4}
    (fix,) = result["fixes"]
    (replacement,) = fix["artifactChanges"][0]["replacements"]
    assert replacement == {
        "deletedRegion": {"startLine": 3, "endLine": 4},
        "insertedContent": {"text": "x = 2"},
    }
    (diagnostic,) = diagnostics_of(report_of(FIX))
    lines = {"start": {"line": 3}, "end": {"line": 4}}
    assert diagnostic["location"] == {"path": "app/db.py", "range": lines}
    assert diagnostic["suggestions"] == [{"range": lines, "text": "x = 2"}]


def test_an_empty_suggestion_takes_the_lines_out_with_their_ends() -> None:
    (result,) = run_of(report_of(replace(FIX, suggestion="")))["results"]
    (replacement,) = result["fixes"][0]["artifactChanges"][0]["replacements"]
    region = {"startLine": 3, "startColumn": 1, "endLine": 5, "endColumn": 1}
    assert replacement == {"deletedRegion": region, "insertedContent": {"text": ""}}


@pytest.mark.parametrize(
    "finding",
    [LEFT, replace(LEFT, side="RIGHT", placement=Placement("file", "The code is not there."))],
)
def test_without_a_new_line_a_finding_is_at_its_file_and_says_why(finding: Finding) -> None:
    (result,) = run_of(report_of(finding))["results"]
    (diagnostic,) = diagnostics_of(report_of(finding))
    assert "region" not in place_of(result)
    assert "range" not in diagnostic["location"]
    reason = finding.placement.reason or "On lines 3-4 of the old file."
    assert reason in result["message"]["text"]
    assert reason in diagnostic["message"]
    assert "fixes" not in result
    assert "suggestions" not in diagnostic


def test_a_suggestion_that_does_not_apply_is_no_fix() -> None:
    finding = replace(FIX, suggestion_applies=False)
    (result,) = run_of(report_of(finding))["results"]
    assert "fixes" not in result
    assert "suggestions" not in diagnostics_of(report_of(finding))[0]


def test_what_is_held_back_is_no_alert_and_stays_visible() -> None:
    report = report_of(replace(FINDING, severity="error", placement=HELD))
    run = run_of(report)
    assert run["results"] == []
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["level"] == "note"
    assert note["message"]["text"] == "Held back: Its confidence is below 0.7. error: Wrong"
    (diagnostic,) = diagnostics_of(report)
    assert diagnostic["severity"] == "INFO"
    assert "range" not in diagnostic["location"]


def test_the_fingerprint_is_the_id_and_the_rule_does_not_depend_on_the_finding() -> None:
    run = run_of(report_of(FINDING, replace(FINDING, id="b" * 16, title="Other", line=90)))
    prints = [result["partialFingerprints"] for result in run["results"]]
    assert prints == [{"primaryLocationLineHash": letter * 16} for letter in "ab"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["bug"]
    one = run_of(report_of(replace(FINDING, id="b" * 16, title="Other")))
    assert one["tool"]["driver"]["rules"] == run["tool"]["driver"]["rules"]


def test_files_that_failed_are_named_with_their_reason() -> None:
    coverage = (ev.FileCoverage("a.py", "failed", "Refused."), ev.FileCoverage("b.py", "partly"))
    report = report_of(outcome="incomplete", coverage=coverage, reasons=("Quota.",))
    first, *files = run_of(report)["invocations"][0]["toolExecutionNotifications"]
    assert first["message"]["text"].endswith("nothing was found in the rest. Quota.")
    assert [note["message"]["text"] for note in files] == [
        "failed: Refused.",
        "partly: No reason was given.",
    ]
    assert [(one["location"]["path"], one["severity"]) for one in diagnostics_of(report)] == [
        ("a.py", "ERROR"),
        ("b.py", "ERROR"),
    ]


def test_an_incomplete_review_without_files_still_shows_in_rdjson() -> None:
    (diagnostic,) = diagnostics_of(report_of(outcome="cancelled", reasons=("Ctrl-C.",)))
    assert diagnostic["location"] == {"path": "."}
    assert diagnostic["message"].startswith("Cancelled: ")
    assert diagnostic["message"].endswith("Ctrl-C.")


def test_more_results_than_code_scanning_takes_are_left_out_from_the_end_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sarif_module, "MAX_RESULTS", 3)
    findings = [
        replace(FINDING, id=f"{index:016}", line=index + 1, end_line=index + 1)
        for index in range(5)
    ]
    run = run_of(report_of(*findings))
    assert [place_of(result)["region"]["startLine"] for result in run["results"]] == [1, 2, 3]
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == "2 more findings did not fit the limits of code scanning."


def test_a_log_that_is_too_large_when_zipped_keeps_the_worst(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    findings = [
        replace(
            FINDING,
            id=f"{index:016}",
            line=index + 1,
            end_line=index + 1,
            title=sha256(bytes([index])).hexdigest(),
        )
        for index in range(64)
    ]
    monkeypatch.setattr(sarif_module, "MAX_GZIPPED", 2_000)
    run = run_of(report_of(*findings))
    lines = [place_of(result)["region"]["startLine"] for result in run["results"]]
    assert 0 < len(lines) < 64
    assert lines == list(range(1, len(lines) + 1))
    monkeypatch.setattr(sarif_module, "MAX_GZIPPED", 1)
    assert run_of(report_of(*findings))["results"] == []


def test_a_large_log_that_is_small_when_zipped_is_kept_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    findings = [replace(FINDING, id=f"{index:016}") for index in range(64)]
    monkeypatch.setattr(sarif_module, "MAX_GZIPPED", 10_000)
    assert len(sarif(report_of(*findings))) > 10_000
    assert len(run_of(report_of(*findings))["results"]) == 64


def test_too_many_notifications_are_counted() -> None:
    coverage = tuple(ev.FileCoverage(f"{index}.lock", "skipped", "x") for index in range(1_005))
    notes = run_of(report_of(coverage=coverage))["invocations"][0]["toolExecutionNotifications"]
    assert len(notes) == 1_001
    assert notes[-1]["message"]["text"] == "5 more notifications left out."
