from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from reviewbot.models.anthropic.answer import AnswerReader, ErrorEvent, event_of
from reviewbot.models.base import Answering, ModelEvent, ModelFault, Stop, Stopped, ToolInput

KINDS = (
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "error",
    "ping",
    "new_kind",
)
KEYS = (
    *("type", "index", "message", "content_block", "delta", "usage", "stop_reason", "name"),
    *("input", "text", "partial_json", "thinking", "error", "input_tokens", "output_tokens"),
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 3)
    | st.sampled_from([*KINDS, "tool_use", "report_findings", "end_turn", "max_tokens", "{", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=12,
)
EVENTS = st.tuples(st.none() | st.sampled_from(KINDS), VALUES)


@given(st.lists(EVENTS, max_size=12), st.booleans())
def test_no_event_whatever_its_shape_breaks_the_reader(
    events: list[tuple[str | None, object]], as_text: bool
) -> None:
    reader = AnswerReader(as_text=as_text, clean=str)
    seen: list[ModelEvent] = []
    try:
        for name, data in events:
            happened = event_of(name, json.dumps(data))
            if happened is not None:
                seen += reader.take(*happened)
        stopped = reader.stopped() if reader.ended else None
    except (ErrorEvent, ModelFault):
        stopped = None
    assert sum(isinstance(event, Answering) for event in seen) <= 1
    assert not any(isinstance(event, Stopped) for event in seen)
    assert all(event.text for event in seen if isinstance(event, ToolInput))
    if stopped is not None and stopped.stop is Stop.COMPLETE:
        reasons = ("end_turn", "tool_use")
        assert any(reason in json.dumps(events) for reason in reasons)


@given(st.lists(st.tuples(st.integers(0, 2), st.text("ab{}", min_size=1, max_size=3)), max_size=20))
def test_interleaved_blocks_come_out_one_after_the_other(pieces: list[tuple[int, str]]) -> None:
    reader = AnswerReader(as_text=False, clean=str)
    seen: list[ModelEvent] = []
    for index in range(3):
        block = {"type": "tool_use", "name": "report_findings", "input": {}}
        seen += reader.take("content_block_start", {"index": index, "content_block": block})
    for index, text in pieces:
        delta = {"type": "input_json_delta", "partial_json": text}
        seen += reader.take("content_block_delta", {"index": index, "delta": delta})
    seen += reader.take("message_delta", {"delta": {"stop_reason": "tool_use"}})
    seen += reader.take("message_stop", {})
    texts = [""]
    for event in seen:
        if isinstance(event, ToolInput):
            texts[-1] += event.text
        elif not isinstance(event, Answering):
            texts.append("")
    expected = ["".join(text for at, text in pieces if at == index) for index in range(3)]
    assert texts == ([text for text in expected if text] or [""])
