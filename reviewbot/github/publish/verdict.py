"""The verdict about a pull request: the first line of the summary and of the check. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.events.report import reaches_threshold
from reviewbot.core.events.tally import OFFLINE
from reviewbot.core.findings.finding import SEVERITIES
from reviewbot.core.render.wording import outcome
from reviewbot.core.wording import count, listed

if TYPE_CHECKING:
    from reviewbot.core.events.report import Report, Threshold

DONE: Final = "Done: nothing blocks this"
BY_RULES: Final = (
    "In an earlier review, rules read files in place of a model; /review full reads them again."
)


def verdict(report: Report, fail_on: Threshold, *, by_rules: bool = False) -> str:
    """Return whether something blocks the pull request, in one sentence.

    ``report`` has the findings that are open. The pull request is done if the review is complete
    and read all that it should, no error is open, and no open finding reaches ``fail_on``. If
    files were not read, or only rules and linters read them in place of a model, the verdict is the
    outcome. ``by_rules`` is True if, in an earlier review,
    rules read files that no model of their chain could read.
    """
    files = len(report.coverage) - len(report.covered("skipped"))
    is_ended = report.outcome in ("clean", "findings") and report.rules_only is None
    if not is_ended or not files or not _is_read(report):
        return outcome(report)
    if by_rules:
        return f"{outcome(report)} {BY_RULES}"
    errors, warnings, _ = (report.counts[severity] for severity in SEVERITIES)
    if not errors and not reaches_threshold(report, fail_on):
        return f"{DONE}; {_open(report, 'warning')}." if warnings else f"{DONE}."
    worst = ("error", "warning", "note") if fail_on == "note" else ("error", "warning")
    return f"{_open(report, *worst)}."


def _open(report: Report, *severities: str) -> str:
    """Return a clause such as ``1 error and 2 warnings are open``."""
    counts = [
        (number, severity) for severity, number in report.counts.items() if severity in severities
    ]
    parts = [count(number, severity) for number, severity in counts if number]
    is_one = sum(number for number, _ in counts) == 1
    return f"{listed(parts)} {'is' if is_one else 'are'} open"


def _is_read(report: Report) -> bool:
    return is_modelled(report) and not report.covered("unread")


def is_modelled(report: Report) -> bool:
    """Return whether a model read each file that one is set for.

    The rules read a file alone if no model of its chain could, or if the policy leaves it unread.
    """
    planned = sum(len(file.chunks) for file in report.files if file.model in {None, OFFLINE})
    by_rules = sum(share.chunks for share in report.by_model if share.model == OFFLINE)
    return by_rules <= planned
