"""What was reviewed before is known by its content, and in doubt it was not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.diff import FileDiff, parse_diff
from reviewbot.core.unchanged import Remaining, remaining
from tests.github.diff_strategies import diffs

if TYPE_CHECKING:
    from collections.abc import Callable

    from reviewbot.core.diff import Hunk


def left_of(now: str, before: str, *, skipped: frozenset[str] = frozenset()) -> Remaining:
    return remaining(
        parse_diff(now.encode()),
        parse_diff(before.encode()),
        skipped=lambda file: file.path in skipped,
    )


def content(hunk: Hunk) -> tuple[tuple[str, str, bool], ...]:
    return tuple((line.kind, line.text, line.no_newline) for line in hunk.lines)


def change(path: str, *hunks: str, header: str = "") -> str:
    return f"diff --git a/{path} b/{path}\n{header}--- a/{path}\n+++ b/{path}\n{''.join(hunks)}"


def hunk(
    start: int,
    old: str,
    new: str,
    before: str = "above",
    after: str = "below",
    *,
    now: int | None = None,
    section: str = "",
) -> str:
    head = f"@@ -{start},3 +{now or start},3 @@{section}"
    return f"{head}\n {before}\n-{old}\n+{new}\n {after}\n"


ONE, TWO, THREE = hunk(1, "a", "b"), hunk(20, "c", "d"), hunk(40, "e", "f")


@given(diffs())
def test_what_was_reviewed_whole_leaves_nothing(text: str) -> None:
    files = parse_diff(text.encode())
    left = remaining(files, files, skipped=lambda _: False)
    assert left.files == ()
    assert left.unchanged == tuple(file.path for file in files)


@given(diffs())
def test_what_was_never_reviewed_is_left_as_it_is(text: str) -> None:
    files = parse_diff(text.encode())
    assert remaining(files, (), skipped=lambda _: False) == Remaining(files, ())


@given(diffs(), diffs(), st.sets(st.integers(0, 2)))
def test_every_hunk_is_left_or_was_there_before_one_for_one(
    now: str, before: str, skipped: set[int]
) -> None:
    files, old = parse_diff(now.encode()), parse_diff(before.encode())
    paths = {files[index].path for index in skipped if index < len(files)}
    found = remaining(files, old, skipped=lambda file: file.path in paths)
    left = {file.path: file for file in found.files}
    assert left.keys() | set(found.unchanged) == {file.path for file in files}
    assert not left.keys() & set(found.unchanged)
    then = {file.path: file for file in old}
    for file in files:
        kept = Counter(map(content, left[file.path].hunks)) if file.path in left else Counter()
        gone = Counter(map(content, file.hunks)) - kept
        known = Counter(map(content, then[file.path].hunks)) if file.path in then else Counter()
        assert gone <= known
        if file.path in paths:
            assert left[file.path] == file


def test_a_hunk_that_lines_above_it_moved_is_the_same() -> None:
    moved = change("a.py", hunk(20, "c", "d", now=300))
    assert left_of(moved, change("a.py", TWO)).files == ()


def test_the_same_lines_at_another_place_of_the_old_file_are_new() -> None:
    before = change("a.py", hunk(1, "a", "b"), hunk(20, "a", "c"))
    [file] = left_of(change("a.py", hunk(1, "a", "c"), hunk(20, "a", "b")), before).files
    assert len(file.hunks) == 2


@pytest.mark.parametrize(
    "other",
    [
        hunk(1, "a", "B"),
        hunk(1, "A", "b"),
        hunk(1, "a", "b", before="other"),
        hunk(1, "a", "b", after="other"),
        hunk(1, "a", "b ") ,
        hunk(1, "a", "b", section=" def other():"),
        ONE + "\\ No newline at end of file\n",
    ],
)  # fmt: skip
def test_a_hunk_that_differs_in_anything_is_new(other: str) -> None:
    [file] = left_of(change("a.py", other), change("a.py", ONE)).files
    assert len(file.hunks) == 1


def test_the_new_hunk_alone_is_left_of_a_file() -> None:
    [file] = left_of(change("a.py", ONE, TWO), change("a.py", ONE)).files
    assert [content(one)[2][1] for one in file.hunks] == ["d"]


def test_the_same_hunk_twice_needs_two_that_were_reviewed() -> None:
    twice = change("a.py", ONE, hunk(50, "a", "b"))
    [file] = left_of(twice, change("a.py", ONE)).files
    assert len(file.hunks) == 1
    assert left_of(twice, twice).files == ()


def test_a_line_without_its_end_is_not_one_that_looks_so() -> None:
    unended = "@@ -1,2 +1,2 @@\n above\n-x\n\\ No newline at end of file\n+y\n"
    looks_so = "@@ -1,2 +1 @@\n above\n-x\\ay\n"
    assert left_of(change("a.py", looks_so), change("a.py", unended)).unchanged == ()


@pytest.mark.parametrize("undone", [0, 1, 2])
def test_a_file_is_left_whole_if_a_change_in_it_was_undone(undone: int) -> None:
    """What was right only together with it stands there as before."""
    hunks = [ONE, TWO, THREE]
    del hunks[undone]
    [file] = left_of(change("a.py", *hunks), change("a.py", ONE, TWO, THREE)).files
    assert len(file.hunks) == 2


def test_a_change_that_was_replaced_by_another_is_not_undone() -> None:
    now = change("a.py", ONE, hunk(20, "c", "other"), THREE)
    [file] = left_of(now, change("a.py", ONE, TWO, THREE)).files
    assert [content(one)[2][1] for one in file.hunks] == ["other"]


@pytest.mark.parametrize("near", [4, 6])
def test_a_change_is_undone_if_only_its_neighbours_are_changed(near: int) -> None:
    def bare(line: int) -> str:
        return f"@@ -{line} +{line} @@\n-x\n+y\n"

    before = change("a.py", bare(5), bare(9))
    [file] = left_of(change("a.py", bare(near), bare(9)), before).files
    assert len(file.hunks) == 2


def test_lines_that_are_added_without_context_have_a_place_too() -> None:
    first, second = "@@ -5,0 +6 @@\n+x\n", "@@ -9,0 +11 @@\n+y\n"
    both = change("a.py", first, second)
    assert left_of(both, both).files == ()
    [file] = left_of(both, change("a.py", first)).files
    assert len(file.hunks) == 1
    [file] = left_of(change("a.py", first), both).files
    assert len(file.hunks) == 1


def test_a_file_of_another_name_or_kind_is_new() -> None:
    was = change("a.py", ONE)
    assert left_of(change("b.py", ONE), was).unchanged == ()
    added = "diff --git a/a.py b/a.py\nnew file mode 100644\n--- /dev/null\n+++ b/a.py\n"
    added += "@@ -0,0 +1 @@\n+b\n"
    assert left_of(added, was).unchanged == ()


def test_a_path_that_comes_twice_has_no_one_content() -> None:
    once, twice = change("a.py", ONE), change("a.py", ONE) + change("a.py", TWO)
    assert left_of(once, twice).unchanged == ()
    assert left_of(twice, once).unchanged == ()


def test_what_policy_skips_stays_to_be_listed() -> None:
    text = change("a.lock", ONE) + change("a.py", ONE)
    found = left_of(text, text, skipped=frozenset({"a.lock"}))
    assert [file.path for file in found.files] == ["a.lock"]
    assert found.unchanged == ("a.py",)


def left_by(skipped: Callable[[FileDiff], bool], now: str, before: str) -> Remaining:
    return remaining(parse_diff(now.encode()), parse_diff(before.encode()), skipped=skipped)


def test_what_policy_skipped_before_was_not_reviewed() -> None:
    def skipped(file: FileDiff) -> bool:
        return "generated" in [line.text for hunk in file.hunks for line in hunk.lines]

    now, before = change("a.py", ONE, TWO), change("a.py", hunk(1, "a", "generated"), TWO)
    assert left_by(skipped, now, before) == Remaining(parse_diff(now.encode()), ())


def test_what_policy_would_skip_without_the_rest_of_the_file_stays_whole() -> None:
    now, before = change("a.js", ONE, TWO), change("a.js", ONE)
    found = left_by(lambda file: len(file.hunks) < 2 and file.hunks[0].old_start > 1, now, before)
    assert found == Remaining(parse_diff(now.encode()), ())


def test_a_mode_counts_unless_it_is_not_known() -> None:
    [plain] = parse_diff(change("a.py", ONE).encode())

    def with_mode(mode: str | None) -> FileDiff:
        return replace(plain, old_mode=mode, new_mode=mode)

    for now, before, same in (
        ("100644", "100644", True),
        ("100644", "100755", False),
        (None, "100755", True),
        ("100644", None, True),
    ):
        found = remaining([with_mode(now)], [with_mode(before)], skipped=lambda _: False)
        assert bool(found.unchanged) is same
