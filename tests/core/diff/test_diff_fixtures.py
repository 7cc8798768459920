"""fixtures/awkward-diffs: git's read without one difference, odd ones read right or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reviewbot.core.diff.parse import FileDiff, parse_diff
from reviewbot.errors import DiffError

FIXTURES = Path(__file__).parents[3] / "fixtures" / "awkward-diffs"
GIT = sorted((FIXTURES / "git").glob("*.diff"))
ODD = sorted((FIXTURES / "odd").glob("*.diff"))
STATUS = {
    "A": "added", "D": "deleted", "M": "modified", "R": "renamed", "C": "copied",
    "T": "type-changed",
}  # fmt: skip


def listed_by_git(entry: dict[str, Any], *, modes_told: bool) -> dict[str, Any]:
    """An entry of git's file list in our terms."""
    status = STATUS[entry["status"][0]]
    added, deleted = status == "added", status == "deleted"
    return {
        "status": status,
        "old_path": None if added else entry["old"],
        "new_path": None if deleted else entry["new"],
        "old_mode": entry["old_mode"] if modes_told and not added else None,
        "new_mode": entry["new_mode"] if modes_told and not deleted else None,
        "binary": entry["binary"],
        "added": entry["added"] or 0,
        "removed": entry["removed"] or 0,
    }


def as_read(file: FileDiff) -> dict[str, Any]:
    keys = (
        "status", "old_path", "new_path", "old_mode", "new_mode", "binary", "added", "removed",
    )  # fmt: skip
    return {key: getattr(file, key) for key in keys}


def outcome(data: bytes) -> dict[str, Any]:
    """What an X.expected.json holds."""
    try:
        files = parse_diff(data)
    except DiffError as error:
        return {"refused": error.message, "line": error.line}
    return {
        "files": [
            as_read(file)
            | {
                "hunks": [
                    [hunk.old_start, hunk.old_count, hunk.new_start, hunk.new_count, hunk.section]
                    for hunk in file.hunks
                ],
                "lines": [
                    [line.kind[0], line.old_no, line.new_no, line.text, line.no_newline]
                    for hunk in file.hunks
                    for line in hunk.lines
                    if line.kind != "context"
                ][-3:],
            }
            for file in files
        ]
    }


def test_the_fixtures_are_there() -> None:
    assert len(GIT) >= 60
    assert len(ODD) >= 25


@pytest.mark.parametrize("path", GIT, ids=lambda path: path.stem)
def test_git_diffs_are_read_without_one_difference_to_gits_own_file_list(path: Path) -> None:
    data = path.read_bytes()
    listed = json.loads(path.with_suffix(".json").read_text())["files"]
    # A pure rename has no line with a mode: the diff does not tell it.
    expected = [
        listed_by_git(entry, modes_told=not (entry["status"] == "R100" and b"mode" not in data))
        for entry in listed
    ]
    assert [as_read(file) for file in parse_diff(data)] == expected


@pytest.mark.parametrize("path", GIT, ids=lambda path: path.stem)
def test_every_hunk_has_the_lines_that_its_header_counts(path: Path) -> None:
    for file in parse_diff(path.read_bytes()):
        for hunk in file.hunks:
            lines = hunk.lines
            olds = [line.old_no for line in lines if line.old_no is not None]
            news = [line.new_no for line in lines if line.new_no is not None]
            assert olds == list(range(hunk.old_start, hunk.old_start + hunk.old_count))
            assert news == list(range(hunk.new_start, hunk.new_start + hunk.new_count))


@pytest.mark.parametrize("path", ODD, ids=lambda path: path.stem)
def test_odd_diffs_are_read_right_or_refused_in_the_recorded_words(path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected.json").read_text())
    assert outcome(path.read_bytes()) == expected
