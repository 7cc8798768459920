"""Open findings of earlier reviews that a model is asked about again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from reviewbot.core.findings.finding import (
    Category,
    Finding,
    Placement,
    RestsOn,
    Severity,
    Side,
)

MOST: Final = 25
"""Maximum number of findings of earlier reviews that one request asks about."""


@dataclass(frozen=True, slots=True)
class PriorPlace:
    """Lines that a finding of an earlier review rests on, numbered as they were then."""

    path: str
    line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class PriorFinding:
    """An open finding of an earlier review, at its current lines.

    Only its title is known: a state block holds no more. ``line`` and ``end_line`` are those of the
    new file. If ``side`` is ``LEFT``, the finding is about removed code, which was before ``line``.
    """

    id: str
    path: str
    side: Side
    line: int
    end_line: int
    category: Category
    severity: Severity
    title: str
    rests_on: tuple[PriorPlace, ...] = ()

    def as_finding(self, model: str) -> Finding:
        """Return it as a finding of ``model``."""
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
            chunk="",
            attempt=0,
            placement=Placement("inline"),
            sources=(model,),
            rests_on=tuple(
                RestsOn(place.path, place.line, place.end_line, "", base=True, is_shown=True)
                for place in self.rests_on
            ),
        )


@dataclass(frozen=True, slots=True)
class FollowUp:
    """Findings of earlier reviews to ask about, and the code that changed near them.

    ``diff`` is a git diff from the version in which the findings were last open to the new one.
    Secrets in it are replaced.
    """

    findings: tuple[PriorFinding, ...]
    diff: str
