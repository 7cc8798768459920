"""Reuse: nothing that changed is taken for reviewed, and no finding outlives its code."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.cache.entry import AttributedDraft, make_entry
from reviewbot.core.cache.keys import Scope, chunk_key, hunk_hash
from reviewbot.core.cache.reuse import Reuse, reuse
from reviewbot.core.cache.seen_code import SeenCode
from reviewbot.core.findings.anchors import AnchorIndex
from reviewbot.core.findings.draft import parse_draft
from tests.support.findings import ITEM
from tests.support.views import hunk, view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.cache.entry import Entry
    from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk

SCOPE = Scope(model="m", prompt_version="p1")
A = " def one():\n-    return 1\n+    return 2\n "
B = " def two():\n+    count = 0\n     return count"
C = " def three():\n-    check()\n     return 3"


def heard(quote: str, line: int = 0, side: str = "RIGHT", **words: Any) -> AttributedDraft:
    fields = {"quote": quote, "line": line, "end_line": line, "side": side}
    return AttributedDraft(parse_draft(ITEM | fields | words), 1, "a")


def stored(chunk: ChunkView, *drafts: AttributedDraft, scope: Scope = SCOPE) -> Entry:
    index, key = AnchorIndex([chunk]), chunk_key(chunk, scope)
    return make_entry(chunk, key, drafts, index, model=scope.model, prompt_version="p1", salt="s")


def known(chunk: ChunkView, *entries: Entry, others: Sequence[ChunkView] = ()) -> Reuse | None:
    return reuse(chunk, chunk_key(chunk, SCOPE), entries, AnchorIndex([chunk, *others]))


def three(*codes: str, by: int = 0) -> ChunkView:
    return replace(
        view(*(hunk(code, old=100 * n, new=100 * n + by) for n, code in enumerate(codes, 1))),
        tokens=1000,
    )


def told(found: Reuse | None) -> list[tuple[str, int]]:
    assert found
    return [(one.draft.quote, one.draft.line) for one in found.drafts]


OLD = three(A, B, C)
ABOUT_A = heard("    return 2", 101)
ABOUT_B = heard("    count = 0", 7)
ABOUT_C = heard("    check()", 301, "LEFT")


def test_the_same_chunk_is_known_whole() -> None:
    found = known(OLD, stored(OLD, ABOUT_A, ABOUT_B, ABOUT_C))
    assert told(found) == [("    return 2", 101), ("    count = 0", 201), ("    check()", 301)]
    assert found
    assert (found.hunks, found.rest, found.model) == (frozenset({0, 1, 2}), None, "m")


def test_a_chunk_that_moved_is_known_whole_at_its_new_lines() -> None:
    found = known(three(A, B, C, by=7), stored(OLD, ABOUT_A, ABOUT_B, ABOUT_C))
    # The old side did not move.
    assert told(found) == [("    return 2", 108), ("    count = 0", 208), ("    check()", 301)]
    assert found
    assert found.rest is None


def test_a_hunk_that_changed_is_left_to_ask_about_and_its_finding_dropped() -> None:
    new = three(A, B.replace("0", "1"), C)
    found = known(new, stored(OLD, ABOUT_A, ABOUT_B, ABOUT_C))
    assert [quote for quote, _ in told(found)] == ["    return 2", "    check()"]
    assert found
    assert found.rest
    assert found.rest.hunks == (new.hunks[1],)
    assert (found.rest.id, found.rest.path) == (new.id, new.path)
    assert 0 < found.rest.tokens < new.tokens / 2


def test_a_change_of_what_is_shown_around_a_hunk_is_a_change() -> None:
    found = known(three(A.replace("one", "uno"), B, C), stored(OLD, ABOUT_A, ABOUT_B))
    assert found
    assert found.hunks == {1, 2}


def test_what_shares_nothing_or_is_of_another_file_or_scope_is_not_known() -> None:
    entry = stored(OLD, ABOUT_A)
    assert known(OLD) is None
    assert known(three("+other = 1"), entry) is None
    assert known(replace(OLD, path="b.py", old_path="b.py"), entry) is None
    assert known(OLD, stored(OLD, scope=replace(SCOPE, model="other"))) is None


def test_a_renamed_file_keeps_its_findings_under_its_new_name() -> None:
    new = replace(OLD, path="b.py", status="renamed")
    found = known(new, stored(OLD, ABOUT_A))
    assert found
    assert [one.draft.path for one in found.drafts] == ["b.py"]


def test_hunks_that_came_from_several_chunks_are_put_together() -> None:
    first, second = three(A, B), three("+gone = 1", "+gone = 2", C)
    found = known(OLD, stored(second, ABOUT_C), stored(first, ABOUT_A))
    assert found
    assert found.rest is None
    assert [(one.answer, one.draft.line) for one in found.drafts] == [("0.0", 101), ("1.0", 301)]


def test_reused_hunks_come_with_all_code_that_their_answers_saw() -> None:
    read, searched, unused = (SeenCode("read_code", digest=digest) for digest in "abc")
    first = replace(stored(three(A, B), ABOUT_A), seen=(read, searched))
    second = replace(stored(three("+gone = 1", "+gone = 2", C), ABOUT_C), seen=(searched,))
    other = replace(stored(three(A)), seen=(unused,))  # a more similar entry has its hunk
    found = known(OLD, second, first, other)
    assert found
    assert set(found.seen) == {read, searched}


def test_of_two_that_know_a_hunk_the_more_similar_one_is_believed() -> None:
    found = known(OLD, stored(three(A), ABOUT_A), stored(three(A, B, C), ABOUT_B))
    assert told(found) == [("    count = 0", 201)]


def test_of_hunks_that_are_alike_all_or_none_is_known() -> None:
    two = three("+same = 1", "+same = 1", C)
    about = heard("same = 1", 200)
    found = known(three("+same = 1", "+same = 1", C, by=5), stored(two, about))
    assert told(found) == [("same = 1", 205)]
    found = known(three("+other = 1", "+same = 1", C), stored(two, heard("same = 1", 100)))
    assert found
    assert (set(found.hunks), found.drafts) == ({2}, ())


@pytest.mark.parametrize(
    "words",
    [
        {"message": "As on line 101."},
        {"title": "Lines 3 to 5 disagree"},
        {"scenario": "When L7 runs, it fails."},
        {"message": "See app.py:12."},
        {"message": "The check (101) is gone."},
    ],
)
def test_words_that_name_a_line_are_not_reused_at_other_lines(words: dict[str, str]) -> None:
    entry = stored(OLD, heard("    return 2", 101, **words), ABOUT_B)
    assert len(told(known(OLD, entry))) == 2
    found = known(three(A, B, C, by=1), entry)
    assert found
    assert found.hunks == {1, 2}
    assert told(found) == [("    count = 0", 202)]


def test_words_with_a_number_that_is_no_line_move() -> None:
    entry = stored(OLD, heard("    return 2", 101, message="It returns 2, 404 times, 0.101 s."))
    assert told(known(three(A, B, C, by=1), entry)) == [("    return 2", 102)]


def test_a_dropped_finding_that_names_a_line_of_another_hunk_takes_that_hunk_along() -> None:
    entry = stored(OLD, heard("    return 2", 101, message="The same holds for line 201."))
    found = known(three(A.replace("2", "3"), B, C), entry)
    assert found
    assert (set(found.hunks), found.drafts) == ({2}, ())


def test_doubts_spread_until_all_is_asked_about_again() -> None:
    entry = stored(
        OLD,
        heard("    return 2", 101, message="As on line 201."),
        heard("    count = 0", 201, message="As on line 301."),
        ABOUT_C,
    )
    assert known(three(A.replace("2", "3"), B, C), entry) is None


def test_a_finding_whose_lines_were_nowhere_is_reused_for_the_same_chunk_alone() -> None:
    entry = stored(OLD, heard("nowhere()", 5), ABOUT_B)
    assert told(known(OLD, entry)) == [("nowhere()", 5), ("    count = 0", 201)]
    assert known(three(A, B, C, by=1), entry) is None
    assert known(three(A, B), entry) is None


def test_a_finding_that_would_land_elsewhere_now_is_asked_about_again() -> None:
    # White space aside, the quote stands in the chunk; in another part of the file it stands whole.
    entry = stored(OLD, heard("return  2", 101))
    assert told(known(OLD, entry)) == [("return  2", 101)]
    part = view(hunk("+return  2", new=500), name="c2")
    found = known(OLD, entry, others=[part])
    assert found
    assert found.hunks == {1, 2}
    # Its place is gone from the index altogether.
    lost = reuse(OLD, chunk_key(OLD, SCOPE), [entry], AnchorIndex([part]))
    assert lost
    assert lost.hunks == {1, 2}


def test_context_alone_is_nothing_to_ask_about() -> None:
    found = known(three(A, " just\n context"), stored(three(A), ABOUT_A))
    assert found
    assert (set(found.hunks), found.rest) == ({0}, None)
    unowned = replace(hunk("+theirs = 1", new=200), owned=(False,))
    found = known(view(hunk(A, old=100, new=100), unowned), stored(three(A)))
    assert found
    assert found.rest is None


# --- Properties

CODES = st.lists(
    st.tuples(
        st.sampled_from("+- "),
        st.sampled_from(["x = 1", "y = f(x)", "    return x", "}", "", "check(101)"]),
    ).map("".join),
    min_size=1,
    max_size=5,
).map("\n".join)


def _chunk(codes: Sequence[str], gaps: Sequence[int]) -> ChunkView:
    hunks, at = [], 1
    for code, gap in zip(codes, gaps, strict=True):
        hunks.append(hunk(code, old=at + gap, new=at + 2 * gap))
        at += 100
    return replace(view(*hunks), tokens=500)


@st.composite
def reviewed(draw: st.DrawFn) -> tuple[ChunkView, list[AttributedDraft]]:
    """A chunk, and what was said of it: quotes from it, some misquoted, some naming lines."""
    codes = draw(st.lists(CODES, min_size=1, max_size=5))
    chunk = _chunk(
        codes, draw(st.lists(st.integers(0, 9), min_size=len(codes), max_size=len(codes)))
    )
    drafts = []
    for _ in range(draw(st.integers(0, 4))):
        lines = draw(st.sampled_from(chunk.hunks)).lines
        start = draw(st.integers(0, len(lines) - 1))
        some = lines[start : draw(st.integers(start + 1, len(lines)))]
        quote = "\n".join(line.text for line in some)
        if draw(st.integers(0, 9)) == 0:
            quote += "?"
        drafts.append(
            heard(
                quote or "x = 1",
                draw(st.just(0) | st.sampled_from([line.new_no or 0 for line in lines])),
                draw(st.sampled_from(["RIGHT", "LEFT"])),
                message=draw(st.sampled_from(["Wrong.", "As on line 101.", "See 205 and 2."])),
            )
        )
    return chunk, drafts


@st.composite
def edited(draw: st.DrawFn, chunk: ChunkView) -> ChunkView:
    """The chunk of the next push: hunks kept, changed, taken out, put in and moved."""
    codes: list[str] = []
    for one in chunk.hunks:
        code = _code(one)
        match draw(st.sampled_from(["keep", "keep", "keep", "change", "drop", "add"])):
            case "keep":
                codes.append(code)
            case "change":
                codes.append(draw(CODES))
            case "add":
                codes += [draw(CODES), code]
            case _:
                pass
    codes = codes or [draw(CODES)]
    gaps = draw(st.lists(st.integers(0, 9), min_size=len(codes), max_size=len(codes)))
    return _chunk(codes, gaps)


def _code(one: ShownHunk) -> str:
    marks = {"added": "+", "removed": "-", "context": " "}
    return "\n".join(marks[line.kind] + line.text for line in one.lines)


@given(st.data())
def test_every_changed_line_is_known_from_an_equal_hunk_or_asked_about(data: st.DataObject) -> None:
    before, drafts = data.draw(reviewed())
    entry = stored(before, *drafts)
    now = data.draw(edited(before))
    found = known(now, entry)
    equal = set(map(hunk_hash, before.hunks))
    if found is None:
        return  # all of it is asked about
    assert all(hunk_hash(now.hunks[index]) in equal for index in found.hunks)
    left = [one for index, one in enumerate(now.hunks) if index not in found.hunks]
    if found.rest is None:
        assert all(line.kind == "context" for one in left for line in one.lines)
    else:
        assert list(found.rest.hunks) == left
        assert 0 < found.rest.tokens <= now.tokens


@given(st.data())
def test_a_finding_is_reused_only_where_its_quoted_code_stands_unchanged(
    data: st.DataObject,
) -> None:
    before, drafts = data.draw(reviewed())
    entry = stored(before, *drafts)
    now = data.draw(edited(before))
    found = known(now, entry)
    was = AnchorIndex([before])
    for reused in found.drafts if found else ():
        draft = reused.draft
        anchor = AnchorIndex([now]).find(draft.path, draft.quote, draft.side, draft.line)
        if anchor is None:  # it was nowhere then, either, and nothing has changed
            assert now == before
            continue
        assert (anchor.line, anchor.side) == (draft.line, draft.side)
        # The very lines that it was about stood in an equal hunk, whole.
        origins = [
            then
            for one in drafts
            if one.draft.quote == draft.quote
            and one.draft.message == draft.message
            and (then := was.find("a.py", draft.quote, one.draft.side, one.draft.line))
        ]
        texts = [line.text for line in anchor.lines]
        assert texts in [[line.text for line in then.lines] for then in origins]
        assert found
        assert any(anchor.lines[0] in now.hunks[index].lines for index in found.hunks)
        if "line" in draft.message:
            assert draft.line in {then.line for then in origins}


@given(reviewed(), st.integers(0, 50))
def test_a_chunk_whose_lines_all_shift_is_still_known(
    chunk_and_drafts: tuple[ChunkView, list[AttributedDraft]], by: int
) -> None:
    chunk, drafts = chunk_and_drafts
    placed = [
        replace(one, draft=replace(one.draft, message="Wrong."))
        for one in drafts
        if AnchorIndex([chunk]).find("a.py", one.draft.quote, one.draft.side, one.draft.line)
    ]
    moved = view(
        *(hunk(_code(one), old=one.old_start + by, new=one.new_start + by) for one in chunk.hunks)
    )
    assert chunk_key(moved, SCOPE) == chunk_key(chunk, SCOPE)
    found = known(moved, stored(chunk, *placed))
    assert found
    assert found.rest is None
    assert len(found.drafts) == len(placed)


@given(
    st.data(),
    st.sampled_from(
        [
            {"model": "other"},
            {"prompt_version": "p2"},
            {"instructions": "Be strict."},
            {"rules": {"docs": "off"}},
        ]
    ),
)
def test_another_model_prompt_or_rule_never_meets_what_was_stored(
    data: st.DataObject, changes: dict[str, Any]
) -> None:
    before, drafts = data.draw(reviewed())
    entry = stored(before, *drafts, scope=replace(SCOPE, **changes))
    assert known(data.draw(edited(before)), entry) is None
    assert known(before, entry) is None
