"""Findings, and what a model reports for one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reviewbot.core.findings.finding import (
    Finding,
    Placement,
)

ITEM: dict[str, Any] = {
    "path": "a.py",
    "quote": "x = 1",
    "side": "RIGHT",
    "line": 4,
    "end_line": 5,
    "scenario": "When x is read, it is stale.",
    "category": "bug",
    "severity": "warning",
    "confidence": 0.9,
    "title": "Stale x",
    "message": "Read it again.",
    "suggestion": None,
}


def finding(**changes: Any) -> Finding:
    base = Finding(
        id="f",
        path="a.py",
        quote="x = 1",
        side="RIGHT",
        line=4,
        end_line=4,
        scenario="When x is read, it is stale.",
        category="bug",
        severity="warning",
        confidence=0.9,
        title="Stale x",
        message="Read it again.",
        suggestion=None,
        rule="bug",
        model="m",
        chunk="c1",
        attempt=1,
        placement=Placement("inline"),
    )
    return replace(base, **changes)
