"""Cache entries: whole, redacted, and the same after a way through JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from reviewbot.core.cache.entry import (
    AttributedDraft,
    Entry,
    HunkRange,
    entry_from_json,
    entry_to_json,
    make_entry,
)
from reviewbot.core.cache.keys import Scope, chunk_key
from reviewbot.core.cache.seen_code import NOT_COMPARABLE, SeenCode
from reviewbot.core.findings.anchors import AnchorIndex
from reviewbot.core.findings.draft import parse_draft
from tests.review_strategies import texts
from tests.support.findings import ITEM
from tests.support.views import hunk, view

SCOPE = Scope(model="m", prompt_version="p1")
CHUNK = view(
    hunk(" a = 0\n-x = 0\n+x = 1\n+y = 2", old=4, new=4), hunk("+z = 3\n+end = 4", old=50, new=60)
)


def heard(answer: str = "c1/m/1.0", **changes: Any) -> AttributedDraft:
    return AttributedDraft(parse_draft(ITEM | changes), 1, answer)


def entry(*drafts: AttributedDraft, seen: tuple[SeenCode, ...] = ()) -> Entry:
    return make_entry(
        CHUNK,
        chunk_key(CHUNK, SCOPE),
        drafts,
        AnchorIndex([CHUNK]),
        model="m",
        prompt_version="p1",
        salt="s",
        seen=seen,
    )


def test_a_draft_is_kept_with_its_hunk_and_the_lines_of_its_quote() -> None:
    made = entry(
        heard(quote="z = 3", line=900, end_line=901, side="LEFT", path="./a.py"),
        heard(quote="x = 0", line=5, end_line=5, side="LEFT"),
        heard(quote="nowhere = 1", line=7, end_line=7),
    )
    assert [
        (one.hunk, one.heard.draft.side, one.heard.draft.line, one.heard.draft.end_line)
        for one in made.drafts
    ] == [(1, "RIGHT", 60, 61), (0, "LEFT", 5, 5), (None, "RIGHT", 7, 7)]
    assert {one.heard.draft.path for one in made.drafts} == {"a.py"}
    assert made.extents == (HunkRange(4, 2, 4, 3), HunkRange(0, 0, 60, 2))


def test_a_quote_that_stands_in_another_chunk_has_no_hunk_here() -> None:
    other = view(hunk("+q = 9", new=300), name="c2")
    index = AnchorIndex([CHUNK, other])
    key = chunk_key(CHUNK, SCOPE)
    made = make_entry(
        CHUNK, key, [heard(quote="q = 9")], index, model="m", prompt_version="p1", salt="s"
    )
    assert [one.hunk for one in made.drafts] == [None]


def test_answers_keep_apart_but_not_their_names() -> None:
    made = entry(heard("c9/m/1.0"), heard("c9/m/2.0"), heard("c9/m/1.0"))
    assert [one.heard.answer for one in made.drafts] == ["0", "1", "0"]


def test_no_secret_that_a_model_wrote_is_kept() -> None:
    secret = "ghp_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"
    words = dict.fromkeys(("title", "scenario", "message", "suggestion"), secret)
    looked_up = [{"path": f"{secret}.py", "quote": f"token = '{secret}'"}]
    made = entry(
        heard(quote="x = 1", rests_on=looked_up, **words),
        heard(quote=f"nowhere = '{secret}'"),
        heard(quote=f"end = 4\n...\n'{secret}'"),
    )
    assert secret not in json.dumps(entry_to_json(made))
    assert made.drafts[0].heard.draft.quote == "x = 1"


def test_an_entry_without_later_fields_can_be_read() -> None:
    stored = entry_to_json(entry())
    for name in ("change", "seen"):
        del stored[name]
    assert entry_from_json(stored) == replace(entry(), change="", seen=())


@given(texts, texts.filter(bool))
def test_an_entry_comes_back_equal_from_json(title: str, message: str) -> None:
    quotes = [{"path": "b.py", "quote": message, "base": True}]
    made = entry(
        heard(title=title[:50] or "t", message=message, suggestion="y", rests_on=quotes),
        heard(quote="?"),
        seen=(SeenCode("read_code", json.dumps({"path": title}), "0"), NOT_COMPARABLE),
    )
    assert entry_from_json(json.loads(json.dumps(entry_to_json(made)))) == made


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"form": 0}, "not a cache entry of form 2"),
        ({"key": {}}, r"entry.key.exact is missing"),
        ({"extents": []}, "2 hunks, but 0 extents"),
        ({"lines": []}, "2 hunks, but lines of 0"),
        ({"tokens": "many"}, r"entry.tokens is 'many', not a whole number"),
    ],
)
def test_what_is_no_entry_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        entry_from_json(entry_to_json(entry(heard())) | change)


def test_a_list_is_no_entry_and_a_draft_stands_in_a_hunk_that_there_is() -> None:
    with pytest.raises(ValueError, match="not a cache entry"):
        entry_from_json([])
    made = entry(heard())
    for hunk_index in (2, -1):
        [placed] = made.drafts
        wrong = replace(made, drafts=(replace(placed, hunk=hunk_index),))
        with pytest.raises(ValueError, match=f"has no hunk {hunk_index}"):
            entry_from_json(entry_to_json(wrong))
