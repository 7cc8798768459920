"""The state block holds what the next review must know, and reads back as it was written."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections import Counter
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.core.cache.unchanged import file_digest
from reviewbot.core.findings.finding import CATEGORIES, SEVERITIES
from reviewbot.github.state import block
from reviewbot.github.state.block import (
    FATES,
    MOST_CHARACTERS,
    ClosedRecord,
    ProofPlace,
    Record,
    State,
    StateBlock,
    pack,
    unpack,
)
from tests.support.examples import examples
from tests.support.github_records import record

if TYPE_CHECKING:
    import pytest

ids = st.text("0123456789abcdef", min_size=16, max_size=16)
texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=30)
records = st.builds(
    Record,
    ids,
    texts,
    st.sampled_from(["LEFT", "RIGHT"]),
    st.integers(0, 10**9),
    texts,
    texts,
    st.sampled_from(CATEGORIES),
    texts,
    st.sampled_from(SEVERITIES),
    st.sampled_from(get_args(State)),
    st.none() | st.integers(1, 2**53),
)
closed_records = st.builds(
    ClosedRecord,
    ids,
    texts,
    texts,
    st.text("0123456789abcdef", max_size=12),
    st.sampled_from(FATES),
    st.none() | st.sampled_from(SEVERITIES),
)
RECORD = record(id="0" * 16, path="a.py", severity="error")


def packed(state: object) -> str:
    return base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()


@given(
    st.lists(records, max_size=5).map(tuple),
    st.lists(closed_records, max_size=5).map(tuple),
    st.dictionaries(texts, texts, max_size=3),
    st.dictionaries(texts, st.lists(ids, max_size=3), max_size=3),
)
def test_a_block_is_read_as_it_was_written(
    found: tuple[Record, ...],
    closed: tuple[ClosedRecord, ...],
    walkthrough: dict[str, str],
    hunks: dict[str, list[str]],
) -> None:
    state = StateBlock("settings", walkthrough=walkthrough, records=found, closed=closed)
    text = pack(state, hunks)
    assert text
    assert len(text) <= MOST_CHARACTERS
    read = unpack(text)
    assert read
    assert replace(read, hunks={}) == state
    assert sum(read.hunks.values()) == sum(map(len, hunks.values()))


def noise(number: int, digits: int = 20) -> str:
    """Digits that do not compress."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:digits]


def test_a_long_block_drops_walkthrough_then_titles_then_hunks() -> None:
    walkthrough = {noise(number): noise(number, 60) for number in range(900)}
    shown = tuple(replace(RECORD, id=noise(n, 16), title=noise(n, 60)) for n in range(300))
    gone = tuple(replace(one, state="resolved", comment=1) for one in shown[:10])
    away = tuple(replace(one, state="dismissed") for one in shown[10:20])
    state = StateBlock("s", walkthrough=walkthrough, records=(*shown[20:], *gone, *away))

    def left(hunks: int) -> StateBlock:
        digests = {n: [noise(n * 20 + k) for k in range(20)] for n in range(hunks)}
        text = pack(state, {f"f{n}.py": found for n, found in digests.items()})
        assert text
        assert len(text) <= MOST_CHARACTERS
        found = unpack(text)
        assert found
        assert len([one for one in found.records if one.state != "resolved"]) == 290
        return found

    assert left(0).walkthrough == {}
    assert left(0).records[0].title
    assert not any(one.state == "resolved" for one in left(0).records)
    assert not any(one.title for one in left(60).records)
    assert left(60).hunks
    few = left(150)
    assert few.hunks == {}
    digests = [noise(k) for k in range(20)]
    assert few.files[0] == file_digest("f0.py", digests)


@settings(max_examples=examples(5))
@given(
    st.integers(0, 3_000),
    st.integers(0, 250),
    st.dictionaries(st.sampled_from(FATES), st.integers(0, 1_000)),
)
def test_a_long_block_drops_the_oldest_closed_records_first_and_counts_them(
    number: int, hunks: int, dropped: dict[str, int]
) -> None:
    closed = tuple(
        ClosedRecord(noise(n, 16), "bug", "claude", noise(0, 12), FATES[n % len(FATES)])
        for n in range(number)
    )
    state = StateBlock("s", records=(RECORD,), walkthrough={"a": "b"}, closed=closed)
    text = pack(replace(state, dropped=dropped), {"a.py": [noise(n) for n in range(hunks)]})
    assert text
    assert len(text) <= MOST_CHARACTERS
    found = unpack(text)
    assert found
    assert found.closed == closed[number - len(found.closed) :]
    assert (len(found.closed) == number) == (found.dropped == dropped)
    assert (found.records, found.walkthrough) == (state.records, state.walkthrough)
    left = Counter(one.fate for one in found.closed) + Counter(found.dropped)
    assert left == Counter(one.fate for one in closed) + Counter(dropped)


def test_a_block_of_a_version_without_closed_records_is_read() -> None:
    old = asdict(StateBlock("s", records=(RECORD,)))
    for name in ("closed", "dropped", "merged"):
        del old[name]
    for name in ("model", "prompt_version", "rests_on", "doubts", "since"):
        del old["records"][0][name]
    assert unpack(packed(old)) == StateBlock("s", records=(RECORD,))


def test_a_long_block_first_drops_what_its_findings_rest_on() -> None:
    proofs = (ProofPlace("lib.py", 1, 2, "1.abcd.0123456789abcdef"),)
    kept = replace(RECORD, rests_on=proofs, doubts=1, since="a" * 40)
    assert unpack(pack(StateBlock("s", records=(kept,)), {}) or "") == StateBlock(
        "s", records=(kept,)
    )
    many = tuple(
        replace(
            kept,
            id=noise(n, 16),
            rests_on=tuple(replace(proofs[0], path=noise(5 * n + k, 60)) for k in range(5)),
        )
        for n in range(300)
    )
    closed = (ClosedRecord("0" * 16, "bug", "claude", "", "fixed"),)
    read = unpack(pack(StateBlock("s", records=many, closed=closed), {}) or "")
    assert read
    assert read.closed == closed
    assert {record.rests_on for record in read.records} == {()}


def test_a_state_that_is_too_long_is_not_packed() -> None:
    many = tuple(replace(RECORD, id=noise(n, 16), path=noise(n, 60)) for n in range(2_000))
    assert pack(StateBlock("s", records=many), {}) is None


def test_an_invalid_block_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    good = asdict(StateBlock("s", records=(RECORD,)))
    assert unpack(packed(good))
    assert unpack(packed({**good, "later": 1}))
    shut = asdict(ClosedRecord("0" * 16, "bug", "claude", "", "fixed"))
    assert unpack(packed({**good, "closed": [shut], "dropped": {"fixed": 2}}))
    del shut["severity"]
    assert unpack(packed({**good, "closed": [shut]})) == StateBlock(
        "s", records=(RECORD,), closed=(ClosedRecord("0" * 16, "bug", "claude", "", "fixed"),)
    )
    wrong: tuple[object, ...] = (
        [],
        {**good, "form": 2},
        {**good, "records": [{"id": 1}]},
        {**good, "records": [{**good["records"][0], "since": "--upload-pack=x"}]},
        {**good, "hunks": {"a": "b"}},
        {**good, "closed": [{**shut, "fate": "won"}]},
        {**good, "closed": [{**shut, "id": "not an id"}]},
        {**good, "dropped": {"fixed": -1}},
        {**good, "dropped": {"won": 1}},
        {**good, "dropped": {"fixed": 10**4299}},
        {**good, "dropped": {"fixed": 1.5}},
        {key: value for key, value in good.items() if key != "settings"},
    )
    for bad in wrong:
        assert unpack(packed(bad)) is None
    for text in ("", "AAAA", "a", "%%%%", packed(good)[:-8], packed(good)[4:]):
        assert unpack(text) is None
    monkeypatch.setattr(block, "MOST_BYTES", 100)
    assert unpack(packed(good)) is None
