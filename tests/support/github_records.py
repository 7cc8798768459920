"""Records of earlier findings, as a state block has them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reviewbot.github.state.block import Record

_RECORD = Record(
    id="a" * 16,
    path="app/db.py",
    side="RIGHT",
    line=3,
    fingerprint="",
    rule="bug",
    category="bug",
    title="Wrong",
    severity="warning",
)


def record(**changes: Any) -> Record:
    """Return a record with these fields."""
    return replace(_RECORD, **changes)
