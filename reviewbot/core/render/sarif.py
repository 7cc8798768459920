"""Render a review as SARIF 2.1.0 for GitHub code scanning. Pure.

Format: OASIS Standard "Static Analysis Results Interchange Format (SARIF) Version 2.1.0". Limits
and the fields that count: docs.github.com, "SARIF support for code scanning".

- A finding on lines of the new file is a result with a region. One on the old file, or without a
  line, is a result at its file: code scanning knows the new file only.
- A finding that is held back is a notification, not a result: code scanning ignores
  ``suppressions`` and ``kind`` (codeql-action#1230), so that each would become an alert.
- A file that was not reviewed sets ``executionSuccessful`` to false and is a notification.
- Code scanning shows the title, full text and help of a rule. It reads neither ``helpUri`` nor
  ``fixes``, which editors read, so the help repeats the link.
- The fingerprint is the finding's id, which comes from path, rule and code, never from a line.
- Plain text contains no links, because SARIF reads links even in text that is code in Markdown
  (3.11.6).
- ``{`` and ``}`` in messages are not doubled, although section 3.11.5 requires it: no major reader
  undoes the doubling, and messages without ``arguments`` have no placeholders.
"""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from reviewbot.core.events.report import counts_for_fail_on
from reviewbot.core.findings.finding import worse
from reviewbot.core.render import TOOL_NAME, TOOL_URL
from reviewbot.core.render.inert import json_text, well_formed
from reviewbot.core.render.rests_on import LABEL, OLD, PLACES, path_and_lines, places_of
from reviewbot.core.render.wording import (
    on_new_lines,
    outcome,
    placement_reason,
    shallow,
    unreviewed,
    verification,
    verification_note,
)
from reviewbot.core.safety.escape import show
from reviewbot.core.wording import NO_REASON, count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.core.events.events import FileCoverage
    from reviewbot.core.events.records import Json
    from reviewbot.core.events.report import Report
    from reviewbot.core.findings.finding import Category, Finding, RestsOn, Severity

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
MAX_RESULTS: Final = 25_000
MAX_GZIPPED: Final = 10_000_000
"""Maximum bytes. GitHub's limit is 10 MB; this is the smaller interpretation."""
_MAX_NOTIFICATIONS: Final = 1_000

_HELP: Final[dict[Category, tuple[str, str]]] = {
    "bug": ("Bug", "The code does something other than intended."),
    "security": ("Security problem", "Someone can do or read something that they must not."),
    "performance": ("Performance problem", "The code takes far more time or memory than needed."),
    "concurrency": ("Concurrency problem", "The result depends on what runs first."),
    "error-handling": ("Error handling", "A failure is lost, hidden or handled wrongly."),
    "api": ("Interface problem", "Callers break, or are led to use the interface wrongly."),
    "tests": ("Test problem", "A test proves less than it seems to, or is missing."),
    "docs": ("Documentation problem", "The text does not describe what the code does."),
    "maintainability": ("Maintainability", "The code is harder to change than it needs to be."),
}
_SCORES: Final[dict[Severity, str]] = {"error": "8.0", "warning": "5.5", "note": "2.0"}
"""Scores that code scanning shows as high, medium and low."""
_MAX_DESCRIPTION: Final = 1_024


@dataclass(frozen=True, slots=True)
class RuleText:
    """Texts of a rule.

    Attributes:
        title: the title, in Markdown like ``help``.
        help: what goes wrong, and what to do.
        severity: the severity without configuration; for a category, that of its worst finding.
            Code scanning shows all findings of a rule in the category ``security`` with it.
        url: address of a page about the rule, if any.
    """

    title: str
    help: str
    severity: Severity
    url: str | None = None


def render(report: Report, rules: Mapping[str, RuleText] | None = None) -> str:
    """Return the log with one run.

    A rule that is not in ``rules`` is described by the category of its findings. At most
    :data:`MAX_RESULTS` results, and as many as fit :data:`MAX_GZIPPED`; the worst are kept,
    and a notification counts the others.
    """
    shown = [finding for finding in report.findings if counts_for_fail_on(finding)]
    limit = min(len(shown), MAX_RESULTS)
    while True:
        log = _log(report, shown[:limit], rules or {}, left_out=len(shown) - limit)
        text = json_text(log, indent=2) + "\n"
        if limit == 0 or not _too_large(text):
            return text
        limit //= 2


def _too_large(text: str) -> bool:
    data = text.encode()
    return len(data) > MAX_GZIPPED and len(zlib.compress(data, wbits=31)) > MAX_GZIPPED


def _log(
    report: Report, findings: Sequence[Finding], texts: Mapping[str, RuleText], *, left_out: int
) -> Json:
    worst: dict[str, Severity] = {}
    for finding in findings:
        worst[finding.rule] = worse(finding.severity, worst.get(finding.rule, "note"))
    indices: dict[str, int] = {}
    rules: list[Json] = []
    for finding in findings:
        if finding.rule not in indices:
            indices[finding.rule] = len(rules)
            text = texts.get(finding.rule) or _text_of_category(finding, worst[finding.rule])
            rules.append(_rule(finding, text))
    driver: Json = {"name": TOOL_NAME, "informationUri": TOOL_URL, "rules": rules}
    if report.version:
        driver["semanticVersion"] = report.version
    invocation = {
        "executionSuccessful": report.complete,
        "toolExecutionNotifications": _notifications(report, left_out),
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, indices[finding.rule]) for finding in findings],
    }
    log: Json = well_formed({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})
    return log


def _text_of_category(finding: Finding, worst: Severity) -> RuleText:
    """Return the text of a rule without one, whose severity is that of its worst finding."""
    name, text = _HELP[finding.category]
    title = name if finding.rule == finding.category else f"{name}: {finding.rule}"
    text = f"{text} Found by review of a change; each result says what goes wrong."
    return RuleText(title, text, worst)


def _rule(finding: Finding, text: RuleText) -> Json:
    """Return the rule of a finding."""
    properties: Json = {"tags": [finding.category]}
    if finding.category == "security":
        properties["security-severity"] = _SCORES[text.severity]
    link = f"\n\n{text.url}" if text.url else ""
    markdown = f"**{text.title}**\n\n{text.help}" + (f"\n\n<{text.url}>" if text.url else "")
    rule: Json = {
        "id": finding.rule,
        "shortDescription": {"text": _plain(text.title)[:_MAX_DESCRIPTION]},
        "fullDescription": {"text": _plain(text.help)[:_MAX_DESCRIPTION]},
        "defaultConfiguration": {"level": text.severity},
        "help": {"text": f"{_plain(text.help)}{link}", "markdown": markdown},
        "properties": properties,
    }
    return rule | ({"helpUri": text.url} if text.url else {})


def _result(finding: Finding, index: int) -> Json:
    notes = (placement_reason(finding), verification_note(finding))
    words = "\n\n".join(filter(None, (finding.scenario, finding.message, *notes)))
    title = finding.title or finding.rule
    result: Json = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": finding.severity,
        "message": {"text": _plain(f"{title}\n\n{words}"), "markdown": f"**{title}**\n\n{words}"},
        "locations": [_location(finding)],
        "partialFingerprints": {"primaryLocationLineHash": finding.id},
        "rank": round(finding.confidence * 100, 1),
        "properties": {
            "category": finding.category,
            "confidence": finding.confidence,
            "model": finding.model,
            "sources": [*finding.sources],
            "placement": finding.placement.kind,
            "verification": finding.verification,
        },
    }
    if finding.guideline is not None:
        result["properties"]["guideline"] = asdict(finding.guideline)
    if places := places_of(finding)[:PLACES]:
        result["relatedLocations"] = [
            _related(number, place) for number, place in enumerate(places)
        ]
    if finding.suggestion is not None and finding.suggestion_applies and on_new_lines(finding):
        result["fixes"] = [_fix(finding, finding.suggestion)]
    return result


def _location(finding: Finding) -> Json:
    place: Json = {"artifactLocation": _artifact(finding.path)}
    if on_new_lines(finding):
        place["region"] = {"startLine": finding.line, "endLine": finding.end_line}
    return {"physicalLocation": place}


def _related(number: int, place: RestsOn) -> Json:
    """Return code that a finding rests on. A region would name lines of the new version."""
    where: Json = {"artifactLocation": _artifact(place.path)}
    text = f"{LABEL} {path_and_lines(place)}{OLD if place.base else ''}"
    if not place.base:
        where["region"] = {"startLine": place.line, "endLine": place.end_line}
    return {"id": number, "message": {"text": _plain(show(text))}, "physicalLocation": where}


def _artifact(path: str) -> Json:
    """Return the file by a relative reference (RFC 3986): every byte that is not plain is encoded.

    A first segment with a colon would read as a scheme, two leading slashes as a host.
    """
    try:
        data = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that does not encode a byte: not from a diff
        data = path.encode("utf-8", "replace")
    uri = quote(data, safe="/")
    return {"uri": uri.lstrip("/") or ".", "uriBaseId": "%SRCROOT%"}


def _fix(finding: Finding, suggestion: str) -> Json:
    """Return a fix of whole lines. A region without columns excludes the last line end (3.30.8)."""
    region: Json = {"startLine": finding.line, "endLine": finding.end_line}
    if not suggestion:  # deletes the lines, with the last line end
        region = {"startLine": finding.line, "startColumn": 1}
        region |= {"endLine": finding.end_line + 1, "endColumn": 1}
    content = {"text": suggestion.removesuffix("\n")}
    return {
        "description": {"text": f"Suggested by {finding.models[-1]}."},
        "artifactChanges": [
            {
                "artifactLocation": _artifact(finding.path),
                "replacements": [{"deletedRegion": region, "insertedContent": content}],
            }
        ],
    }


def _notifications(report: Report, left_out: int) -> list[Json]:
    notes: list[Json] = []
    if not report.complete:
        notes.append(_notification("error", " ".join((outcome(report), *report.reasons))))
        notes += [_notification("error", _coverage(file), file.path) for file in unreviewed(report)]
    notes += [_notification("warning", _coverage(file), file.path) for file in shallow(report)]
    if left_out:
        text = f"{count(left_out, 'more finding')} did not fit the limits of code scanning."
        notes.append(_notification("warning", text))
    notes += [_notification("note", _held(finding), finding.path) for finding in report.held]
    skipped = report.covered("skipped")
    notes += [_notification("note", _coverage(file), file.path) for file in skipped]
    notes += [_notification("note", notice) for notice in report.notices]
    if verdicts := verification(report):
        notes.append(_notification("note", verdicts))
    if len(notes) > _MAX_NOTIFICATIONS:
        rest = count(len(notes) - _MAX_NOTIFICATIONS, "more notification")
        notes = [*notes[:_MAX_NOTIFICATIONS], _notification("warning", f"{rest} left out.")]
    return notes


def _coverage(file: FileCoverage) -> str:
    return f"{file.status}: {file.reason or NO_REASON}"


def _held(finding: Finding) -> str:
    return f"{placement_reason(finding)} {finding.severity}: {finding.title}"


def _notification(level: str, text: str, path: str | None = None) -> Json:
    note: Json = {"level": level, "message": {"text": _plain(text)}}
    if path is not None:
        note["locations"] = [{"physicalLocation": {"artifactLocation": _artifact(path)}}]
    return note


def _plain(text: str) -> str:
    """Return ``text`` without links. Breaking up links with a backslash would be visible."""
    return text.replace("](", "] (")
