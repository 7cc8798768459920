"""Suggestions are offered only where they apply and what they make still parses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reviewbot.core.findings.anchors import AnchorIndex
from reviewbot.core.findings.suggestions import MAX_LINES, can_be_offered, edit_of
from tests.in_process import finish, parser
from tests.support.views import hunk, view

if TYPE_CHECKING:
    from reviewbot.core.findings.suggestions import Edit
    from reviewbot.core.plan.chunk_view import ChunkView

PYTHON = view(hunk(" def f(a):\n-    return 0\n+    x = a / 0\n+    return x"))
MARKS = ("[REDACTED:", "[CUT ")


def offered(suggestion: str, *, quote: str = "    x = a / 0", chunk: ChunkView = PYTHON) -> bool:
    anchor = AnchorIndex([chunk]).find(chunk.path, quote, "RIGHT", 0)
    assert anchor
    edit = edit_of(suggestion, anchor, chunk, marks=MARKS)
    return finish(can_be_offered(edit, parser().keeps_syntax))


def test_a_fix_that_parses_is_offered() -> None:
    assert offered("    x = a / 1")
    assert offered("    x = a / 1\n")
    assert offered("    x = 1\n    y = 2")


def test_a_fix_that_does_not_parse_is_not_offered() -> None:
    assert not offered("    x = (a / 1")
    assert not offered("    x = a / 1)")


def test_a_fix_of_a_fragment_may_not_add_errors() -> None:
    fragment = view(hunk(" ): # the head is above the hunk\n+    x = a / 0\n     return x"))
    assert offered("    x = a / 1", chunk=fragment)
    assert not offered("    x = (a / (1", chunk=fragment)


def test_an_indented_fragment_is_judged_as_its_code_is() -> None:
    method = view(hunk("         self.a = 1\n+        x = a / 0\n         return x"))
    assert offered("        x = a / 1", quote="        x = a / 0", chunk=method)
    assert not offered("        x = ]", quote="        x = a / 0", chunk=method)


def test_no_change_is_no_suggestion() -> None:
    assert not offered("    x = a / 0")


def test_the_old_side_cannot_be_changed() -> None:
    assert not offered("    return 1", quote="    return 0")


def test_a_quote_of_half_a_line_gives_no_place_to_apply_to() -> None:
    chunk = view(hunk("+    value = compute(alpha, beta)"))
    assert not offered("    value = 1", quote="compute(alpha, beta", chunk=chunk)


@pytest.mark.parametrize("text", ["[REDACTED:aws]", "x[CUT 900 characters]y"])
def test_redacted_and_cut_places_are_left_alone(text: str) -> None:
    chunk = view(hunk(f"+key = '{text}'\n+other = 1"))
    assert not offered("key = 'a'", quote=f"key = '{text}'", chunk=chunk)
    assert not offered(f"other = '{text}'", quote="other = 1", chunk=chunk)


def test_hidden_characters_are_never_offered() -> None:
    assert not offered("    x = a\u202e / 1")


def test_a_suggestion_is_bounded() -> None:
    assert not offered("    x = 1\n" * (MAX_LINES + 1))


def test_without_a_grammar_the_last_test_is_passed() -> None:
    chunk = view(hunk("+alter table t add x int"), path="a.sql")
    assert offered("alter table t add x ((int", quote="alter table t add x int", chunk=chunk)


def test_the_right_hunk_is_judged() -> None:
    chunk = view(hunk("+alpha = 1"), hunk("+beta = (2)", old=9, new=9))
    assert offered("beta = 3", quote="beta = (2)", chunk=chunk)
    assert not offered("beta = (3", quote="beta = (2)", chunk=chunk)


def test_windows_line_ends_do_not_matter() -> None:
    chunk = view(hunk("+alpha = 1\r\n+beta = 2\r"))
    assert offered("alpha = 3\r\nbeta = 4", quote="alpha = 1\nbeta = 2", chunk=chunk)
    assert not offered("alpha = 1\r\nbeta = 2", quote="alpha = 1\nbeta = 2", chunk=chunk)


def test_a_suggestion_that_could_not_be_checked_is_not_offered() -> None:
    async def unchecked(_edit: Edit) -> bool:
        return False

    anchor = AnchorIndex([PYTHON]).find(PYTHON.path, "    x = a / 0", "RIGHT", 0)
    assert anchor
    edit = edit_of("    x = a / 1", anchor, PYTHON, marks=MARKS)
    assert finish(can_be_offered(edit, unchecked)) is False
