"""What a person reads on a terminal: whole, calm, honest, and safe to print."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from reviewbot.core.events import events as ev
from reviewbot.core.events.report import fold
from reviewbot.core.findings.finding import Finding, Placement
from reviewbot.core.render import terminal
from reviewbot.core.render.finding_block import CodeLine, finding_block
from reviewbot.core.render.layout import Line, cells, clip, plain, rich_text, shown, wrap
from reviewbot.core.safety.escape import show
from tests.regenerate_golden import terminal_lines
from tests.review_strategies import streams, texts
from tests.runner_model import commands
from tests.support.documents import report_of
from tests.support.reports import FINDING, HELD, PLAN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.events.report import Report

FIX = replace(FINDING, end_line=4, quote="a\nb", suggestion="a\nc", suggestion_applies=True)
CODE: tuple[CodeLine, ...] = (
    (2, " ", "before"),
    (None, "-", "old"),
    (3, "+", "a"),
    (4, "+", "b"),
    (5, " ", "after"),
)
widths = st.sampled_from((20, 40, 60, 100))


def block(finding: Finding, code: Sequence[CodeLine] = (), width: int = 60) -> str:
    return plain(finding_block(finding, code, width))


def final(report: Report, width: int = 100) -> str:
    return plain(terminal.final_lines(report, width=width))


def lines(event: ev.Event, width: int = 100) -> str:
    return plain(terminal.event_lines(event, width=width))


@given(streams(), widths)
def test_nothing_that_is_printed_acts_on_the_terminal_or_the_ci_runner(
    stream: list[ev.Event], width: int
) -> None:
    text = plain(terminal_lines(stream, width))
    assert commands(text) == []
    assert all(show(line) == line for line in text.split("\n"))
    assert text.count("\n") == len(text.splitlines())


@given(streams(), st.sampled_from((60, 100)))
def test_lines_fit_the_terminal(stream: list[ev.Event], width: int) -> None:
    for line in plain(terminal_lines(stream, width)).split("\n"):
        # A long label leaves its text at least 20 columns; breaking up "::" adds one.
        assert cell_len(line) <= width + 1


@given(streams(), widths)
def test_colour_changes_no_character(stream: list[ev.Event], width: int) -> None:
    made = list(terminal_lines(stream, width))
    coloured = rich_text(made).plain
    assert [line.rstrip() for line in coloured.split("\n")] == plain(made).split("\n")


def test_colours_are_real_styles_and_no_markup_is_read() -> None:
    made: list[Line] = [
        *finding_block(replace(FIX, title="[bold]x[/bold]"), CODE, 60),
        *terminal.final_lines(fold([PLAN]), width=60),
    ]
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", width=60)
    console.print(rich_text(made), end="", soft_wrap=True)
    assert "\x1b[1;33mwarning: \x1b[0m\x1b[1m[bold]x[/bold]" in out.getvalue()
    assert "\x1b[32m+ a" in out.getvalue()


def test_a_finding_shows_its_code_with_numbers_and_marks_its_lines() -> None:
    assert (
        block(FIX, CODE)
        == """\
warning: Wrong
   --> app/db.py:3-4
    |
  2 |   before
    | - old
> 3 | + a
> 4 | + b
  5 |   after
    |
    | It is wrong.
    |
    | suggestion:
    | - b
    | + c
    |
    = bug, m, confidence 0.80
"""
    )


def test_a_removed_line_with_the_same_number_is_not_marked() -> None:
    code: tuple[CodeLine, ...] = ((3, "-", "old"), (3, "+", "new"))
    text = block(FINDING, code)
    assert "  3 | - old\n> 3 | + new\n" in text
    left = block(replace(FINDING, side="LEFT"), code)
    assert "app/db.py:3 (old file)\n" in left
    assert "> 3 | - old\n  3 | + new\n" in left


def test_without_code_around_it_a_finding_shows_its_quote() -> None:
    assert "> 3 |   a\n> 4 |   b\n" in block(FIX)
    assert "> 3 | - x = 1\n" in block(replace(FINDING, side="LEFT"))
    away = replace(FINDING, placement=Placement("outside", "It is not in the diff."))
    assert "--> app/db.py\n    |\n    |   x = 1\n" in block(away)
    assert "= Not placed on a line: It is not in the diff.\n" in block(away)


def test_a_finding_that_is_held_back_says_so_in_its_first_line() -> None:
    text = block(replace(FINDING, placement=HELD))
    assert text.startswith("warning (held back): Wrong\n")
    assert "= Held back: Its confidence is below 0.7.\n" in text


def test_a_finding_that_replaces_one_is_updated_and_names_rule_and_model() -> None:
    finding = replace(FINDING, rule="python/eval", model="offline", sources=("python/eval", "m"))
    event = ev.FindingRaised(finding)
    text = "".join(plain(terminal.event_lines(event, width=80, is_update=True)))
    assert text.startswith("\nwarning (updated): Wrong\n")
    assert "= bug, python/eval, offline, m, confidence 0.80\n" in text


def test_a_finding_of_an_earlier_review_is_cached_in_one_word() -> None:
    assert "= bug, m, confidence 0.80, cached\n" in block(replace(FINDING, cached=True))


def test_a_suggestion_that_does_not_apply_is_shown_but_not_as_a_change() -> None:
    text = block(replace(FIX, suggestion_applies=False), CODE)
    assert "| suggestion, to be adapted by hand:\n    | + a\n    | + c\n" in text
    assert "- b" not in text


def test_a_suggestion_to_delete_shows_what_goes() -> None:
    text = block(replace(FIX, suggestion=""), CODE)
    assert "| suggestion:\n    | - a\n    | - b\n    |\n" in text


def test_lines_that_a_suggestion_keeps_are_not_repeated() -> None:
    text = block(replace(FIX, suggestion="a\nnew\nb"), CODE)
    assert "| suggestion:\n    | + new\n    |\n" in text


def test_the_rule_is_named_where_it_says_more_than_the_category() -> None:
    text = block(replace(FINDING, rule="python/x", scenario="When it runs."))
    assert "= bug, python/x, m, confidence 0.80\n" in text
    assert "| When it runs.\n    |\n    | It is wrong.\n" in text


def test_windows_line_ends_are_not_shown() -> None:
    code: tuple[CodeLine, ...] = ((3, "+", "a\r"),)
    assert "> 3 | + a\n" in block(FINDING, code)


def test_long_code_messages_and_suggestions_are_cut_visibly() -> None:
    long = "\n".join(map(str, range(100)))
    finding = replace(FIX, message=long, quote=long, suggestion=long, suggestion_applies=False)
    text = block(finding)
    assert text.count("... 76 more lines") == 2
    assert "| ... 40 more lines" in text
    wide: tuple[CodeLine, ...] = ((3, "+", "x" * 999_999),)
    assert f"> 3 | + {'x' * 49}...\n" in block(FINDING, wide)


def test_a_finding_without_words_is_its_code() -> None:
    text = block(replace(FINDING, message=" ", title=""))
    assert text.startswith("warning:\n   --> app/db.py:3\n    |\n> 3 |   x = 1\n    |\n    = bug")


def test_the_start_says_what_is_reviewed_by_whom_and_for_how_much() -> None:
    assert lines(PLAN) == (
        "Reviewing 2 files, 3 chunks, 1 request with m, then offline (about 30 tokens in, $0.10).\n"
        "notice: Be careful.\n"
    )
    offline = replace(PLAN, models=("offline",), estimate=ev.Estimate(0, 0, 0, 0.0), notices=())
    assert lines(offline) == "Reviewing 2 files, 3 chunks with offline.\n"
    nobody = replace(offline, models=(), files=PLAN.files[1:], chunks=PLAN.chunks[2:])
    assert lines(nobody) == "Reviewing 1 file with no model.\n"
    unpriced = replace(PLAN, estimate=ev.Estimate(1, 30, 1, None), notices=())
    assert "(about 30 tokens in, cost unknown)" in lines(unpriced)


def test_the_start_names_each_model_that_is_asked_first() -> None:
    routed = replace(
        PLAN,
        models=("m", "n", "offline"),
        chunks=(
            replace(PLAN.chunks[0], model="m"),
            replace(PLAN.chunks[1], model="n"),
            *PLAN.chunks[2:],
        ),
    )
    assert "with m, n, then offline (" in lines(routed)


def test_what_each_model_did_is_shown_if_several_did_something() -> None:
    shares = (
        ev.ModelShare("haiku", 1, 0, ev.Usage(1, 1), 0.25),
        ev.ModelShare("opus", 2, 1, ev.Usage(1, 1), None),
    )
    end = ev.ReviewFinished("findings", (), ev.Usage(1), None, 1.0, None, by_model=shares)
    raised = ev.FindingRaised(FINDING)
    text = final(fold([PLAN, raised, end]))
    assert "\n  by model   haiku: 1 chunk, 0 findings, $0.25" in text
    assert "\n  by model   opus: 2 chunks, 1 finding, cost unknown" in text
    idle = (shares[0], replace(shares[1], chunks=0))
    assert "by model" not in final(fold([PLAN, raised, replace(end, by_model=idle)]))


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (ev.FileSkipped("a.lock", "A lockfile."), "skipped a.lock: A lockfile.\n"),
        (
            ev.ChunkRetrying("c1", "a.py", "m", 1, "overloaded", "m", 2.0),
            "retrying a.py in 2.0 s: overloaded (m, attempt 1)\n",
        ),
        (
            ev.ChunkRetrying("c1", "a.py", "m", 3, "overloaded", "offline", 0.0),
            "retrying a.py with offline: overloaded (m, attempt 3)\n",
        ),
        (
            ev.ChunkFinished("c1", "a.py", "failed", "m", 3, "Refused."),
            "not reviewed a.py: Refused.\n",
        ),
        (
            ev.ChunkFinished("c1", "a.py", "partly", "m", 3),
            "partly reviewed a.py: No reason was given.\n",
        ),
        (ev.ChunkFinished("c1", "a.py", "reviewed", "m", 1), ""),
        (ev.ChunkStarted("c1", "a.py", "b1", "m", 1), ""),
        (ev.ReviewSummary("It adds x.", source="model"), "\nSummary\n  It adds x.\n"),
        (
            ev.ReviewSummary(
                "It adds x.", source="model", asked_for=(ev.Requirement("Add x.", "a.py"),)
            ),
            "\nSummary\n  It adds x.\n  Asked for (1 found)\n  - Found in a.py: Add x.\n",
        ),
        (
            ev.ReviewSummary("It adds x.", source="model", asked_for=(ev.Requirement("Add y."),)),
            "\nSummary\n  It adds x.\n  Asked for (1 not found)\n  - Not found: Add y.\n",
        ),
        (ev.ReviewSummary("1 file."), ""),
        (ev.ReviewSummary("1 file.", reason="No answer."), "\nnotice: No answer.\n"),
    ],
)
def test_what_happens_to_a_file_is_one_line(event: ev.Event, text: str) -> None:
    assert lines(event) == text


def test_a_withdrawn_finding_is_named_with_its_reason() -> None:
    report = fold([ev.FindingRaised(FINDING), ev.FindingWithdrawn(FINDING.id, "Disproved.")])
    text = plain(terminal.withdrawn_lines(report.withdrawn[0], width=100))
    assert text == "withdrawn Wrong (app/db.py:3): Disproved.\n"


def test_the_live_line_tells_files_findings_cost_and_activity_and_never_wraps() -> None:
    progress = ev.ReviewProgress(1, 2, 1, 2, 3, ev.Usage(900, 100), 0.25, "thinking")
    line = plain([terminal.progress_line(progress, width=100, elapsed="4.0 s")])
    assert line == "Reviewing: 1/2 files, 3 findings, 4.0 s, thinking, 1,000 tokens, $0.25\n"
    offline = replace(progress, chunks_total=4, usage=ev.Usage(), activity=None)
    line = plain([terminal.progress_line(offline, width=100)])
    assert line == "Reviewing: 1/2 files, 1/4 chunks, 3 findings\n"
    narrow = plain([terminal.progress_line(progress, width=40)])
    assert narrow == "Reviewing: 1/2 files, 3 findings, th...\n"


def test_a_clean_review_ends_in_one_line() -> None:
    coverage = (ev.FileCoverage("a", "reviewed"), ev.FileCoverage("b", "skipped", "A lockfile."))
    report = report_of(outcome="clean", coverage=coverage)
    assert final(report) == "\nNo findings in 1 file. 1 file skipped. 1.0 s.\n"
    unfinished_time = replace(report, duration_s=None, coverage=coverage[:1])
    assert final(unfinished_time) == "\nNo findings in 1 file.\n"


def test_the_end_counts_findings_and_names_what_is_held_back_and_skipped() -> None:
    coverage = (
        ev.FileCoverage("a", "reviewed"),
        *(ev.FileCoverage(f"{n}.lock", "skipped", "A lockfile.") for n in range(1_000)),
        ev.FileCoverage("b", "skipped"),
    )
    held = replace(FINDING, id="b" * 16, placement=HELD)
    report = report_of(FINDING, held, coverage=coverage)
    assert (
        final(report)
        == f"""
{"-" * 72}
1 warning in 1 file.
  held back  1 finding, shown above, not counted
  skipped    1,000 files (A lockfile) and 1 file (No reason was given)
  spent      1.0 s
"""
    )


def test_a_complete_review_shows_its_reasons() -> None:
    reason = "Uses of changed definitions were not checked: It is down."
    assert f"\n  {reason}\n" in final(report_of(outcome="clean", reasons=(reason,)))
    assert f"\n  {reason}\n" in final(report_of(FINDING, reasons=(reason,)))


def test_clean_with_findings_held_back_does_not_hide_them() -> None:
    text = final(replace(report_of(replace(FINDING, placement=HELD)), outcome="clean"))
    assert "No findings in 1 file.\n  held back  1 finding" in text


def test_a_thousand_reasons_to_skip_are_cut_visibly() -> None:
    coverage = tuple(ev.FileCoverage("a", "skipped", f"Reason {n}.") for n in range(60))
    assert "and 10 more reasons" in final(report_of(coverage=coverage))


@pytest.mark.parametrize("outcome", ["incomplete", "cancelled", None])
def test_what_is_not_complete_ends_under_a_heading_that_nobody_overlooks(
    outcome: ev.Outcome | None,
) -> None:
    coverage = tuple(ev.FileCoverage(f"{n}.py", "failed", "Refused.") for n in range(60))
    report = replace(report_of(FINDING, coverage=coverage, reasons=("Quota.",)), outcome=outcome)
    bar = "=" * 72
    before, middle, after = final(report).split(f"{bar}\n")
    word = (outcome or "unfinished").upper()
    assert middle.startswith(f"{word}: 60 of 60 files were not fully reviewed; 1 warning found.\n")
    assert middle.endswith("\n  failed  0.py, 1.py, 2.py, 3.py, 4.py and 55 more files: Refused.\n")
    assert after == ""
    assert "in 60 files" not in before


def test_each_reason_for_a_gap_is_said_once_and_very_many_are_counted() -> None:
    coverage = [ev.FileCoverage(f"{n}.py", "failed", f"Reason {n // 2}.") for n in range(120)]
    text = final(report_of(coverage=tuple(coverage), outcome="incomplete"))
    assert "\n  failed  0.py and 1.py: Reason 0.\n  failed  2.py and 3.py: Reason 1.\n" in text
    assert "\n  and 10 more reasons\n" in text


def test_a_review_that_lacks_no_file_still_says_why_it_is_not_complete() -> None:
    text = final(report_of(outcome="incomplete", reasons=("The plan was lost.",)))
    assert "\n  The plan was lost.\n" in text


def test_a_superseded_review_says_so_without_alarm() -> None:
    text = final(report_of(outcome="superseded"))
    assert text.endswith("Superseded by a newer version of the change; no findings until then.\n")
    assert "===" not in text


@given(texts, st.integers(1, 30))
def test_wrapping_loses_nothing_but_spaces(text: str, width: int) -> None:
    wrapped = wrap(shown(text), width)
    assert "".join("".join(wrapped).split(" ")) == "".join(shown(text).split(" "))
    if width > 1:  # a wide character needs two columns
        assert all(cell_len(line) <= width for line in wrapped)


@given(texts, st.integers(3, 30))
def test_clipping_keeps_short_text_and_bounds_long_text(text: str, width: int) -> None:
    clipped = clip(shown(text), width)
    assert cells(clipped) <= width
    if cell_len(shown(text)) <= width:
        assert clipped == shown(text)
    else:
        assert clipped.endswith("...")


def test_wrapped_lines_keep_their_indentation() -> None:
    assert wrap("  - one two three", 12) == ["  - one two", "  three"]
