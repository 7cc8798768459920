"""Report of a review: its events folded to one value for renderers. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from reviewbot.core.events.coverage import ChunkEnd, file_coverage
from reviewbot.core.events.events import (
    ChunkFinished,
    CoverageStatus,
    Estimate,
    FileCoverage,
    FileSkipped,
    FindingRaised,
    FindingVerified,
    FindingWithdrawn,
    LookupTally,
    ModelShare,
    ReviewAnswer,
    ReviewFinished,
    ReviewProgress,
    ReviewStarted,
    ReviewSummary,
    RulesOnly,
    Usage,
    VerificationTally,
)
from reviewbot.core.findings.finding import SEVERITIES, Evidence, Finding, Severity, rank

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reviewbot.core.events.events import Event, Outcome, PlannedFile

Threshold = Literal["error", "warning", "note", "never"]
_NOTHING: Final = Usage()


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A finding that was shown and then withdrawn, with the reason.

    If the verifier withdrew it, ``evidence`` is the code that decided, and ``verdict`` says why.
    """

    finding: Finding
    reason: str
    evidence: Evidence | None = None
    verdict: Literal["wrong", "not_introduced", "fixed"] | None = None

    @property
    def is_refuted(self) -> bool:
        """True if the verifier refuted the finding."""
        return self.evidence is not None


@dataclass(frozen=True, slots=True)
class Report:
    """State of a review after its events so far. ``outcome`` is None until the review has finished.

    ``findings`` are the open findings, worst first. ``coverage`` is in the order of the plan. Until
    the review has finished, ``coverage`` lists only decided files and ``pending`` the other planned
    files. ``usage`` and ``cost_usd`` are then those of the last progress, and times are None.
    ``cost_usd`` is also None if a used model has no known price. ``question`` is None for a review.
    ``refuted`` are the ids of findings that the verifier refuted. ``earlier`` are verdicts about
    findings of earlier reviews, at most one for each.
    ``answer`` may be partial until the review has finished; then a partial answer is dropped.
    ``verdicts`` are the verdicts about open findings, in the order of their arrival. A finding
    that is still pending when the review has finished is ``unverified``. ``prompt_version`` is the
    version of the prompts that the models got; None if no model was planned. ``rules_only`` is as
    in :class:`~reviewbot.core.events.events.ReviewStarted`.
    """

    outcome: Outcome | None = None
    reasons: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    withdrawn: tuple[Withdrawal, ...] = ()
    coverage: tuple[FileCoverage, ...] = ()
    pending: tuple[str, ...] = ()
    summary: ReviewSummary | None = None
    question: str | None = None
    answer: ReviewAnswer | None = None
    notices: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    files: tuple[PlannedFile, ...] = ()
    chunks: int = 0
    batches: int = 0
    estimate: Estimate | None = None
    usage: Usage = _NOTHING
    cost_usd: float | None = 0.0
    duration_s: float | None = None
    time_to_first_finding_s: float | None = None
    version: str = ""
    by_model: tuple[ModelShare, ...] = ()
    depth: str = ""
    verification: VerificationTally | None = None
    refuted: tuple[str, ...] = ()
    earlier: tuple[FindingVerified | FindingWithdrawn, ...] = ()
    verdicts: tuple[FindingVerified, ...] = ()
    prompt_version: str | None = None
    lookups: LookupTally | None = None
    rules_only: RulesOnly | None = None

    @property
    def is_list_only(self) -> bool:
        """True if findings are only listed, since the configuration of the base is invalid."""
        return self.rules_only is not None and self.rules_only.is_incomplete

    @property
    def counts(self) -> dict[Severity, int]:
        """Number of open findings that are not held back, by severity, zeros included."""
        found = Counter(
            finding.severity for finding in self.findings if counts_for_fail_on(finding)
        )
        return {severity: found[severity] for severity in SEVERITIES}

    @property
    def held(self) -> tuple[Finding, ...]:
        """Findings that a filter, such as the confidence threshold, or a verdict holds back."""
        return tuple(finding for finding in self.findings if not counts_for_fail_on(finding))

    @property
    def complete(self) -> bool:
        """True if no file failed. Only ``clean`` may be shown as clean: ``shallow`` is not."""
        return self.outcome in ("clean", "shallow", "findings", "answered")

    def covered(self, *statuses: CoverageStatus) -> tuple[FileCoverage, ...]:
        """Return the files with one of ``statuses``, in order."""
        return tuple(file for file in self.coverage if file.status in statuses)


class ReportBuilder:
    """Builder of a report from the events of one review in order, in linear time."""

    def __init__(self) -> None:
        self._plan: ReviewStarted | None = None
        self._progress: ReviewProgress | None = None
        self._summary: ReviewSummary | None = None
        self._answer: ReviewAnswer | None = None
        self._finished: ReviewFinished | None = None
        self._raised: dict[str, Finding] = {}
        self._withdrawn: dict[str, Withdrawal] = {}
        self._refuted: dict[str, None] = {}
        self._earlier: dict[str, FindingVerified | FindingWithdrawn] = {}
        self._verdicts: dict[str, FindingVerified] = {}
        self._skipped: dict[str, FileCoverage] = {}
        self._chunks: dict[str, ChunkFinished] = {}

    def add(self, event: Event) -> None:
        """Process the next event.

        A finding with a known id replaces the earlier finding, and is open again if it was
        withdrawn: after a refusal the next model may report the same. A verdict about an unknown
        finding is about a finding of an earlier review.
        """
        match event:
            case ReviewStarted():
                self._plan = event
            case FileSkipped():
                self._skipped[event.path] = FileCoverage(event.path, "skipped", event.reason)
            case FindingRaised() | FindingVerified() | FindingWithdrawn():
                self._add_finding(event)
            case ChunkFinished():
                self._chunks[event.chunk] = event
            case ReviewProgress():
                self._progress = event
            case ReviewSummary():
                self._summary = event
            case ReviewAnswer():
                self._answer = event if event.text else None
            case ReviewFinished():
                self._finished = event
                self._raised = {one.id: _ended(one) for one in self._raised.values()}
                if self._answer is not None and not self._answer.complete:
                    self._answer = None
            case _:  # chunk.started and chunk.retrying change nothing that lasts
                pass

    def _add_finding(self, event: FindingRaised | FindingVerified | FindingWithdrawn) -> None:
        match event:
            case FindingRaised():
                self._raised[event.finding.id] = event.finding
                self._withdrawn.pop(event.finding.id, None)
                self._refuted.pop(event.finding.id, None)
                self._earlier.pop(event.finding.id, None)
                self._verdicts.pop(event.finding.id, None)
            case FindingVerified() if event.id in self._raised:
                self._raised[event.id] = verified(self._raised[event.id], event)
                self._verdicts[event.id] = event
            case FindingVerified() | FindingWithdrawn(verdict="fixed"):
                self._earlier[event.id] = event
            case _:
                self._withdraw(event)

    def _withdraw(self, event: FindingWithdrawn) -> None:
        if event.evidence is not None:
            self._refuted[event.id] = None
        if event.id in self._raised:
            finding, verdict = self._raised.pop(event.id), event.verdict
            self._withdrawn[event.id] = Withdrawal(finding, event.reason, event.evidence, verdict)
            self._verdicts.pop(event.id, None)

    def finding(self, finding_id: str) -> Finding | None:
        """Return an open finding by id; None if it is withdrawn or unknown."""
        return self._raised.get(finding_id)

    def withdrawal(self, finding_id: str) -> Withdrawal | None:
        """Return the withdrawal of a finding by id; None if the finding is open or unknown."""
        return self._withdrawn.get(finding_id)

    @property
    def report(self) -> Report:
        """The state after the events so far."""
        plan, end = self._plan, self._finished
        coverage, pending = self._coverage()
        last = end or self._progress
        return Report(
            outcome=end.outcome if end else None,
            reasons=end.reasons if end else (),
            findings=tuple(sorted(self._raised.values(), key=lambda one: (*rank(one), one.id))),
            withdrawn=tuple(self._withdrawn.values()),
            coverage=end.coverage if end else coverage,
            pending=() if end else pending,
            summary=self._summary,
            question=plan.question if plan else None,
            answer=self._answer,
            notices=plan.notices if plan else (),
            models=plan.models if plan else (),
            files=plan.files if plan else (),
            chunks=len(plan.chunks) if plan else 0,
            batches=plan.batches if plan else 0,
            estimate=plan.estimate if plan else None,
            usage=last.usage if last else _NOTHING,
            cost_usd=last.cost_usd if last else 0.0,
            duration_s=end.duration_s if end else None,
            time_to_first_finding_s=end.time_to_first_finding_s if end else None,
            version=plan.version if plan else "",
            by_model=end.by_model if end else (),
            depth=end.depth if end else "",
            verification=end.verification if end else None,
            refuted=tuple(self._refuted),
            earlier=tuple(self._earlier.values()),
            verdicts=tuple(self._verdicts.values()),
            prompt_version=plan.prompt_version if plan else None,
            lookups=end.lookups if end else None,
            rules_only=plan.rules_only if plan else None,
        )

    def _coverage(self) -> tuple[tuple[FileCoverage, ...], tuple[str, ...]]:
        """Return the coverage that is decided before the end, and the undecided paths."""
        decided: list[FileCoverage] = [*(self._plan.beside if self._plan else ())]
        pending: list[str] = []
        for file in self._plan.files if self._plan else ():
            known = [self._chunks[chunk] for chunk in file.chunks if chunk in self._chunks]
            if file.path in self._skipped:
                decided.append(self._skipped[file.path])
            elif file.unread and not file.chunks:
                decided.append(FileCoverage(file.path, "unread", file.unread, by_policy=True))
            elif file.chunks and len(known) == len(file.chunks):
                outcomes = [ChunkEnd(one.status, one.reason, one.fault) for one in known]
                decided.append(file_coverage(file.path, outcomes))
            else:
                pending.append(file.path)
        return tuple(decided), tuple(pending)


def verified(finding: Finding, event: FindingVerified) -> Finding:
    """Return ``finding`` after its verdict."""
    return replace(finding, verification=event.verdict, placement=event.placement)


def _ended(finding: Finding) -> Finding:
    """Return ``finding`` after the end of the review, when no verdict about it can come."""
    is_pending = finding.verification == "pending"
    return replace(finding, verification="unverified") if is_pending else finding


def fold(events: Iterable[Event]) -> Report:
    """Return the report of all of ``events``."""
    builder = ReportBuilder()
    for event in events:
        builder.add(event)
    return builder.report


def counts_for_fail_on(finding: Finding) -> bool:
    """Return whether a finding counts for ``--fail-on``: only held-back findings do not."""
    return not finding.placement.held


def reaches_threshold(report: Report, threshold: Threshold) -> bool:
    """Return whether a finding counts, and has the severity ``threshold`` or a worse one."""
    if threshold == "never":
        return False
    counts = report.counts
    return any(counts[severity] for severity in SEVERITIES[: SEVERITIES.index(threshold) + 1])
