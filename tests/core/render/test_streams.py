"""Streaming formats carry every record unchanged, whatever it holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from reviewbot.core.events.records import from_record, record
from reviewbot.core.render import final
from reviewbot.core.render.inert import json_text
from reviewbot.core.render.ndjson import render as ndjson
from reviewbot.core.render.sse import frame
from tests.event_schema import assert_valid_event
from tests.review_strategies import NASTY, events, streams, texts
from tests.runner_model import commands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.events.events import Event


def sse(obj: dict[str, Any]) -> str:
    return frame(obj["type"], obj["seq"], json_text(obj)).decode()


def records(stream: list[Event]) -> list[dict[str, Any]]:
    common = {"review_id": "r1", "at": "2026-11-24T10:00:00Z"}
    return [record(event, seq=seq, **common) for seq, event in enumerate(stream, 1)]


def parsed_sse(text: str) -> Iterator[tuple[str, str, str]]:
    """Event, id and data as a browser reads them (WHATWG HTML, "Interpreting an event stream")."""
    kind, last_id, data = "", "", ""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if not line:
            if data:
                yield kind or "message", last_id, data.removesuffix("\n")
            kind, data = "", ""
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last_id = value
        elif name == "data":
            data += value + "\n"


@given(streams())
def test_ndjson_lines_come_back_as_the_same_events(stream: list[Event]) -> None:
    text = "".join(map(ndjson, records(stream)))
    assert len(text.splitlines()) == len(stream)  # no reader sees other lines
    lines = [json.loads(line) for line in text.splitlines()]
    assert [from_record(line) for line in lines] == stream
    for line in lines:
        assert_valid_event(line)


@given(streams())
def test_server_sent_events_come_back_as_the_same_events(stream: list[Event]) -> None:
    text = "".join(map(sse, records(stream)))
    got = list(parsed_sse(text))
    assert [from_record(json.loads(data)) for _, _, data in got] == stream
    assert [kind for kind, _, _ in got] == [event.type for event in stream]
    assert [int(number) for _, number, _ in got] == list(range(1, len(stream) + 1))
    assert text.isascii()


@given(events)
def test_no_record_in_a_log_is_a_command_to_a_ci_runner(event: Event) -> None:
    (obj,) = records([event])
    assert commands(ndjson(obj)) == []
    assert commands(sse(obj)) == []


@given(texts)
def test_breaking_up_commands_changes_no_value(text: str) -> None:
    value = {"x": [text, "a##[b", "\\##[", "###[["]}
    for indent in (None, 2):
        written = json_text(value, indent=indent)
        assert json.loads(written) == value
        assert "##[" not in written


def test_numbers_that_json_lacks_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text({"x": float("nan")})


@pytest.mark.parametrize("name", ["terminal", "xml", "ndjson\n"])
def test_an_unknown_format_is_refused(name: str) -> None:
    with pytest.raises(KeyError):
        final(name)


def test_the_nasty_values_are_nasty() -> None:
    assert commands("".join(NASTY))
