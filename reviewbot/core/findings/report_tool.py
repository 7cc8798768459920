"""The wire schema of the only tool, with which models report findings. Pure data.

It is byte-identical in every request: tools lead the cached prefix, and one changed byte loses the
whole cache (Anthropic documentation, "Prompt caching"). The schema has only features of strict
mode: no bounds, no lengths, no extra properties, everything required.
:mod:`reviewbot.core.findings.draft` enforces the bounds on arrival.
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

FINDING_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": list(_FIELDS),
    "properties": _FIELDS,
}

REPORT_TOOL: Final[dict[str, Any]] = {
    "name": "report_findings",
    "description": "Report the problems that the changes shown introduce, in one call.",
    "input_schema": {
        "type": "object",
        "additionalProperties": False,
        "required": ["findings", "files", "outcome"],
        "properties": {
            "findings": {"type": "array", "items": FINDING_SCHEMA},
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
            "outcome": {"type": "string", "enum": ["complete", "could_not_review"]},
        },
    },
}
