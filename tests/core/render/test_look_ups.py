"""What people see of the look-ups of models: one line, or one that opens to a list."""

from __future__ import annotations

from dataclasses import replace

from reviewbot.core import render
from reviewbot.core.events.events import LookupTally
from reviewbot.core.render import terminal
from reviewbot.core.render.layout import plain
from reviewbot.core.render.wording import look_ups, looked_up
from tests.support.documents import report_of
from tests.support.reports import FINDING

ACTIVITIES = tuple(f"reading a{number}.py 1-9" for number in range(5))
REPORT = replace(report_of(FINDING), lookups=LookupTally(7, ACTIVITIES))


def test_the_line_counts_look_ups_and_names_the_first() -> None:
    assert looked_up(REPORT, 2) == "7 look-ups: reading a0.py 1-9, reading a1.py 1-9, 3 more"
    assert looked_up(REPORT, 0) == look_ups(REPORT) == "7 look-ups"
    short = replace(report_of(), lookups=LookupTally(1, ACTIVITIES[:1]))
    assert looked_up(short, 3) == "1 look-up: reading a0.py 1-9"


def test_a_terminal_names_as_many_look_ups_as_fit_one_line() -> None:
    for width, named in ((100, 3), (72, 2), (50, 1), (30, 0)):
        lines = plain(terminal.final_lines(REPORT, width=width)).splitlines()
        (line,) = (line for line in lines if "look-ups" in line)
        assert line.count("reading") == named
        assert len(line) <= width


def test_a_clean_review_counts_its_look_ups_on_its_line() -> None:
    clean = replace(report_of(), outcome="clean", lookups=LookupTally(7, ACTIVITIES))
    assert clean.outcome == "clean"
    assert " 7 look-ups." in plain(terminal.final_lines(clean, width=100))


def test_markdown_folds_the_look_ups_below_their_number() -> None:
    text = render.final("markdown")(REPORT)
    start = "<details>\n<summary>7 look-ups</summary>\n\n- `reading a0.py 1-9`\n"
    assert f"\n\n{start}" in text
    assert text.index("- `reading a4.py 1-9`\n\n</details>\n") > text.index(start)


def test_a_look_up_cannot_leave_its_place_in_markdown() -> None:
    hostile = LookupTally(1, ("reading `</details>\n\n# x` @someone",))
    text = render.final("markdown")(replace(REPORT, lookups=hostile))
    assert text.count("\n</details>") == 1
    assert "- `` reading `</details>\\x0a\\x0a# x` @someone ``\n" in text


def test_a_review_without_look_ups_says_nothing_about_them() -> None:
    assert looked_up(report_of(), 3) == look_ups(report_of()) == ""
    assert "look-up" not in plain(terminal.final_lines(report_of(FINDING), width=100))
    assert "look-up" not in render.final("markdown")(report_of())
