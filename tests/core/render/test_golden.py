"""Every recorded stream gives, in every format, exactly the text beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.event_schema import assert_valid_event
from tests.regenerate_golden import STREAMS, outputs, recorded

if TYPE_CHECKING:
    from pathlib import Path

ALL = sorted(STREAMS.glob("*.ndjson"))
CASES = [(stream, path) for stream in ALL for path, _ in outputs(stream)]


def test_there_are_recorded_streams() -> None:
    assert {stream.stem for stream in ALL} >= {"sample", "clean", "findings", "cut", "nasty"}


@pytest.mark.parametrize(("stream", "path"), CASES, ids=lambda path: path.name)
def test_the_output_is_the_recorded_one(stream: Path, path: Path) -> None:
    expected = dict(outputs(stream))[path]
    assert path.read_bytes().decode() == expected, "see tests/regenerate_golden.py"


@pytest.mark.parametrize("stream", ALL, ids=lambda path: path.stem)
def test_recorded_streams_are_valid_and_numbered_without_a_gap(stream: Path) -> None:
    records = recorded(stream)
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    for record in records:
        assert_valid_event(record)
        assert json.loads(json.dumps(record)) == record


def test_every_output_beside_a_stream_belongs_to_it() -> None:
    made = {path for stream in ALL for path, _ in outputs(stream)}
    names = tuple(f"{stream.stem}." for stream in ALL)
    assert {path for path in STREAMS.iterdir() if path.name.startswith(names)} == made | set(ALL)
