"""Where the code of earlier findings is now, and which files are read to know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.core.diff.parse import parse_diff
from reviewbot.github.state.fingerprint import Fingerprint
from reviewbot.github.state.relocate import HeadCode, read_head_code
from tests.support import github_records

if TYPE_CHECKING:
    from reviewbot.core.findings.finding import Side
    from reviewbot.github.state.block import Record

MODIFIED = """\
diff --git a/a.py b/a.py
--- a/a.py
+++ b/a.py
@@ -1,3 +1,3 @@
 top
-old
+new
 end
"""
RENAMED = """\
diff --git a/old.py b/moved.py
similarity index 90%
rename from old.py
rename to moved.py
--- a/old.py
+++ b/moved.py
@@ -1,2 +1,2 @@
 kept
-one
+two
"""
ADDED = """\
diff --git a/n.py b/n.py
new file mode 100644
--- /dev/null
+++ b/n.py
@@ -0,0 +1,2 @@
+first
+bad()
"""
FILES = parse_diff((MODIFIED + RENAMED + ADDED).encode())


def code(*lines: str) -> Fingerprint:
    found = Fingerprint.of(lines)
    assert found
    return found


def record(path: str, *lines: str, side: Side = "RIGHT", line: int = 1, id_: str = "0") -> Record:
    text = str(code(*lines)) if lines else ""
    return github_records.record(
        id=id_ * 16, path=path, side=side, line=line, fingerprint=text, severity="error"
    )


def test_code_is_found_on_its_side_of_the_diff() -> None:
    head = HeadCode(FILES, {})
    assert head.places("a.py", "RIGHT", code("new", "end")) == [range(2, 4)]
    assert head.places("a.py", "LEFT", code("old")) == [range(2, 3)]
    assert head.places("a.py", "LEFT", code("top")) == []
    assert head.places("a.py", "RIGHT", code("old")) == []
    assert head.places("gone.py", "RIGHT", code("old")) == []


def test_a_whole_file_is_searched_beyond_its_diff() -> None:
    head = HeadCode(FILES, {"a.py": ["top", "new", "end", "far", "far"]})
    assert head.places("a.py", "RIGHT", code("far")) == [range(4, 5), range(5, 6)]


def test_whole_added_and_missing_files_and_removed_lines_are_known() -> None:
    head = HeadCode(FILES, {"a.py": None, "b.py": [], "c.py": None})
    assert [head.is_known(path, "RIGHT") for path in ("n.py", "b.py", "a.py", "moved.py")] == [
        *(True, True, False, False)
    ]
    assert head.is_known("a.py", "LEFT")


def test_a_record_follows_its_file() -> None:
    head = HeadCode(FILES, {"gone.py": [], "there.py": ["bad()"]})
    assert head.path_of(record("a.py", "bad()")) == "a.py"
    assert head.path_of(record("old.py", "kept")) == "moved.py"
    assert head.path_of(record("gone.py", "bad()")) == "n.py"
    assert head.path_of(record("gone.py", "nowhere")) == "gone.py"
    assert head.path_of(record("gone.py")) == "gone.py"
    assert head.path_of(record("gone.py", "end")) == "gone.py"  # a.py had that line before
    assert head.path_of(record("gone.py", "new")) == "a.py"
    assert head.path_of(record("gone.py", "old", side="LEFT")) == "a.py"
    assert head.path_of(record("there.py", "bad()")) == "there.py"


async def test_a_file_is_read_if_its_diff_does_not_show_the_code() -> None:
    read: list[str] = []

    async def read_file(path: str) -> list[str] | None:
        read.append(path)
        return ["far"]

    records = [
        record("a.py", "new", id_="1"),
        record("n.py", "nowhere", id_="2"),
        record("moved.py", "far", id_="3"),
        record("b.py", "far", id_="4"),
        record("c.py", "far", id_="5"),
        record("a.py", "gone", side="LEFT", id_="6"),
        record("d.py", id_="7"),
    ]
    head = await read_head_code(FILES, records, {"5" * 16}, read_file)
    assert read == ["b.py", "moved.py"]
    assert head.places("moved.py", "RIGHT", code("far")) == [range(1, 2)]


async def test_a_file_is_read_if_its_diff_shows_fewer_copies_than_there_were() -> None:
    read: list[str] = []

    async def read_file(path: str) -> list[str] | None:
        read.append(path)
        return None

    both = [record("a.py", "new", id_="1", line=2), record("a.py", "new", id_="2", line=40)]
    await read_head_code(FILES, both[:1], (), read_file)
    assert read == []
    await read_head_code(FILES, both, {"1" * 16}, read_file)
    assert read == ["a.py"]


def test_a_file_in_which_a_search_was_given_up_is_not_known() -> None:
    whole = {"a.py": ["x"] * 100_000}
    head = HeadCode((), whole)
    assert head.is_known("a.py", "RIGHT")
    head.places("a.py", "RIGHT", code(*["x"] * 5_000))
    assert not head.is_known("a.py", "RIGHT")
