"""Reports: each form has the same numbers, and texts of strangers stay texts."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.errors import SourceError
from reviewbot.eval.agreement import Agreement
from reviewbot.eval.change_text import change_report
from reviewbot.eval.compare import ChangedCase, ChangedGolden, compare, pairs
from reviewbot.eval.plan_file import PlanStatus
from reviewbot.eval.report import Evaluation, evaluate, read_report, to_json
from reviewbot.eval.report_html import html_report
from reviewbot.eval.results import Comment
from reviewbot.eval.scores import Counts, score_all
from reviewbot.eval.statistics import Interval
from reviewbot.eval.tables import difference, text_report, with_interval
from tests import record_eval
from tests.support.evaluations import case, comment, golden, result

if TYPE_CHECKING:
    from pathlib import Path

    from reviewbot.eval.agreement import Kind
    from reviewbot.eval.results import Result

CASES = [case(f"case-{number}", golden(5, text="Lost update."), golden(15)) for number in range(20)]
EVIL = "<script>alert(1)</script>\u202e&\"' $x_1$"


def one_tool(name: str, lines: tuple[int, ...], **changes: object) -> list[Result]:
    found = tuple(comment(line, text=f"On {line}.") for line in lines)
    return [result(one.id, *found, contestant=name, **changes) for one in CASES]


def evaluated(*results: Result) -> Evaluation:
    specs = {one.contestant: f"spec of {one.contestant}" for one in results}
    return evaluate(CASES, score_all(CASES, results), specs, notices=["A notice."])


BOTH = evaluated(*one_tool("half", (5,), cost_usd=0.5), *one_tool("all", (5, 15)))


def test_reports_are_the_recorded_ones() -> None:
    for name, text in record_eval.texts().items():
        assert (record_eval.FOLDER / name).read_text("utf-8") == text, name


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(to_json(BOTH))
    assert read_report(tmp_path) == read_report(tmp_path / "report.json") == BOTH


def test_something_else_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot read"):
        read_report(tmp_path)
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(SourceError, match="is not a report"):
        read_report(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cases": ()}, "there is no case 'case-0'"),
        ({"outcomes": (replace(BOTH.outcomes[0], found=(2,)),)}, "found an unknown golden comment"),
        (
            {"outcomes": (replace(BOTH.outcomes[0], counts=Counts(golden=10**400)),)},
            "a count on 'case-0' is out of range",
        ),
        ({"plan": PlanStatus("d", "luck", 1, is_final=False)}, "there is no metric 'luck'"),
    ],
)
def test_a_report_that_contradicts_itself_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    (tmp_path / "report.json").write_text(to_json(replace(BOTH, **change)))
    with pytest.raises(SourceError, match=message):
        read_report(tmp_path)


def test_the_tables_show_scores_differences_and_the_size_of_the_set() -> None:
    text = text_report(BOTH)
    rows = [line.split() for line in text.splitlines()]
    half, everything = (next(row for row in rows if row[:1] == [name]) for name in ("half", "all"))
    assert half[1] == everything[1] == "100.0"
    assert (half[5], everything[5]) == ("50.0", "100.0")
    assert "points against half" in text
    assert "+50.0* (+50.0 to +50.0)" in text
    assert "40 golden comments in 20 cases, 1 run) is too small" in text
    assert text.endswith("A notice.")


def test_a_contestant_without_all_cases_is_named() -> None:
    some = evaluated(*one_tool("all", (5,)), *one_tool("some", (5,))[:3])
    assert some.notices[0].startswith("some reviewed only 3 of 20 cases")
    assert len(some.notices) == 2


def test_intervals_and_differences_as_text() -> None:
    assert with_interval(Interval(0.5, 0.4, 0.625)) == "50.0 (40.0 to 62.5)"
    assert with_interval(Interval(None, None, None)) == difference(Interval(None, None, None))
    assert difference(Interval(0.05, -0.01, 0.11)) == "+5.0 (-1.0 to +11.0)"
    assert difference(Interval(-0.05, -0.1, -0.01, 20)) == "-5.0* (-10.0 to -1.0)"


def test_a_comparison_names_the_golden_comments_and_the_cases_that_changed() -> None:
    before = evaluated(*one_tool("tool", (5, 15)))
    after = evaluated(*one_tool("tool", (5, 10))[:8], *one_tool("tool", (5, 15))[8:])
    change = compare(before, after, "tool", "tool")
    assert change.cases == 20
    assert change.golden == tuple(
        ChangedGolden(f"case-{number}", golden(15), 1.0, 0.0) for number in range(8)
    )
    assert change.wrong == tuple(ChangedCase(f"case-{number}", 0, 1) for number in range(8))
    assert change.differences["recall"].value == pytest.approx(-8 / 40)
    text = change_report(change)
    assert "Found less often (8):" in text
    assert "Found more often" not in text
    assert "case-0 a.py:15 100.0 % -> 0.0 %" in text
    assert "Significant: precision, recall, F1, F0.5." in text
    same = change_report(compare(before, before, "tool", "tool"))
    assert "No difference is significant." in same


def test_runs_are_compared_as_shares() -> None:
    before = evaluated(*one_tool("tool", (5,)), *one_tool("tool", (), run=2))
    after = evaluated(*one_tool("tool", (5,)))
    assert compare(before, after, "tool", "tool").golden[0] == ChangedGolden(
        "case-0", golden(5, text="Lost update."), 0.5, 1.0
    )


def test_evaluations_are_compared_by_the_names_of_their_contestants() -> None:
    a, b = evaluated(*one_tool("a", (5,))), evaluated(*one_tool("b", (5,)))
    assert pairs(a, b) == [("a", "b")]
    assert pairs(BOTH, BOTH) == [("half", "half"), ("all", "all")]
    assert pairs(BOTH, BOTH, ["all"]) == [("all", "all")]
    with pytest.raises(SourceError, match="x is not a contestant of both"):
        pairs(BOTH, BOTH, ["x"])
    with pytest.raises(SourceError, match="share no contestant"):
        pairs(a, BOTH)


def test_evaluations_with_different_golden_comments_are_not_compared() -> None:
    other = evaluate(
        [case("case-0", golden(6))], score_all([case("case-0")], [result("case-0")]), {"tool": ""}
    )
    with pytest.raises(SourceError, match="golden comments of the case case-0 differ"):
        compare(evaluated(*one_tool("tool", (5,))), other, "tool", "tool")


def test_judges_are_named_with_their_agreement() -> None:
    results = one_tool("tool", (5, 9))
    kinds: tuple[tuple[Kind, float | None], ...] = (
        ("same", 0.75),
        ("real", None),
        ("must_fix", None),
    )
    found = evaluate(
        CASES,
        score_all(CASES, results),
        {"tool": ""},
        judges=("a", "b"),
        agreements=[Agreement(kind, ("a", "b"), 8, 0.875, kappa) for kind, kappa in kinds],
    )
    text = text_report(found)
    assert "most of the judges (a, b) find that they report the same issue" in text
    assert "a and b agree on 87.5 % of 8 pairs, Cohen's kappa 0.75." in text
    assert "a and b agree on 87.5 % of 8 comments (is it real?)." in text
    assert "a and b agree on 87.5 % of 8 comments (is it a must-fix?)." in text
    with pytest.raises(SourceError, match="different judges"):
        compare(found, evaluated(*results), "tool", "tool")


def test_evaluations_without_a_common_case_are_not_compared() -> None:
    cases = [case("other", golden(5))]
    other = evaluate(cases, score_all(cases, [result("other")]), {"tool": ""})
    with pytest.raises(SourceError, match="no case in common"):
        compare(evaluated(*one_tool("tool", (5,))), other, "tool", "tool")


def test_a_set_of_clean_cases_shows_only_silence() -> None:
    cases = [case("clean")]
    text = text_report(evaluate(cases, score_all(cases, [result("clean")]), {"tool": ""}))
    assert "no golden comments in 1 case: only clean cases" in text


def test_texts_of_strangers_are_no_commands_of_a_terminal_or_a_runner() -> None:
    cases = [case("a\n::error::x", golden(5, text="##[error]x\x1b[2J"))]
    found, missed = [comment(5)], list[Comment]()
    before, after = (
        evaluate(cases, score_all(cases, [result(cases[0].id, *some)]), {"tool": ""})
        for some in (found, missed)
    )
    text = change_report(compare(before, after, "tool", "tool"))
    assert "## [error]x\\x1b[2J" in text
    assert "a\\x0a::error::x" in text


class Page(HTMLParser):
    """Elements, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_has_the_numbers_of_the_tables_and_nothing_from_elsewhere() -> None:
    page = html_report(BOTH)
    found = Page(page)
    assert "+50.0* (+50.0 to +50.0)" in found.text
    assert "spec of half" in found.text
    assert {source.partition(",")[0] for source in found.sources} == {"data:image/svg+xml;base64"}
    assert len(found.sources) == 2
    assert not {"script", "iframe", "link", "form"} & {*found.tags}
    assert "style" not in found.attributes
    style = page.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'" in page


def test_texts_of_strangers_stay_texts_on_the_page() -> None:
    cases = [case(EVIL, golden(5, text=EVIL))]
    results = [result(EVIL, comment(9, text=EVIL), contestant=EVIL, error=EVIL)]
    results.append(result(EVIL, contestant="other"))
    page = html_report(evaluate(cases, score_all(cases, results), {EVIL: EVIL, "other": ""}))
    found = Page(page)
    assert "script" not in found.tags
    assert "\u202e" not in page
    assert "<script>alert(1)</script>\\u202e&\"' $x_1$" in found.text
    image = base64.b64decode(found.sources[0].partition(",")[2]).decode()
    assert "<script" not in image


@pytest.mark.slow
def test_the_plots_have_a_point_for_each_defined_score() -> None:
    image = base64.b64decode(Page(html_report(BOTH)).sources[0].partition(",")[2]).decode()
    assert len(re.findall(r'<g id="line2d_\d+">', image)) >= 2 * 2 * 4
    assert html_report(BOTH) == html_report(BOTH)
