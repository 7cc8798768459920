"""Headings of hunks from a parser: where a hunk begins to change a file, and what stays."""

from __future__ import annotations

import pytest

from reviewbot.core.diff.headings import Heading, first_change, with_headings
from reviewbot.core.diff.parse import FileDiff, parse_diff
from reviewbot.core.diff.write import file_diff_text


def file_of(*hunks: str) -> FileDiff:
    (file,) = parse_diff(("--- a/a.py\n+++ b/a.py\n" + "".join(hunks)).encode())
    return file


@pytest.mark.parametrize(
    ("hunk", "line"),
    [
        ("@@ -5,2 +5,3 @@\n a\n+b\n c\n", 6),
        ("@@ -5,3 +5,3 @@\n a\n-b\n+c\n d\n", 6),
        ("@@ -5,3 +5,2 @@\n a\n-b\n d\n", 5),
        ("@@ -5,3 +5,2 @@\n a\n d\n-b\n", 6),
        ("@@ -5,2 +5,1 @@\n-b\n d\n", 5),
        ("@@ -5,1 +4,0 @@\n-b\n", 4),
        ("@@ -5,4 +5,4 @@\n a\n-b\n c\n+e\n d\n", 5),
        ("@@ -5,2 +5,2 @@\n a\n b\n", 6),
    ],
)
def test_the_first_change_is_an_added_line_or_the_line_above_removed_ones(
    hunk: str, line: int
) -> None:
    (found,) = file_of(hunk).hunks
    assert first_change(found) == line


HUNKS = (
    "@@ -5,2 +5,3 @@ class A:\n a\n+b\n c\n",
    "@@ -20,3 +21,3 @@\n a\n-b\n+c\n d\n",
    "@@ -40,2 +41,2 @@ def other():\n-a\n+a @@ b\n c\n",
)


def test_known_headings_replace_those_of_git() -> None:
    file = file_of(*HUNKS)
    new = with_headings(file, {6: Heading(2, "def f(a):"), 22: Heading(20, "def g():")})
    assert [hunk.section for hunk in new.hunks] == ["def f(a):", "def g():", "def other():"]
    assert [hunk.lines for hunk in new.hunks] == [hunk.lines for hunk in file.hunks]
    (again,) = parse_diff(file_diff_text(new))
    assert [hunk.raw for hunk in again.hunks] == [hunk.raw for hunk in new.hunks]


def test_a_header_that_the_hunk_shows_does_not_become_its_heading() -> None:
    file = file_of(*HUNKS)
    new = with_headings(file, {6: Heading(5, "def f(a):"), 22: Heading(22, "def g():")})
    assert [hunk.raw for hunk in new.hunks] == [hunk.raw for hunk in file.hunks]


@pytest.mark.parametrize("text", ["@@ -1 +1 @@", "a @@ b", "\udcff é", "", "x" * 200])
def test_a_hostile_heading_stays_a_heading(text: str) -> None:
    new = with_headings(file_of(*HUNKS), {6: Heading(1, text)})
    assert new.hunks[0].section == text
    (again,) = parse_diff(file_diff_text(new))
    assert [hunk.section for hunk in again.hunks] == [text, "", "def other():"]
