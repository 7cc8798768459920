"""Streams on the wire: each is read the same whole and byte by byte, and never better when cut."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.virtual_time import in_virtual_time
from tests.wire_fixtures import BODIES, WIRE, reading_of

NAMES = sorted(path.stem for path in WIRE.glob("*.sse"))


def fixture(name: str) -> tuple[bytes, dict[str, Any]]:
    expected = json.loads((WIRE / f"{name}.expected.json").read_text(encoding="utf-8"))
    return (WIRE / f"{name}.sse").read_bytes(), expected


def test_every_body_is_there() -> None:
    assert sorted(BODIES) == NAMES


@pytest.mark.parametrize("name", NAMES)
@in_virtual_time
async def test_a_stream_is_read_as_expected_whole_and_byte_by_byte(name: str) -> None:
    body, expected = fixture(name)
    assert await reading_of(body, [body]) == expected
    assert await reading_of(body, [body[at : at + 1] for at in range(len(body))]) == expected


@pytest.mark.parametrize("name", NAMES)
@in_virtual_time
async def test_a_stream_that_is_cut_short_is_never_complete(name: str) -> None:
    body, expected = fixture(name)
    end = body.rfind(b"event: message_stop")
    for size in range(1, len(body) if end < 0 else end, 331):
        cut = body[:size]
        seen = await reading_of(cut, [cut])
        assert seen["end"] != "complete", size
        assert set(seen["drafts"]) <= set(expected["drafts"]) | {1, 2}
