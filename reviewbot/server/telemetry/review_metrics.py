"""Hooks of the runner that update the metrics of reviews."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reviewbot.config.settings import OFFLINE
from reviewbot.core.events.events import (
    ChunkFinished,
    FindingRaised,
    FindingVerified,
    FindingWithdrawn,
    ReviewFinished,
)
from reviewbot.core.render.wording import total
from reviewbot.jobs import truncation
from reviewbot.models.batch import ChunkOutcome, Drafted, RequestSent, Retrying, Spent, Working
from reviewbot.server.telemetry.metrics import rule_label
from reviewbot.store.reviews import now_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from reviewbot.core.events.events import Event
    from reviewbot.core.findings.finding import Finding
    from reviewbot.jobs.run_dependencies import ToldEnd
    from reviewbot.models.batch import BatchEvent
    from reviewbot.server.telemetry.metrics import Metrics
    from reviewbot.store.reviews import ReviewRow

MOST_ATTEMPTS: Final = 5
"""First attempt of the last label; lower attempts are counted separately."""


@dataclass(slots=True)
class _CountedRun:
    """State of a run in progress."""

    begun: float
    first: bool
    """True while the run may still raise the first finding of the review."""
    cut: bool = False
    raised: set[str] = field(default_factory=set)
    """Ids of its open findings: a finding that is raised again is counted once."""


class Counting:
    """Counter of runs, events and requests of reviews. ``clock`` returns seconds."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics, self._clock = metrics, clock
        self._runs: dict[str, _CountedRun] = {}

    def began(self, row: ReviewRow) -> None:
        """Record that a run of ``row`` begins."""
        self._runs[row.id] = _CountedRun(self._clock(), first=row.runs == 1)
        if row.epoch == 1 and row.stop is None and row.started_at is not None:
            self._metrics.queue_wait.observe(max(0, row.started_at - row.created_at) / 1000)

    def ended(self, row: ReviewRow, end: ToldEnd) -> None:
        """Record that the run of ``row`` ended."""
        self._runs.pop(row.id, None)
        self._metrics.runs.labels(end).inc()

    def event(self, row: ReviewRow, event: Event) -> None:
        """Record an event of ``row``."""
        metrics = self._metrics
        if row.asks:
            if isinstance(event, ReviewFinished):
                metrics.questions.labels(event.outcome).inc()
            return
        match event:
            case FindingRaised(finding=finding):
                self._found(row, finding)
            case FindingVerified(verdict=verdict):
                metrics.verdicts.labels(verdict).inc()
            case FindingWithdrawn(id=finding_id, verdict=withdrawing):
                metrics.withdrawn.inc()
                if (run := self._runs.get(row.id)) is not None:
                    run.raised.discard(finding_id)
                if withdrawing is not None:
                    metrics.verdicts.labels(withdrawing).inc()
            case ChunkFinished(status=status, attempt=attempt):
                metrics.chunks.labels(status, attempt_label(attempt)).inc()
            case ReviewFinished():
                metrics.reviews.labels(event.outcome).inc()
                metrics.review_duration.observe(max(0, now_ms() - row.created_at) / 1000)
                if event.cost_usd is not None:
                    metrics.review_cost.observe(event.cost_usd)
            case _:
                pass

    def _found(self, row: ReviewRow, finding: Finding) -> None:
        run = self._runs.get(row.id)
        if run is not None:
            if finding.id in run.raised:
                return
            run.raised.add(finding.id)
        placement = "held" if finding.placement.held else finding.placement.kind
        self._metrics.findings.labels(finding.severity, placement).inc()
        if run is not None and run.first:
            run.first = False
            self._metrics.first_finding.observe(self._clock() - run.begun)

    def spent(self, spent: Spent) -> None:
        """Record the tokens and cost of a finished model request."""
        metrics, model = self._metrics, self._metrics.model(spent.model)
        usage = spent.usage
        for kind, tokens in (
            ("input", usage.input),
            ("output", usage.output),
            ("cache_read", usage.cache_read),
            ("cache_write", usage.cache_write),
        ):
            metrics.tokens.labels(model, kind).inc(tokens)
        metrics.requests.labels(model, "no" if spent.cost_usd is None else "yes").inc()
        metrics.dollars.labels(model).inc(spent.cost_usd or 0.0)
        if spent.purpose == "verification":
            metrics.verification_tokens.labels(model).inc(total(usage))
            metrics.verification_dollars.labels(model).inc(spent.cost_usd or 0.0)

    def fate(self, fate: str, rule: str, model: str, prompt_version: str) -> None:
        """Record what became of a finding of a merged pull request."""
        metrics = self._metrics
        metrics.fates.labels(
            fate, rule_label(rule), metrics.model(model or "none"), prompt_version or "none"
        ).inc()

    def batch(self, row: ReviewRow) -> Callable[[BatchEvent], None]:
        """Return the function that records the events of a batch of ``row``."""
        return _Batch(self._metrics, self._runs.get(row.id), self._clock).observe


class _Batch:
    """Counter of one batch, whose requests are sequential."""

    def __init__(
        self, metrics: Metrics, run: _CountedRun | None, clock: Callable[[], float]
    ) -> None:
        self._metrics, self._run, self._clock = metrics, run, clock
        self._asked_at: float | None = None
        self._answers = 0  # since the last new request: a second answer continues the first
        self._given_up = False

    def observe(self, event: BatchEvent) -> None:
        metrics = self._metrics
        match event:
            case RequestSent():
                self._asked_at, self._answers, self._given_up = self._clock(), 0, False
            case Working(model=model) | Drafted(model=model, cached=False):
                if self._asked_at is not None:
                    waited = self._clock() - self._asked_at
                    metrics.first_token.labels(metrics.model(model)).observe(waited)
                    self._asked_at = None
            case Spent():
                self._asked_at = None
                self._answers += 1
                if self._answers > 1:
                    metrics.truncations.labels("continued").inc()
            case Retrying(model=model, next_model=following):
                following = "same" if following == model else "other"
                metrics.retries.labels(metrics.model(model), following).inc()
            case ChunkOutcome(reason=truncation.REASON):
                if self._run is not None and not self._run.cut:
                    self._run.cut = True
                    metrics.truncations.labels("diff_middle").inc()
            case ChunkOutcome(status="partly", fault=None, cached=False, model=model):
                # Without an error, an answer is partial only if it stayed truncated.
                if model != OFFLINE and not self._given_up:
                    self._given_up = True
                    metrics.truncations.labels("given_up").inc()
            case _:
                pass


def attempt_label(attempt: int) -> str:
    """Return ``attempt`` as a label."""
    return str(attempt) if attempt < MOST_ATTEMPTS else f"{MOST_ATTEMPTS}+"
