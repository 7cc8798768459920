"""Prompt, schema and response of the overview that a model writes after the review. Pure.

The overview is written from the models' lines on what changed in each file, and from the findings.
The diff is not sent again. The walkthrough consists of the same lines.

Only the summary prompt shows the author's title, description and issues, as claims. The review
prompt never shows them, because favourable words hide bugs (2603.18740: a "bug-free" framing costs
16 to 93 % of detection). The answer lists what they ask for, and which file shows it. No finding
depends on it. Code computes counts and costs; they are not part of the summary prompt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.events.events import Requirement, ReviewSummary
from reviewbot.core.prompt.purpose import NO_PURPOSE
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
    from reviewbot.core.prompt.purpose import Purpose
    from reviewbot.core.prompt.request import ManifestEntry

DESCRIPTION_LIMIT: Final = 4_000
ISSUE_LIMIT: Final = 2_000
"""Characters of a description, and of the text of an issue, that are shown."""
LISTED_LIMIT: Final = 50
"""Findings, and files not covered, that are listed."""

WHAT_LIMIT: Final = 700
"""Maximum characters of a text of three sentences."""
LOOK_AT_LIMIT: Final = 3
REQUIREMENTS_LIMIT: Final = 8
REQUIREMENT_LIMIT: Final = 200
"""Maximum characters of a requirement."""

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
SCHEMA_WITH_REQUIREMENTS: Final[dict[str, Any]] = {
    **SUMMARY_SCHEMA,
    "required": [*SUMMARY_SCHEMA["required"], "asked_for"],
    "properties": {
        **SUMMARY_SCHEMA["properties"],
        "asked_for": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["what", "path"],
                "properties": {"what": _STRING, "path": {"type": ["string", "null"]}},
            },
        },
    },
}
"""Schema of the response to a request that shows a description or an issue."""


@dataclass(frozen=True, slots=True)
class SummaryPrompt:
    """The request of a summary: two texts, and the schema of the response.

    ``has_claims`` is True if ``user`` shows a purpose, and ``asks_for_requirements`` if the
    response lists what that purpose asks for.
    """

    system: str
    user: str
    has_claims: bool
    asks_for_requirements: bool

    @property
    def schema(self) -> dict[str, Any]:
        """The schema of the response."""
        return SCHEMA_WITH_REQUIREMENTS if self.asks_for_requirements else SUMMARY_SCHEMA


def render_summary(
    *,
    purpose: Purpose,
    manifest: Sequence[ManifestEntry],
    findings: Sequence[Finding],
    coverage: Sequence[FileCoverage],
    changes: Mapping[str, str],
) -> SummaryPrompt:
    """Return the request of a summary.

    Args:
        purpose: the purpose of the change, without secrets. It is shown only if a model read the
            whole change and described each file.
        manifest: the changed files.
        findings: the findings of the review, worst first.
        coverage: status of each file.
        changes: lines of the models on what changed, by path.
    """
    listed = manifest_within(manifest, MANIFEST_LIMIT)
    not_reviewed = [file for file in coverage if file.status in ("partly", "failed")]
    described = all(entry.path in changes for entry in manifest if entry.shown)
    if not described or listed.more or not_reviewed:  # claims cannot be compared with unread code
        purpose = NO_PURPOSE
    user = render_template(
        "summary",
        title=purpose.title,
        description=purpose.description.replace("\r\n", "\n"),
        issues=[replace(issue, body=issue.body.replace("\r\n", "\n")) for issue in purpose.issues],
        manifest=listed,
        changes=changes,
        findings=findings[:LISTED_LIMIT],
        findings_more=len(findings[LISTED_LIMIT:]),
        not_reviewed=not_reviewed[:LISTED_LIMIT],
        not_reviewed_more=len(not_reviewed[LISTED_LIMIT:]),
        title_limit=TITLE_LIMIT,
        path_limit=LISTED_PATH_LIMIT,
        description_limit=DESCRIPTION_LIMIT,
        issue_limit=ISSUE_LIMIT,
    )
    asks = purpose.asks_for_something
    system = render_template(
        "summary-system", asks_for_requirements=asks, requirements_limit=REQUIREMENTS_LIMIT
    )
    return SummaryPrompt(system.strip("\n"), user.strip("\n"), bool(purpose), asks)


def parse_summary(
    value: object, paths: Iterable[str], described: Iterable[str] = ()
) -> ReviewSummary:
    """Return the summary in a decoded response, limited in size, but not made safe to show.

    Paths outside ``paths`` are dropped. So is the path of a requirement unless it is in
    ``described``, the files that a model read; the requirement then counts as not found. Fields
    other than ``what`` may be missing: not every server enforces a schema.

    Raises:
        ValueError: the value does not match :data:`SCHEMA_WITH_REQUIREMENTS`.
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
        asked_for=_requirements(value, {show(path): path for path in described}),
    )


def _requirements(value: dict[str, object], known: Mapping[str, str]) -> tuple[Requirement, ...]:
    """Return what the purpose asks for; ``known`` has the described paths by shown path.

    Entries of another form are left out.
    """
    requirements: dict[str, Requirement] = {}
    items = value.get("asked_for")
    for item in items if isinstance(items, list) else ():
        match item:
            case {"what": str(text), **rest} if what := _within(_joined(text), REQUIREMENT_LIMIT):
                path = rest.get("path")
                shown_by = known.get(show(path)) if isinstance(path, str) else None
                requirements.setdefault(what, Requirement(what, shown_by))
            case _:
                pass  # the summary counts more than an entry of another form
    return tuple(requirements.values())[:REQUIREMENTS_LIMIT]


def _string(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name}: not a string")  # noqa: TRY004 (as above)
    return value


def _line(value: object, name: str) -> str:
    return _joined(_string(value, name))


def _joined(text: str) -> str:
    return " ".join(text.split())


def _items(value: dict[str, object], name: str) -> list[object]:
    items = value.get(name, [])
    if not isinstance(items, list):
        raise ValueError(f"{name}: not a list")  # noqa: TRY004 (as above)
    return items


def _within(text: str, limit: int = WHAT_LIMIT) -> str:
    return text if len(text) <= limit else text[:limit].rstrip() + " \u2026"
