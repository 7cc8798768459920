"""Edits of a linter as suggestions for whole lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.models.linters.base import TextEdit
from reviewbot.models.linters.fixes import whole_lines

LINES = ["one", "a is 'ü' is b", "three", ""]


def edit(line: int, column: int, end_column: int, text: str, *, end_line: int = 0) -> TextEdit:
    return TextEdit(line, column, end_line or line, end_column, text)


@pytest.mark.parametrize(
    ("edits", "first", "last", "expected"),
    [
        ([edit(2, 3, 5, "==")], 2, 2, "a == 'ü' is b"),
        ([edit(2, 10, 12, "=="), edit(2, 3, 5, "==")], 2, 2, "a == 'ü' == b"),
        ([edit(2, 14, 14, "!")], 2, 2, "a is 'ü' is b!"),
        ([edit(1, 1, 1, "x"), edit(3, 1, 6, "")], 1, 3, "xone\na is 'ü' is b\n"),
        ([edit(1, 4, 1, "", end_line=2)], 1, 2, "onea is 'ü' is b"),
        ([edit(2, 1, 1, "x\n")], 2, 2, "x\na is 'ü' is b"),
    ],
)
def test_edits_are_applied_to_whole_lines(
    edits: list[TextEdit], first: int, last: int, expected: str
) -> None:
    assert whole_lines(edits, LINES, first, last, {1, 2, 3}) == expected


@pytest.mark.parametrize(
    ("edits", "why"),
    [
        ([], "there is none"),
        ([edit(1, 1, 2, "")], "another line than those of the result"),
        ([edit(2, 1, 1, "", end_line=3)], "it ends on another line"),
        ([edit(2, 3, 5, "x"), edit(2, 4, 6, "y")], "they overlap"),
        ([edit(2, 3, 3, "x"), edit(2, 3, 3, "y")], "their order is not known"),
        ([edit(2, 0, 5, "x")], "there is no column 0"),
        ([edit(2, 3, 99, "x")], "the line is shorter"),
        ([edit(2, 5, 3, "x")], "it ends before it starts"),
        ([edit(2, 1, 1, "x", end_line=1)], "it ends on a line before it"),
    ],
)
def test_without_a_clear_result_there_is_no_suggestion(edits: list[TextEdit], why: str) -> None:
    assert whole_lines(edits, LINES, 2, 2, {1, 2, 3}) is None, why


def test_a_line_that_must_not_change_is_never_changed() -> None:
    edits = [edit(2, 3, 5, "==")]
    assert whole_lines(edits, LINES, 1, 3, {1, 3}) is None
    assert whole_lines(edits, LINES, 1, 3, {2}) is not None


positions = st.integers(0, 7)


@given(
    lines=st.lists(st.text("ab", max_size=5), min_size=1, max_size=4),
    edits=st.lists(
        st.builds(TextEdit, positions, positions, positions, positions, st.text("x\n", max_size=3)),
        max_size=3,
    ),
    first=st.integers(1, 4),
    last=st.integers(1, 4),
    changeable=st.sets(st.integers(1, 4)),
)
def test_any_edits_give_a_text_or_none_and_keep_the_lines_around(
    lines: list[str], edits: list[TextEdit], first: int, last: int, changeable: set[int]
) -> None:
    first, last = min(first, len(lines)), min(last, len(lines))
    text = whole_lines(edits, lines, first, last, changeable)
    if text is not None:
        assert edits
        before = sum(map(len, lines[first - 1 : last])) + last - first
        growth = len(text) - before
        assert growth <= sum(len(one.text) for one in edits)
        assert all(first <= one.line <= one.end_line <= last for one in edits)
