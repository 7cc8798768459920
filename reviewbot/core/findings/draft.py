"""A finding as a model wrote it: validated on arrival, not yet placed or made safe. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.findings.finding import (
    CATEGORIES,
    SEVERITIES,
    Category,
    RawQuote,
    Severity,
    Side,
)
from reviewbot.core.findings.report_tool import FINDING_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jsonschema.protocols import Validator

_BOUNDS: Final[dict[str, dict[str, Any]]] = {
    "path": {"minLength": 1, "maxLength": 4096},
    "quote": {"minLength": 1, "maxLength": 20_000},
    "line": {"minimum": 0, "maximum": 2**31 - 1},
    "end_line": {"minimum": 0, "maximum": 2**31 - 1},
    "scenario": {"maxLength": 4000},
    "confidence": {"minimum": 0, "maximum": 1},
    "title": {"maxLength": 1000},
    "message": {"minLength": 1, "maxLength": 10_000},
    "suggestion": {"maxLength": 20_000},
}
"""Limits that strict mode cannot express. We check them on arrival."""

_FORGIVEN: Final[dict[str, Any]] = {
    "side": "RIGHT",
    "line": 0,
    "scenario": "",
    "category": "bug",
    "severity": "warning",
    "confidence": 0.7,
    "title": "",
    "suggestion": None,
}
"""Defaults for fields that servers without schema enforcement omit. Path, quote and message are
required."""

_FIELDS: Final = frozenset(FINDING_SCHEMA["properties"])
MAX_QUOTES: Final = 10
"""Quotes of looked-up code that a finding keeps."""
_QUOTE_CHARS: Final = 4000
_PATH_CHARS: Final = 4096
_WORST: Final = frozenset({"blocker", "critical", "fatal", "high", "major", "severe"})
"""Severities of other tools that count as an error."""


def fits(name: str, text: str) -> bool:
    """Return whether a text is within the bounds of the text field ``name`` of a draft."""
    bounds = _BOUNDS[name]
    least: int = bounds.get("minLength", 0)
    most: int = bounds["maxLength"]
    return least <= len(text) <= most


class InvalidFinding(ValueError):
    """An invalid item of the report; the message states the problem."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A finding as a model wrote it: complete and within bounds, not yet placed or made safe.

    The fields are those of the wire schema; only the offline rules set ``rule``. ``rests_on`` has
    the quotes of looked-up code, not yet checked.
    """

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
    rule: str | None = None
    rests_on: tuple[RawQuote, ...] = ()


def draft_schema() -> dict[str, Any]:
    """Return the full schema of a draft: the wire schema of one item with bounds, and ``rule``."""
    wire = FINDING_SCHEMA
    properties = {
        name: {**schema, **_BOUNDS.get(name, {})} for name, schema in wire["properties"].items()
    }
    properties["rule"] = {"type": "string", "pattern": r"^[a-z0-9][a-z0-9_./-]{0,99}$"}
    required = [name for name in wire["required"] if name not in _FORGIVEN]
    return {**wire, "properties": properties, "required": required}


@cache
def _validator() -> Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(draft_schema())


def own_draft(item: Mapping[str, Any]) -> Draft:
    """Return a draft from our own rules.

    The draft is not validated: tests check the drafts of the rules against :func:`draft_schema`,
    and the import of jsonschema would add 55 ms to every offline review.
    """
    return Draft(**item)


def _severity(text: str) -> str:
    name = text.lower()
    if name in SEVERITIES:
        return name
    return "error" if name in _WORST else "warning"


def _category(text: str) -> str:
    return name if (name := text.lower()) in CATEGORIES else "bug"


def _side(text: str) -> Side:
    return "LEFT" if text.upper() == "LEFT" else "RIGHT"


def _confidence(value: object) -> float:
    """Return a confidence from 0 to 1; a number above 1 is a percentage."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return float(_FORGIVEN["confidence"])
    return float(min(max(value / 100 if value > 1 else value, 0), 1))


_KNOWN: Final[dict[str, Callable[[str], str]]] = {
    "severity": _severity,
    "category": _category,
    "side": _side,
}
"""For each enum, the function from a text to its nearest value."""


def parse_draft(item: Mapping[str, Any]) -> Draft:
    """Validate one item of the ``findings`` array of a model.

    Enums are compared without regard to case (Anthropic's documentation does not guarantee their
    capitalisation). An unknown value never loses a finding: a severity becomes an error or a
    warning, a category a bug, and a side the new one. A confidence that is not a number becomes
    0.7. Whole numbers may be written as ``12.0``, and ``end_line`` defaults to ``line``. Unknown
    fields are left out, ``rule`` among them: only our own rules may name one. Quotes of looked-up
    code that have another form are left out.

    Raises:
        InvalidFinding: a field is missing or out of bounds.
    """
    value = {name: item[name] for name in item if name in _FIELDS}
    for name, default in _FORGIVEN.items():
        if value.get(name) is None:
            value[name] = default
    if value.get("end_line") is None:
        value["end_line"] = value["line"]
    for name, known in _KNOWN.items():
        value[name] = known(str(value[name]))
    value["confidence"] = _confidence(value["confidence"])
    error = next(iter(_validator().iter_errors(value)), None)
    if error is not None:
        where = ".".join(str(part) for part in error.absolute_path)
        raise InvalidFinding(f"{where}: {error.validator}" if where else error.message[:200])
    value["line"], value["end_line"] = int(value["line"]), int(value["end_line"])
    if not value["title"].strip():
        value["title"] = value["message"].strip().split("\n", 1)[0][:120]
    if value["end_line"] < value["line"]:
        value["line"], value["end_line"] = value["end_line"], value["line"]
    return Draft(**value, rests_on=tuple(_quotes(item.get("rests_on")))[:MAX_QUOTES])


def _quotes(value: object) -> Iterator[RawQuote]:
    """Yield the valid items of ``rests_on``."""
    for item in value if isinstance(value, list) else ():
        path, quote = (item.get("path"), item.get("quote")) if isinstance(item, dict) else (0, 0)
        if not isinstance(path, str) or not isinstance(quote, str):
            continue
        if 0 < len(path) <= _PATH_CHARS and 0 < len(quote) <= _QUOTE_CHARS and quote.strip():
            yield RawQuote(path, quote, base=item.get("base") is True)
