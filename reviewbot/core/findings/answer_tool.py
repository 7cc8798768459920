"""The wire schema of the tool that answers a reply to a finding, and its parsed call. Pure.

Like the report tool, it has only features of strict mode. The bounds are checked on arrival.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

Decision = Literal["withdraw", "stands", "missing"]
DECISIONS: Final[tuple[Decision, ...]] = get_args(Decision)

# Models write fields in this order: first the evidence, then the judgement, then the prose.
_FIELDS: Final[dict[str, Any]] = {
    "path": {"type": "string", "description": "File of the quote. Empty for missing."},
    "line": {"type": "integer", "description": "Number of its first line. 0 for missing."},
    "quote": {"type": "string", "description": "Whole lines after the bar, verbatim."},
    "decision": {"type": "string", "enum": list(DECISIONS)},
    "text": {"type": "string", "description": "At most three sentences."},
}
ANSWER_TOOL: Final[dict[str, Any]] = {
    "name": "answer",
    "description": "Answer the last reply, in one call that has no look-ups beside it.",
    "input_schema": {
        "type": "object",
        "additionalProperties": False,
        "required": list(_FIELDS),
        "properties": _FIELDS,
    },
}


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as the model wrote it. ``path``, ``line`` and ``quote`` are its evidence."""

    decision: Decision
    text: str
    path: str = ""
    line: int = 0
    quote: str = ""


def parse_answer(value: object) -> RawAnswer:
    """Return the answer of a decoded call.

    Raises:
        ValueError: the decision or the text is missing.
    """
    if not isinstance(value, Mapping):
        raise ValueError("it is not an object")  # noqa: TRY004 (data, not an argument)
    texts = {
        name: text if isinstance(text := value.get(name), str) else ""
        for name in ("decision", "text", "path", "quote")
    }
    decision = next((known for known in DECISIONS if known == texts["decision"].lower()), None)
    if decision is None:
        raise ValueError("it has no valid decision")
    if not texts["text"].strip():
        raise ValueError("it has no text")
    line = value.get("line")
    number = line if isinstance(line, int) and line is not True else 0
    return RawAnswer(decision, texts["text"], texts["path"], number, texts["quote"])
