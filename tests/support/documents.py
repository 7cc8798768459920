"""Reports of all kinds, to be rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reviewbot.core.events import events as ev
from reviewbot.core.events.report import Report, fold

if TYPE_CHECKING:
    from reviewbot.core.findings.finding import Finding


def report_of(*findings: Finding, outcome: ev.Outcome = "findings", **end: Any) -> Report:
    raised = [ev.FindingRaised(finding) for finding in findings]
    coverage = end.pop("coverage", (ev.FileCoverage("app/db.py", "reviewed"),))
    return fold([*raised, ev.ReviewFinished(outcome, coverage, ev.Usage(), 0.0, 1.0, None, **end)])
