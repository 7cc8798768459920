"""The finding: its two schemas, validation, identity, ranking. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema.protocols import Validator

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
    the inline threshold. ``reason`` is a sentence, ``None`` when inline. ``held`` marks a finding
    that the pipeline's own gates keep out of the way (confidence, number of notes); it never fails
    a run.
    """

    kind: PlacementKind
    reason: str | None = None
    held: bool = False


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
                                "One sentence: when what input or state occurs, what goes "
                                "observably wrong."
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
                            "description": (
                                "Cause, then smallest fix: Markdown, at most four sentences."
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
"""What strict mode cannot say and we enforce on arrival."""

_FORGIVEN: Final[dict[str, Any]] = {
    "side": "RIGHT",
    "line": 0,
    "scenario": "",
    "category": "bug",
    "confidence": 0.7,
    "title": "",
    "suggestion": None,
}
"""Defaults for what servers that enforce no schema leave out. A missing path, quote, severity or
message is not forgiven: without them there is no finding."""

_FIELDS: Final = frozenset(
    REPORT_TOOL["input_schema"]["properties"]["findings"]["items"]["properties"]
)
_UPPER: Final = frozenset({"side"})
_LOWER: Final = frozenset({"category", "severity"})


class InvalidFinding(ValueError):
    """An item of the report that is no finding; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A finding as a model wrote it: complete and within bounds, not yet placed or made safe.

    Fields are those of the wire schema; ``rule`` is set by the offline rules alone.
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


def draft_schema() -> dict[str, Any]:
    """The full schema of a draft: the wire schema of one item with bounds, and ``rule``."""
    wire = REPORT_TOOL["input_schema"]["properties"]["findings"]["items"]
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
    """The draft that our own rules wrote.

    It is not validated: tests hold what rules write to :func:`draft_schema`, and jsonschema would
    take 55 ms of every offline review to import.
    """
    return Draft(**item)


def parse_draft(item: Mapping[str, Any]) -> Draft:
    """Validate one item of the ``findings`` array of a model.

    Enums are compared without regard to case (Anthropic's documentation does not guarantee their
    capitalisation), whole numbers may be written as ``12.0``, ``end_line`` defaults to ``line``.
    Unknown fields are left out, ``rule`` among them: only our own rules may name one.

    Raises:
        InvalidFinding: a field is missing or out of bounds.
    """
    value = {name: item[name] for name in item if name in _FIELDS}
    for name, default in _FORGIVEN.items():
        if value.get(name) is None:
            value[name] = default
    if value.get("end_line") is None:
        value["end_line"] = value["line"]
    for name in _UPPER | _LOWER:
        if isinstance(value.get(name), str):
            value[name] = value[name].upper() if name in _UPPER else value[name].lower()
    error = next(iter(_validator().iter_errors(value)), None)
    if error is not None:
        where = ".".join(str(part) for part in error.absolute_path)
        raise InvalidFinding(f"{where}: {error.validator}" if where else error.message[:200])
    value["line"], value["end_line"] = int(value["line"]), int(value["end_line"])
    if not value["title"].strip():
        value["title"] = value["message"].strip().split("\n", 1)[0][:120]
    if value["end_line"] < value["line"]:
        value["line"], value["end_line"] = value["end_line"], value["line"]
    return Draft(**value)


def fingerprint(path: str, rule: str, code: str, occurrence: int = 1) -> str:
    """The identity of a finding: path, rule and code without regard to white space.

    No line number, date or wording goes in, so that it survives rebases, shifted lines, new
    indentation and a model that says the same thing in other words.

    Args:
        path: the file.
        rule: the rule, for a model its category.
        code: the lines at fault.
        occurrence: 1, or n for the n-th finding of one review that is otherwise the same.
    """
    normal = "\n".join(filter(None, (" ".join(line.split()) for line in code.split("\n"))))
    parts = (path, rule, normal, str(occurrence) if occurrence > 1 else "")
    data = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.sha256(data).hexdigest()[:16]


_WORD = re.compile(r"[^\W_]{3,}")


# What findings about different things share: the frame of the sentence.
_FILLER: Final = frozenset(
    [
        "and",
        "any",
        "are",
        "because",
        "but",
        "can",
        "does",
        "fails",
        "for",
        "from",
        "goes",
        "happens",
        "has",
        "have",
        "into",
        "its",
        "not",
        "one",
        "raises",
        "returns",
        "the",
        "then",
        "that",
        "this",
        "value",
        "when",
        "where",
        "which",
        "while",
        "will",
        "with",
        "without",
        "would",
        "wrong",
    ]
)


def _words(finding: Finding) -> frozenset[str]:
    return frozenset(_WORD.findall(f"{finding.title} {finding.scenario}".lower())) - _FILLER


def same_place(one: Finding, other: Finding) -> bool:
    """Whether two findings stand on the same lines: same file and side, at most one line apart."""
    return (
        one.path == other.path
        and one.side == other.side
        and one.line <= other.end_line + 1
        and other.line <= one.end_line + 1
    )


def same_meaning(one: Finding, other: Finding) -> bool:
    """Whether two findings at one place say the same thing.

    Two of our own rules do if they are one rule on shared lines. Otherwise half of their words
    must agree, or a third if they are of one category: wording differs between attempts and
    models, the nouns rarely do.
    """
    if "/" in one.rule and "/" in other.rule:
        shared_lines = one.line <= other.end_line and other.line <= one.end_line
        return one.rule == other.rule and shared_lines
    ours, theirs = _words(one), _words(other)
    union = len(ours | theirs)
    shared = len(ours & theirs) / union if union else 1.0
    return shared >= (1 / 3 if one.category == other.category else 1 / 2)


def rank(finding: Finding) -> tuple[int, bool, float, str, int]:
    """Sort key: worst first, then inline before the rest, then by confidence and place."""
    return (
        SEVERITIES.index(finding.severity),
        finding.placement.kind != "inline",
        -finding.confidence,
        finding.path,
        finding.line,
    )
