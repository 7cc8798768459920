"""The last events of a review: its summary and its outcome."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from reviewbot.core.events.coverage import answered, outcome_of, reasons_of
from reviewbot.core.events.events import ReviewFinished
from reviewbot.core.events.overview import computed_summary
from reviewbot.models.base import ModelFault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reviewbot.core.events.events import Outcome, ReviewSummary
    from reviewbot.core.events.tally import Tally
    from reviewbot.models.batch import Spent
    from reviewbot.pipeline.job import Job, StopSignal, Summarize, SummaryTask


async def summary(
    task: SummaryTask,
    summarize: Summarize | None,
    stop: StopSignal,
    book: Callable[[Spent], None],
) -> ReviewSummary:
    """Return the model's summary, or a computed summary with the reason.

    Args:
        task: what the summary is about.
        summarize: function that requests the summary; None computes it.
        stop: signal that ends the review early.
        book: function that adds the usage of a request.
    """
    reason = None
    if summarize and not task.changes:
        reason = "The model described no file, so it was not asked for a summary."
    elif summarize:
        try:
            written = await stop.unless_stopped(summarize(task, book))
        except ModelFault as fault:
            reason = f"The model wrote no summary: {fault}"
        else:
            if written:
                return written
    computed = computed_summary(task.files, task.changes)
    return replace(computed, reason=reason)


def finished(
    job: Job,
    tally: Tally,
    task: SummaryTask,
    *,
    stopped: Outcome | None,
    duration_s: float,
    time_to_first_finding_s: float | None,
    reasons: Sequence[str],
) -> ReviewFinished:
    """Return the last event.

    ``stopped`` is the outcome of a review that was stopped, else None. ``duration_s`` is that of
    this run. ``time_to_first_finding_s`` is None without a finding. ``reasons`` are more reasons
    for an incomplete review.
    """
    findings, coverage = task.findings, task.coverage
    rules_only = job.rules_only
    outcome = outcome_of(coverage, findings, rules_only)
    causes = reasons_of(coverage) if outcome == "incomplete" else ()
    if rules_only is not None:
        causes = (rules_only.reason, *causes)
    if job.question is not None:
        outcome, causes = answered(coverage)
    return ReviewFinished(
        outcome=stopped or outcome,
        coverage=coverage,
        usage=tally.usage,
        cost_usd=tally.cost_usd,
        duration_s=duration_s,
        time_to_first_finding_s=time_to_first_finding_s,
        findings=dict(Counter(finding.severity for finding in findings)),
        reasons=(*causes, *reasons),
        by_model=tally.by_model(findings),
        depth=tally.depth() if job.question is None else "",
        verification=tally.verification(),
        lookups=tally.lookups(),
    )
