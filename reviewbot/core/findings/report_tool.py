"""The wire schema of the tool with which models report findings. Pure data.

The tools are byte-identical in every request of a review: tools lead the cached prefix, and one
changed byte loses the whole cache (Anthropic documentation, "Prompt caching"). So there are two
forms of the tool: :data:`REPORT_TOOL` for a single request, and :data:`REPORT_WITH_LOOKUPS` beside
the tools that look up code. The schemas have only features of strict mode: no bounds, no lengths,
no extra properties. :mod:`reviewbot.core.findings.draft` enforces the bounds on arrival.
"""

from __future__ import annotations

from typing import Any, Final

from reviewbot.core.findings.finding import CATEGORIES, SEVERITIES

# Models write fields in this order: first the location and the evidence, then the judgement, then
# the prose. The system prompt explains the fields; here are only those that models get wrong.
_FIELDS: Final[dict[str, Any]] = {
    "path": {"type": "string"},
    "quote": {"type": "string", "description": "Whole lines after the bar, verbatim."},
    "side": {"type": "string", "enum": ["RIGHT", "LEFT"]},
    "line": {"type": "integer"},
    "end_line": {"type": "integer"},
    "scenario": {"type": "string", "description": "When ..., line n does ..., so ..."},
    "category": {"type": "string", "enum": list(CATEGORIES)},
    "severity": {"type": "string", "enum": list(SEVERITIES)},
    "confidence": {"type": "number", "description": "0.9, 0.7 or 0.5"},
    "title": {"type": "string"},
    "message": {"type": "string"},
    "suggestion": {
        "type": ["string", "null"],
        "description": "Code in place of line to end_line, or null.",
    },
}

# Optional, so that it is written last and a finding without look-ups leaves it out.
_RESTS_ON: Final[dict[str, Any]] = {
    "type": "array",
    "description": "Code outside the diff, as looked up, that proves the finding.",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["path", "quote", "base"],
        "properties": {
            "path": {"type": "string"},
            "quote": {"type": "string", "description": "Whole lines, verbatim."},
            "base": {"type": "boolean", "description": "True if only the old version has it."},
        },
    },
}

FINDING_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": list(_FIELDS),
    "properties": _FIELDS,
}
FINDING_WITH_LOOKUPS: Final[dict[str, Any]] = {
    **FINDING_SCHEMA,
    "properties": {**_FIELDS, "rests_on": _RESTS_ON},
}


def _report_tool(
    description: str, finding: dict[str, Any], outcome: dict[str, Any]
) -> dict[str, Any]:
    return {
        "name": "report_findings",
        "description": description,
        "input_schema": {
            "type": "object",
            "additionalProperties": False,
            "required": ["findings", "files", "outcome"],
            "properties": {
                "findings": {"type": "array", "items": finding},
                "files": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["path", "change"],
                        "properties": {
                            "path": {"type": "string"},
                            "change": {"type": "string", "description": "At most 12 words"},
                        },
                    },
                },
                "outcome": outcome,
            },
        },
    }


REPORT_TOOL: Final = _report_tool(
    "Report the problems that the changes shown introduce, in one call.",
    FINDING_SCHEMA,
    {"type": "string", "enum": ["complete", "could_not_review"]},
)
REPORT_WITH_LOOKUPS: Final = _report_tool(
    "Report problems that the changes shown introduce, each once. The last call says complete.",
    FINDING_WITH_LOOKUPS,
    {"type": "string", "enum": ["continuing", "complete", "could_not_review"]},
)


def report_tool(*, lookups: bool) -> dict[str, Any]:
    """Return the tool of a request, with or without look-ups."""
    return REPORT_WITH_LOOKUPS if lookups else REPORT_TOOL
