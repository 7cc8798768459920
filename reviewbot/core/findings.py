"""The finding: its two schemas, validation, identity, ranking. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

Side = Literal["RIGHT", "LEFT"]
Severity = Literal["error", "warning", "note"]
Category = Literal[
    "bug",
    "security",
    "performance",
    "concurrency",
    "error-handling",
    "api",
    "tests",
    "docs",
    "maintainability",
]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
CATEGORIES: tuple[Category, ...] = get_args(Category)
PlacementKind = Literal["inline", "file", "outside"]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a finding is shown.

    ``inline``: on ``line``..``end_line`` of the diff. ``file``: the file is in the diff, the quoted
    code is not. ``outside``: reported beside the diff, for example because its confidence is below
    the inline threshold. ``reason`` is a sentence, ``None`` when inline.
    """

    kind: PlacementKind
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, validated, made safe to show, and placed.

    ``line`` and ``end_line`` are 1-based on ``side`` (RIGHT: new file, LEFT: old file); where
    ``placement.kind`` is not ``inline`` they are what the model claimed. ``suggestion`` replaces
    exactly ``line``..``end_line``; it is offered only if ``suggestion_applies``.
    """

    id: str
    path: str
    quote: str
    side: Side
    line: int
    end_line: int
    scenario: str
    category: Category
    severity: Severity
    confidence: float
    title: str
    message: str
    suggestion: str | None
    rule: str
    model: str
    chunk: str
    attempt: int
    placement: Placement
    suggestion_applies: bool = False


REPORT_TOOL: Final[dict[str, Any]] = {
    "name": "report_findings",
    "description": (
        "Report every problem that the changes shown introduce, in one call. "
        "Call it with an empty list if there is none: that is a normal result."
    ),
    "input_schema": {
        "type": "object",
        "additionalProperties": False,
        "required": ["findings", "outcome"],
        "properties": {
            "findings": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    # Fields are written in this order: the place and the evidence come before
                    # the judgement, the judgement before the prose.
                    "required": [
                        "path",
                        "quote",
                        "side",
                        "line",
                        "end_line",
                        "scenario",
                        "category",
                        "severity",
                        "confidence",
                        "title",
                        "message",
                        "suggestion",
                    ],
                    "properties": {
                        "path": {
                            "type": "string",
                            "description": "The file, as written in the request.",
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
                                "One sentence: when what input or state occurs, what goes "
                                "observably wrong."
                            ),
                        },
                        "category": {"type": "string", "enum": list(CATEGORIES)},
                        "severity": {"type": "string", "enum": list(SEVERITIES)},
                        "confidence": {
                            "type": "number",
                            "description": "0.9, 0.7 or 0.5, by the evidence rules.",
                        },
                        "title": {"type": "string", "description": "One line."},
                        "message": {
                            "type": "string",
                            "description": (
                                "What to know and what to do: Markdown, at most four sentences."
                            ),
                        },
                        "suggestion": {
                            "type": ["string", "null"],
                            "description": (
                                "Code that replaces exactly line..end_line and fixes the problem "
                                "whole, or null."
                            ),
                        },
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
"""The only tool. Byte-identical in every request: tools lead the cached prefix, and one changed
byte loses the whole cache (Anthropic documentation, "Prompt caching"). Only what strict mode
admits: no bounds, no lengths, no extra properties, everything required."""
