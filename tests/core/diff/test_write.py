"""file_diff_text against parse_diff and against git: what is written is read as the same file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.core.diff.parse import DiffLine, FileDiff, parse_diff
from reviewbot.core.diff.write import file_diff_text
from reviewbot.errors import DiffError
from tests.support.examples import examples
from tests.support.git_trees import Tree, changes, commit, git, options

FIXTURES = Path(__file__).parents[3] / "fixtures" / "awkward-diffs"
HUNK = b"@@ -1,2 +1,2 @@ def f():\n same\n-old\n+new\n"
ADDED = b"@@ -0,0 +1 @@\n+x\n"


def facts(file: FileDiff) -> tuple[Any, ...]:
    """All that a diff says of a file, down to each line."""
    hunks = [
        (hunk.old_start, hunk.old_count, hunk.new_start, hunk.new_count, hunk.section, hunk.lines)
        for hunk in file.hunks
    ]
    return replace(file, hunks=()), hunks


def written(files: tuple[FileDiff, ...]) -> bytes:
    return b"".join(map(file_diff_text, files))


def assert_kept(data: bytes) -> tuple[FileDiff, ...]:
    files = parse_diff(data)
    text = written(files)
    assert list(map(facts, parse_diff(text))) == list(map(facts, files))
    for file in files:  # each can also stand alone, or last
        assert [facts(one) for one in parse_diff(file_diff_text(file))] == [facts(file)]
    assert written(parse_diff(text)) == text
    return files


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("repository")
    git(path, "init", "--quiet", "--bare")
    return path


@settings(max_examples=examples(200))
@given(changes(), options, st.booleans())
def test_what_git_writes_of_awkward_trees_is_the_same_written_again(
    repository: Path, change: tuple[Tree, Tree], arguments: list[str], crlf: bool
) -> None:
    old, new = change
    commits = commit("old", old) + commit("new", new)
    git(repository, "fast-import", "--quiet", "--force", stdin=commits)
    data = git(repository, "diff", "old", "new", *arguments)
    files = assert_kept(data)
    if crlf:
        sent = data.replace(b"\n", b"\r\n")
        assert written(parse_diff(sent)) == written(files)
    if not data:
        return
    # The writer's names and hunks as git itself reads them.
    listed = git(repository, "apply", "--numstat", "-z", stdin=written(files))
    whole = [file for file in files if file.status != "type-changed"]
    if len(whole) == len(files):
        assert listed.split(b"\0")[:-1] == [
            b"%s\t%s\t%s"
            % (*([b"-"] * 2 if file.binary else [b"%d" % file.added, b"%d" % file.removed]),
               os.fsencode(file.path))
            for file in files
        ]  # fmt: skip


def readable(folder: str) -> list[Path]:
    found = []
    for path in sorted((FIXTURES / folder).glob("*.diff")):
        try:
            parse_diff(path.read_bytes())
        except DiffError:
            continue
        found.append(path)
    return found


@pytest.mark.parametrize(
    "path", [*readable("git"), *readable("odd")], ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_every_awkward_diff_that_can_be_read_is_the_same_written_again(path: Path) -> None:
    assert_kept(path.read_bytes())


NAMES = [
    "plain", "with space", "caf\u00e9", "latin\udce9", 'quo"te', "back\\slash", "tab\there",
    "new\nline", "\x01\x7f", " lead", "trail ", "x b/x", "a/b", "dev/null", "\u2028",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("other", ["other", "x y b/z", 'q"q'])
def test_every_name_is_read_back_whatever_became_of_its_file(name: str, other: str) -> None:
    (file,) = parse_diff(b"--- f\n+++ f\n" + HUNK)
    (new,) = parse_diff(b"--- f\n+++ f\n" + ADDED)
    files = (
        FileDiff(name, name, "modified", hunks=file.hunks),
        FileDiff(name, name, "modified", "100644", "100755"),
        FileDiff(name, name, "modified", "100644", "100644", hunks=file.hunks),
        FileDiff(name, name, "modified", binary=True),
        FileDiff(name, other, "modified", binary=True),
        FileDiff(name, other, "modified", hunks=file.hunks),
        FileDiff(name, other, "renamed"),
        FileDiff(name, other, "renamed", hunks=file.hunks),
        FileDiff(name, other, "renamed", binary=True),
        FileDiff(name, other, "copied", "100644", "100755", hunks=file.hunks),
        FileDiff(None, name, "added", hunks=new.hunks),
        FileDiff(None, name, "added", None, "100644"),
        FileDiff(None, name, "added", None, "100644", binary=True),
        FileDiff(None, name, "added", None, "100755", hunks=new.hunks),
        FileDiff(name, None, "deleted", "100644"),
        FileDiff(name, None, "deleted", "120000", binary=True),
    )
    assert list(map(facts, parse_diff(written(files)))) == list(map(facts, files))


def test_a_file_whose_mode_is_not_known_is_a_plain_one_where_there_must_be_a_mode() -> None:
    for file, mode in [
        (FileDiff(None, "f", "added"), (None, "100644")),
        (FileDiff("f", None, "deleted", binary=True), ("100644", None)),
    ]:
        (read,) = parse_diff(file_diff_text(file))
        assert (read.old_mode, read.new_mode) == mode
        assert facts(replace(read, old_mode=None, new_mode=None)) == facts(file)


def test_a_file_without_any_change_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="did not change"):
        file_diff_text(FileDiff("f", "f", "modified"))


def test_names_are_quoted_as_git_quotes_them() -> None:
    assert file_diff_text(FileDiff("a b", 'caf\u00e9"', "renamed")) == (
        b'diff --git a/a b "b/caf\\303\\251\\""\nrename from a b\nrename to "caf\\303\\251\\""\n'
    )


# Hunks in a row.


@pytest.mark.parametrize(
    "data",
    [
        b"--- f\n+++ f\n" + HUNK.removesuffix(b"\n"),  # as a patch of GitHub ends
        b"--- f\r\n+++ f\r\n" + HUNK.replace(b"\n", b"\r\n"),
        b"--- f\r\n+++ f\r\n" + HUNK.replace(b"\n", b"\r\n").removesuffix(b"\n"),
        b"--- f\r\n+++ f\r\n" + HUNK.replace(b"\n", b"\r\n").removesuffix(b"\r\n"),
    ],
)
def test_a_hunk_can_stand_before_another_however_its_lines_ended(data: bytes) -> None:
    (file,) = parse_diff(data)
    assert file.hunks[0].raw == HUNK
    texts = [file_diff_text(file), file_diff_text(FileDiff(None, "g", "added", None, "100644"))]
    read, _ = parse_diff(b"".join(texts))
    assert facts(read) == facts(file)


def test_a_carriage_return_of_the_file_itself_stays() -> None:
    (file,) = parse_diff(b"--- f\n+++ f\n@@ -1 +1,2 @@\n x\r\n+y\r\r\n")
    assert file.hunks[0].raw == b"@@ -1 +1,2 @@\n x\r\n+y\r\r\n"
    (sent,) = parse_diff(b"--- f\r\n+++ f\r\n@@ -1 +1,2 @@\r\n x\r\r\n+y\r\r\r\n")
    assert sent.hunks[0].raw == file.hunks[0].raw
    assert sent.hunks[0].lines == (
        DiffLine("context", 1, 1, "x\r"),
        DiffLine("added", None, 2, "y\r\r"),
    )
