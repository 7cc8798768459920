"""Changed definitions: which lines count, and what the reduced view shows."""

from __future__ import annotations

import pytest

from reviewbot.code.changed_definitions import NAMES, changed_definitions, tokens_of
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk
from reviewbot.core.prompt.numbered import chunk_lines
from tests.support.timing import cpu_at_most


def view(path: str, *lines: str) -> ChunkView:
    """The view of a file with one hunk of these lines of a diff."""
    old = sum(line[0] != "+" for line in lines)
    new = sum(line[0] != "-" for line in lines)
    body = "".join(f"{line}\n" for line in lines)
    (file,) = parse_diff(f"--- a/{path}\n+++ b/{path}\n@@ -1,{old} +1,{new} @@\n{body}".encode())
    (hunk,) = file.hunks
    shown = ShownHunk(1, 1, "", tuple(hunk.lines), (True,) * len(lines))
    return ChunkView("c1", path, None, file.status, 1, 1, (shown,), is_whole=True)


def names(path: str, *lines: str) -> tuple[str, ...]:
    found = changed_definitions(view(path, *lines))
    return found.names if found else ()


@pytest.mark.parametrize(
    ("path", "removed", "expected"),
    [
        ("a.py", "def charge(order):", ("charge",)),
        ("a.py", "    def charge(self):", ("charge",)),
        ("a.py", "RATE = 3", ("RATE",)),
        ("a.py", "class Shop:", ("Shop",)),
        ("a.py", "    total = 3", ()),
        ("a.ts", "    const total = sum(order);", ()),
        ("a.ts", "export const rate = 3;", ("rate",)),
        ("a.py", "    charge(order)", ()),
        ("a.py", "# charge", ()),
        ("a.yml", "  retries: 3", ("retries",)),
        ("a.json", '  "retries": 3,', ("retries",)),
        ("a.toml", "retries = 3", ("retries",)),
        ("a.toml", "# nothing", ()),
        ("a.md", "def charge(order):", ()),
    ],
)
def test_a_removed_line_that_defines_a_name_is_a_changed_definition(
    path: str, removed: str, expected: tuple[str, ...]
) -> None:
    assert names(path, f"-{removed}", "+x") == expected


def test_a_changed_signature_is_a_changed_definition() -> None:
    assert names("a.py", "-def charge(order):", "+def charge(order, rate):") == ("charge",)


def test_added_and_unchanged_definitions_are_not_changed() -> None:
    assert names("a.py", "+def charge(order):", " def refund(order):") == ()


def test_a_moved_definition_is_not_changed() -> None:
    assert names("a.py", "-def charge(order):", " x", "+    def charge(order):") == ()


def test_a_key_with_a_new_value_is_not_changed() -> None:
    assert names("a.yml", "-retries: 3", "+retries: 4") == ()


def test_definitions_that_another_part_of_the_file_owns_are_left_to_it() -> None:
    shown = view("a.py", "-def charge(order):")
    (hunk,) = shown.hunks
    other = ShownHunk(1, 1, "", hunk.lines, (False,))
    assert changed_definitions(ChunkView("c", "a.py", None, "modified", 1, 2, (other,))) is None


def test_the_view_is_reduced_to_the_lines_around_the_definitions() -> None:
    context = [f" line_{number}" for number in range(1, 21)]
    changed = ["-def charge(order):", "+def charge(order, rate):"]
    found = changed_definitions(view("a.py", *context, *changed, *context))
    assert found is not None
    lines = list(chunk_lines(found.view))
    assert lines[1:4] == ["--- hunk", "R16 |line_16", "R17 |line_17"]
    assert lines[7:9] == ["L21-|def charge(order):", "R21+|def charge(order, rate):"]
    assert lines[-1] == "R25 |line_4"
    assert not found.view.is_whole
    assert found.view.tokens == tokens_of([found.view])


def test_names_are_limited() -> None:
    removed = [f"-def charge_{number}(order):" for number in range(3 * NAMES)]
    found = changed_definitions(view("a.py", *removed))
    assert found is not None
    assert len(found.names) == NAMES
    assert len(found.view.hunks[0].lines) < 2 * NAMES


def test_hostile_lines_take_linear_time() -> None:
    lines = ["-" + "a " * 5_000, "-" + "a.b<" * 5_000, "-static " * 5_000, "-" + " " * 20_000] * 50
    with cpu_at_most(50):
        assert names("a.py", *lines) == ()
        assert names("a.yml", *lines) == ()
