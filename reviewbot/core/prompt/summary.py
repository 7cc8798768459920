"""Prompt, schema and response of the overview that a model writes after the review. Pure.

The overview is written from the models' lines on what changed in each file, and from the findings.
The diff is not sent again. The walkthrough consists of the same lines.

Only the summary prompt shows the author's title and description, as claims. The review prompt never
shows them, because favourable words hide bugs (2603.18740: a "bug-free" framing costs 16 to 93 % of
detection). Code computes counts and costs; they are not part of the summary prompt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.events.events import ReviewSummary
from reviewbot.core.prompt.request import (
    LISTED_PATH_LIMIT,
    MANIFEST_LIMIT,
    TITLE_LIMIT,
    manifest_within,
)
from reviewbot.core.prompt.templates import render_template
from reviewbot.core.safety.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reviewbot.core.events.events import FileCoverage
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.prompt.request import ManifestEntry

DESCRIPTION_LIMIT: Final = 4_000
LISTED_LIMIT: Final = 50
"""Findings, and files not covered, that are listed."""

WHAT_LIMIT: Final = 700
"""Maximum characters of a text of three sentences."""
LOOK_AT_LIMIT: Final = 3

_STRING: Final = {"type": "string"}
SUMMARY_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["what", "look_at", "claim_mismatch"],
    "properties": {
        "what": _STRING,
        "look_at": {"type": "array", "items": _STRING},
        "claim_mismatch": {"type": ["string", "null"]},
    },
}
"""Schema of the response, in the subset of JSON Schema that structured output supports."""


def render_summary(
    *,
    title: str,
    description: str,
    manifest: Sequence[ManifestEntry],
    findings: Sequence[Finding],
    coverage: Sequence[FileCoverage],
    changes: Mapping[str, str],
) -> tuple[str, str, bool]:
    """Return the system prompt, the user message, and whether it shows title or description.

    Args:
        title: title of the pull request; empty if unknown. Title and description are shown only if
            a model read the whole change and described each file.
        description: description of the pull request; empty if unknown.
        manifest: the changed files.
        findings: the findings of the review, worst first.
        coverage: status of each file.
        changes: lines of the models on what changed, by path.
    """
    listed = manifest_within(manifest, MANIFEST_LIMIT)
    not_reviewed = [file for file in coverage if file.status in ("partly", "failed")]
    described = all(entry.path in changes for entry in manifest if entry.shown)
    if not described or listed.more or not_reviewed:  # claims cannot be compared with unread code
        title = description = ""
    user = render_template(
        "summary",
        title=title,
        description=description.replace("\r\n", "\n"),
        manifest=listed,
        changes=changes,
        findings=findings[:LISTED_LIMIT],
        findings_more=len(findings[LISTED_LIMIT:]),
        not_reviewed=not_reviewed[:LISTED_LIMIT],
        not_reviewed_more=len(not_reviewed[LISTED_LIMIT:]),
        title_limit=TITLE_LIMIT,
        path_limit=LISTED_PATH_LIMIT,
        description_limit=DESCRIPTION_LIMIT,
    )
    return (
        render_template("summary-system").strip("\n"),
        user.strip("\n"),
        bool(title or description),
    )


def parse_summary(value: object, paths: Iterable[str]) -> ReviewSummary:
    """Return the summary in a decoded response, limited in size, but not made safe to show.

    Unchanged paths are dropped. ``look_at`` and ``claim_mismatch`` may be missing: not every server
    enforces a schema.

    Raises:
        ValueError: the value does not match :data:`SUMMARY_SCHEMA`.
    """
    if not isinstance(value, dict):
        raise ValueError("the summary is not a JSON object")  # noqa: TRY004 (data, not an argument)
    what = _line(value.get("what"), "what")
    if not what:
        raise ValueError("the summary does not say what the change does")
    known = {show(path): path for path in paths}
    look_at = [known.get(show(_string(path, "look_at"))) for path in _items(value, "look_at")]
    mismatch = value.get("claim_mismatch")
    return ReviewSummary(
        what=_within(what),
        look_at=tuple(dict.fromkeys(path for path in look_at if path is not None))[:LOOK_AT_LIMIT],
        claim_mismatch=None
        if mismatch is None
        else _within(_line(mismatch, "claim_mismatch")) or None,
        source="model",
    )


def _string(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name}: not a string")  # noqa: TRY004 (as above)
    return value


def _line(value: object, name: str) -> str:
    return " ".join(_string(value, name).split())


def _items(value: dict[str, object], name: str) -> list[object]:
    items = value.get(name, [])
    if not isinstance(items, list):
        raise ValueError(f"{name}: not a list")  # noqa: TRY004 (as above)
    return items


def _within(text: str) -> str:
    return text if len(text) <= WHAT_LIMIT else text[:WHAT_LIMIT].rstrip() + " \u2026"
