"""Wider hunks are those that git writes with more context, and they agree with the file."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.core.diff.parse import DiffLine, FileDiff, parse_diff
from reviewbot.core.diff.widen import new_content, widen
from reviewbot.core.diff.write import file_diff_text
from tests.support.examples import examples
from tests.support.git_trees import Entry, awkward_lines, commit, git

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING: Final = 1_000_000
UNENDED: Final = "\\ No newline at end of file\n"


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def lines_of(data: bytes) -> list[str]:
    """The lines with their ends."""
    *lines, last = text_of(data).split("\n")
    return [f"{line}\n" for line in lines] + ([last] if last else [])


def diff_of(old: bytes, new: bytes, context: int) -> FileDiff:
    """The file as a diff with so much context has it."""
    rows = difflib.unified_diff(lines_of(old), lines_of(new), "a/f", "b/f", n=context)
    text = "".join(row if row.endswith("\n") else f"{row}\n{UNENDED}" for row in rows)
    (file,) = parse_diff(text.encode("utf-8", "surrogateescape"))
    return file


def shown(file: FileDiff) -> list[tuple[int, int, int, int, tuple[DiffLine, ...]]]:
    return [
        (hunk.old_start, hunk.old_count, hunk.new_start, hunk.new_count, hunk.lines)
        for hunk in file.hunks
    ]


def changed(file: FileDiff) -> list[DiffLine]:
    return [line for hunk in file.hunks for line in hunk.lines if line.kind != "context"]


def assert_agrees(file: FileDiff, old: bytes, new: bytes) -> None:
    """Each line stands in its file under its number."""
    before, after = lines_of(old), lines_of(new)
    for line in (line for hunk in file.hunks for line in hunk.lines):
        text = line.text if line.no_newline else f"{line.text}\n"
        assert line.old_no is None or before[line.old_no - 1] == text
        assert line.new_no is None or after[line.new_no - 1] == text


@dataclass(frozen=True)
class Change:
    old: bytes
    new: bytes


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """A file of some length with a few places changed; with any ends, and lines of any bytes."""
    lines = st.one_of(awkward_lines, st.integers(0, 99).map(lambda number: b"x = %d" % number))
    old = draw(st.lists(lines, max_size=60))
    new = list(old)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(new)))
        new[at : at + draw(st.integers(0, 3))] = draw(st.lists(lines, max_size=3))

    ends = draw(st.tuples(st.booleans(), st.booleans()))
    contents = (
        b"\n".join(lines) + (b"\n" if lines and ended else b"")
        for lines, ended in zip((old, new), ends, strict=True)
    )
    return Change(*contents)


different = changes().filter(lambda change: change.old != change.new)
contexts = st.one_of(st.integers(0, 15), st.none())


@settings(max_examples=examples(300))
@given(different, st.integers(0, 4), contexts)
def test_a_wider_file_is_what_a_diff_with_more_context_has(
    change: Change, context: int, lines: int | None
) -> None:
    file = diff_of(change.old, change.new, context)
    wide = widen(file, change.new, lines)
    most = EVERYTHING if lines is None else max(context, lines)
    assert shown(wide) == shown(diff_of(change.old, change.new, most))


@settings(max_examples=examples(200))
@given(different, st.integers(0, 4), contexts, st.data())
def test_what_changed_stays_and_all_else_is_unchanged_code_of_the_file(
    change: Change, context: int, lines: int | None, data: st.DataObject
) -> None:
    whole = diff_of(change.old, change.new, context)
    picked = data.draw(st.lists(st.sampled_from(whole.hunks), unique_by=id))
    file = replace(whole, hunks=tuple(hunk for hunk in whole.hunks if hunk in picked))
    wide = widen(file, change.new, lines, whole=whole)
    assert changed(wide) == changed(file)
    assert_agrees(wide, change.old, change.new)
    # What the others changed is not passed off as context.
    others = {line for line in changed(whole) if line not in changed(file)}
    numbers = {line.new_no for hunk in wide.hunks for line in hunk.lines}
    assert not numbers & {line.new_no for line in others if line.new_no is not None}
    # It can be stored, and is read again as the same.
    if wide.hunks:
        (read,) = parse_diff(file_diff_text(wide))
        assert shown(read) == shown(wide)


@given(different)
def test_a_diff_with_all_lines_has_the_new_file(change: Change) -> None:
    assert new_content(diff_of(change.old, change.new, EVERYTHING)) == change.new


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("repository")
    git(path, "init", "--quiet", "--bare")
    return path


@settings(max_examples=examples(60))
@given(different, st.integers(1, 4), st.integers(4, 20))
def test_it_is_what_git_itself_writes(
    repository: Path, change: Change, context: int, lines: int
) -> None:
    trees = ({b"f": Entry("100644", content)} for content in (change.old, change.new))
    commits = b"".join(map(commit, ("old", "new"), trees))
    git(repository, "fast-import", "--quiet", "--force", stdin=commits)

    def diffed(context: int) -> FileDiff:
        (file,) = parse_diff(git(repository, "diff", "old", "new", f"-U{context}"))
        return file

    assert shown(widen(diffed(context), change.new, lines)) == shown(diffed(lines))


CODE = b"".join(b"line %d\n" % number for number in range(1, 41))


def edited(*numbers: int, code: bytes = CODE) -> bytes:
    lines = code.splitlines(keepends=True)
    for number in numbers:
        lines[number - 1] = b"changed\n"
    return b"".join(lines)


def spans(file: FileDiff) -> list[tuple[int, int]]:
    return [(hunk.new_start, hunk.new_start + hunk.new_count - 1) for hunk in file.hunks]


def test_hunks_that_meet_become_one() -> None:
    new = edited(10, 24)
    file = diff_of(CODE, new, 3)
    assert spans(file) == [(7, 13), (21, 27)]
    assert spans(widen(file, new, 6)) == [(4, 16), (18, 30)]
    assert spans(widen(file, new, 7)) == [(3, 31)]


def test_context_ends_where_another_hunk_begins_that_is_not_shown() -> None:
    new = edited(10, 20, 30)
    whole = diff_of(CODE, new, 3)
    file = replace(whole, hunks=(whole.hunks[0], whole.hunks[2]))
    assert spans(widen(file, new, 30, whole=whole)) == [(1, 16), (24, 40)]


def test_a_removal_that_is_not_shown_keeps_its_neighbours_apart() -> None:
    lines = CODE.splitlines(keepends=True)
    new = edited(10, 30).replace(b"line 20\n", b"")
    whole = diff_of(CODE, new, 0)
    assert [hunk.removed for hunk in whole.hunks] == [1, 1, 1]
    file = replace(whole, hunks=(whole.hunks[0], whole.hunks[2]))
    wide = widen(file, new, None, whole=whole)
    assert spans(wide) == [(1, 19), (20, len(lines) - 1)]
    assert_agrees(wide, CODE, new)


def test_one_of_two_hunks_is_not_taken_for_the_whole_change() -> None:
    new = edited(10, 30)
    whole = diff_of(CODE, new, 3)
    # Alone, its new file would have to be another: the numbers behind it do not tell.
    only = replace(whole, hunks=whole.hunks[:1])
    assert spans(widen(only, new, 10, whole=whole)) == [(1, 20)]
    stranger = replace(whole, hunks=diff_of(CODE, edited(15), 3).hunks)
    assert widen(stranger, new, 10, whole=whole) is stranger


def test_a_heading_goes_once_it_is_shown_and_stays_while_it_is_above() -> None:
    code = b"    def total(self):\n" + CODE
    new = edited(13, code=code)
    text = file_diff_text(replace(diff_of(code, new, 3), old_path="f", new_path="f"))
    heading = text.replace(b" @@\n", b" @@ def total(self):\n")
    (file,) = parse_diff(heading)
    assert file.hunks[0].section == "def total(self):"
    assert widen(file, new, 11).hunks[0].section == "def total(self):"
    assert widen(file, new, 12).hunks[0].section == ""
    assert widen(file, new, 12).hunks[0].lines[0].text == "    def total(self):"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a line is another", edited(10).replace(b"line 12", b"line 13")),
        ("the change is not in it", CODE),
        ("it is shorter", edited(10)[:60]),
        ("it is longer above", b"\n" + edited(10)),
        ("its line ends are others", edited(10).replace(b"\n", b"\r\n")),
        ("nothing is there", b""),
        ("other bytes", b"\xff\x00\xfe"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_does_not_fit_changes_nothing(name: str, content: bytes) -> None:
    assert name
    file = diff_of(CODE, edited(10), 3)
    assert widen(file, content, 10) is file


def test_the_end_of_the_file_has_to_fit_too() -> None:
    new = edited(39)
    file = diff_of(CODE, new, 3)
    assert widen(file, new.removesuffix(b"\n"), 10) is file
    unended = diff_of(CODE, new.removesuffix(b"\n"), 3)
    assert widen(unended, new, 10) is unended
    assert spans(widen(unended, new.removesuffix(b"\n"), 10)) == [(29, 40)]


def test_a_last_line_without_a_newline_is_context_without_one() -> None:
    old, new = CODE.removesuffix(b"\n"), edited(30).removesuffix(b"\n")
    wide = widen(diff_of(old, new, 3), new, 10)
    assert wide.hunks[0].raw.endswith(b"\n line 40\n\\ No newline at end of file\n")
    assert wide.hunks[0].lines[-1] == DiffLine("context", 40, 40, "line 40", no_newline=True)


def test_bytes_that_are_not_utf_8_and_carriage_returns_are_kept() -> None:
    code = CODE.replace(b"line 5\n", b"caf\xe9\r\n")
    new = edited(10, code=code)
    wide = widen(diff_of(code, new, 3), new, 10)
    assert b"\n caf\xe9\r\n" in wide.hunks[0].raw
    assert wide.hunks[0].lines[4].text == "caf\udce9\r"


def test_nothing_more_to_show_is_the_file_itself() -> None:
    new = edited(20)
    file = diff_of(CODE, new, 3)
    assert widen(file, new, 3) is file
    whole = diff_of(CODE, new, EVERYTHING)
    assert widen(whole, new, None) is whole
    added = diff_of(b"", new, 3)
    assert widen(added, new, None) is added
    empty = replace(file, hunks=())
    assert widen(empty, new, None) is empty


LIES = {
    "the sides are not as far apart": "@@ -1 +1 @@\n-a\n+changed\n@@ -9 +3 @@\n-x\n+line 3\n",
    "it begins elsewhere on the old side": "@@ -5 +2 @@\n-x\n+line 2\n",
    "hunks overlap": "@@ -1,2 +1,3 @@\n+changed\n line 2\n line 3\n"
    "@@ -2,2 +3,3 @@\n line 3\n+line 4\n line 5\n",
    "it is behind the end of the file": "@@ -70 +69,0 @@\n-x\n",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_diff_that_contradicts_itself_is_left_as_it_is(lie: str) -> None:
    (file,) = parse_diff(f"--- a/f\n+++ b/f\n{lie}".encode())
    assert widen(file, edited(1), 5) is file


def test_a_diff_that_ends_the_old_file_too_early_is_left_as_it_is() -> None:
    lie = f"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-old\n{UNENDED}+changed\n"
    (file,) = parse_diff(lie.encode())
    assert widen(file, edited(1), 5) is file


def test_context_without_a_change_is_left_alone() -> None:
    (file,) = parse_diff(b"--- a/f\n+++ b/f\n@@ -5,2 +5,2 @@\n line 5\n line 6\n")
    assert spans(widen(file, CODE, 2)) == [(3, 8)]
