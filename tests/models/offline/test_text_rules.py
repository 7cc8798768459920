"""Conflict markers and characters that deceive."""

from __future__ import annotations

import pytest

from reviewbot.core.diff.parse import DiffLine
from reviewbot.models.offline.text_rules import BIDI, CONFLICT, INVISIBLE, check_lines


def check(path: str, text: str, fresh: str = "") -> list[tuple[str, int]]:
    rows = text.split("\n")
    lines = tuple(DiffLine("added", None, number, row) for number, row in enumerate(rows, 1))
    marks = tuple(mark == "+" for mark in fresh.ljust(len(rows), "+"))
    return [(rule, index) for rule, index, _ in check_lines(path, lines, marks)]


def test_one_conflict_is_one_finding() -> None:
    text = "<<<<<<< HEAD\na\n||||||| base\nb\n=======\nc\n>>>>>>> topic"
    assert check("a.txt", text) == [(CONFLICT, 0)]
    assert check("a.txt", f"{text}\nd\n{text}") == [(CONFLICT, 0), (CONFLICT, 8)]


def test_the_rest_of_a_conflict_is_reported_at_its_end() -> None:
    assert check("a.txt", "a\n=======\nb\n>>>>>>> topic") == [(CONFLICT, 3)]
    assert check("a.txt", "a\r\n=======\r\nb\r\n>>>>>>> topic\r") == [(CONFLICT, 3)]


def test_a_conflict_that_was_there_before_is_not_reported() -> None:
    assert check("a.txt", "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> topic", " ++++") == []


@pytest.mark.parametrize(
    "text",
    ["Title\n=======\n", ">>>>>>> quoted mail", "<<<<<<<", "<<<<<<<<< x", " <<<<<<< x", "======="],
)
def test_what_only_looks_like_a_marker_is_left_alone(text: str) -> None:
    assert check("README.rst", text) == []


@pytest.mark.parametrize("path", ["a.py", "a.ts", "a.rs", "a.sh"])
def test_bidi_controls_in_code_are_reported_even_if_balanced(path: str) -> None:
    assert check(path, "a = '\u2067x\u2069'\nb = 1") == [(BIDI, 0)]


@pytest.mark.parametrize("path", ["a.md", "a.po", "a.json", "a.yaml", "a.html", "LICENSE"])
def test_in_prose_only_controls_that_reach_beyond_their_line_are_reported(path: str) -> None:
    text = "\u2067x\u2069\n\u202bx\n\u2069\n\u202e x \u202c"
    assert check(path, text) == [(BIDI, 1), (BIDI, 2)]


@pytest.mark.parametrize("text", ["us\u200ber = 1", "user\u2060", "x = \u200buser", "a.\u00adb"])
def test_invisible_characters_beside_code_are_reported(text: str) -> None:
    assert check("a.py", text) == [(INVISIBLE, 0)]
    assert check("a.md", text) == []


@pytest.mark.parametrize(
    "text",
    ["'👩\u200d👧'", "'\u0646\u0645\u06cc\u200c\u062f\u0627'", "\ufeffimport os", "'\u200b'"],
)
def test_invisible_characters_with_an_honest_use_are_left_alone(text: str) -> None:
    assert check("a.py", text) == []


def test_context_lines_are_not_checked() -> None:
    assert check("a.py", "a\u202e\nus\u200ber", "  ") == []
