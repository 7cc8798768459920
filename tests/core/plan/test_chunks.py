"""Chunks: every line is in one, none is above its budget, splits fall between functions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.diff.parse import FileDiff, parse_diff
from reviewbot.core.plan import weigh
from reviewbot.core.plan.chunk_view import view, whole_view
from reviewbot.core.plan.split import OVERLAP_LINES, boundary_score
from reviewbot.core.plan.stored import check_fits, plan_from_json, plan_to_json
from reviewbot.core.plan.weigh import CHUNK_HEADER, CUT_MARK, HUNK_HEADER, LINE_PREFIX, LineCost
from reviewbot.core.prompt.numbered import chunk_lines
from reviewbot.models.tokens import TokenCounter
from tests.support.chunk_plans import Bytes, budgets, counts, diff_of, diffs, one, plan, planned

if TYPE_CHECKING:
    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.core.plan.chunks import Plan


class NoTokenizer(Bytes):
    def count(self, text: str) -> int:
        raise AssertionError(f"{len(text)} characters were tokenized")


def shown_tokens(shown: ChunkView, per_byte: float) -> float:
    """What a view takes in the prompt, by bytes: the estimate's own rule, worked out again."""
    size = CHUNK_HEADER + len(shown.path) + len(shown.old_path or "")
    for hunk in shown.hunks:
        size += HUNK_HEADER + len(hunk.section.encode())
        for line in hunk.lines:
            size += LINE_PREFIX + 1 + len(line.text.encode("utf-8", "surrogateescape"))
    return size * per_byte


@given(diffs, budgets, counts)
def test_every_line_is_in_exactly_one_chunks_responsibility(
    file: FileDiff, budget: int, count: Bytes
) -> None:
    made = planned(file, budget=budget, count=count)
    owners: dict[tuple[int, int], str] = {}
    order: list[tuple[int, int]] = []
    for chunk in made.chunks:
        for piece in chunk.segments:
            assert piece.start < piece.stop
            assert 0 <= piece.start - piece.show_start <= OVERLAP_LINES
            assert 0 <= piece.show_stop - piece.stop <= OVERLAP_LINES
            for index in range(piece.start, piece.stop):
                assert (piece.hunk, index) not in owners
                owners[piece.hunk, index] = chunk.id
                order.append((piece.hunk, index))
    every = [
        (number, index)
        for number, hunk in enumerate(file.hunks)
        for index in range(len(hunk.lines))
    ]
    assert order == every
    check_fits(made, [file])


@given(diffs, budgets, counts)
def test_a_view_shows_the_owned_lines_and_their_neighbours_at_their_numbers(
    file: FileDiff, budget: int, count: Bytes
) -> None:
    made = planned(file, budget=budget, count=count)
    for chunk in made.chunks:
        shown = view(file, chunk)
        for piece, hunk in zip(chunk.segments, shown.hunks, strict=True):
            whole = file.hunks[piece.hunk].lines
            expected = whole[piece.show_start : piece.show_stop]
            assert len(hunk.lines) == len(hunk.owned) == len(expected)
            for line, real in zip(hunk.lines, expected, strict=True):
                assert line._replace(text=real.text) == real
                assert line.text == real.text or (chunk.cut and CUT_MARK in line.text)
            assert hunk.owned.count(True) == piece.stop - piece.start
            olds = [line.old_no for line in expected if line.old_no is not None]
            news = [line.new_no for line in expected if line.new_no is not None]
            assert not olds or hunk.old_start == olds[0]
            assert not news or hunk.new_start == news[0]


@given(diffs, budgets, st.sampled_from([Bytes(), Bytes(1.5, 1.5), Bytes(0.25, 0.25)]))
def test_no_chunk_is_above_its_budget_overlap_and_headers_included(
    file: FileDiff, budget: int, count: Bytes
) -> None:
    made = planned(file, budget=budget, count=count)
    for chunk in made.chunks:
        assert chunk.tokens <= budget
        tokens = shown_tokens(view(file, chunk), count.per_byte)
        # Tokenized blocks are rounded up, one token each.
        assert tokens <= chunk.tokens + 1 <= budget + 1


@given(st.lists(diffs, max_size=3), budgets, counts)
def test_a_plan_is_the_same_each_time_and_survives_being_stored(
    files: list[FileDiff], budget: int, count: Bytes
) -> None:
    made = planned(*files, budget=budget, count=count)
    assert planned(*files, budget=budget, count=count) == made
    stored = json.loads(json.dumps(plan_to_json(made)))
    assert plan_from_json(stored) == made
    check_fits(plan_from_json(stored), files)


def test_a_small_file_is_one_chunk_and_needs_no_tokenizer() -> None:
    file = one([" a", "-b", "+c"], [" d", "+e"])
    made = planned(file, count=NoTokenizer())
    (chunk,) = made.chunks
    assert (chunk.id, chunk.part, chunk.parts, chunk.cut) == ("c1", 1, 1, False)
    assert [piece.hunk for piece in chunk.segments] == [0, 1]
    tokens = shown_tokens(view(file, chunk), 0.5)
    assert tokens <= chunk.tokens <= tokens * 1.25
    assert made.tokens == chunk.tokens


@pytest.mark.parametrize("copies", [1, 6])
def test_the_estimate_of_code_is_a_little_above_what_the_prompt_takes(copies: int) -> None:
    # Once by bytes alone, once tokenized and split.
    source = Path(weigh.__file__).read_text(encoding="utf-8").splitlines()
    file = one([f"+{line}" for line in source] * copies)
    counter = TokenCounter(1.6)
    made = plan([file], skip=lambda _: None, count=counter)
    assert (len(made.chunks) > 1) == (copies > 1)
    for chunk in made.chunks:
        real = counter.count("\n".join(chunk_lines(view(file, chunk))))
        assert real <= chunk.tokens <= 1.3 * real


def test_a_file_that_fits_once_it_is_tokenized_stays_whole() -> None:
    file = one(["+" + "x" * 60] * 400)
    assert len(planned(file, budget=12_000, count=Bytes(dense=0.25)).chunks) == 1
    assert len(planned(file, budget=12_000).chunks) == 2


def test_a_file_too_large_to_tokenize_is_split_by_its_bytes() -> None:
    file = one(["+" + "x" * 99] * 10_000, ["+" + "y" * 99] * 50)
    made = planned(file, count=NoTokenizer())
    assert 45 <= len(made.chunks) <= 60
    check_fits(made, [file])


def test_hunks_stay_whole_where_they_can() -> None:
    file = one(*[["+" + "x" * 99] * 20] * 10)
    made = planned(file, budget=3_000, count=Bytes())
    assert len(made.chunks) > 1
    for chunk in made.chunks:
        assert all(piece.stop == 20 and piece.start == 0 for piece in chunk.segments)


def function(name: str, size: int) -> list[str]:
    body = [f"+    step_{number} = charge(order, rate={number})" for number in range(size)]
    return [f"+def {name}(order):", *body, "+    return order", "+"]


def test_a_split_inside_a_hunk_falls_between_functions() -> None:
    file = one([line for number in range(12) for line in function(f"f{number}", 30)])
    made = planned(file, budget=3_000)
    assert len(made.chunks) > 2
    for chunk in made.chunks:
        (piece,) = chunk.segments
        assert file.hunks[0].lines[piece.start].text.startswith("def ")


def test_a_comment_or_decorator_stays_with_its_function() -> None:
    block = ["+# What it costs.", "+@cached", "+def cost(order):", *["+    x = order.total()"] * 20]
    file = one(block * 20)
    for chunk in planned(file, budget=2_000).chunks:
        (piece,) = chunk.segments
        assert file.hunks[0].lines[piece.start].text == "# What it costs."


def test_a_whole_view_shows_every_hunk_of_a_file_at_its_numbers() -> None:
    text = b"--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n a = 1\n-b = 2\n+b = 3\n@@ -9 +9 @@\n-c\n+d\n"
    (file,) = parse_diff(text)
    shown = whole_view(file, "later")
    assert (shown.id, shown.part, shown.parts) == ("later", 1, 1)
    assert [line for line in chunk_lines(shown) if line[:1] in "RL"] == [
        *("R1 |a = 1", "L2-|b = 2", "R2+|b = 3"),
        *("L9-|c", "R9+|d"),
    ]


def starts_of(made: Plan) -> list[int]:
    """Where the parts of a single hunk begin, but for the first."""
    assert len(made.chunks) > 2
    return [piece.start for chunk in made.chunks[1:] for piece in chunk.segments]


def test_a_replacement_is_not_torn_from_what_it_replaces() -> None:
    # By their text alone, all changed lines would be better places than the unchanged ones.
    block = [*[" " * 17 + "same()"] * 3, *["-        old_call(order)"] * 6, "+def new_call():"]
    file = one([*block, *["+        pass"] * 4] * 30)
    for start in starts_of(planned(file, budget=2_000)):
        assert start % (len(block) + 4) in (0, 1, 2, 3)


def test_a_split_falls_after_a_blank_line() -> None:
    file = one([*["+some words of a paragraph"] * 9, "+"] * 60)
    assert all(start % 10 == 0 for start in starts_of(planned(file, budget=2_000)))


def test_the_last_two_parts_share_evenly() -> None:
    file = one([f"+x{number:04} = {number:04}" for number in range(220)])
    first, last = planned(file, budget=2_500).chunks
    assert abs(first.tokens - last.tokens) < 250


def test_each_part_carries_the_heading_and_a_few_lines_of_overlap() -> None:
    file = one([f" line {number}" for number in range(800)], section="class Order:")
    made = planned(file, budget=2_500)
    assert len(made.chunks) > 2
    middle = view(file, made.chunks[1])
    (hunk,) = middle.hunks
    assert (middle.part, middle.parts) == (2, len(made.chunks))
    assert hunk.section == "class Order:"
    assert hunk.owned[:OVERLAP_LINES] == (False,) * OVERLAP_LINES
    assert hunk.owned[-OVERLAP_LINES:] == (False,) * OVERLAP_LINES
    assert all(hunk.owned[OVERLAP_LINES:-OVERLAP_LINES])
    assert hunk.new_start == hunk.lines[0].new_no == made.chunks[1].segments[0].show_start + 1


def test_a_line_longer_than_the_budget_is_cut_from_its_middle_and_said_so() -> None:
    file = one(["+start", "+" + "a" * 50_000 + "b" * 50_000, "+end"])
    made = planned(file)
    (chunk,) = made.chunks
    assert chunk.cut
    assert chunk.line_limit is not None
    start, long, end = view(file, chunk).hunks[0].lines
    assert (start.text, end.text) == ("start", "end")
    keep = chunk.line_limit // 8
    mark = f"[CUT {100_000 - 2 * keep} characters]"
    assert long.text == "a" * keep + mark + "b" * keep
    assert (long.kind, long.new_no) == ("added", 2)


def test_only_the_part_with_the_long_line_is_cut() -> None:
    normal = [f"+x{number} = {number}" for number in range(1_500)]
    file = one([*normal, "+" + "a" * 100_000, *normal])
    made = planned(file)
    # The neighbours show it as overlap only if it fits there.
    assert 1 <= sum(chunk.cut for chunk in made.chunks) <= 2
    assert len(made.chunks) >= 3


def test_a_line_that_is_denser_than_its_bytes_let_expect_is_cut_alone() -> None:
    file = one(["+start"] * 30 + ["+" + "x" * 3_000] + ["+end"] * 30)
    made = planned(file, budget=2_000, count=Bytes(dense=1.6))
    (cut,) = [chunk for chunk in made.chunks if chunk.cut]
    (hunk,) = view(file, cut).hunks
    assert len(hunk.lines) == 1
    assert CUT_MARK in hunk.lines[0].text
    assert all(chunk.tokens <= 2_000 for chunk in made.chunks)


def test_a_path_that_takes_most_of_the_budget_leaves_room_for_lines() -> None:
    file = one([f"+line {number}" for number in range(400)], path="d/" * 2_000 + "a.py")
    made = planned(file, budget=2_000)
    assert 2 <= len(made.chunks) <= 10
    check_fits(made, [file])


def test_redacted_text_is_shown_in_place_of_the_real_one() -> None:
    file = one([" a", "-b", "+secret"], ["+c"], section="def f(key='secret')")
    (chunk,) = planned(file).chunks
    shown = view(
        file,
        chunk,
        replacements={(0, 2): "[REDACTED:key]"},
        sections={0: "def f(key='[REDACTED:key]')"},
        instructions=("be kind",),
    )
    first, second = shown.hunks
    assert [line.text for line in first.lines] == ["a", "b", "[REDACTED:key]"]
    assert first.lines[2].new_no == 2
    assert first.section == "def f(key='[REDACTED:key]')"
    assert second.section == "def f(key='secret')"
    assert shown.instructions == ("be kind",)


def test_redactions_of_later_parts_and_of_overlap_are_found() -> None:
    file = one([f"+line {number}" for number in range(400)])
    made = planned(file, budget=2_500)
    (piece,) = made.chunks[1].segments
    assert piece.show_start < piece.start
    redacted = {(0, piece.show_start): "[REDACTED:a]", (0, piece.start): "[REDACTED:b]"}
    (hunk,) = view(file, made.chunks[1], replacements=redacted).hunks
    assert hunk.lines[0].text == "[REDACTED:a]"
    assert hunk.lines[piece.start - piece.show_start].text == "[REDACTED:b]"
    assert [line.text for line in hunk.lines].count("[REDACTED:a]") == 1


def test_a_long_line_is_redacted_before_it_is_cut() -> None:
    file = one(["+" + "k" * 100_000])
    (chunk,) = planned(file).chunks
    shown = view(file, chunk, replacements={(0, 0): "r" * 100_000})
    assert set(shown.hunks[0].lines[0].text) <= set("r[CUT 0123456789 characters]")
    assert view(file, chunk, replacements={(0, 0): "short"}).hunks[0].lines[0].text == "short"


def test_an_endless_section_is_shown_to_its_first_200_characters() -> None:
    file = one(["+a"], section="s" * 5_000)
    (chunk,) = planned(file).chunks
    assert view(file, chunk).hunks[0].section == "s" * 200


def test_a_symbolic_link_is_said_to_be_one() -> None:
    (file,) = parse_diff(
        b"diff --git a/link b/link\nnew file mode 120000\nindex 0000000..1234567\n"
        b"--- /dev/null\n+++ b/link\n@@ -0,0 +1 @@\n+../target\n\\ No newline at end of file\n"
    )
    (chunk,) = planned(file).chunks
    assert view(file, chunk).hunks[0].section == "symbolic link: the line is its target"


def test_a_file_that_becomes_a_link_is_called_one_where_it_is() -> None:
    (file,) = parse_diff(
        b"diff --git a/x b/x\ndeleted file mode 100644\nindex 1234567..0000000\n"
        b"--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-code\n"
        b"diff --git a/x b/x\nnew file mode 120000\nindex 0000000..1234567\n"
        b"--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+../target\n\\ No newline at end of file\n"
    )
    (chunk,) = planned(file).chunks
    assert [hunk.section for hunk in view(file, chunk).hunks] == [
        "",
        "symbolic link: the line is its target",
    ]


def test_a_hunk_is_walked_once_however_many_parts_it_makes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = one(["+" + "x" * 40] * 20_000)
    walked = 0
    (hunk,) = file.hunks
    original = type(hunk).iter_raw

    def counting(self: Any) -> Any:
        nonlocal walked
        for line in original(self):
            walked += 1
            yield line

    monkeypatch.setattr(type(hunk), "iter_raw", counting)
    assert len(planned(file, budget=2_000).chunks) > 100
    assert walked == 20_000


contents = st.lists(
    st.tuples(
        st.sampled_from(
            ["a", "", " ", "\\", "-", "+", "@@ -1 +1 @@", "x\r", "\r", "\udcff", "é\x85"]
        ),
        st.sampled_from(" +-"),
    ),
    min_size=1,
    max_size=1_200,
)


@given(contents, st.booleans(), st.booleans(), st.booleans())
def test_what_is_weighed_of_a_hunk_is_what_its_lines_are(
    content: list[tuple[str, str]], crlf: bool, stripped: bool, unended: bool
) -> None:
    data = diff_of([marker + text for text, marker in content])
    if stripped:
        data = data.replace(b"\n \n", b"\n\n")
    if crlf:
        data = data.replace(b"\n", b"\r\n")
    if unended:
        data += b"\\ No newline at end of file\n"
    (file,) = parse_diff(data)
    (hunk,) = file.hunks
    assert [(kind, raw.decode("utf-8", "surrogateescape")) for kind, raw in hunk.iter_raw()] == [
        (line.kind, line.text) for line in hunk.lines
    ]


def test_the_worst_split_is_between_removed_lines_and_their_replacement() -> None:
    removed = LineCost(1, "removed", replacing=True, head=b"a = 1")
    added = LineCost(1, "added", replacing=True, head=b"a = 2")
    between = boundary_score(removed, added)
    assert between < boundary_score(removed, removed) < 0
    assert between < boundary_score(added, added) < 0
