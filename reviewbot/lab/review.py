"""One review taken apart: request, stream, findings, anchors and verdicts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from reviewbot.core.events.events import FindingRaised, FindingVerified, FindingWithdrawn
from reviewbot.core.events.report import fold
from reviewbot.core.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reviewbot.core.events.events import Event
    from reviewbot.core.events.report import Report
    from reviewbot.core.findings.draft import Draft
    from reviewbot.core.findings.finding import Evidence, Finding
    from reviewbot.lab.stream import Recording

Verdict = Literal[
    "supported",
    "partly",
    "cannot_tell",
    "unverified",
    "wrong",
    "not_introduced",
    "withdrawn",
    "none",
]

STYLE_OF_VERDICT: Final[Mapping[Verdict, str]] = MappingProxyType(
    {
        "supported": "green",
        "partly": "green",
        "cannot_tell": "yellow",
        "unverified": "yellow",
        "wrong": "red",
        "not_introduced": "red",
        "withdrawn": "red",
        "none": "dim",
    }
)
"""Colour of each verdict."""


@dataclass(frozen=True, slots=True)
class Step:
    """The way of one finding.

    Attributes:
        finding: the finding as it was raised.
        anchor: sentence about its line.
        verdict: the verdict; ``none`` if it was not verified.
        reason: reason of the verdict.
        evidence: code that decided, if there is any.
    """

    finding: Finding
    anchor: str
    verdict: Verdict
    reason: str
    evidence: Evidence | None


@dataclass(frozen=True, slots=True)
class ReviewStudy:
    """A finished review, and what happened in it.

    Attributes:
        source: sentence about the origin of the answers.
        recording: frames of the first answer; None if no server wrote it.
        steps: the findings in the order of their arrival.
        report: the report of the review.
    """

    source: str
    recording: Recording | None
    steps: tuple[Step, ...]
    report: Report

    @property
    def stages(self) -> tuple[tuple[str, str], ...]:
        """The stages before the findings, and a phrase about each."""
        report, started = self.report, self.report.estimate
        skipped = len(report.covered("skipped"))
        plan = f"{count(len(report.files) - skipped, 'file')} to review, {skipped} skipped;"
        plan += f" {count(report.chunks, 'chunk')}, {count(report.batches, 'request')}"
        tokens = started.input_tokens if started else 0
        stages = [("plan", plan)]
        if not report.complete and report.outcome is not None:
            stages.append(("outcome", f"{report.outcome}: {' '.join(report.reasons)}"))
        if self.recording is None:
            return (*stages, ("stream", "none: no server answered"))
        kinds = Counter(frame.event for frame in self.recording.frames)
        named = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
        stages.append(("prompt", f"the plan expects at most {tokens:,} input tokens"))
        return (*stages, ("stream", f"{count(len(self.recording.frames), 'event')}: {named}"))


def study_review(
    events: Iterable[Event],
    drafts: Sequence[Draft],
    *,
    source: str,
    recording: Recording | None = None,
) -> ReviewStudy:
    """Return the study of a review.

    Args:
        events: all events of the review.
        drafts: findings as the model wrote them.
        source: sentence about the origin of the answers.
        recording: frames of the first answer.
    """
    events = tuple(events)
    claimed = {(draft.path, draft.title): draft.line for draft in reversed(drafts)}
    raised = {one.finding.id: one.finding for one in events if isinstance(one, FindingRaised)}
    ends = {one.id: one for one in events if isinstance(one, FindingVerified | FindingWithdrawn)}
    steps = (
        _step(finding, claimed.get((finding.path, finding.title)), ends.get(finding.id))
        for finding in raised.values()
    )
    return ReviewStudy(source, recording, tuple(steps), fold(events))


def _step(
    finding: Finding, claimed: int | None, end: FindingVerified | FindingWithdrawn | None
) -> Step:
    match end:
        case FindingVerified():
            return Step(finding, _anchor(finding, claimed), end.verdict, end.reason, end.evidence)
        case FindingWithdrawn():
            verdict: Verdict = "withdrawn"
            if end.verdict is not None and end.verdict != "fixed":
                verdict = end.verdict
            return Step(finding, _anchor(finding, claimed), verdict, end.reason, end.evidence)
        case None:
            return Step(finding, _anchor(finding, claimed), "none", "", None)


def _anchor(finding: Finding, claimed: int | None) -> str:
    """Return a sentence about the line of a finding."""
    if not finding.is_placed:
        return finding.placement.reason or "It has no line."
    side = "new" if finding.side == "RIGHT" else "old"
    where = f"Its quote is on line {finding.line} of the {side} file"
    if claimed is None or claimed == finding.line:
        return f"{where}."
    apart = count(abs(claimed - finding.line), "line")
    return f"{where}; the model claimed line {claimed}, {apart} off."
