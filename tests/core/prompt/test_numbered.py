"""Chunks as numbered lines: every line has a prefix and can be read back."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.diff.numbered_line import NumberedLine, format_line, parse_line
from reviewbot.core.diff.parse import DiffLine, FileStatus
from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk
from reviewbot.core.prompt.numbered import chunk_lines
from reviewbot.core.safety.escape import show, show_line

# What a Line can hold: any character but the one that ends it.
any_text = st.text(st.characters(codec=None, exclude_categories=()))
line_text = any_text.map(lambda text: text.replace("\n", ""))
numbers = st.integers(1, 10_000_000)


@st.composite
def lines(draw: st.DrawFn) -> DiffLine:
    text, last = draw(line_text), draw(st.booleans())
    match draw(st.sampled_from(("added", "removed", "context"))):
        case "added":
            return DiffLine("added", None, draw(numbers), text, last)
        case "removed":
            return DiffLine("removed", draw(numbers), None, text, last)
        case _:
            return DiffLine("context", draw(numbers), draw(numbers), text, last)


@st.composite
def hunks(draw: st.DrawFn) -> ShownHunk:
    shown = draw(st.lists(lines(), max_size=5))
    owned = draw(st.lists(st.booleans(), min_size=len(shown), max_size=len(shown)))
    return ShownHunk(1, 1, draw(any_text), tuple(shown), tuple(owned))


chunks = st.builds(
    ChunkView,
    id=st.just("c1"),
    path=any_text,
    old_path=st.none() | any_text,
    status=st.sampled_from(get_args(FileStatus)),
    part=st.integers(1, 3),
    parts=st.integers(1, 3),
    hunks=st.lists(hunks(), max_size=3).map(tuple),
    instructions=st.lists(any_text, max_size=2).map(tuple),
)


def chunk(*shown: DiffLine, owned: tuple[bool, ...] = (), section: str = "") -> ChunkView:
    hunk = ShownHunk(1, 1, section, shown, owned or (True,) * len(shown))
    return ChunkView("c1", "a.py", "a.py", "modified", 1, 1, (hunk,))


@given(lines(), st.booleans())
def test_every_line_can_be_read_back(line: DiffLine, owned: bool) -> None:
    rendered = format_line(line, owned=owned)
    removed = line.kind == "removed"
    mark = {"added": "+", "removed": "-", "context": " "}[line.kind] if owned else " "
    assert parse_line(rendered) == NumberedLine(
        "L" if removed else "R",
        (line.old_no if removed else line.new_no) or 0,
        mark,  # type: ignore[arg-type] # one of three
        show_line(line.text),
    )
    assert len(rendered.splitlines()) == 1


@given(chunks)
def test_no_content_makes_a_line_of_its_own(view: ChunkView) -> None:
    rendered = list(chunk_lines(view))
    code = [line for hunk in view.hunks for line in hunk.lines]
    numbered = [line for line in map(parse_line, rendered) if line is not None]
    ours = [line for line in rendered if parse_line(line) is None]
    assert [line.text for line in numbered] == [show_line(line.text) for line in code]
    assert all(line.startswith(("=== file ", "--- ")) for line in ours)
    assert all(len(line.splitlines()) == 1 and show(line) == line for line in rendered)


def test_a_line_is_side_number_mark_bar_and_text() -> None:
    assert [
        format_line(DiffLine("context", 40, 41, "def charge(order):")),
        format_line(DiffLine("removed", 42, None, "    due = order.net")),
        format_line(DiffLine("added", None, 1042, "\tdue")),
        format_line(DiffLine("context", 1, 7, "")),
    ] == [
        "R41 |def charge(order):",
        "L42-|    due = order.net",
        "R1042+|\tdue",
        "R7 |",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=== file",
        "r  41   | x",
        "R41*|x",
        "Rx |x",
        " R41 |x",
        "R1 *|x",
        "R1x",
    ],
)
def test_what_is_no_numbered_line_is_not_read_as_one(text: str) -> None:
    assert parse_line(text) is None


def test_a_line_is_read_as_models_copy_it() -> None:
    assert parse_line("R  41 + |x") == NumberedLine("R", 41, "+", "x")
    assert parse_line("L 4 -|    x") == NumberedLine("L", 4, "-", "    x")
    assert parse_line("R 4  |") == NumberedLine("R", 4, " ", "")


def test_lines_that_another_part_answers_for_carry_no_mark() -> None:
    view = chunk(
        DiffLine("removed", 1, None, "old"), DiffLine("added", None, 1, "new"), owned=(False, False)
    )
    assert list(chunk_lines(view))[2:] == ["L1 |old", "R1 |new"]


def test_a_heading_names_path_status_origin_and_part() -> None:
    hunk = ShownHunk(1, 1, 'if x == "y":', (), ())
    view = ChunkView("c1", "b/new.py", "a/old.py", "renamed", 2, 3, (hunk,), ("Rule z.", "Rule a."))
    assert list(chunk_lines(view)) == [
        '=== file "b/new.py", renamed from "a/old.py", part 2 of 3',
        r'--- instructions for this file: "Rule a.\nRule z."',
        r'--- hunk in "if x == \"y\":"',
    ]


def test_crlf_line_ends_are_not_shown_as_text() -> None:
    view = chunk(DiffLine("context", 1, 1, "a\r"), DiffLine("added", None, 2, "b\r"))
    assert list(chunk_lines(view))[1:] == ["--- hunk", "R1 |a", "R2+|b"]


def test_a_change_of_line_ends_is_said() -> None:
    view = chunk(
        DiffLine("removed", 1, None, "a"), DiffLine("added", None, 1, "a\r"), section="f()"
    )
    assert list(chunk_lines(view))[1] == '--- hunk in "f()", some line ends CRLF and some LF'


def test_a_changed_last_line_without_line_end_is_said() -> None:
    view = chunk(
        DiffLine("removed", 1, None, "a"),
        DiffLine("added", None, 1, "a", no_newline=True),
        DiffLine("context", 2, 2, "b", no_newline=True),
    )
    assert list(chunk_lines(view))[2:] == [
        "L1-|a",
        "R1+|a",
        "--- no line end after this line",
        "R2 |b",
    ]


def test_endless_paths_sections_and_instructions_are_cut_visibly() -> None:
    hunk = ShownHunk(1, 1, "s" * 900, (), ())
    view = ChunkView("c1", "p" * 9000, None, "added", 1, 1, (hunk,), ("i" * 9000,))
    assert [line.rpartition(" [")[2] for line in chunk_lines(view)] == [
        'CUT 4904 characters]", added',
        'CUT 5000 characters]"',
        'CUT 700 characters]"',
    ]
