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
# the prose.
_FIELDS: Final[dict[str, Any]] = {
    "path": {
        "type": "string",
        "description": "The file, as the heading above its lines gives it.",
    },
    "quote": {
        "type": "string",
        "description": (
            "The lines at fault, copied verbatim: whole lines, what stands "
            "after the bar, nothing left out."
        ),
    },
    "side": {
        "type": "string",
        "enum": ["RIGHT", "LEFT"],
        "description": "RIGHT for R lines, LEFT for L lines.",
    },
    "line": {
        "type": "integer",
        "description": "Number of the first quoted line, copied.",
    },
    "end_line": {
        "type": "integer",
        "description": "Number of the last quoted line, copied.",
    },
    "scenario": {
        "type": "string",
        "description": (
            "One sentence: when what input or state occurs, what goes observably wrong."
        ),
    },
    "category": {"type": "string", "enum": list(CATEGORIES)},
    "severity": {
        "type": "string",
        "enum": list(SEVERITIES),
        "description": "By the severity tests; between two, the lower.",
    },
    "confidence": {
        "type": "number",
        "description": "0.9, 0.7 or 0.5, by the evidence rules.",
    },
    "title": {
        "type": "string",
        "description": "The fault in one line, at most 80 characters.",
    },
    "message": {
        "type": "string",
        "description": ("Cause, then smallest fix: Markdown, at most four sentences."),
    },
    "suggestion": {
        "type": ["string", "null"],
        "description": (
            "Code that replaces exactly line..end_line and fixes the problem whole, or null."
        ),
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
    "description": (
        "Report every problem that the changes shown introduce, in one call. "
        "Call it with an empty list if there is none: that is a normal result."
    ),
    "input_schema": {
        "type": "object",
        "additionalProperties": False,
        "required": ["findings", "files", "outcome"],
        "properties": {
            "findings": {"type": "array", "items": FINDING_SCHEMA},
            "files": {
                "type": "array",
                "description": "Each file of the request, and what changed in it.",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["path", "change"],
                    "properties": {
                        "path": {"type": "string"},
                        "change": {"type": "string", "description": "At most twelve words."},
                    },
                },
            },
            "outcome": {
                "type": "string",
                "enum": ["complete", "could_not_review"],
                "description": "could_not_review if part of the code shown could not be judged.",
            },
        },
    },
}
