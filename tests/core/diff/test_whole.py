"""A diff that shows the whole new file is recognised by git's hash of the file."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.diff.parse import FileDiff, parse_diff
from reviewbot.core.diff.whole import added_file, shows_whole_file
from reviewbot.core.diff.widen import new_content
from reviewbot.core.diff.write import file_diff_text

if TYPE_CHECKING:
    from pathlib import Path

LINES = [f"line {number}" for number in range(40)]


def diff_of(folder: Path, old: list[str], new: str, *options: str, kind: str = "sha1") -> FileDiff:
    """The diff that git makes of a file."""
    git = ["git", "-C", str(folder), "-c", "core.autocrlf=false"]
    subprocess.run([*git, "init", "-q", f"--object-format={kind}"], check=True)
    (folder / "a.txt").write_text("".join(f"{line}\n" for line in old), newline="")
    subprocess.run([*git, "add", "a.txt"], check=True)
    (folder / "a.txt").write_text(new, newline="")
    done = subprocess.run([*git, "diff", *options], check=True, capture_output=True)
    (file,) = parse_diff(done.stdout)
    return file


@pytest.mark.parametrize("kind", ["sha1", "sha256"])
@pytest.mark.parametrize("end", ["\n", "", "\r\n"])
def test_a_diff_with_all_lines_is_whole(tmp_path: Path, end: str, kind: str) -> None:
    new = "\n".join([*LINES[:5], "new é", *LINES[6:]]) + end
    file = diff_of(tmp_path, LINES, new, "--unified=100", kind=kind)
    assert shows_whole_file(file)
    (again,) = parse_diff(file_diff_text(file))
    assert again.blobs == file.blobs
    assert shows_whole_file(again)


def test_a_diff_that_ends_before_the_file_is_not(tmp_path: Path) -> None:
    file = diff_of(tmp_path, LINES, "new\n" + "\n".join(LINES) + "\n")
    assert file.hunks[0].new_start == 1
    assert not shows_whole_file(file)


def test_a_diff_that_begins_after_the_start_is_not(tmp_path: Path) -> None:
    assert not shows_whole_file(diff_of(tmp_path, LINES, "\n".join([*LINES, "new"]) + "\n"))


def test_without_a_hash_only_a_new_file_is_whole(tmp_path: Path) -> None:
    file = diff_of(tmp_path, LINES, "new\n", "--unified=100")
    assert shows_whole_file(file)
    assert not shows_whole_file(replace(file, blobs=None))
    assert not shows_whole_file(replace(file, blobs=("1234567", file.blobs[1][:6])))  # type: ignore[index]
    (added,) = parse_diff(b"--- /dev/null\n+++ b/a.txt\n@@ -0,0 +1 @@\n+x\n")
    assert shows_whole_file(added)


def test_a_new_file_in_several_hunks_is_not_whole() -> None:
    text = b"--- /dev/null\n+++ b/a.txt\n@@ -0,0 +1 @@\n+x\n@@ -0,0 +5 @@\n+y\n"
    (file,) = parse_diff(text)
    assert not shows_whole_file(file)


@pytest.mark.parametrize(
    "content", [b"", b"a", b"a\n", b"a\nb", b"\n", b"\n\n", b"a\r\n", b"\xff\n\\ No newline\n"]
)
def test_a_content_becomes_a_diff_that_adds_the_file(content: bytes) -> None:
    file = added_file("a/b.py", content)
    assert (file.path, file.status, file.old_path) == ("a/b.py", "added", None)
    assert new_content(file) == content
    if content:
        assert shows_whole_file(file)
