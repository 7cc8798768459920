"""The report of an evaluation as tables of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.render.inert import neutralize_commands
from reviewbot.core.render.layout import cells
from reviewbot.core.render.wording import dollars
from reviewbot.core.safety.escape import cut, show
from reviewbot.core.wording import count
from reviewbot.eval.pool import SHARES
from reviewbot.eval.ratings import MUST_FIX
from reviewbot.eval.statistics import LEAST_CASES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reviewbot.eval.agreement import Agreement, Kind
    from reviewbot.eval.matching import MatchingRule
    from reviewbot.eval.plan_file import PlanStatus
    from reviewbot.eval.pool import Pool, Problem
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
    all_tables = [
        quality_rows(contestants),
        macro_rows(contestants),
        score_rows(contestants, BEHAVIOUR),
        score_rows(contestants, COST),
    ]
    if evaluation.comparisons:
        all_tables.append(difference_rows(evaluation.comparisons))
    if evaluation.pool is not None:
        runs = {contestant.name: contestant.scores.runs for contestant in contestants}
        all_tables += pool_tables(evaluation.pool, runs)
    return all_tables


def pool_tables(pool: Pool, runs: Mapping[str, int]) -> list[list[Row]]:
    """Return the tables of the ratings: shares, differences in points, and the problems.

    Args:
        pool: what the ratings say.
        runs: number of runs of each contestant.
    """
    head = ("real", "must-fix", "must-fix found of the pool")
    shares: list[Row] = [
        ("rated contestant", "comments", *(f"{title} %" for title in head), "found"),
        *(
            (
                score.name,
                f"{score.comments:,}",
                *(with_interval(score.shares[name]) for name in SHARES),
                f"{score.found:,} of {score.problems:,}",
            )
            for score in pool.scores
        ),
    ]
    all_tables = [shares]
    changes: list[Row] = [
        (score.name, *(difference(score.differences[name]) for name in SHARES))
        for score in pool.scores
        if score.differences
    ]
    if changes:
        all_tables.append([(f"points against {pool.scores[0].name}", *head), *changes])
    if pool.problems:
        listed_problems = [_problem(problem, runs) for problem in pool.problems[:MAX_PROBLEMS]]
        all_tables.append([("case", "problem", "text", "worth", "found by"), *listed_problems])
    return all_tables


def _problem(problem: Problem, runs: Mapping[str, int]) -> Row:
    """Return a row of the pool: who found the problem, and in how many of several runs."""
    found_by = (
        f"{name} {number}/{runs[name]}" if runs.get(name, 1) > 1 else name
        for name, number in problem.found.items()
    )
    text = cut(first_line(problem.text), MAX_TITLE)
    return (
        problem.case,
        f"{problem.path}:{problem.line}",
        text,
        f"{problem.worth}",
        ", ".join(found_by),
    )


MAX_PROBLEMS: Final = 100
"""Problems of the pool to list; all are in ``report.json``."""
MAX_TITLE: Final = 80

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
        *([_pool(evaluation.pool)] if evaluation.pool else []),
        *map(_agreement, evaluation.agreements),
        *([_plan(evaluation.plan)] if evaluation.plan else []),
        *evaluation.notices,
    ]


def _judges(evaluation: Evaluation) -> str:
    near = _RULES[evaluation.match]
    if not evaluation.judges:
        return f"Comments match by location alone{near}; no judge compared their texts."
    return (
        f"Comments match if they are near{near}, and most of the judges"
        f" ({', '.join(evaluation.judges)}) find that they report the same issue. Scores by"
        " other judges cannot be compared."
        f" Requests to judges: {dollars(evaluation.judges_usd)}."
    )


def _pool(pool: Pool) -> str:
    """Return who rated how many cases, and how to read the tables."""
    must_fix = sum(problem.worth == MUST_FIX for problem in pool.problems)
    text = (
        f"{' and '.join(pool.judges)} rated the comments of {pool.rated:,} of"
        f" {count(pool.cases, 'case')} with comments, mixed and without the names of contestants."
        " Must-fix comments are real and worth fixing before the merge. The pool is what all"
        f" contestants found together: {count(len(pool.problems), 'distinct real problem')},"
        f" {must_fix:,} of them must-fix."
    )
    more = len(pool.problems) - MAX_PROBLEMS
    return f"{text} {count(more, 'more problem')} of it are in report.json." if more > 0 else text


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
    items = count(one.items, "pair" if one.kind == "same" else "comment")
    judges = " and ".join(one.judges)
    return f"{judges} agree on {percent(one.equal)} % of {items}{_AGREED[one.kind]}{kappa}."


_RULES: Final[dict[MatchingRule, str]] = {"ranges": "", "middle": ", of their middle lines"}
_AGREED: Final[dict[Kind, str]] = {
    "same": "",
    "real": " (is it real?)",
    "must_fix": " (is it a must-fix?)",
}


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
    return "\n\n".join([*parts, "\n".join(map(safe_text, sentences(evaluation)))])


def aligned(rows: Sequence[Row]) -> str:
    """Return rows with aligned columns. The text of a cell is made safe to show."""
    shown = [[safe_text(cell) for cell in row] for row in rows]
    widths = [max(map(cells, column)) for column in zip(*shown, strict=True)]
    return "\n".join(_line(row, widths) for row in shown)


def safe_text(text: str) -> str:
    """Return a text that neither moves other text nor is a command of a CI runner."""
    return neutralize_commands(show(text))


def _line(row: Iterable[str], widths: Sequence[int]) -> str:
    padded = [
        f"{cell}{' ' * (width - cells(cell))}" for cell, width in zip(row, widths, strict=True)
    ]
    return "  ".join(padded).rstrip()


def first_line(text: str) -> str:
    """Return the first line of a text."""
    return text.partition("\n")[0]
