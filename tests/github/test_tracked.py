"""Where lines are by now, with git as the oracle of what stayed."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.github import local_diff
from reviewbot.github.code_marks import plain
from reviewbot.github.file_history import pairs
from reviewbot.github.tracked import NOTHING, Track, Tracked
from tests.support.examples import examples

SOME = st.lists(
    st.sampled_from(
        ["", "a = 1", "return", "x\x00y", "-- a", "++ b", "@@ -1 +1 @@", "\\ No", "é \u2028"]
    )
    | st.text(max_size=4),
    min_size=1,
    max_size=12,
).map(lambda lines: [plain(line) for line in lines])


@settings(deadline=None, max_examples=examples(60))
@given(SOME, SOME)
def test_lines_that_stayed_are_the_same_and_in_order(then: list[str], now: list[str]) -> None:
    found = asyncio.run(pairs(then, now))
    assert all(then[old - 1] == now[new - 1] for old, new in found.items())
    assert list(found.values()) == sorted(found.values())
    assert len(found) == len(then) or then != now


def test_where_git_cannot_compare_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_diff, "MAX_BYTES", 3)
    with pytest.raises(local_diff.LocalDiffError):
        asyncio.run(pairs(["a = 1"], ["a = 2"]))


def test_what_is_tracked_is_in_its_place_or_where_its_like_came_since() -> None:
    stays, moved = Track("a.py", 7), Track("a.py", None, frozenset({9}))
    tracked = Tracked({"stays": stays, "moved": moved})
    assert [tracked.line(id_) for id_ in ("stays", "moved", "other")] == [7, 0, 0]
    assert tracked.may_be("stays", "a.py", 7)
    assert not tracked.may_be("stays", "a.py", 9)
    assert not tracked.may_be("stays", "b.py", 7)
    assert tracked.may_be("moved", "a.py", 9)
    assert not tracked.may_be("moved", "a.py", 7)
    assert tracked.may_be("moved", "b.py", 7)
    assert NOTHING.may_be("stays", "b.py", 1)
