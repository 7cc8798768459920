"""Similar hunks: only lines near a difference are asked about, and no changed line is missed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.cache.entry import AttributedDraft, make_entry
from reviewbot.core.cache.keys import Scope, chunk_key
from reviewbot.core.cache.line_digests import LONGEST, SHORTEST, line_digests, split_records
from reviewbot.core.cache.reuse import Reuse, reuse
from reviewbot.core.cache.similar import AROUND
from reviewbot.core.findings.anchors import AnchorIndex
from reviewbot.core.findings.draft import parse_draft
from reviewbot.core.findings.verdicts import Verdict
from tests.support.findings import ITEM
from tests.support.views import hunk, view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.cache.entry import Entry
    from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk

SCOPE = Scope(model="m", prompt_version="p1")


def heard(
    quote: str, line: int, side: str = "RIGHT", verdict: Verdict | None = None, **words: Any
) -> AttributedDraft:
    fields = {"quote": quote, "line": line, "end_line": line, "side": side}
    return AttributedDraft(parse_draft(ITEM | fields | words), 1, "a", verdict)


def chunk(*hunks: ShownHunk) -> ChunkView:
    return replace(view(*hunks), tokens=1000, is_whole=True)


def stored(one: ChunkView, *drafts: AttributedDraft) -> Entry:
    index, key = AnchorIndex([one]), chunk_key(one, SCOPE)
    return make_entry(one, key, drafts, index, model="m", prompt_version="p1", salt="s")


def known(one: ChunkView, *entries: Entry, least: float = 0.8) -> Reuse | None:
    return reuse(one, chunk_key(one, SCOPE), entries, AnchorIndex([one]), least=least)


def rows(count: int = 80, /, **changes: str) -> list[str]:
    """Added lines ``x1 = 1``, ...; each of ``changes`` replaces one of them by name."""
    return [changes.get(f"x{n}", f"+x{n} = {n}") for n in range(1, count + 1)]


def added(lines: Sequence[str], at: int = 1) -> ShownHunk:
    return hunk("\n".join(lines), old=at, new=at)


def asked(found: Reuse | None) -> list[list[str]]:
    """The text of each hunk that is asked about."""
    return (
        [[line.text for line in h.lines] for h in found.rest.hunks] if found and found.rest else []
    )


def told(found: Reuse | None) -> list[tuple[str, int]]:
    return [(one.draft.quote, one.draft.line) for one in found.drafts] if found else []


OLD = chunk(added(rows()))


def test_one_changed_line_of_80_asks_about_itself_and_20_lines_on_both_sides() -> None:
    now = chunk(added(rows(x40="+changed = 1")))
    found = known(now, stored(OLD))
    assert found
    assert found.rest
    [part] = found.rest.hunks
    assert (part.old_start, part.new_start, len(part.lines)) == (1, 20, 41)
    assert part.lines == now.hunks[0].lines[19:60]
    assert all(part.owned)
    assert (set(found.hunks), set(found.narrowed), found.model) == (set(), {0}, "m")
    assert 400 < found.rest.tokens < 600
    assert not found.rest.is_whole


def test_findings_outside_of_the_asked_lines_are_kept_with_their_verdicts() -> None:
    verdict = Verdict("1", "supported", "r")
    drafts = [
        heard("x5 = 5", 5, verdict=verdict),
        heard("x20 = 20", 20),
        heard("x60 = 60", 60),
        heard("x70 = 70", 70),
    ]
    # Two lines in place of one move all lines below.
    found = known(chunk(added(rows(x40="+changed = 1\n+more = 2"))), stored(OLD, *drafts))
    assert told(found) == [("x5 = 5", 5), ("x70 = 70", 71)]
    assert found
    assert [one.verdict for one in found.drafts] == [verdict, None]


def test_two_differences_are_two_hunks_and_near_ones_are_one() -> None:
    far = known(
        chunk(added(rows(120, x10="+a = 1", x100="+b = 1"))), stored(chunk(added(rows(120))))
    )
    assert [len(some) for some in asked(far)] == [30, 41]
    near = known(chunk(added(rows(x30="+a = 1", x50="+b = 1"))), stored(OLD))
    assert [len(some) for some in asked(near)] == [61]


def test_a_deleted_line_is_a_difference() -> None:
    found = known(chunk(added([row for row in rows() if row != "+x40 = 40"])), stored(OLD))
    assert [len(some) for some in asked(found)] == [2 * AROUND]


def test_the_old_and_the_new_side_keep_their_own_lines() -> None:
    mixed = [f"-old{n}\n+new{n}\n same{n}" for n in range(1, 41)]
    then = chunk(hunk("\n".join(mixed), old=100, new=200))
    drafts = [heard("old38", 174, "LEFT"), heard("new38", 274)]
    mixed[9] = "-old10\n+other\n+more\n same10"
    now = chunk(hunk("\n".join(mixed), old=110, new=200))
    found = known(now, stored(then, *drafts))
    assert told(found) == [("old38", 184), ("new38", 275)]
    assert found
    assert found.rest
    [part] = found.rest.hunks
    first = part.lines[0]
    assert (part.old_start, part.new_start) == (first.old_no or 117, first.new_no or 207)
    assert first in now.hunks[0].lines


@pytest.mark.parametrize(
    ("then", "now"),
    [
        (rows(SHORTEST - 1), rows(SHORTEST - 1, x1="+a = 1")),
        (rows(LONGEST + 1), rows(LONGEST + 1, x1="+a = 1")),
        (rows(), [f"+y{n}" if n % 2 else row for n, row in enumerate(rows())]),
        (rows(35), rows(35, x17="+a = 1")),  # its surroundings are all of it
        (rows(), [row.replace("+", " ") for row in rows()]),
        # Only lines of the old diff are gone; the lines around them are context.
        ([*rows(), *[" c"] * 50, "+gone"], [*rows(), *[" c"] * 50]),
    ],
    ids=["short", "long", "different", "narrow", "context", "gone"],
)
def test_such_a_hunk_is_reviewed_whole(then: list[str], now: list[str]) -> None:
    assert known(chunk(added(now)), stored(chunk(added(then)))) is None


def test_the_share_of_equal_lines_decides_and_0_turns_it_off() -> None:
    now, entry = chunk(added(rows(79, x40="+a = 1"))), stored(chunk(added(rows(79))))
    assert known(now, entry, least=79 / 80)
    assert known(now, entry, least=0.99) is None
    assert known(now, entry, least=0) is None


def test_common_lines_in_another_order_are_not_similar() -> None:
    many = rows(200)
    swapped = chunk(added([*many[100:], *many[:100]]))
    assert known(swapped, stored(chunk(added(many)))) is None
    assert known(swapped, stored(chunk(added(many))), least=0.5)


def test_a_changed_heading_is_a_difference_above_the_first_line() -> None:
    [one] = OLD.hunks
    found = known(replace(OLD, hunks=(replace(one, section="def f():"),)), stored(OLD))
    assert [len(some) for some in asked(found)] == [AROUND]


def test_a_line_that_the_chunk_owns_now_is_a_difference() -> None:
    [one] = OLD.hunks
    then = replace(OLD, hunks=(replace(one, owned=(True,) * 40 + (False,) + (True,) * 39),))
    assert [len(some) for some in asked(known(OLD, stored(then)))] == [41]
    assert [len(some) for some in asked(known(then, stored(OLD)))] == [41]


def test_a_finding_on_lines_of_several_pieces_has_its_hunk_reviewed_whole() -> None:
    draft = heard("x19 = 19\nx20 = 20", 19, end_line=20)
    assert known(chunk(added(rows(x40="+a = 1"))), stored(OLD, draft)) is None


def test_a_dropped_finding_whose_quote_is_repeated_has_its_hunk_reviewed_whole() -> None:
    repeated = {"x41": "+bug = 1", "x75": "+bug = 1"}
    then, now = chunk(added(rows(**repeated))), chunk(added(rows(x40="+a = 1", **repeated)))
    assert known(now, stored(then, heard("bug = 1", 41))) is None
    # Kept in place, it may be repeated in lines that are asked about.
    assert told(known(now, stored(then, heard("bug = 1", 75)))) == [("bug = 1", 75)]


def test_a_finding_that_was_nowhere_has_its_chunk_reviewed_whole() -> None:
    assert known(chunk(added(rows(x40="+a = 1"))), stored(OLD, heard("nowhere()", 1))) is None


def test_a_finding_that_names_an_asked_line_has_its_part_reviewed_again() -> None:
    now = chunk(added(rows(x40="+a = 1")))
    entry = stored(OLD, heard("x5 = 5", 5, message="As on line 41."), heard("x70 = 70", 70))
    found = known(now, entry)
    assert told(found) == [("x70 = 70", 70)]
    [part] = asked(found)
    assert part == [line.text for line in now.hunks[0].lines[:60]]
    # A dropped one takes the part that it names along.
    entry = stored(OLD, heard("x41 = 41", 41, message="As on line 70."), heard("x70 = 70", 70))
    assert [len(some) for some in asked(known(now, entry))] == [61]
    everywhere = [heard(f"x{n} = {n}", n, message="As on line 41.") for n in (5, 70)]
    assert known(now, stored(OLD, *everywhere)) is None


def test_a_similar_copy_of_a_reviewed_hunk_is_reviewed_whole() -> None:
    copy = added(rows(x40="+a = 1"), at=500)
    found = known(chunk(*OLD.hunks, copy), stored(OLD))
    assert found
    assert found.rest
    assert (set(found.hunks), set(found.narrowed), found.rest.hunks) == ({0}, set(), (copy,))
    other = added(rows(x41="+a = 1"), at=900)
    found = known(chunk(copy, other), stored(OLD))
    assert found
    assert len(found.narrowed) == 1


def test_a_copy_that_is_in_doubt_is_not_compared_with_similar_hunks() -> None:
    similar = added(rows(x40="+a = 1"), at=900)
    entry = stored(chunk(*OLD.hunks, added(rows(), at=500), similar))
    assert known(OLD, entry) is None
    # Nor are copies: a finding about both is on one of them.
    changed = added(rows(x40="+b = 1"))
    twice = chunk(*OLD.hunks, added(rows(), at=500))
    assert known(chunk(changed), stored(twice, heard("x5 = 5", 505))) is None
    both = chunk(changed, added(rows(x40="+b = 1"), at=500))
    assert known(both, stored(chunk(*OLD.hunks, similar), heard("x5 = 5", 5))) is None


def test_hunks_reused_whole_and_in_part_are_put_together_from_several_entries() -> None:
    one, two, three = (
        added([row.replace("x", name) for row in rows()], at=at)
        for name, at in (("a", 1), ("b", 201), ("c", 401))
    )
    changed = added([row.replace("x", "c") for row in rows(x40="+new = 1")], at=401)
    entries = [
        stored(chunk(one), heard("a7 = 7", 7)),
        stored(
            chunk(two, three), heard("b7 = 7", 207), heard("c7 = 7", 407), heard("c40 = 40", 440)
        ),
    ]
    now = chunk(one, two, changed, added(["+last = 1"], at=900))
    found = known(now, *entries)
    assert found
    assert sorted(told(found)) == [("a7 = 7", 7), ("b7 = 7", 207), ("c7 = 7", 407)]
    assert (set(found.hunks), set(found.narrowed)) == ({0, 1}, {2})
    assert [len(some) for some in asked(found)] == [41, 1]


def test_the_draft_of_a_hunk_below_a_cut_one_keeps_its_hunk() -> None:
    below = added(["+last = 1"], at=900)
    now = chunk(added(rows(x40="+a = 1")), below)
    found = known(now, stored(chunk(*OLD.hunks, below), heard("last = 1", 900)))
    assert told(found) == [("last = 1", 900)]


def test_equal_digests_of_another_hunk_are_no_proof_that_it_was_reviewed() -> None:
    now = chunk(added(rows(x40="+a = 1")))
    entry = replace(stored(OLD), lines=(line_digests(now.hunks[0], "s"),))
    assert known(now, entry) is None


def test_digests_depend_on_the_salt_and_cover_every_line() -> None:
    [one] = OLD.hunks
    records = split_records(line_digests(one, "s"))
    assert len(records) == 81
    assert len(set(records)) == 81
    assert not set(records) & set(split_records(line_digests(one, "t")))
    strange = added(rows(x40="+\udcff"))
    assert len(split_records(line_digests(strange, "s"))) == 81


# --- Properties

ROW = st.tuples(
    st.sampled_from("+++- "), st.sampled_from(["}", "", *(f"call({n})" for n in range(40))])
).map("".join)
EDIT = st.tuples(st.floats(0, 1), st.sampled_from(["put", "drop", "replace"]), ROW)


@st.composite
def pushed(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """The lines of a hunk before and after a push with few changes."""
    before = draw(st.lists(ROW, min_size=30, max_size=150))
    after = list(before)
    for where, what, row in draw(st.lists(EDIT, max_size=3)):
        at = int(where * (len(after) - 1))
        after[at : at + (what != "put")] = [] if what == "drop" else [row]
    return before, after


@given(pushed(), st.integers(0, 9), st.data())
def test_every_changed_line_is_asked_about_or_was_reviewed_with_its_surroundings(
    push: tuple[list[str], list[str]], by: int, data: st.DataObject
) -> None:
    before, after = push
    then, now = chunk(added(before)), chunk(hunk("\n".join(after), old=1, new=1 + by))
    numbers = data.draw(st.lists(st.integers(0, len(before) - 1), max_size=4))
    lines = [then.hunks[0].lines[number] for number in numbers]
    drafts = [
        heard(line.text or "}", line.new_no or line.old_no or 0, "RIGHT" if line.new_no else "LEFT")
        for line in lines
    ]
    found = known(now, stored(then, *drafts))
    if found is None or not found.narrowed:
        assert found is None or found.hunks  # all of it is asked about, or none was changed
        return
    assert found.rest
    [whole] = now.hunks
    shown = {line for part in found.rest.hunks for line in part.lines}
    assert all(all(part.owned) for part in found.rest.hunks)
    assert shown <= set(whole.lines)
    left_out = [at for at, line in enumerate(whole.lines) if line not in shown]
    assert left_out
    for at in left_out:
        top, end = max(0, at - AROUND), min(len(after), at + AROUND + 1)
        around = after[top:end]
        starts = range(len(before) - len(around) + 1)
        assert any(before[start : start + len(around)] == around for start in starts)
    for one in found.drafts:
        draft = one.draft
        anchor = AnchorIndex([now]).find("a.py", draft.quote, draft.side, draft.line)
        assert anchor
        assert anchor.line == draft.line
        assert not shown & set(anchor.lines)
