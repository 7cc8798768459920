"""Lines on what changed in each file: checked, made safe, and joined."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.findings.file_changes import (
    CHANGE_LIMIT,
    FileChange,
    checked_changes,
    joined_changes,
)
from reviewbot.core.findings.toolstream import ToolStream

PATHS = ("a.py", "web/größe.ts", "odd\udcff.py")


def written(report: str) -> tuple[tuple[str, str], ...]:
    stream = ToolStream()
    stream.feed(report)
    return stream.close().files


def test_each_file_of_the_request_keeps_its_first_line() -> None:
    lines = [("a.py", "adds a"), ("a.py", "again"), ("web/größe.ts", "doubles the size")]
    assert checked_changes(lines, PATHS) == (
        FileChange("a.py", "adds a"),
        FileChange("web/größe.ts", "doubles the size"),
    )


def test_a_path_is_recognised_as_it_was_shown() -> None:
    assert checked_changes([(r"odd\xff.py", "adds a")], PATHS) == (
        FileChange("odd\udcff.py", "adds a"),
    )


def test_other_paths_and_empty_lines_are_dropped() -> None:
    assert checked_changes([("made/up.py", "x"), ("a.py", " \n"), ("", "x")], PATHS) == ()


def test_a_line_is_safe_and_has_no_secret() -> None:
    token = "ghp_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"
    [one] = checked_changes([("a.py", f"tells @everyone <b>\x1b[2J\n{token}")], PATHS)
    assert "`@everyone`" in one.change
    assert "\n" not in one.change
    assert "\x1b" not in one.change
    assert token not in one.change


@given(st.text(min_size=1, max_size=400))
def test_a_line_is_short_and_stays_as_it_is(text: str) -> None:
    for one in checked_changes([("a.py", text)], PATHS):
        assert len(one.change) <= CHANGE_LIMIT
        assert checked_changes([("a.py", one.change)], PATHS) == (one,)


def test_lines_about_the_parts_of_a_file_are_joined_within_the_limit() -> None:
    parts = [
        FileChange("a.py", "adds a"),
        FileChange("b.py", "drops b"),
        FileChange("a.py", "adds a"),
        FileChange("a.py", "tests it"),
    ]
    assert joined_changes(parts) == {"a.py": "adds a; tests it", "b.py": "drops b"}
    [line] = joined_changes(FileChange("a.py", f"{n} " * 30) for n in range(9)).values()
    assert len(line) <= CHANGE_LIMIT


def test_a_report_states_its_files() -> None:
    report = (
        '{"findings": [], "files": [{"path": "a.py", "change": "adds a"},'
        ' {"change": "drops b", "path": "b.py"}], "outcome": "complete"}'
    )
    assert written(report) == (("a.py", "adds a"), ("b.py", "drops b"))


@pytest.mark.parametrize(
    "files",
    [
        "null",
        '"a.py"',
        "{}",
        '{"path": "a.py", "change": "x"}',
        "[]",
        '["a.py", ["a.py", "x"], 7, null]',
        '[{"path": "a.py"}, {"change": "x"}, {}]',
        '[{"path": 1, "change": "x"}, {"path": "a.py", "change": null}]',
        '[{"path": {"path": "a.py", "change": "x"}, "change": ["x"]}]',
        '[{"path": "a.py"}, ["change", "x"]]',
    ],
)
def test_entries_of_another_shape_are_dropped_and_the_report_stays_complete(files: str) -> None:
    stream = ToolStream()
    stream.feed(f'{{"findings": [{{"a": 1}}], "files": {files}, "outcome": "complete"}}')
    report = stream.close()
    assert (report.complete, report.problem, report.files) == (True, None, ())
    assert stream.drain() == [{"a": 1}]


def test_files_of_a_truncated_report_are_those_that_were_complete() -> None:
    assert written('{"findings": [], "files": [{"path": "a.py", "change": "x"}, {"path": "b') == (
        ("a.py", "x"),
    )


def test_number_and_size_of_files_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reviewbot.core.findings.toolstream.MAX_FILES", 2)
    monkeypatch.setattr("reviewbot.core.findings.toolstream.MAX_FILE_CHARS", 4)
    many = ", ".join(f'{{"path": "{n}.py", "change": "changes"}}' for n in range(9))
    assert written(f'{{"findings": [], "files": [{many}]}}') == (("0.py", "chan"), ("1.py", "chan"))
