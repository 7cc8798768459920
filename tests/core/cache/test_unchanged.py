"""What was reviewed before is known by its content, and in doubt it was not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.cache.unchanged import (
    UnreviewedHunks,
    file_digest,
    fresh_hunks,
    hunk_digest,
    hunk_digests,
    remaining,
)
from reviewbot.core.diff.parse import FileDiff, parse_diff
from tests.github.diff_strategies import diffs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reviewbot.core.diff.parse import Hunk


def reviewed(files: Iterable[FileDiff]) -> Counter[str]:
    """The digests of what was reviewed, without paths that come twice."""
    files = tuple(files)
    often = Counter(file.path for file in files)
    return Counter(
        digest for file in files if often[file.path] == 1 for digest in hunk_digests(file)
    )


def left_of(now: str, before: str, *, skipped: frozenset[str] = frozenset()) -> UnreviewedHunks:
    return remaining(
        parse_diff(now.encode()),
        reviewed(parse_diff(before.encode())),
        (),
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
    left = remaining(files, reviewed(files), (), skipped=lambda _: False)
    assert left.files == ()
    assert left.unchanged == tuple(file.path for file in files)


@given(diffs())
def test_what_was_never_reviewed_is_left_as_it_is(text: str) -> None:
    files = parse_diff(text.encode())
    assert remaining(files, {}, (), skipped=lambda _: False) == UnreviewedHunks(files, ())


@given(diffs(), diffs(), st.sets(st.integers(0, 2)))
def test_every_hunk_is_left_or_was_there_before_one_for_one(
    now: str, before: str, skipped: set[int]
) -> None:
    files, old = parse_diff(now.encode()), parse_diff(before.encode())
    paths = {files[index].path for index in skipped if index < len(files)}
    found = remaining(files, reviewed(old), (), skipped=lambda file: file.path in paths)
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


def test_only_the_replaced_hunk_is_left() -> None:
    now = change("a.py", ONE, hunk(20, "c", "other"), THREE)
    [file] = left_of(now, change("a.py", ONE, TWO, THREE)).files
    assert [content(one)[2][1] for one in file.hunks] == ["other"]


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


def left_by(skipped: Callable[[FileDiff], bool], now: str, before: str) -> UnreviewedHunks:
    known = reviewed(parse_diff(before.encode()))
    return remaining(parse_diff(now.encode()), known, (), skipped=skipped)


def test_what_policy_would_skip_without_the_rest_of_the_file_stays_whole() -> None:
    now, before = change("a.js", ONE, TWO), change("a.js", ONE)
    found = left_by(lambda file: len(file.hunks) < 2 and file.hunks[0].old_start > 1, now, before)
    assert found == UnreviewedHunks(parse_diff(now.encode()), ())


def test_a_rebase_that_shifts_a_hunk_on_both_sides_leaves_nothing() -> None:
    assert left_of(change("a.py", hunk(300, "c", "d")), change("a.py", TWO)).files == ()


def test_lines_beyond_three_of_context_do_not_count() -> None:
    def wide(far: str) -> FileDiff:
        lines = [f" {far}", " 1", " 2", " 3", "-a", "+b", " 4", " 5", " 6", f" {far}"]
        text = "@@ -1,9 +1,9 @@\n" + "".join(f"{line}\n" for line in lines)
        [file] = parse_diff(change("a.py", text).encode())
        return file

    assert hunk_digests(wide("x")) == hunk_digests(wide("y"))


def test_a_mode_that_changes_makes_the_whole_file_new() -> None:
    [plain] = parse_diff(change("a.py", ONE, TWO).encode())
    known = reviewed([plain])
    for old, new, same in (
        ("100644", "100644", True),
        (None, "100755", True),
        (None, None, True),
        ("100644", "100755", False),
    ):
        file = replace(plain, old_mode=old, new_mode=new)
        assert fresh_hunks([file], known, ()) == [None if same else plain.hunks]


def test_a_file_is_known_by_one_digest_as_a_whole() -> None:
    files = parse_diff((change("a.py", ONE, TWO) + change("b.py", ONE)).encode())
    digest = file_digest("a.py", hunk_digests(files[0]))
    found = remaining(files, {}, {digest}, skipped=lambda _: False)
    assert found == UnreviewedHunks((files[1],), ("a.py",))
    grown = parse_diff(change("a.py", ONE, TWO, THREE).encode())
    assert remaining(grown, {}, {digest}, skipped=lambda _: False) == UnreviewedHunks(grown, ())


def test_a_hunk_without_a_change_has_a_digest_of_its_lines() -> None:
    [one] = parse_diff(change("a.py", "@@ -1,2 +1,2 @@\n a\n b\n").encode())
    [two] = parse_diff(change("a.py", "@@ -1,2 +1,2 @@\n a\n c\n").encode())
    assert hunk_digest("a.py", one.hunks[0]) != hunk_digest("a.py", two.hunks[0])
