"""A finding as an annotation of a check run. Pure.

Format: docs.github.com, "Create a check run": at most 50 annotations a request, 64 KB of message
and of details, 255 characters of title. Texts are shown as they are, not as Markdown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.events.report import counts_for_fail_on
from reviewbot.core.render.wording import on_new_lines
from reviewbot.core.safety.escape import show
from reviewbot.core.safety.safe_text import safe_terminal
from reviewbot.github.change.permalinks import is_utf8

if TYPE_CHECKING:
    from reviewbot.core.events.records import Json
    from reviewbot.core.findings.finding import Finding, Severity

BATCH: Final = 50
"""Annotations that one request may carry."""
MAX_ANNOTATIONS: Final = 500
"""Maximum number of annotations of one run, sent in ten requests. The text lists the others."""
MAX_TITLE: Final = 255
MAX_MESSAGE: Final = 64_000
"""Maximum bytes of a message or of details, below GitHub's 64 KB."""

_LEVELS: Final[dict[Severity, str]] = {"error": "failure", "warning": "warning", "note": "notice"}
_CUT: Final = " ..."


def annotation(finding: Finding) -> Json | None:
    """Return a finding as an annotation; None if it is held back or on no line of the new file.

    Annotations have no columns, because findings have none.
    """
    path = finding.path
    if not on_new_lines(finding) or not counts_for_fail_on(finding) or not is_utf8(path):
        return None
    words = "\n\n".join(filter(str.strip, (finding.scenario, finding.message)))
    made: Json = {
        "path": path,
        "start_line": finding.line,
        "end_line": max(finding.line, finding.end_line),
        "annotation_level": _LEVELS[finding.severity],
        "message": _within(safe_terminal(words.strip() or finding.rule), MAX_MESSAGE),
    }
    if title := title_line(finding.title):
        made["title"] = title
    if finding.suggestion:
        details = f"Suggestion, instead of these lines:\n\n{safe_terminal(finding.suggestion)}"
        made["raw_details"] = _within(details, MAX_MESSAGE)
    return made


def title_line(text: str) -> str:
    """Return ``text`` on one line that is short enough for a title."""
    line = show(" ".join(text.split()))
    return line if len(line) <= MAX_TITLE else line[: MAX_TITLE - len(_CUT)] + _CUT


def _within(text: str, limit: int) -> str:
    data = text.encode()
    if len(data) <= limit:
        return text
    return data[: limit - len(_CUT)].decode(errors="ignore") + _CUT
