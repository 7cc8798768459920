"""Markdown keeps every text in its place; a real parser says so."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reviewbot.core.events import events as ev
from reviewbot.core.events.report import Report, fold
from reviewbot.core.findings.finding import Finding, Placement
from reviewbot.core.render.inert import neutralize_commands
from reviewbot.core.render.markdown import MIN_LIMIT, render
from reviewbot.core.render.markdown_text import (
    cell,
    code_span,
    fence,
    literal,
    one_line,
    quoted,
)
from reviewbot.core.safety.escape import show
from tests.review_strategies import reports, texts
from tests.runner_model import commands
from tests.support.documents import report_of
from tests.support.reports import FINDING, HELD

if TYPE_CHECKING:
    from markdown_it.token import Token

MARKDOWN = MarkdownIt("commonmark").enable("table")
HEADINGS = re.compile(
    r"(Summary|Question|Answer|Findings|(🛑 error|⚠️ warning|💡 note)(, [a-z ]+)?:.*)", re.DOTALL
)


def tokens(text: str) -> list[Token]:
    return MARKDOWN.parse(text)


def types(text: str) -> list[str]:
    return [token.type for token in tokens(text)]


def inside(text: str) -> list[Token]:
    """Inline tokens of a text that must be one paragraph."""
    opened, inline, closed = tokens(text)
    assert (opened.type, closed.type) == ("paragraph_open", "paragraph_close")
    return inline.children or []


@given(reports)
def test_headings_and_tables_are_ours_whatever_the_review_holds(report: Report) -> None:
    parsed = tokens(render(report))
    headings = [
        parsed[index + 1].content
        for index, token in enumerate(parsed)
        if token.type == "heading_open" and token.level == 0
    ]
    summary = report.summary
    has_summary = summary is not None and (summary.source == "model" or bool(summary.files))
    expected = len(report.findings) + bool(report.findings) + has_summary
    if report.question is not None:
        expected += 1 + (report.answer is not None)
    assert len(headings) == expected
    assert all(map(HEADINGS.fullmatch, headings))
    at_top = [token.type for token in parsed if token.level == 0]
    assert at_top.count("table_open") == bool(report.findings)
    assert at_top.count("html_block") == 2 * (report.lookups is not None)  # folds the look-ups
    assert not {"fence", "code_block", "hr"} & set(at_top)


def test_the_verdict_is_the_first_line_and_the_outcome_follows_in_other_words() -> None:
    report = report_of(FINDING, outcome="findings")
    outcome = render(report).split("\n\n")[0]
    shown = render(report, verdict="Done: nothing blocks this.").split("\n\n")
    assert shown[:2] == ["**Done: nothing blocks this.**", outcome.strip("*")]
    assert render(report, verdict=outcome.strip("*")) == render(report)


@given(reports)
def test_a_table_has_one_row_of_three_cells_for_each_finding(report: Report) -> None:
    kinds = types(render(report))
    rows = len(report.findings) + bool(report.findings)
    assert kinds.count("tr_open") == rows
    assert kinds.count("td_open") + kinds.count("th_open") == 3 * rows


@given(reports)
def test_markdown_in_a_log_is_no_command_to_a_ci_runner(report: Report) -> None:
    text = render(report)
    assert commands(text) == []
    text.encode()


@given(texts, st.sampled_from(("code", "a```b\n````\n`````", "\r\n", "::x::\n##[error]")))
def test_a_fence_holds_exactly_its_code(start: str, code: str) -> None:
    parsed = tokens(fence(f"{start}\n{code}", lines=99) + "\n\nafter")
    assert [token.type for token in parsed] == [
        "blockquote_open",
        "fence",
        "blockquote_close",
        "paragraph_open",
        "inline",
        "paragraph_close",
    ]


def test_code_is_shown_as_it_is() -> None:
    (_, block, _) = tokens(fence("\tif x:  # ```\r\n        pass\r\n", lines=9))
    assert block.content == "\tif x:  # ```\n        pass\n"


def test_long_code_is_cut_visibly() -> None:
    (_, block, _) = tokens(fence("\n".join("x" * 600 for _ in range(9)), lines=2))
    assert block.content.split("\n") == [
        "x" * 500 + "...",
        "x" * 500 + "...",
        "... 7 more lines",
        "",
    ]


@given(texts)
def test_a_code_span_is_one_span(text: str) -> None:
    (code,) = [child for child in inside(f"a {code_span(text)} b") if child.type == "code_inline"]
    assert "`" not in text or "`" in code.content


def test_a_path_is_shown_with_its_odd_characters() -> None:
    (code,) = inside(code_span("a  b`c\nd\udcff"))
    assert code.content == r"a  b`c\x0ad\xff"


@given(texts)
def test_a_literal_is_text_and_nothing_else(text: str) -> None:
    children = inside(f"a {literal(text)} b")
    kinds = {child.type for child in children}
    assert kinds <= {"text", "text_special"} or kinds == {"text", "code_inline"}
    shown = "".join(child.content for child in children)
    assert shown.strip() == f"a {neutralize_commands(show(' '.join(text.split())))} b"


@pytest.mark.parametrize(
    "text",
    [
        "see https://evil.example/x",
        "see www.evil.example",
        "ask @bob",
        "fixes #1",
        "fixes o/r#1",
        "GH-1",
        "a@b.example",
        "mailto:x",
        "as in 0123abc",
    ],
)
def test_what_github_links_in_plain_text_is_shown_as_code(text: str) -> None:
    assert literal(text) == f"`{text}`"


ODD = "@bob ![p](https://evil.example/p.png) <img src=x> fixes #1.py"


def test_no_path_reason_rule_or_name_of_a_model_acts() -> None:
    placement = Placement("outside", ODD)
    bad = replace(FINDING, path=ODD, rule=ODD, model=ODD, placement=placement)
    gone = replace(bad, id="b" * 16)
    events: list[ev.Event] = [
        ev.ReviewStarted((ODD,), (), (), 0, ev.Estimate(0, 0, 0, None), (ODD,)),
        ev.FindingRaised(bad),
        ev.FindingRaised(gone),
        ev.FindingWithdrawn(gone.id, ODD),
        ev.ReviewSummary("what", (ev.WalkthroughEntry(ODD, "x"),), (ODD,), None),
    ]
    statuses: tuple[ev.CoverageStatus, ...] = ("failed", "skipped")
    coverage = tuple(ev.FileCoverage(ODD, status, ODD) for status in statuses)
    end = ev.ReviewFinished("incomplete", coverage, ev.Usage(1), 0.1, 1.0, None, {}, (ODD,))
    text = render(fold([*events, end]))
    assert text.count("@bob") > 10
    outside_of_code = re.sub(r"`[^`]*`", "", text)
    assert not re.search(r"@|!\[|<img|#1|https", outside_of_code)


def test_a_cut_title_leaves_no_code_span_open() -> None:
    cut = one_line("x" * 180 + " `see @bob and @carol and @dave`", 200)
    assert "@" not in re.sub(r"`[^`]*`", "", cut)


@given(st.text("a|\\` ", max_size=12))
def test_no_text_divides_a_cell(text: str) -> None:
    table = f"| a | b |\n| --- | --- |\n| x{cell(text)}x | end |"
    parsed = tokens(table)
    cells = [
        parsed[index + 1].content for index, token in enumerate(parsed) if token.type == "td_open"
    ]
    assert len(cells) == 2
    assert cells[1] == "end"


@given(texts)
def test_a_quote_ends_with_what_it_opened(text: str) -> None:
    parsed = tokens(f"{quoted(f'x{text}', 500)}\n\nafter")
    assert [token.type for token in parsed if token.level == 0] == [
        "blockquote_open",
        "blockquote_close",
        "paragraph_open",
        "paragraph_close",
    ]


def test_a_long_quote_is_cut_visibly() -> None:
    assert quoted("a\n" * 50, 20).split("\n") == ["> a"] * 5 + ["> ..."]
    assert quoted("a" * 50, 20) == "> ..."


def test_a_long_line_is_cut_visibly() -> None:
    assert one_line("a" * 50, 20) == "a" * 20 + "..."
    assert one_line("a" + " " * 5_000 + "b", 20) == "a..."


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        ("clean", "**No findings in 1 file.**"),
        ("incomplete", "**Incomplete: the review did not finish; nothing was found"),
        ("superseded", "**Superseded by a newer version of the change; no findings until then.**"),
    ],
)
def test_the_first_line_is_the_outcome(outcome: ev.Outcome, line: str) -> None:
    assert render(report_of(outcome=outcome)).startswith(line)


def test_a_suggestion_says_whether_it_can_be_taken_as_it_is() -> None:
    fits = replace(FINDING, suggestion="x = 2", suggestion_applies=True)
    assert "Suggestion, instead of these lines:\n\n> ```\n> x = 2" in render(report_of(fits))
    asked = replace(fits, suggestion_applies=False)
    assert "Suggestion, to be adapted by hand, instead" in render(report_of(asked))
    assert "Suggestion: delete." in render(report_of(replace(fits, suggestion="")))


def test_a_finding_leads_to_the_address_that_is_given() -> None:
    address = "https://github.com/o/r/pull/1#discussion_r1"
    text = render(report_of(FINDING), links={FINDING.id: address})
    assert f"[`app/db.py:3`]({address}) | Wrong" in text
    assert f"[`app/db.py`]({address}), line 3" in text


def test_a_finding_of_an_earlier_review_has_no_confidence() -> None:
    assert "confidence 0." in render(report_of(FINDING))
    earlier = replace(FINDING, chunk="", confidence=1.0)
    assert "confidence" not in render(report_of(earlier))


def test_a_computed_summary_is_shown_only_with_lines_of_a_model_about_files() -> None:
    written = ev.ReviewSummary("", (ev.WalkthroughEntry("a.py", "adds a rate"),), source="model")
    lines = "## Summary\n\nFiles:\n\n- `a.py`: adds a rate"
    assert lines in render(fold([written]))
    assert lines in render(fold([replace(written, source="computed")]))
    sizes = ev.ReviewSummary("1 file changed, +1 -0.", source="computed")
    assert "Summary" not in render(fold([sizes]))


def test_no_time_is_zero_seconds() -> None:
    end = ev.ReviewFinished("clean", (), ev.Usage(), 0.0, 0.04, 0.04)
    assert " s" not in render(fold([end]))
    assert "\n\n0.4 s\n" in render(fold([replace(end, duration_s=0.4)]))
    timed = replace(end, duration_s=2.0, time_to_first_finding_s=0.5)
    assert "2.0 s; first finding after 0.5 s" in render(fold([timed]))


def test_held_back_findings_come_last_and_are_marked() -> None:
    held = replace(FINDING, id="b" * 16, severity="error", title="Maybe", placement=HELD)
    text = render(report_of(FINDING, held))
    assert text.index("| ⚠️ warning |") < text.index("| 🛑 error, held back |")
    assert "Held back: Its confidence is below 0.7." in text


def test_withdrawn_findings_and_notices_are_listed() -> None:
    gone = ev.FindingWithdrawn(FINDING.id, "Disproved.")
    started = ev.ReviewStarted((), (), (), 0, ev.Estimate(0, 0, 0, None), ("Be careful.",))
    text = render(fold([started, ev.FindingRaised(FINDING), gone]))
    assert "Withdrawn:\n\n- Wrong (`app/db.py`): Disproved." in text
    assert "Notices:\n\n- Be careful." in text


def test_what_each_model_did_is_listed_if_several_did_something() -> None:
    shares = tuple(ev.ModelShare(f"m|{n}`", 1, n, ev.Usage(1, 1), 0.25) for n in (1, 2))
    end = ev.ReviewFinished("clean", (), ev.Usage(1), 0.5, 1.0, None, by_model=shares)
    text = render(fold([end]))
    assert (
        "By model:\n\n- `` m|1` ``: 1 chunk, 1 finding, $0.25\n- `` m|2` ``: 1 chunk, 2 findings"
    ) in text
    assert "By model" not in render(fold([replace(end, by_model=shares[:1])]))


def many(number: int, **changes: object) -> list[Finding]:
    base = replace(FINDING, **changes)  # type: ignore[arg-type]  # by field name
    return [replace(base, id=f"{index:016}", line=index + 1) for index in range(number)]


def test_findings_that_do_not_fit_are_left_out_from_the_end_and_counted() -> None:
    report = report_of(*many(500, title="t" * 100, message="m" * 500))
    text = render(report, limit=MIN_LIMIT)
    assert len(text) <= MIN_LIMIT
    assert text.startswith("**500 warnings in 1 file.**")
    rows = text.count("\n| ⚠️ warning |")
    details = text.count("\n### ")
    assert 0 < details < rows < 500
    assert f"{500 - rows} more findings: no room here." in text
    assert f"Details of {500 - details} findings left out: no room here." in text
    assert render(report).count("\n### ") == 500


@pytest.mark.slow
def test_the_limit_holds_however_hostile_the_rest_is() -> None:
    bad = "\u202e`|@*" * 2_000
    placement = Placement("outside", bad)
    findings = many(
        60, title=bad, message=bad * 5, quote=f"{bad}\n" * 90, path=bad, placement=placement
    )
    events: list[ev.Event] = [
        ev.ReviewStarted((bad,), (), (), 0, ev.Estimate(0, 0, 0, None), (bad,) * 60),
        *map(ev.FindingRaised, findings),
        *(ev.FindingWithdrawn(finding.id, bad) for finding in findings[30:]),
        ev.ReviewSummary(bad, (ev.WalkthroughEntry(bad, bad),) * 60, (bad,) * 60, bad),
    ]
    statuses: tuple[ev.CoverageStatus, ...] = ("failed", "skipped")
    coverage = tuple(ev.FileCoverage(bad, status, bad) for status in statuses for _ in range(60))
    end = ev.ReviewFinished("incomplete", coverage, ev.Usage(1), 0.1, 1.0, None, {}, (bad,) * 60)
    text = render(fold([*events, end]), limit=MIN_LIMIT)
    assert len(text) <= MIN_LIMIT
    assert text.startswith("**Incomplete: 60 of 60 files were not fully reviewed; 30 warnings")
    assert "- and " in text
    assert "\n| ⚠️ warning |" in text


def test_a_limit_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 40000 is needed"):
        render(report_of(), limit=1_000)


def test_a_finding_without_code_has_no_empty_block() -> None:
    bare = replace(FINDING, quote=" ", suggestion=None)
    text = render(report_of(bare))
    assert "```" not in text
