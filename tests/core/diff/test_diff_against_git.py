"""parse_diff against git itself: random trees, git's diff of them, every line beside its blob."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from reviewbot.core.diff.parse import parse_diff
from tests.support.examples import examples
from tests.support.git_trees import (
    Tree,
    assert_lines_are_the_blobs,
    changes,
    commit,
    git,
    options,
)

if TYPE_CHECKING:
    from pathlib import Path

STATUS = {
    "A": "added", "D": "deleted", "M": "modified", "R": "renamed", "C": "copied",
    "T": "type-changed",
}  # fmt: skip


# Those that decide which files there are; most of the others would add the patch to the list.
LISTING = {"-M", "-C", "--no-renames", "-B", "-M10%", "--text", "-R"}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("repository")
    git(path, "init", "--quiet", "--bare")
    return path


def file_list(raw: bytes) -> list[dict[str, object]]:
    """What ``git diff --raw --numstat -z`` lists, in our terms."""
    fields = iter(raw.split(b"\0")[:-1])
    files: list[dict[str, object]] = []
    counts: list[bytes] = []
    for field in fields:
        if not field.startswith(b":"):
            counts.append(field)
            if not field.split(b"\t", 2)[2]:  # a rename: both names follow
                next(fields), next(fields)
            continue
        old_mode, new_mode, _, _, code = field[1:].decode().split(" ")
        status = STATUS[code[0]]
        old = next(fields).decode("utf-8", "surrogateescape")
        moved = status in ("renamed", "copied")
        new = next(fields).decode("utf-8", "surrogateescape") if moved else old
        files.append(
            {
                "status": status,
                "old_path": None if status == "added" else old,
                "new_path": None if status == "deleted" else new,
                "old_mode": None if status == "added" else old_mode,
                "new_mode": None if status == "deleted" else new_mode,
            }
        )
    for file, count in zip(files, counts, strict=True):
        added, removed = count.split(b"\t")[:2]
        file["binary"] = added == b"-"
        file["added"], file["removed"] = (0, 0) if added == b"-" else (int(added), int(removed))
    return files


@settings(max_examples=examples(250))
@given(changes(), options, st.booleans())
def test_files_and_lines_are_those_of_git(
    repository: Path, change: tuple[Tree, Tree], arguments: list[str], quote: bool
) -> None:
    old, new = change
    commits = commit("old", old) + commit("new", new)
    git(repository, "fast-import", "--quiet", "--force", stdin=commits)
    diff = ["-c", f"core.quotePath={str(quote).lower()}", "diff", "old", "new"]
    data = git(repository, *diff, *arguments)
    deciding = [argument for argument in arguments if argument in LISTING]
    listed = file_list(git(repository, *diff, *deciding, "--raw", "--numstat", "-z"))
    files = parse_diff(data)
    if "-R" in arguments:
        old, new = new, old
    for file, expected in zip(files, listed, strict=True):
        event(file.status)
        moved = file.status in ("renamed", "copied")
        if moved and file.old_mode is None and not file.hunks:
            # Without a change of mode a pure rename has no line that tells it.
            assert expected["old_mode"] == expected["new_mode"]
            expected |= {"old_mode": None, "new_mode": None}
        if expected["binary"] and "--text" in arguments:
            # --numstat has no lines of it, the patch does.
            del expected["added"], expected["removed"]
            expected["binary"] = False
        elif file.status == "type-changed":
            # The patch takes the old content away whole and brings the new; --numstat compares.
            del expected["added"], expected["removed"]
        if expected["binary"] and not file.binary and not file.hunks:
            # Where only the mode or the name changed, the patch has no reason to tell.
            assert old[os.fsencode(file.old_path or "")].content in {
                e.content for e in new.values()
            }
            del expected["binary"]
        assert {key: getattr(file, key) for key in expected} == expected
        if not file.binary:
            assert_lines_are_the_blobs(file, old, new)
