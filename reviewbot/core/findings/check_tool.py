"""The wire schema of the tool with which a verifier answers about findings. Pure data.

Like the report tool, it has only features of strict mode. The bounds are checked on arrival
(:mod:`reviewbot.core.findings.verdicts`).
"""

from __future__ import annotations

from typing import Any, Final, Literal

Answer = Literal["supported", "partly", "not_introduced", "wrong", "cannot_tell", "fixed", "open"]
ANSWERS: Final[tuple[Answer, ...]] = (
    "supported",
    "partly",
    "not_introduced",
    "wrong",
    "cannot_tell",
)
"""Answers about findings of this review."""
FOLLOW_UP_ANSWERS: Final[tuple[Answer, ...]] = ("fixed", "open", "cannot_tell")
"""Answers about findings of earlier reviews."""

# Models write fields in this order: first the evidence, then the judgement, then the prose.
_EVIDENCE: Final[dict[str, Any]] = {
    "finding": {"type": "integer", "description": "Its number."},
    "path": {"type": "string"},
    "line": {"type": "integer"},
    "quote": {"type": "string", "description": "Whole lines after the bar, verbatim."},
}
_TEXTS: Final[dict[str, Any]] = {
    "title": {"type": ["string", "null"], "description": "Null unless the answer is partly."},
    "scenario": {"type": ["string", "null"], "description": "As for title."},
    "message": {"type": ["string", "null"], "description": "As for title."},
}


def _tool(answers: tuple[Answer, ...], texts: dict[str, Any]) -> dict[str, Any]:
    fields = {
        **_EVIDENCE,
        "answer": {"type": "string", "enum": list(answers)},
        "why": {"type": "string", "description": "At most 25 words."},
        **texts,
    }
    return {
        "name": "check_findings",
        "description": "Answer about every finding, in one call that has no look-ups beside it.",
        "input_schema": {
            "type": "object",
            "additionalProperties": False,
            "required": ["answers"],
            "properties": {
                "answers": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": list(fields),
                        "properties": fields,
                    },
                },
            },
        },
    }


CHECK_TOOL: Final[dict[str, Any]] = _tool(ANSWERS, _TEXTS)
FOLLOW_UP_TOOL: Final[dict[str, Any]] = _tool(FOLLOW_UP_ANSWERS, {})
