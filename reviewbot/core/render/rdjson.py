"""Render a review as reviewdog's ``DiagnosticResult``. Pure.

Format: github.com/reviewdog/reviewdog, ``proto/rdf/reviewdog.proto``. A range without columns means
whole lines, its end included.

By default, reviewdog posts only diagnostics on lines of the diff. So a finding on the old file or
without a line has a location without range, and a held-back finding is ``INFO`` without range. The
format has no outcome. So each file that was not reviewed is an ``ERROR``, and a failed review
cannot be read as one without findings.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from reviewbot.core.render import TOOL_NAME, TOOL_URL
from reviewbot.core.render.inert import json_text, well_formed
from reviewbot.core.render.wording import (
    on_new_lines,
    outcome,
    placement_reason,
    shallow,
    unreviewed,
    verification_note,
)
from reviewbot.core.wording import NO_REASON

if TYPE_CHECKING:
    from reviewbot.core.events.events import FileCoverage
    from reviewbot.core.events.records import Json
    from reviewbot.core.events.report import Report
    from reviewbot.core.findings.finding import Finding, Severity

_SEVERITY: Final[dict[Severity, str]] = {"error": "ERROR", "warning": "WARNING", "note": "INFO"}


def render(report: Report) -> str:
    """Return the whole result. Bytes of a path that are not UTF-8 become U+FFFD."""
    diagnostics = [_diagnostic(finding) for finding in report.findings]
    if not report.complete:
        missing = unreviewed(report)
        diagnostics += [_gap(file) for file in missing]
        if not missing:
            diagnostics.append(_note(".", " ".join((outcome(report), *report.reasons))))
    diagnostics += [_unread(file) for file in shallow(report)]
    result = {"source": {"name": TOOL_NAME, "url": TOOL_URL}, "diagnostics": diagnostics}
    return json_text(well_formed(result), indent=2) + "\n"


def _diagnostic(finding: Finding) -> Json:
    notes = (placement_reason(finding), verification_note(finding))
    parts = (finding.title, finding.scenario, finding.message, *notes)
    location: Json = {"path": finding.path}
    lines = {"start": {"line": finding.line}, "end": {"line": finding.end_line}}
    if on_new_lines(finding):
        location["range"] = lines
    held = finding.placement.held
    diagnostic: Json = {
        "message": "\n\n".join(filter(None, parts)) or finding.rule,
        "location": location,
        "severity": "INFO" if held else _SEVERITY[finding.severity],
        "code": {"value": finding.rule},
        "original_output": json_text(asdict(finding)),
    }
    if finding.suggestion is not None and finding.suggestion_applies and on_new_lines(finding):
        text = finding.suggestion.removesuffix("\n")
        diagnostic["suggestions"] = [{"range": lines, "text": text}]
    return diagnostic


def _gap(file: FileCoverage) -> Json:
    return _note(file.path, f"Not fully reviewed: {file.reason or NO_REASON}")


def _unread(file: FileCoverage) -> Json:
    message = f"Not read: {file.reason or NO_REASON}"
    return {**_note(file.path, message), "severity": "INFO", "code": {"value": "file-unread"}}


def _note(path: str, message: str) -> Json:
    return {
        "message": message,
        "location": {"path": path},
        "severity": "ERROR",
        "code": {"value": "review-incomplete"},
    }
