"""Open findings of earlier reviews whose code is read again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from reviewbot.core.findings.finding import (
    Category,
    Finding,
    Placement,
    Severity,
    Side,
)

MOST: Final = 25
"""Maximum number of findings of earlier reviews that one review verifies again."""


@dataclass(frozen=True, slots=True)
class PriorFinding:
    """An open finding of an earlier review, at its current lines.

    Only its title is known: a state block holds no more.
    """

    id: str
    path: str
    side: Side
    line: int
    end_line: int
    category: Category
    severity: Severity
    title: str

    def as_finding(self, *, model: str, chunk: str) -> Finding:
        """Return it as a finding of ``model`` in ``chunk``."""
        return Finding(
            id=self.id,
            path=self.path,
            quote="",
            side=self.side,
            line=self.line,
            end_line=self.end_line,
            scenario="",
            category=self.category,
            severity=self.severity,
            confidence=1.0,
            title=self.title,
            message="",
            suggestion=None,
            rule=self.category,
            model=model,
            chunk=chunk,
            attempt=0,
            placement=Placement("inline"),
            sources=(model,),
        )
