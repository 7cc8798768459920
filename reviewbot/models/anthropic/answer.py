"""Convert the events of a streamed message to model events. Pure, no waiting.

The reader supports Anthropic's API and servers that only resemble it. It accepts blocks without a
start or an end, overlapping or repeated blocks, an input in ``content_block_start``, and missing
usage. The wire format is that of Anthropic's documentation, "Streaming messages".
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.events.events import Usage
from reviewbot.core.findings.report_tool import REPORT_TOOL
from reviewbot.core.findings.toolstream import MAX_CHARS
from reviewbot.models.anthropic.content import ContentReader
from reviewbot.models.base import (
    EMPTY,
    OTHER_TOOL,
    PROSE,
    Answering,
    Fault,
    InputRestarted,
    ModelFault,
    Stop,
    Stopped,
    Thinking,
    ToolInput,
    TurnContent,
    UsageReport,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reviewbot.models.base import ModelEvent

_MOST_TOKENS: Final = 10**10
_CUT: Final = ("max_tokens", "model_context_window_exceeded")
_ENDED: Final = ("tool_use", "end_turn", "stop_sequence")
"""Stop reasons. A server may send any value, so they are compared and not hashed."""
_MOST_BLOCKS: Final = 1000
"""Blocks of a report that are open or wait for their turn."""
_USAGE: Final = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_input_tokens",
    "cache_write": "cache_creation_input_tokens",
}


class ErrorEvent(Exception):
    """The stream contained an ``error`` event; ``data`` is its object."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__()
        self.data = data


@dataclass(slots=True)
class _Block:
    """A content block that holds the report, or a part of it that waits for its turn."""

    start: str = ""
    """Input from ``content_block_start``."""
    pending: list[str] = field(default_factory=list)
    shown: bool = False
    closed: bool = False


class AnswerReader:
    """Reader of one message.

    Args:
        as_text: the report comes as text and not as a tool call.
        lookups: the request offers look-ups, so that the message may be one turn of several.
        clean: makes a server's text fit for a message.
        tool: name of the tool whose input is the report.
    """

    def __init__(
        self,
        *,
        as_text: bool,
        clean: Callable[[str], str],
        lookups: bool = False,
        tool: str = REPORT_TOOL["name"],
    ) -> None:
        self.ended = False
        self.wrote = False
        self._as_text, self._clean, self._tool = as_text, clean, tool
        self._content = ContentReader(tool) if lookups else None
        self._answering = False
        self._usage = Usage()
        self._blocks: dict[int, _Block] = {}
        self._queue: deque[_Block] = deque()
        self._chars = 0
        self._called = False
        self._instead = EMPTY
        self._stop_reason: object = None
        self._stop_details: object = None

    def take(self, kind: str, data: Mapping[str, Any]) -> Iterator[ModelEvent]:
        """Yield the model events of one event from :func:`event_of`.

        Raises:
            ErrorEvent: the event is an error.
            ModelFault: the report is too large.
        """
        if kind == "error":
            raise ErrorEvent(data)
        if not self._answering:
            self._answering = True
            yield Answering()
        if self._content is not None:
            self._content.take(kind, data)
        match kind:
            case "message_start":
                yield from self._count(_table(data.get("message")).get("usage"))
            case "content_block_start":
                yield from self._start(_index(data), _table(data.get("content_block")))
            case "content_block_delta":
                yield from self._delta(_index(data), _table(data.get("delta")))
            case "content_block_stop":
                yield from self._close(_index(data))
            case "message_delta":
                delta = _table(data.get("delta"))
                self._stop_reason = delta.get("stop_reason") or self._stop_reason
                self._stop_details = delta.get("stop_details") or self._stop_details
                yield from self._count(data.get("usage"))
            case "message_stop":
                for index in tuple(self._blocks):
                    yield from self._close(index)
                self.ended = True
            case _:
                pass  # event types may be added at any time ("Streaming messages")

    def stopped(self) -> Stopped:
        """Return how the message ended, once :attr:`ended`.

        Raises:
            ModelFault: the stop reason is unknown.
        """
        called = self._called or (self._content is not None and self._content.called)
        reported = self.wrote if self._as_text else called
        match self._stop_reason:
            case "refusal":
                return Stopped(Stop.REFUSED, self._refusal())
            case reason if reason in _CUT and (reported or self._instead != PROSE):
                return Stopped(Stop.TRUNCATED, f"the answer was truncated: {reason}")
            case reason if reason in _ENDED and reported:
                return Stopped(Stop.COMPLETE)
            case reason if reason in (*_CUT, *_ENDED):
                detail = f"the model answered with {self._instead}, not a report"
                return Stopped(Stop.NO_REPORT, detail, self._instead)
            case reason:
                shown = self._clean(str(reason)) if reason else "none"
                raise ModelFault(
                    f"the answer ended with an unknown stop reason: {shown}", fault=Fault.UNUSABLE
                )

    def turn(self) -> TurnContent | None:
        """Return the content of an ended turn; None without look-ups.

        A message that is truncated or refused is no turn: it is never sent back.

        Raises:
            ModelFault: a look-up cannot be read.
        """
        if self._content is None or self._stop_reason not in _ENDED:
            return None
        return self._content.content()

    def _refusal(self) -> str:
        details = _table(self._stop_details)
        category, explanation = details.get("category"), details.get("explanation")
        sentence = "the model declined to answer"
        if category:
            sentence += f" ({self._clean(str(category))})"
        return f"{sentence}: {self._clean(str(explanation))}" if explanation else sentence

    def _start(self, index: int, content: Mapping[str, Any]) -> Iterator[ModelEvent]:
        kind = content.get("type")
        if kind == "tool_use" and not self._as_text:
            if content.get("name") != self._tool:
                self._instead = OTHER_TOOL
                yield Thinking()
                return
            self._called = True
            yield from self._open(index, content.get("input"))
        elif kind == "text" and self._as_text:
            yield from self._open(index, content.get("text"))
        else:
            self._note_prose(content)
            yield Thinking(_string(content.get("thinking")))

    def _open(self, index: int, start_input: object) -> Iterator[ModelEvent]:
        yield from self._close(index)  # a server that does not number its blocks
        self._blocks[index] = block = _Block(self._bounded(_json_text(start_input)))
        self._queue.append(block)
        if len(self._queue) > _MOST_BLOCKS:
            raise ModelFault(
                f"the answer has more than {_MOST_BLOCKS} blocks at once", fault=Fault.UNUSABLE
            )

    def _delta(self, index: int, delta: Mapping[str, Any]) -> Iterator[ModelEvent]:
        block = self._blocks.get(index)
        piece = _string(delta.get("text" if self._as_text else "partial_json"))
        if block is None or (not piece and delta.get("thinking")):
            self._note_prose(delta)
            yield Thinking(_string(delta.get("thinking")))
        elif piece:
            block.pending.append(self._bounded(piece))
            yield from self._advance()

    def _note_prose(self, part: Mapping[str, Any]) -> None:
        """Record whether a block or delta outside of the report has text."""
        if self._instead == EMPTY and _string(part.get("text")).strip():
            self._instead = PROSE

    def _close(self, index: int) -> Iterator[ModelEvent]:
        block = self._blocks.pop(index, None)
        if block is None:
            return
        if not block.shown and not block.pending and block.start:
            block.pending.append(block.start)
        block.closed = True
        yield from self._advance()

    def _bounded(self, piece: str) -> str:
        """Return ``piece``; raise if the total size of all pieces exceeds the limit."""
        self._chars += len(piece)
        if self._chars > MAX_CHARS:
            raise ModelFault(
                f"the answer is longer than {MAX_CHARS:,} characters", fault=Fault.UNUSABLE
            )
        return piece

    def _advance(self) -> Iterator[ModelEvent]:
        """Yield the text of the oldest open block. Later blocks wait until it is closed."""
        while self._queue:
            block = self._queue[0]
            if block.pending:
                if self.wrote and not block.shown and not self._as_text:
                    yield InputRestarted()
                self.wrote = block.shown = True
                yield ToolInput("".join(block.pending))
                block.pending.clear()
            if not block.closed:
                return
            self._queue.popleft()

    def _count(self, usage: object) -> Iterator[ModelEvent]:
        """Update the usage. Counts are cumulative, so each count replaces the previous count."""
        table = _table(usage)
        known = {
            name: table[key]
            for name, key in _USAGE.items()
            if isinstance(table.get(key), int) and 0 <= table[key] <= _MOST_TOKENS
        }
        counted = Usage(
            input=known.get("input", self._usage.input),
            output=known.get("output", self._usage.output),
            cache_read=known.get("cache_read", self._usage.cache_read),
            cache_write=known.get("cache_write", self._usage.cache_write),
        )
        if counted != self._usage:
            self._usage = counted
            yield UsageReport(counted)


def event_of(name: str | None, text: str) -> tuple[str, Mapping[str, Any]] | None:
    """Return kind and object of a server-sent event; None for pings and unknown events.

    Args:
        name: the ``event:`` field, if any.
        text: the ``data:`` field, a JSON object.

    Raises:
        ModelFault: the data is not JSON.
    """
    if name == "ping" or not text or text == "[DONE]":  # proxies may end as OpenAI does
        return None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        what = "the server's stream contains an event that is not JSON"
        raise ModelFault(what, fault=Fault.UNUSABLE) from None
    if name == "error":
        return "error", _table(data)
    kind = _string(_table(data).get("type")) or name
    return None if kind is None or kind == "ping" else (kind, _table(data))


def _json_text(value: object) -> str:
    """Return a whole report as JSON text, which needs less memory than the parsed objects."""
    if not value or isinstance(value, str):
        return _string(value)
    try:
        return json.dumps(value)
    except RecursionError:
        what = "the server's stream contains an input that is nested too deeply"
        raise ModelFault(what, fault=Fault.UNUSABLE) from None


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _index(data: Mapping[str, Any]) -> int:
    index = data.get("index")
    return index if isinstance(index, int) else 0
