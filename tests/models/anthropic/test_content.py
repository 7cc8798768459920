"""The blocks of a message are put together as the server expects them back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reviewbot.models.anthropic.content import MAX_BLOCKS, ContentReader
from reviewbot.models.base import Fault, ModelFault, ToolCall, TurnContent


def read(*events: tuple[str, dict[str, Any]]) -> TurnContent:
    reader = ContentReader("report_findings")
    for kind, data in events:
        reader.take(kind, data)
    return reader.content()


def start(index: int = 0, **block: Any) -> tuple[str, dict[str, Any]]:
    return "content_block_start", {"index": index, "content_block": block}


def delta(index: int = 0, **change: Any) -> tuple[str, dict[str, Any]]:
    return "content_block_delta", {"index": index, "delta": change}


def blocks(content: TurnContent) -> list[dict[str, Any]]:
    decoded: list[dict[str, Any]] = json.loads(content.content)
    return decoded


def test_thinking_keeps_its_signature_also_if_its_text_is_not_shown() -> None:
    content = read(
        start(type="thinking", thinking="", signature=""),
        delta(type="signature_delta", signature="c2l"),
        delta(type="signature_delta", signature="n"),
        start(1, type="redacted_thinking", data="x"),
    )
    assert blocks(content) == [
        {"type": "thinking", "thinking": "", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "x"},
    ]


def test_unknown_blocks_fields_and_deltas_pass() -> None:
    content = read(
        start(type="poem", mood="good", rhymes=[1]),
        delta(type="poem_delta", poem="x"),
        delta(5, type="text_delta", text="lost"),
        ("content_block_delta", {"index": 0}),
        start(1, type="text", text="Hm", citations=None),
        delta(1, type="citations_delta", citation={"a": 1}),
        delta(1, type="text_delta", text="m."),
    )
    assert blocks(content) == [
        {"type": "poem", "mood": "good", "rhymes": [1]},
        {"type": "text", "text": "Hmm.", "citations": [{"a": 1}]},
    ]


def test_calls_come_in_order_with_their_input() -> None:
    content = read(
        start(type="tool_use", id="t1", name="read_code", input={}, caller={"type": "direct"}),
        delta(type="input_json_delta", partial_json='{"path": '),
        delta(type="input_json_delta", partial_json='"a.py"}'),
        start(1, type="tool_use", id="t2", name="report_findings", input={}),
        start(2, type="tool_use", id="t3", name="search_code", input={"path": "b.py"}),
        start(3, type="tool_use", id="t4", name="search_code"),
    )
    assert content.calls == (
        ToolCall("t1", "read_code", {"path": "a.py"}),
        ToolCall("t2", "report_findings", {}, reports=True),
        ToolCall("t3", "search_code", {"path": "b.py"}),
        ToolCall("t4", "search_code", {}),
    )
    assert content.looks_up
    assert blocks(content)[0]["caller"] == {"type": "direct"}


def test_an_empty_text_is_not_sent_back() -> None:
    assert read(start(type="text", text=" \n")).content == ""


@pytest.mark.parametrize("text", ["[1]", '{"a": ', '{"a": NaN}', '{"a": "\\ud800"}', "[" * 90_000])
def test_a_look_up_that_cannot_be_sent_back_is_unusable(text: str) -> None:
    events = (start(type="tool_use", id="t1", name="search_code", input={}),)
    with pytest.raises(ModelFault) as caught:
        read(*events, delta(type="input_json_delta", partial_json=text))
    assert caught.value.fault is Fault.UNUSABLE


def test_the_reader_of_the_report_decides_about_its_text() -> None:
    content = read(
        start(type="tool_use", id="t1", name="report_findings", input={}),
        delta(type="input_json_delta", partial_json='{"findings": oops'),
    )
    assert blocks(content)[0]["input"] == {}
    assert not content.looks_up


def test_endless_content_is_refused() -> None:
    with pytest.raises(ModelFault):
        read(*[start(type="text", text="x")] * (MAX_BLOCKS + 1))
    with pytest.raises(ModelFault):
        read(start(type="text", text=""), *[delta(type="text_delta", text="x" * 2**20)] * 9)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text", "text": "x \ud800"},
        {"type": "thinking", "thinking": "\udfff", "signature": "c2ln"},
        {"type": "tool_use", "id": "\ud800", "name": "search_code", "input": {}},
        {"type": "tool_use", "id": "1", "name": "\ud800", "input": {}},
    ],
)
def test_a_message_that_cannot_be_sent_back_is_unusable(block: dict[str, Any]) -> None:
    with pytest.raises(ModelFault) as raised:
        read(start(**block))
    assert raised.value.fault is Fault.UNUSABLE
