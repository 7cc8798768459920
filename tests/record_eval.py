"""Reports of an evaluation and of a consistency that are made by hand, in ``fixtures/eval``.

Run ``python -m tests.record_eval`` after a change of a report, and read the difference before
committing it: it is what users will see. No case is reviewed, so no rule and no model matters.
"""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.eval.agreement import Agreement
from reviewbot.eval.change_text import change_report, check_report
from reviewbot.eval.checks import CheckScore
from reviewbot.eval.compare import compare
from reviewbot.eval.consistency import Run, Series, score
from reviewbot.eval.consistency_text import text_report as consistency_report
from reviewbot.eval.plan_file import PlanStatus
from reviewbot.eval.pool import pool_of
from reviewbot.eval.ratings import CaseRatings, Rating, blind_cases
from reviewbot.eval.report import Evaluation, evaluate
from reviewbot.eval.report_html import html_report
from reviewbot.eval.scores import score_all
from reviewbot.eval.statistics import Interval
from reviewbot.eval.tables import text_report
from tests.support.evaluations import case, comment, golden, result

if TYPE_CHECKING:
    from reviewbot.eval.ratings import BlindCase
    from reviewbot.eval.results import Comment, Result

FOLDER: Final = Path(__file__).parents[1] / "fixtures" / "eval"
RUNS: Final = 2


def _case(number: int) -> tuple[str, bool]:
    """Return the id of a case, and whether it is clean."""
    clean = number % 4 == 3
    return f"{'clean' if clean else 'case'}-{number}", clean


CASES: Final = tuple(
    case(name)
    if clean
    else case(
        name,
        golden(5, 6, severity="error", text="The lock is never released."),
        golden(12, severity="warning", text="The sum skips the last item."),
        golden(17, text="A typo.", optional=True),
    )
    for name, clean in map(_case, range(24))
)


def careful(number: int, run: int) -> Result:
    """Find one of the problems, and seldom say something wrong."""
    name, clean = _case(number)
    found = comment(7, severity="warning", text="Release the lock in a finally block.")
    wrong = comment(19, severity="note", text="This name is long.")
    comments = [*([] if clean else [found]), *([wrong] if number % 8 == run else [])]
    return result(
        name, *comments, judged=4, refuted=1, tokens=1_000, cost_usd=0.02, first_finding_s=1.5
    )


def eager(number: int, run: int) -> Result:
    """Find both problems in most cases, say much that is wrong, and fail once."""
    name, clean = _case(number)
    if number == 7:
        return result(name, error="It broke off.", tokens=90, cost_usd=0.01)
    found = [comment(5, severity="error", text="Lock leak."), comment(6, text="The same again.")]
    found += [comment(13, 14, text="Off by one.")] if (number + run) % 3 else []
    wrong: list[Comment] = [comment(1, text="Add a docstring."), comment(17, text="Typo.")]
    wrong += [comment(0, 0, inline=False, text="Split this change.")]
    comments = [*([] if clean else found), *wrong]
    return result(name, *comments, tokens=3_000, cost_usd=0.07, first_finding_s=0.5)


def evaluated(*names: str) -> Evaluation:
    """Return the evaluation of contestants by their names."""
    tools = {"careful": careful, "eager": eager}
    results = [
        replace(tools[name](number, run), contestant=name, run=run)
        for run in range(1, RUNS + 1)
        for number in range(len(CASES))
        for name in names
    ]
    blind = blind_cases(CASES, results)
    return evaluate(
        CASES,
        score_all(CASES, results),
        {name: f"recorded {name}" for name in names},
        judges=("judge-a", "judge-b"),
        pool=pool_of(
            blind, results, [_rated(blind_case) for blind_case in blind[1:]], ["judge-a"], names
        ),
        judges_usd=0.125,
        agreements=[Agreement("same", ("judge-a", "judge-b"), 48, 0.875, 0.75)],
        plan=PlanStatus("0123456789abcdef", "f1", 24, is_final=True, uses=1),
        notices=["One request to judges has no answer; run again to repeat it."],
    )


WORTHS: Final = {"Release": 2, "Lock": 2, "The": 2, "Off": 1}
"""Worth of a comment by its first word; others are not real. Of the first three, all are one."""


def _rated(blind: BlindCase) -> CaseRatings:
    """Return ratings of the comments on a case."""
    worths = [WORTHS.get(comment.text.split()[0]) for comment in blind.comments]
    first = worths.index(2) + 1 if 2 in worths else 0
    ratings = (
        Rating(
            number,
            real=worth is not None,
            worth=worth or 0,
            same_as=first if worth == 2 and number > first else None,
            why="The lines show it.",
        )
        for number, worth in enumerate(worths, 1)
    )
    return CaseRatings("judge-a", blind.case.id, blind.digest, tuple(ratings), 0.01)


def compared() -> str:
    """Return what changes from the careful contestant to the eager one."""
    one, other = evaluated("careful"), evaluated("eager")
    return change_report(compare(one, other, "careful", "eager"))


def checked() -> str:
    """Return the report of checks."""
    rows = (
        ("repeated", 2, Interval(0.05, 0.0, 0.1, 24)),
        ("renamed", 9, Interval(None, None, None)),
    )
    return check_report([CheckScore("eager", name, 24, 40, n, lost) for name, n, lost in rows])


def consistent() -> str:
    """Return the report of a consistency of two settings, one with too few runs."""
    sets = ("ab", "ab", "abc", "ab", "", "ab", "abd", "ab", "ab", "a")
    runs = tuple(Run(" ".join(f"finding {one}" for one in each), frozenset(each)) for each in sets)
    series = (
        Series("review", "temperature=0", 0.0, runs),
        Series("review", "temperature=1", 1.0, runs[:8], 2),
    )
    return consistency_report(
        [score(one) for one in series],
        model="model-a; temperature as named",
        length="complete reports",
    )


class _Text(HTMLParser):
    """The text of a page: a line for each text, and for each row of a table."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._row: list[str] | None = None
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._hidden = tag == "style"
        if tag == "tr":
            self._row = []
        elif tag in ("td", "th") and self._row is not None:
            self._row.append("")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False
        if tag == "tr" and self._row is not None:
            self.lines.append(" | ".join(self._row))
            self._row = None

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if not text or self._hidden:
            return
        if self._row:
            self._row[-1] = f"{self._row[-1]} {text}".strip()
        else:
            self.lines.append(text)


def page_text(page: str) -> str:
    """Return what the page says, without its plots."""
    parser = _Text()
    parser.feed(page)
    return "\n".join(parser.lines)


def texts() -> dict[str, str]:
    """Return the text of each file."""
    evaluation = evaluated("careful", "eager")
    found = {
        "report.txt": text_report(evaluation),
        "report-page.txt": page_text(html_report(evaluation)),
        "compare.txt": compared(),
        "check.txt": checked(),
        "consistency.txt": consistent(),
    }
    return {name: f"{text}\n" for name, text in found.items()}


if __name__ == "__main__":
    for name, text in texts().items():
        (FOLDER / name).write_text(text, "utf-8")
