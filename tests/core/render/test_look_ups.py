"""What people see of the look-ups of models: one line."""

from __future__ import annotations

from dataclasses import replace

from reviewbot.core import render
from reviewbot.core.events.events import LookupTally
from reviewbot.core.render import terminal
from reviewbot.core.render.layout import plain
from reviewbot.core.render.wording import look_ups
from tests.support.documents import report_of

ACTIVITIES = tuple(f"reading a{number}.py 1-9" for number in range(5))
REPORT = replace(report_of(), lookups=LookupTally(7, ACTIVITIES))


def test_the_line_counts_look_ups_and_names_the_first() -> None:
    assert look_ups(REPORT) == (
        "7 look-ups: reading a0.py 1-9, reading a1.py 1-9, reading a2.py 1-9, 2 more"
    )
    assert look_ups(replace(REPORT, lookups=LookupTally(1, ACTIVITIES[:1]))) == (
        "1 look-up: reading a0.py 1-9"
    )


def test_terminal_and_markdown_have_the_line() -> None:
    assert "7 look-ups" in plain(terminal.final_lines(REPORT, width=100))
    assert "7 look-ups" in render.final("markdown")(REPORT)


def test_a_review_without_look_ups_says_nothing_about_them() -> None:
    assert look_ups(report_of()) == ""
    assert "look-up" not in plain(terminal.final_lines(report_of(), width=100))
    assert "look-up" not in render.final("markdown")(report_of())
