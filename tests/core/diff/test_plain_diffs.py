"""Diffs that ``diff -u`` writes."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.diff.parse import DiffLine, parse_diff
from tests.support.parsed_diffs import HEADER, HUNK, one, refusal

if TYPE_CHECKING:
    from pathlib import Path


def diff_u(folder: Path, *arguments: str) -> bytes:
    done = subprocess.run(
        ["diff", *arguments], cwd=folder, capture_output=True, check=False, env={"LC_ALL": "C"}
    )
    assert done.returncode == 1, done.stderr
    return done.stdout


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for side, text in (("old", "one\ntwo\n"), ("new", "one\nTWO")):
        (tmp_path / side / "sub dir").mkdir(parents=True)
        (tmp_path / side / "sub dir" / "f.txt").write_text(text)
        (tmp_path / side / "b and c").write_bytes(b"\0" + text.encode())
    return tmp_path


def test_diff_of_two_files_is_read(folders: Path) -> None:
    file = one(diff_u(folders, "-u", "old/sub dir/f.txt", "new/sub dir/f.txt"))
    assert (file.path, file.status, file.old_mode) == ("sub dir/f.txt", "modified", None)
    assert file.hunks[0].lines == (
        DiffLine("context", 1, 1, "one"),
        DiffLine("removed", 2, None, "two"),
        DiffLine("added", None, 2, "TWO", no_newline=True),
    )


def test_diff_of_two_folders_is_read_with_added_deleted_and_binary_files(folders: Path) -> None:
    (folders / "new" / "added").write_text("x\n")
    (folders / "old" / "gone").write_text("x\n")
    files = parse_diff(diff_u(folders, "-ruN", "old", "new"))
    assert [(file.path, file.status, file.binary) for file in files] == [
        ("added", "added", False),
        ("b and c", "modified", True),
        ("gone", "deleted", False),
        ("sub dir/f.txt", "modified", False),
    ]


def test_a_file_that_diff_only_names_is_refused_with_what_to_do(folders: Path) -> None:
    (folders / "new" / "zzz").write_text("x\n")
    data = diff_u(folders, "-ru", "old", "new")
    assert refusal(data) == (
        len(data.splitlines()),
        'the content of a file is not in the diff: "Only in new: zzz"; make it with: diff -ruN',
    )


def test_a_file_that_became_a_folder_is_refused_too(folders: Path) -> None:
    (folders / "old" / "zzz").write_text("x\n")
    (folders / "new" / "zzz").mkdir()
    line, message = refusal(diff_u(folders, "-ru", "old", "new"))
    assert line > 1
    assert '"File old/zzz is a regular file while file new/zzz is a dire' in message
    # In a mail such words are words.
    assert len(parse_diff(b"Subject: x\n\nOnly in tests: f\n" + HEADER + HUNK)) == 1


@pytest.mark.parametrize(
    ("time", "status"),
    [
        (b"1970-01-01 00:00:00.000000000 +0000", "added"),
        (b"1970-01-01 05:30:00 +0530", "added"),
        (b"1969-12-31 19:00:00.000000000 -0500", "added"),
        (b"1970-01-01 00:00:00.000000000 -0500", "modified"),
        (b"2024-01-01 00:00:00.000000000 +0000", "modified"),
        (b"", "modified"),
    ],
)
def test_the_epoch_as_time_stamp_says_that_there_is_no_file(time: bytes, status: str) -> None:
    data = b"--- old/f\t" + time + b"\n+++ new/f\t2024-01-01 00:00:00\n@@ -0,0 +1 @@\n+a\n"
    assert one(data).status == status


def test_plain_files_of_other_names_keep_both() -> None:
    file = one(b"--- f.orig\n+++ f\n" + HUNK)
    assert (file.old_path, file.new_path, file.path) == ("f.orig", "f", "f")
    file = one(b'--- "a/x\\t"\t2024-01-01\n+++ b/y\n' + HUNK)
    assert (file.old_path, file.new_path) == ("x\t", "y")
    file = one(b"Binary files x and y differ\n")
    assert (file.old_path, file.new_path, file.binary) == ("x", "y", True)


def test_dev_null_beside_lines_of_that_side_is_refused() -> None:
    for names in (b"--- /dev/null\n+++ b/f\n", b"--- a/f\n+++ /dev/null\n"):
        assert refusal(names + HUNK) == (
            1,
            "one side of the file is /dev/null, but the hunks have lines",
        )
    added = b"diff --git a/f b/f\nnew file mode 100644\nindex 00..12\n--- /dev/null\n+++ b/f\n"
    assert refusal(added + HUNK) == (1, "the file header says added, but the hunks do not")
    gone = b"diff --git a/f b/f\ndeleted file mode 100644\nindex 12..00\n--- a/f\n+++ /dev/null\n"
    assert refusal(gone + HUNK) == (1, "the file header says deleted, but the hunks do not")
