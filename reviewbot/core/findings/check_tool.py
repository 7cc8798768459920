"""The wire schema of the tool with which a verifier answers about findings. Pure data.

Like the report tool, it has only features of strict mode. The bounds are checked on arrival
(:mod:`reviewbot.core.findings.verdicts`).
"""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

Answer = Literal["supported", "partly", "not_introduced", "wrong", "cannot_tell"]
ANSWERS: Final[tuple[Answer, ...]] = get_args(Answer)

# Models write fields in this order: first the evidence, then the judgement, then the prose.
_FIELDS: Final[dict[str, Any]] = {
    "finding": {"type": "integer", "description": "Its number."},
    "path": {"type": "string"},
    "line": {"type": "integer"},
    "quote": {"type": "string", "description": "Whole lines after the bar, verbatim."},
    "answer": {"type": "string", "enum": list(ANSWERS)},
    "why": {"type": "string", "description": "At most 25 words."},
    "title": {"type": ["string", "null"], "description": "Null unless the answer is partly."},
    "scenario": {"type": ["string", "null"], "description": "As for title."},
    "message": {"type": ["string", "null"], "description": "As for title."},
}

CHECK_TOOL: Final[dict[str, Any]] = {
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
                    "required": list(_FIELDS),
                    "properties": _FIELDS,
                },
            },
        },
    },
}
