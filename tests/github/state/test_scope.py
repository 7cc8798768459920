"""Which lines a review has read, and which hunks the next one need not read."""

from __future__ import annotations

import pytest

from reviewbot.core.cache.unchanged import hunk_digests
from reviewbot.core.events.events import CoverageStatus, FileCoverage
from reviewbot.core.events.report import Report
from reviewbot.github.state.block import StateBlock
from reviewbot.github.state.scope import reviewed_hunks, reviewed_now
from tests.support.github_pushes import files_of

LINES = [f"line {number}" for number in range(1, 61)]
BASE = {"a.py": LINES, "b.py": ["b"]}
FIRST = {"a.py": ["new", *LINES], "b.py": ["c"]}
THEN = {"a.py": ["new", *LINES, "last"], "b.py": ["c"]}


def block_of(head: dict[str, list[str]]) -> StateBlock:
    digests = [one for file in files_of(BASE, head) for one in hunk_digests(file)]
    return StateBlock("", {one: digests.count(one) for one in digests})


def test_a_review_of_everything_reads_all_hunks() -> None:
    files = files_of(BASE, THEN)
    for block, full in ((None, False), (block_of(THEN), True)):
        was_read = reviewed_now(files, block, full=full)
        assert was_read("a.py", "RIGHT", range(1, 2))
        assert was_read("a.py", "RIGHT", range(62, 63))
        assert was_read("b.py", "LEFT", range(1, 2))
        assert was_read("a.py", "RIGHT", None)


def test_a_review_of_a_push_reads_its_hunks_alone() -> None:
    was_read = reviewed_now(files_of(BASE, THEN), block_of(FIRST), full=False)
    assert was_read("a.py", "RIGHT", range(62, 63))
    assert not was_read("a.py", "RIGHT", range(1, 2))
    assert not was_read("a.py", "RIGHT", None)
    assert not was_read("b.py", "RIGHT", range(1, 2))


def test_lines_outside_of_the_diff_are_not_read() -> None:
    was_read = reviewed_now(files_of(BASE, THEN), None, full=True)
    assert not was_read("a.py", "RIGHT", range(30, 31))
    assert not was_read("a.py", "RIGHT", range(1, 63))
    assert not was_read("c.py", "RIGHT", range(1, 2))


@pytest.mark.parametrize("status", ["reviewed", "partly", "failed", "skipped"])
def test_the_next_review_reads_again_what_this_one_could_not_read(status: CoverageStatus) -> None:
    files = files_of(BASE, THEN)
    coverage = (FileCoverage("a.py", "reviewed"), FileCoverage("b.py", status))
    known = reviewed_hunks(files, Report("incomplete", coverage=coverage))
    assert [*known] == (["a.py", "b.py"] if status == "reviewed" else ["a.py"])
    assert known["a.py"] == hunk_digests(files[0])


def test_the_next_review_reads_again_what_this_one_could_not_post() -> None:
    files = files_of(BASE, THEN)
    coverage = tuple(FileCoverage(file.path, "reviewed") for file in files)
    assert [*reviewed_hunks(files, Report("clean", coverage=coverage), {"a.py"})] == ["b.py"]
