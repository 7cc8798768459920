"""Whatever the bytes: parse_diff returns or raises DiffError, and never in silence reads a half."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.core.diff.parse import FileDiff, parse_diff
from reviewbot.errors import DiffError
from tests.support.examples import examples

FIXTURES = Path(__file__).parents[3] / "fixtures" / "awkward-diffs"
DIFFS = [path for path in sorted(FIXTURES.glob("*/*.diff")) if path.stat().st_size < 3_000]
SHAPED = st.lists(
    st.sampled_from(
        [
            b"diff --git a/x b/x", b'diff --git "a/\\303" "b/\\303"', b"diff --git a/x y b/x y",
            b"old mode 100644", b"new mode 100755", b"new file mode 100644", b"deleted file mode 1",
            b"index 1234..5678 100644", b"index 0000..e69de29", b"similarity index 100%",
            b"rename from x", b"rename to y", b"copy from x", b"copy to y", b"--- a/x",
            b"--- /dev/null",
            b"+++ b/x", b"+++ /dev/null", b'--- "a', b"@@ -1 +1 @@", b"@@ -1,2 +1,2 @@ f",
            b"@@ -0,0 +1 @@",
            b"@@ -1,0 +1,99999999999 @@", b"@@@ -1 -1 +1 @@@", b"-a", b"+b", b" c", b"", b"\r",
            b"\\ No",
            b"Binary files a/x and b/x differ", b"GIT binary patch", b"literal 1", b"delta 1",
            b"IcmZQz",
            b"Submodule x 1234..5678:", b"  > c", b"-- ", b"2.47", b"\x1b[1mdiff --git",
            b"Only in a: b",
            b"\xff\xfe", b"\xef\xbb\xbf",
        ]
    ),
    max_size=14,
).map(b"\n".join)  # fmt: skip


def read(data: bytes) -> tuple[FileDiff, ...] | None:
    """The files with every line looked at, or None if refused. Anything else raised is a bug."""
    try:
        files = parse_diff(data)
    except DiffError as error:
        assert 1 <= error.line <= data.count(b"\n") + 1
        assert error.message
        assert error.message.isprintable()
        return None
    for file in files:
        assert file.path is not None
        for hunk in file.hunks:
            lines = hunk.lines
            kinds = [line.kind for line in lines]
            assert kinds.count("added") == hunk.added
            assert kinds.count("removed") == hunk.removed
            assert len(lines) - hunk.added == hunk.old_count
            assert len(lines) - hunk.removed == hunk.new_count
            assert "\n" not in hunk.section
            raw = [(line.kind, line.text.encode("utf-8", "surrogateescape")) for line in lines]
            assert list(hunk.iter_raw()) == raw
    return files


@given(st.one_of(st.binary(), SHAPED, SHAPED.map(lambda data: data + b"\n")))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read(data)


@settings(max_examples=examples(400))
@given(st.sampled_from(DIFFS), st.data())
def test_a_diff_with_bytes_changed_is_read_or_refused(path: Path, data: st.DataObject) -> None:
    diff = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(diff)))
        diff[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.one_of(st.binary(max_size=2), st.sampled_from([b"\n", b"\r\n", b"+", b"-", b'"']))
        )
    read(bytes(diff))


@pytest.mark.parametrize("path", DIFFS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_diff_cut_at_any_byte_is_read_or_refused(path: Path) -> None:
    whole = path.read_bytes()
    for end in range(len(whole)):
        read(whole[:end])


GIT = [path for path in DIFFS if path.parent.name == "git"]


@pytest.mark.parametrize("path", GIT, ids=lambda path: path.stem)
def test_a_git_diff_cut_short_is_refused_unless_it_could_be_a_whole_one(path: Path) -> None:
    whole = path.read_bytes()
    for end in range(1, len(whole)):
        if read(whole[:end]) is None:
            continue
        # In the last line of a hunk, whose letters nobody counts, or behind a change of mode, which
        # is all of a file as often as not.
        line_end = whole.find(b"\n", end - 1) + 1
        last_line = whole[: line_end - 1].rpartition(b"\n")[2]
        following = whole[line_end:]
        assert (
            not following
            or following.startswith((b"@@ ", b"diff --git ", b"\\ No newline"))
            or last_line.startswith(b"new mode ")
        )
