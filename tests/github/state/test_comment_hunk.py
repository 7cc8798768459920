"""The hunk of a comment as a diff: the same lines under the same numbers, and only so many."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.diff.parse import DiffLine, parse_diff
from reviewbot.errors import ReviewbotError
from reviewbot.github.api.records import Author
from reviewbot.github.api.reviews import ReviewComment
from reviewbot.github.state import comment_hunk
from reviewbot.github.state.comment_hunk import MOST_BYTES, MOST_LINES, comment_diff
from tests.support.planted_secrets import BEGIN, BODY, KEY


def comment(hunk: str, path: str = "app.py") -> ReviewComment:
    values: dict[str, Any] = dict.fromkeys(ReviewComment.__dataclass_fields__)
    return ReviewComment(
        **values
        | {"author": Author("reviewbot[bot]", 1, is_bot=True), "path": path, "diff_hunk": hunk}
    )


def lines_of(diff: bytes | None) -> tuple[DiffLine, ...]:
    assert diff is not None
    [file] = parse_diff(diff)
    [hunk] = file.hunks
    return hunk.lines


def test_the_lines_keep_their_numbers_though_the_hunk_ends_early() -> None:
    hunk = "@@ -9,30 +12,31 @@ def charge():\n a\n-b\n+c\n+d"
    assert lines_of(comment_diff(comment(hunk))) == (
        DiffLine("context", 9, 12, "a"),
        DiffLine("removed", 10, None, "b"),
        DiffLine("added", None, 13, "c"),
        DiffLine("added", None, 14, "d"),
    )
    [file] = parse_diff(comment_diff(comment(hunk)) or b"")
    assert (file.path, file.status, file.hunks[0].section) == (
        "app.py",
        "modified",
        "def charge():",
    )


@pytest.mark.parametrize(
    ("hunk", "line"),
    [
        ("@@ -0,0 +1,3 @@\n+a\n+b", DiffLine("added", None, 2, "b")),
        ("@@ -7,3 +6,0 @@\n-a\n-b", DiffLine("removed", 8, None, "b")),
        ("@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n", DiffLine("added", None, 1, "b")),
        ("@@ -1 +1 @@\n-a\n+b\r", DiffLine("added", None, 1, "b\r")),
        ("@@ -1 +1 @@\n-a\n+\x85\u2028--- x", DiffLine("added", None, 1, "\x85\u2028--- x")),
    ],
)
def test_odd_hunks_are_read_right(hunk: str, line: DiffLine) -> None:
    assert lines_of(comment_diff(comment(hunk)))[-1] == line


@pytest.mark.parametrize("path", ["a b.py", 'q"\\.py', "größe.ts", "tab\t.py", "-x", "a/b -> c"])
def test_a_path_comes_back_as_it_is(path: str) -> None:
    [file] = parse_diff(comment_diff(comment("@@ -1 +1 @@\n-a\n+b", path)) or b"")
    assert (file.old_path, file.new_path) == (path, path)


@given(
    st.integers(1, 500),
    st.integers(1, 500),
    st.lists(st.tuples(st.sampled_from("+- "), st.integers(0, 300)), min_size=1, max_size=450),
)
def test_of_a_long_hunk_the_last_lines_are_kept_under_their_numbers(
    old: int, new: int, drawn: list[tuple[str, int]]
) -> None:
    marked = [f"{mark}{number}{'x' * size}" for number, (mark, size) in enumerate(drawn)]
    expected = []
    for line in marked:
        numbers = (None if line[0] == "+" else old, None if line[0] == "-" else new)
        expected.append((*numbers, line[1:]))
        old, new = old + (line[0] != "+"), new + (line[0] != "-")
    counts = [sum(one[side] is not None for one in expected) for side in (0, 1)]
    starts = [
        next((one[side] for one in expected if one[side] is not None), None) for side in (0, 1)
    ]
    sides = [
        f"{start if count else after - 1},{count}"
        for start, count, after in zip(starts, counts, (old, new), strict=True)
    ]
    hunk = f"@@ -{sides[0]} +{sides[1]} @@\n" + "\n".join(marked)
    shown = lines_of(comment_diff(comment(hunk)))
    assert [(one.old_no, one.new_no, one.text) for one in shown] == expected[-len(shown) :]
    size = sum(len(one.text) + 2 for one in shown)
    assert len(shown) <= MOST_LINES
    assert size <= MOST_BYTES
    room = len(shown) < min(MOST_LINES, len(marked))
    assert not room or size + len(marked[-len(shown) - 1]) + 1 > MOST_BYTES


@pytest.mark.parametrize(
    "hunk",
    [
        "",
        "@@ -1 +1 @@",
        "no header\n+a",
        "@@ -1 +1 @@\n-a\n+" + "x" * MOST_BYTES,
        "@@ -0 +0 @@\n a",
    ],
)
def test_without_a_line_that_can_be_shown_there_is_no_diff(hunk: str) -> None:
    assert comment_diff(comment(hunk)) is None


def test_a_path_that_no_diff_can_name_is_no_diff() -> None:
    assert comment_diff(comment("@@ -1 +1 @@\n-a\n+b", "a\ud800b")) is None


def test_the_rest_of_a_key_that_begins_above_the_shown_lines_is_redacted() -> None:
    lines = [f"+{line}" for line in (BODY[:4] * 60)[: MOST_LINES + 20]]
    count = len(lines) + 1
    hunk = "\n".join([f"@@ -0,0 +1,{count} @@", f"+{BEGIN}", *lines])
    shown = {line.text for line in lines_of(comment_diff(comment(hunk)))}
    assert shown == {KEY}


def test_a_hunk_that_cannot_be_searched_for_secrets_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: str) -> str:
        raise ReviewbotError("the search failed")

    monkeypatch.setattr(comment_hunk, "redact_text", fail)
    assert comment_diff(comment("@@ -1 +1 @@\n+a")) is None
