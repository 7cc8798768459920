"""The change between two evaluations, and the scores of checks, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.safety.escape import cut
from reviewbot.core.wording import count
from reviewbot.eval.tables import (
    METRIC_TITLES,
    aligned,
    difference,
    first_line,
    percent,
    safe_text,
    with_interval,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.eval.checks import CheckScore
    from reviewbot.eval.compare import Change
    from reviewbot.eval.tables import Row

MAX_CHANGED: Final = 30
"""Changed golden comments and cases to list as text."""


def change_report(change: Change) -> str:
    """Return the change between two evaluations as text."""
    rows: list[Row] = [("", *METRIC_TITLES.values())]
    shown = (difference(change.differences[name]) for name in METRIC_TITLES)
    rows.append((f"{change.after} against {change.before}", *shown))
    clear = [title for name, title in METRIC_TITLES.items() if _is_clear(change, name)]
    verdict = f"Significant: {', '.join(clear)}." if clear else "No difference is significant."
    parts = [aligned(rows), f"{count(change.cases, 'case')} in common. {verdict}"]
    if change.specs[0] != change.specs[1]:
        parts.append(
            "\n".join(map(safe_text, (f"before: {change.specs[0]}", f"after: {change.specs[1]}")))
        )
    if change.metric is not None:
        said = "is significant" if _is_clear(change, change.metric) else "is not significant"
        title = METRIC_TITLES[change.metric]
        parts.append(f"The change of the planned metric {title} {said}; others are exploratory.")
    for title, better in (("Found more often", True), ("Found less often", False)):
        changed = [item for item in change.golden if (item.after > item.before) == better]
        lines = [
            f"  {item.case} {item.golden.path}:{item.golden.line}"
            f" {percent(item.before)} % -> {percent(item.after)} %: {first_line(item.golden.text)}"
            for item in changed
        ]
        parts.append(_listing(title, lines))
    wrong = [f"  {case.case} {case.before:.2f} -> {case.after:.2f}" for case in change.wrong]
    parts.append(_listing("Other number of comments that found nothing", wrong))
    return "\n\n".join(filter(None, parts))


def check_report(scores: Sequence[CheckScore]) -> str:
    """Return the scores of checks as text."""
    rows: list[Row] = [("contestant", "check", "cases", "findings", "lost %", "added")]
    rows += [
        (
            score.contestant,
            score.check,
            f"{score.cases:,}",
            f"{score.findings:,}",
            with_interval(score.lost),
            f"{score.added:,}",
        )
        for score in scores
    ]
    return f"{aligned(rows)}\n\n{CHECK_LEGEND}"


CHECK_LEGEND: Final = (
    "Lost is the share of the findings of the unchanged diffs that are missing, with 95 % intervals"
    " over cases. Repeated reviews the same diff again: a check shows an effect only if it loses"
    " more."
)


def _is_clear(change: Change, name: str) -> bool:
    return change.differences[name].is_significant


def _listing(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    shown = [cut(safe_text(line), 160) for line in lines[:MAX_CHANGED]]
    more = [f"  and {len(lines) - MAX_CHANGED} more"] if len(lines) > MAX_CHANGED else []
    return "\n".join([f"{title} ({len(lines)}):", *shown, *more])
