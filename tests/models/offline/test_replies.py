"""Replies of a parser process that hostile text has taken over."""

from __future__ import annotations

from typing import Any

import pytest

from reviewbot.models.offline.replies import read_code_lines, read_enclosing

TEXT = "a = 1\nb = 2\nc = 3"
GOOD = {"first": 1, "last": 2, "header": "def f():"}


def test_valid_replies_are_read() -> None:
    found = read_enclosing({"enclosing": [GOOD, None]}, TEXT, [2, 3])
    assert found is not None
    assert found[1] is None
    assert read_code_lines({"code_lines": [3, 1]}, TEXT) == frozenset({1, 3})


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"enclosing": None},
        {"enclosing": 7},
        {"enclosing": []},
        {"enclosing": [GOOD, GOOD]},
        {"enclosing": [7]},
        {"enclosing": [GOOD | {"first": 0}]},
        {"enclosing": [GOOD | {"first": 3}]},
        {"enclosing": [GOOD | {"last": 1}]},
        {"enclosing": [GOOD | {"last": 4}]},
        {"enclosing": [GOOD | {"last": True}]},
        {"enclosing": [GOOD | {"header": 7}]},
        {"enclosing": [GOOD | {"header": "x" * 201}]},
        {"enclosing": [GOOD | {"header": "a\nb"}]},
    ],
)
def test_definitions_that_do_not_fit_the_line_are_not_used(reply: dict[str, Any]) -> None:
    assert read_enclosing(reply, TEXT, [2]) is None


@pytest.mark.parametrize("lines", [None, 7, {}, [0], [4], [True], ["1"], [1.0], [[1]]])
def test_lines_that_the_text_lacks_are_not_code(lines: object) -> None:
    assert read_code_lines({"code_lines": lines}, TEXT) is None
