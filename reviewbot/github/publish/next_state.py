"""The state that a review leaves for the next one. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reviewbot.github.publish.verdict import is_modelled
from reviewbot.github.state import fates
from reviewbot.github.state.block import StateBlock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.events.events import ReviewSummary
    from reviewbot.core.events.report import Report
    from reviewbot.github.state.prior import Prior
    from reviewbot.github.state.reconcile import Reconciled


def state_after(
    done: Reconciled,
    prior: Prior,
    settings: str,
    walkthrough: dict[str, str],
    *,
    overview: str,
    by_rules: bool,
) -> StateBlock:
    """Return the state after a review, without the digests of the hunks that it read.

    Args:
        done: the reconciled review.
        prior: the state before it.
        settings: the digest of models, prompts and configuration.
        walkthrough: a line about each file.
        overview: summary of the whole pull request; empty if that of this review is one.
        by_rules: whether rules read files in place of a model in an earlier review.
    """
    block = prior.block
    state = StateBlock(
        settings,
        overview=overview or _overview(done.report.summary),
        walkthrough=walkthrough,
        records=done.records,
        pause=prior.pause,
        rounds=done.rounds,
        by_rules=by_rules or not is_modelled(done.report),
    )
    if done.report.is_list_only:  # it counts as no review of the code
        state = replace(block or StateBlock(""), records=done.records)
    return fates.after_review(state, block, done)


def walkthrough_of(report: Report, prior: Prior, files: Sequence[FileDiff]) -> dict[str, str]:
    """Return a line about each file: of this review, or of an earlier one."""
    earlier: Mapping[str, str] = prior.block.walkthrough if prior.block else {}
    new = {file.path: file.summary for file in report.summary.files} if report.summary else {}
    lines = {**earlier, **new}
    return {file.path: lines[file.path] for file in files if file.path in lines}


def _overview(summary: ReviewSummary | None) -> str:
    """Return what a model wrote about the change; empty for a computed summary."""
    return summary.what if summary is not None and summary.source == "model" else ""
