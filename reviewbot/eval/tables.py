"""The report of an evaluation as tables of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.render.inert import neutralize_commands
from reviewbot.core.render.layout import cells
from reviewbot.core.render.wording import dollars
from reviewbot.core.safety.escape import cut, show
from reviewbot.core.wording import count
from reviewbot.eval.statistics import LEAST_CASES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from reviewbot.eval.checks import CheckScore
    from reviewbot.eval.compare import Change
    from reviewbot.eval.judgements import Agreement
    from reviewbot.eval.plan_file import PlanStatus
    from reviewbot.eval.report import Comparison, ContestantReport, Evaluation
    from reviewbot.eval.scores import Scores
    from reviewbot.eval.statistics import Interval, Power

METRIC_TITLES: Final = {"precision": "precision", "recall": "recall", "f1": "F1", "f05": "F0.5"}
NONE: Final = "-"

Row = tuple[str, ...]


def percent(value: float | None) -> str:
    """Return a share such as ``45.2``; a dash if it is not defined."""
    return NONE if value is None else f"{100 * value:.1f}"


def with_interval(interval: Interval) -> str:
    """Return a share with its interval, such as ``45.2 (40.1 to 50.3)``."""
    if interval.low is None or interval.high is None:
        return percent(interval.value)
    return f"{percent(interval.value)} ({percent(interval.low)} to {percent(interval.high)})"


def difference(interval: Interval) -> str:
    """Return a difference in points, with a star if it is significant."""
    if interval.value is None or interval.low is None or interval.high is None:
        return NONE
    points = [f"{100 * one:+.1f}" for one in (interval.value, interval.low, interval.high)]
    star = "*" if interval.is_significant else ""
    return f"{points[0]}{star} ({points[1]} to {points[2]})"


def _number(value: float | None, digits: int = 1) -> str:
    return NONE if value is None else f"{value:,.{digits}f}"


def _money(value: float | None) -> str:
    return NONE if value is None else dollars(value)


BEHAVIOUR: Final[dict[str, Callable[[Scores], str]]] = {
    "comments a case": lambda one: _number(one.per_case, 2),
    "per 100 lines": lambda one: _number(one.per_100_lines, 2),
    "silent if clean %": lambda one: percent(one.silence),
    "inline %": lambda one: percent(one.inline),
    "duplicates %": lambda one: percent(one.duplicates),
    "severity error": lambda one: _number(one.severity_error, 2),
    "refuted %": lambda one: percent(one.refuted),
}
COST: Final[dict[str, Callable[[Scores], str]]] = {
    "reviews": lambda one: f"{one.results:,}",
    "valid %": lambda one: percent(one.valid),
    "tokens": lambda one: _number(one.tokens, 0),
    "cost": lambda one: _money(one.cost_usd),
    "per true finding": lambda one: _money(one.usd_per_found),
    "first finding, s": lambda one: _number(one.first_finding_s),
}


def quality_rows(contestants: Sequence[ContestantReport]) -> list[Row]:
    """Return the table of precision, recall and F scores, with its head."""
    return [
        ("contestant", *METRIC_TITLES.values()),
        *(
            (one.name, *(with_interval(one.intervals[name]) for name in METRIC_TITLES))
            for one in contestants
        ),
    ]


def macro_rows(contestants: Sequence[ContestantReport]) -> list[Row]:
    """Return the table of the same scores as means over cases, with its head."""
    return [
        ("mean of the cases", *METRIC_TITLES.values()),
        *(
            (one.name, *(percent(one.scores.macro[name]) for name in METRIC_TITLES))
            for one in contestants
        ),
    ]


def score_rows(
    contestants: Sequence[ContestantReport], columns: dict[str, Callable[[Scores], str]]
) -> list[Row]:
    """Return a table of other scores, with its head."""
    rows = ((one.name, *(show(one.scores) for show in columns.values())) for one in contestants)
    return [("contestant", *columns), *rows]


def difference_rows(comparisons: Sequence[Comparison]) -> list[Row]:
    """Return the table of differences in points, with its head."""
    return [
        (f"points against {comparisons[0].baseline}", *METRIC_TITLES.values()),
        *(
            (one.name, *(difference(one.differences[name]) for name in METRIC_TITLES))
            for one in comparisons
        ),
    ]


def tables(evaluation: Evaluation) -> list[list[Row]]:
    """Return all tables of a report."""
    contestants = evaluation.contestants
    found = [
        quality_rows(contestants),
        macro_rows(contestants),
        score_rows(contestants, BEHAVIOUR),
        score_rows(contestants, COST),
    ]
    if evaluation.comparisons:
        found.append(difference_rows(evaluation.comparisons))
    return found


LEGEND: Final = (
    "Shares are in percent, with 95 % intervals over cases. Means of the cases have no interval."
    f" A star marks a difference whose interval excludes zero, with at least {LEAST_CASES} cases."
)


def sentences(evaluation: Evaluation) -> list[str]:
    """Return the sentences that belong to the tables."""
    return [
        LEGEND,
        power_sentence(evaluation.power),
        _judges(evaluation),
        *map(_agreement, evaluation.agreements),
        *([_plan(evaluation.plan)] if evaluation.plan else []),
        *evaluation.notices,
    ]


def _judges(evaluation: Evaluation) -> str:
    if not evaluation.judges:
        return "Comments match by location alone; no judge compared their texts."
    text = (
        f"Comments match if they are near and most of the judges ({', '.join(evaluation.judges)})"
        " find that they report the same issue. Scores by other judges cannot be compared."
        f" Requests to judges: {dollars(evaluation.judges_usd)}."
    )
    if not evaluation.judges_others:
        return text
    shares = (f"{one.name} {percent(one.scores.with_real)}" for one in evaluation.contestants)
    return f"{text} Precision if comments that they accept as real are right: {', '.join(shares)}."


def _plan(plan: PlanStatus) -> str:
    """Return what the plan names, and whether it was respected."""
    named = (
        f"The plan {plan.digest} names the metric {METRIC_TITLES[plan.metric]} and"
        f" {count(plan.held_out, 'held-out case')}."
    )
    if plan.is_respected and plan.is_final:
        return f"{named} Both are respected: only held-out cases were reviewed, for the first time."
    if plan.is_respected:
        return f"{named} Both are respected: no held-out case was reviewed here."
    again = plan.is_final and plan.uses > 1
    reasons = [f"this is evaluation {plan.uses} of the held-out cases"] if again else []
    reasons += ["the plan was changed since an earlier evaluation"] if plan.changed else []
    return f"{named} They are not respected: {' and '.join(reasons)}."


def _agreement(one: Agreement) -> str:
    kappa = "" if one.kappa is None else f", Cohen's kappa {one.kappa:.2f}"
    items = count(one.items, "pair" if one.kind == "same" else "other comment")
    return f"{' and '.join(one.judges)} agree on {percent(one.equal)} % of {items}{kappa}."


def power_sentence(power: Power) -> str:
    """Return whether a set is large enough to show five points."""
    size = f"{count(power.golden, 'golden comment')} in {count(power.cases, 'case')}"
    if not power.golden:
        return f"This set has no golden comments in {count(power.cases, 'case')}: only clean cases."
    enough = "large enough" if power.probability >= 0.8 else "too small"
    each = count(power.runs, "run")
    return (
        f"This set ({size}, {each}) is {enough} to show a difference of five points in precision"
        f" and recall: it would show it in F1 with a probability of {percent(power.probability)} %."
        f" 80 % needs about {power.needed:,} golden comments."
    )


def text_report(evaluation: Evaluation) -> str:
    """Return the report as text for a terminal."""
    parts = [aligned(rows) for rows in tables(evaluation)]
    return "\n\n".join([*parts, "\n".join(map(_safe, sentences(evaluation)))])


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
            "\n".join(map(_safe, (f"before: {change.specs[0]}", f"after: {change.specs[1]}")))
        )
    if change.metric is not None:
        said = "is significant" if _is_clear(change, change.metric) else "is not significant"
        title = METRIC_TITLES[change.metric]
        parts.append(f"The change of the planned metric {title} {said}; others are exploratory.")
    for title, better in (("Found more often", True), ("Found less often", False)):
        some = [one for one in change.golden if (one.after > one.before) == better]
        lines = [
            f"  {one.case} {one.golden.path}:{one.golden.line}"
            f" {percent(one.before)} % -> {percent(one.after)} %: {_title(one.golden.text)}"
            for one in some
        ]
        parts.append(_listing(title, lines))
    wrong = [f"  {one.case} {one.before:.2f} -> {one.after:.2f}" for one in change.wrong]
    parts.append(_listing("Other number of comments that found nothing", wrong))
    return "\n\n".join(filter(None, parts))


def _title(text: str) -> str:
    return text.partition("\n")[0]


def check_report(scores: Sequence[CheckScore]) -> str:
    """Return the scores of checks as text."""
    rows: list[Row] = [("contestant", "check", "cases", "findings", "lost %", "added")]
    rows += [
        (
            one.contestant,
            one.check,
            f"{one.cases:,}",
            f"{one.findings:,}",
            with_interval(one.lost),
            f"{one.added:,}",
        )
        for one in scores
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
    shown = [cut(_safe(line), 160) for line in lines[:MAX_CHANGED]]
    more = [f"  and {len(lines) - MAX_CHANGED} more"] if len(lines) > MAX_CHANGED else []
    return "\n".join([f"{title} ({len(lines)}):", *shown, *more])


def aligned(rows: Sequence[Row]) -> str:
    """Return rows with aligned columns. The text of a cell is made safe to show."""
    shown = [[_safe(cell) for cell in row] for row in rows]
    widths = [max(map(cells, column)) for column in zip(*shown, strict=True)]
    return "\n".join(_line(row, widths) for row in shown)


def _safe(text: str) -> str:
    """Return a text that neither moves other text nor is a command of a CI runner."""
    return neutralize_commands(show(text))


def _line(row: Iterable[str], widths: Sequence[int]) -> str:
    padded = [
        f"{cell}{' ' * (width - cells(cell))}" for cell, width in zip(row, widths, strict=True)
    ]
    return "  ".join(padded).rstrip()
