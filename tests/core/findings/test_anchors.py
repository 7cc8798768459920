"""Anchors: the quote decides the line, and nothing is ever moved to a line that lacks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.findings.anchors import MAX_QUOTE_LINES, AnchorIndex
from tests.support.views import hunk, view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.diff.parse import DiffLine
    from reviewbot.core.findings.finding import Side


def find(
    index: AnchorIndex, quote: str, side: Side = "RIGHT", line: int = 0
) -> tuple[str, int, int, bool] | None:
    anchor = index.find("a.py", quote, side, line)
    if anchor is None:
        return None
    return (anchor.side, anchor.line, anchor.end_line, anchor.whole)


CODE = hunk(
    " def total(items):\n-    rate = 1\n+    rate = 2\n+    rate = rate * 3\n     return rate\n \n"
    " def other(items):\n+    return rate",
    old=10,
    new=20,
)


def test_the_claimed_line_of_many_equal_ones_is_found_without_looking_at_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index = AnchorIndex([view(hunk("\n".join(["+same"] * 500)))])
    monkeypatch.setattr(AnchorIndex, "_whole", lambda *_: pytest.fail("it looked at all lines"))
    for line in range(1, 501):
        assert find(index, "same", line=line) == ("RIGHT", line, line, True)


def test_a_quote_found_once_decides_whatever_line_was_claimed() -> None:
    assert find(AnchorIndex([view(CODE)]), "    rate = 2", line=900) == ("RIGHT", 21, 21, True)


def test_a_quote_of_several_lines_anchors_to_all_of_them() -> None:
    quote = "    rate = 2\n    rate = rate * 3\n    return rate\n"
    assert find(AnchorIndex([view(CODE)]), quote) == ("RIGHT", 21, 23, True)


def test_the_claimed_line_breaks_ties_between_equal_snippets() -> None:
    index = AnchorIndex([view(hunk("+x = 1\n+y = 2\n+x = 1\n+z = 3\n+x = 1"))])
    assert [find(index, "x = 1", line=line) for line in (1, 3, 9)] == [
        ("RIGHT", 1, 1, True),
        ("RIGHT", 3, 3, True),
        ("RIGHT", 5, 5, True),
    ]


def test_without_a_claimed_line_a_changed_line_wins_over_context() -> None:
    index = AnchorIndex([view(hunk(" x = 1\n+y = 2\n+x = 1"))])
    assert find(index, "x = 1") == ("RIGHT", 3, 3, True)


def test_removed_code_is_found_on_the_old_side_even_if_the_new_was_claimed() -> None:
    assert find(AnchorIndex([view(CODE)]), "    rate = 1") == ("LEFT", 11, 11, True)


def test_unchanged_code_claimed_on_the_old_side_is_commented_on_the_new() -> None:
    index = AnchorIndex([view(CODE)])
    assert find(index, "def total(items):", side="LEFT", line=10) == ("RIGHT", 20, 20, True)


def test_the_claimed_side_wins_where_both_have_the_text() -> None:
    index = AnchorIndex([view(hunk("-x = 1\n y = 2\n+x = 1"))])
    assert find(index, "x = 1", side="LEFT") == ("LEFT", 1, 1, True)
    assert find(index, "x = 1", side="RIGHT") == ("RIGHT", 2, 2, True)


def test_other_indentation_and_white_space_still_match() -> None:
    index = AnchorIndex([view(CODE)])
    assert find(index, "rate = rate * 3") == ("RIGHT", 22, 22, True)
    assert find(index, "rate=rate*3") == ("RIGHT", 22, 22, True)


def test_a_quote_that_kept_our_line_prefix_matches() -> None:
    quote = "R21+|    rate = 2\nR22+|    rate = rate * 3"
    assert find(AnchorIndex([view(CODE)]), quote) == ("RIGHT", 21, 22, True)


def test_an_elided_quote_anchors_to_its_first_line_only() -> None:
    quote = "def total(items):\n    ...\n    return rate"
    assert find(AnchorIndex([view(CODE)]), quote) == ("RIGHT", 20, 20, False)
    quote = "# ... unchanged ...\n    rate = rate * 3\n    # ...\n    nothing()"
    assert find(AnchorIndex([view(CODE)]), quote) == ("RIGHT", 22, 22, False)


def test_a_piece_of_one_line_anchors_where_only_one_line_holds_it() -> None:
    index = AnchorIndex([view(hunk("+call(alpha, beta, gamma)\n+call(alpha, delta)"))])
    assert find(index, "beta, gamma") == ("RIGHT", 1, 1, False)
    assert find(index, "call(alpha") is None
    assert find(index, "call(alpha", line=2) == ("RIGHT", 2, 2, False)


def test_a_short_piece_is_not_evidence() -> None:
    assert find(AnchorIndex([view(CODE)]), "rat", line=21) is None


def test_what_is_not_in_the_diff_is_not_anchored() -> None:
    index = AnchorIndex([view(CODE)])
    for quote in ("completely = different", "", "  \n\n ", "...", "x\n" * (MAX_QUOTE_LINES + 1)):
        assert find(index, quote, line=21) is None
    assert index.find("other.py", "    rate = 2", "RIGHT", 21) is None


def test_a_quote_never_spans_two_hunks() -> None:
    index = AnchorIndex([view(hunk("+alpha_one()"), hunk("+beta_two()", old=2, new=2))])
    assert find(index, "alpha_one()\nbeta_two()") == ("RIGHT", 1, 1, False)


def test_a_hidden_character_may_be_quoted_raw_or_as_it_was_shown() -> None:
    index = AnchorIndex([view(hunk("+if admin\u202e:\n+a = '\udcff'"))])
    assert find(index, "if admin\u202e:") == ("RIGHT", 1, 1, True)
    assert find(index, "if admin\\u202e:") == ("RIGHT", 1, 1, True)
    assert find(index, "a = '\\xff'") == ("RIGHT", 2, 2, True)


def test_a_quote_with_crlf_ends_matches() -> None:
    assert find(AnchorIndex([view(hunk("+one = 1\r\n+two = 2\r"))]), "one = 1\r\ntwo = 2") == (
        "RIGHT",
        1,
        2,
        True,
    )


def test_a_pure_deletion_and_a_new_file_have_one_side_only() -> None:
    index = AnchorIndex([view(hunk("-gone = True"), hunk("+here = True"))])
    assert find(index, "gone = True") == ("LEFT", 1, 1, True)
    assert find(index, "here = True") == ("RIGHT", 1, 1, True)


def test_the_chunk_that_holds_the_quote_is_named() -> None:
    one, two = view(hunk("+alpha = 1")), view(hunk("+omega = 2", old=50, new=50), name="c2")
    anchor = AnchorIndex([one, two]).find("a.py", "omega = 2", "RIGHT", 1)
    assert anchor
    assert (anchor.chunk, anchor.line, [line.text for line in anchor.lines]) == (
        "c2",
        50,
        ["omega = 2"],
    )


ROWS = st.lists(
    st.builds(
        lambda mark, text: mark + text,
        st.sampled_from("+- "),
        st.text(alphabet="ab =()\t{}", max_size=12),
    ),
    min_size=1,
    max_size=30,
)


@given(rows=ROWS, data=st.data())
def test_whole_lines_quoted_with_their_number_anchor_exactly_there(
    rows: list[str], data: st.DataObject
) -> None:
    lines = hunk("\n".join(rows), old=7, new=3).lines
    new = [line for line in lines if line.new_no is not None]
    if not any(line.text.strip() for line in new):
        return
    start = data.draw(st.integers(0, len(new) - 1))
    stop = data.draw(st.integers(start + 1, len(new)))
    quoted = new[start:stop]
    if not quoted[0].text.strip() or not quoted[-1].text.strip():
        return
    assert quoted[0].new_no is not None
    index = AnchorIndex([view(hunk("\n".join(rows), old=7, new=3))])
    found = find(index, "\n".join(line.text for line in quoted), line=quoted[0].new_no)
    assert found == ("RIGHT", quoted[0].new_no, quoted[-1].new_no, True)


@given(rows=ROWS, quote=st.text(alphabet="ab =()\n.", max_size=30), line=st.integers(0, 40))
def test_wherever_a_quote_lands_the_line_holds_its_text(
    rows: list[str], quote: str, line: int
) -> None:
    anchor = AnchorIndex([view(hunk("\n".join(rows)))]).find("a.py", quote, "RIGHT", line)
    if anchor is None:
        return
    assert _numbers(anchor.lines, anchor.side) == list(range(anchor.line, anchor.end_line + 1))
    wanted = [text for text in ("".join(row.split()) for row in quote.split("\n")) if text]
    here = "".join("".join(held.text.split()) for held in anchor.lines)
    assert any(text in here for text in wanted)
    if anchor.whole:
        assert here == "".join(wanted)


def _numbers(lines: Sequence[DiffLine], side: Side) -> list[int | None]:
    return [line.new_no if side == "RIGHT" else line.old_no for line in lines]
