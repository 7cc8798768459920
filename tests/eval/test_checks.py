"""Checks: a changed diff has the same lines, its comments map back, and losses are counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reviewbot.core.diff.parse import parse_diff
from reviewbot.eval.change_text import check_report
from reviewbot.eval.checks import REASSURANCE, CheckScore, check_scores, variants
from reviewbot.eval.results import Comment, Result
from reviewbot.eval.statistics import Interval
from tests.support.evaluations import added, case, comment, result

CHANGED = """\
diff --git a/b.js b/b.js
--- a/b.js
+++ b/b.js
@@ -1,3 +1,3 @@ head
 one
-two
+new two
 three
@@ -11,2 +11,3 @@
 eleven
+twelve
 thirteen
"""
TWO = case("two", diff=added("src/a.py", 5) + CHANGED)


def lines_of(diff: str) -> dict[tuple[str, int], str]:
    """The lines of the new files by path and number."""
    return {
        (file.path, line.new_no): line.text
        for file in parse_diff(diff.encode())
        for hunk in file.hunks
        for line in hunk.lines
        if line.new_no is not None
    }


def test_each_check_that_applies_makes_its_cases() -> None:
    names = [one.check for one in variants(TWO)]
    assert names == ["unchanged", "repeated", "renamed", "reordered", "split", "reassured"]
    names = [one.check for one in variants(case("one"))]
    assert names == ["unchanged", "repeated", "renamed", "reassured"]
    text = case("text", diff=added("notes.txt", 3))
    assert [one.check for one in variants(text)] == ["unchanged", "repeated"]
    ids = [each.id for one in variants(TWO) for each in one.cases]
    assert len({*ids}) == len(ids) == 7


@pytest.mark.parametrize("check", ["repeated", "renamed", "reordered", "split", "reassured"])
def test_every_line_maps_back_to_itself(check: str) -> None:
    before = lines_of(TWO.diff)
    (variant,) = [one for one in variants(TWO) if one.check == check]
    after: dict[tuple[str, int], str] = {}
    for one in variant.cases:
        for (path, number), text in lines_of(one.diff).items():
            if REASSURANCE not in text:
                back = variant.back(Comment(path, number, number))
                after[back.path, back.line] = text
    assert after == before


def test_the_reassurance_is_one_comment_in_each_file() -> None:
    (variant,) = [one for one in variants(TWO) if one.check == "reassured"]
    lines = lines_of(variant.cases[0].diff)
    assert lines["src/a.py", 1] == f"# {REASSURANCE}"
    assert lines["b.js", 2] == f"// {REASSURANCE}"
    left = Comment("b.js", 2, 2, side="LEFT")
    assert variant.back(left) == left


def test_renamed_files_keep_folder_and_language() -> None:
    (variant,) = [one for one in variants(TWO) if one.check == "renamed"]
    assert [file.path for file in parse_diff(variant.cases[0].data)] == ["src/a_2.py", "b_2.js"]
    special = case("special", diff=added("Dockerfile", 3))
    assert "renamed" not in [one.check for one in variants(special)]


def reviewed(one: Result, *lines: int) -> Result:
    return replace(one, comments=tuple(comment(line) for line in lines))


def test_lost_and_added_findings_are_counted() -> None:
    cases = [case("one"), case("two")]
    found = [
        result(each.id, contestant="tool")
        for one in cases
        for v in variants(one)
        for each in v.cases
    ]
    results = []
    for one in found:
        if one.case.endswith("~renamed"):
            moved = [replace(comment(line), path="a_2.py") for line in (5, 10)]
            results.append(replace(one, comments=tuple(moved)))
        elif one.case == "two~reassured":
            results.append(reviewed(one, 6, 19))  # 5 stays, 10 is lost, and 18 is new
        elif one.case == "one~reassured":
            results.append(reviewed(one))
        else:
            results.append(reviewed(one, 5, 10))
    repeated, renamed, reassured = check_scores(cases, results)
    assert repeated == CheckScore("tool", "repeated", 2, 4, 0, Interval(0.0, 0.0, 0.0, 2))
    assert replace(renamed, check="repeated") == repeated
    assert (reassured.findings, reassured.added, reassured.lost.value) == (4, 1, 3 / 4)
    text = check_report([repeated, reassured])
    assert "tool        reassured  2      4         75.0 (50.0 to 100.0)  1" in text


def test_a_failed_review_is_no_loss() -> None:
    cases = [case("one")]
    ids = [each.id for v in variants(cases[0]) for each in v.cases]
    results = [result(name, comment(5)) for name in ids]
    results[1] = replace(results[1], comments=(), error="It broke off.")
    assert [one.check for one in check_scores(cases, results)] == ["renamed", "reassured"]
