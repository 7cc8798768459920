"""What a reviewer says about one place: the finding, its two schemas, validation, identity, ranking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

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
