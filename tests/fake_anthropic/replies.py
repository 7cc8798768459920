"""What the fake answers: whole answers, errors, or raw scripts of bytes, pauses and cuts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from tests.fake_anthropic.requests import Recorded

CHARS_PER_TOKEN = 4
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing happens for ``seconds``; with ``ping_every`` there are pings meanwhile."""

    seconds: float
    ping_every: float | None = None


@dataclass(frozen=True, slots=True)
class Hang:
    """Nothing more ever happens, except pings if asked for, until the client goes away."""

    ping_every: float | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends: ``reset`` is a TCP reset, ``close`` an end within the HTTP body,
    ``eof`` a proper end of the HTTP body."""

    how: Literal["reset", "close", "eof"] = "reset"


Step: TypeAlias = bytes | Pause | Hang | Cut


def frame(event: str, **data: Any) -> bytes:
    """One server-sent event as the API writes it; ``data`` gets ``type`` put in front.

    The API pads its events with spaces at the end of the line.
    """
    text = json.dumps({"type": event, **data}, separators=(",", ":"), ensure_ascii=False)
    return f"event: {event}\ndata: {text}{' ' * (len(text) % 16)}\n\n".encode()


PING = frame("ping")


def finding(**changes: Any) -> dict[str, Any]:
    """A valid finding as a model writes it, with ``changes``."""
    return {
        "path": "app.py",
        "quote": "due = order.net * rate",
        "side": "RIGHT",
        "line": 42,
        "end_line": 42,
        "scenario": "When rate is None, the multiplication raises TypeError.",
        "category": "bug",
        "severity": "error",
        "confidence": 0.9,
        "title": "Rate may be None",
        "message": "Check `rate` before it is used.",
        "suggestion": None,
    } | changes


@dataclass(frozen=True, slots=True)
class StatusError:
    """An HTTP error before any stream. ``body`` replaces the API's own JSON form."""

    status: int
    message: str = "scripted error"
    type: str | None = None
    error_code: str | None = None
    retry_after: str | float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    delay: float = 0.0

    def payload(self, request_id: str) -> bytes:
        """The body on the wire."""
        if self.body is not None:
            return self.body
        error: dict[str, Any] = {
            "type": self.type or ERROR_TYPES.get(self.status, "api_error"),
            "message": self.message,
        }
        if self.error_code:
            error["details"] = {"error_code": self.error_code}
        return json.dumps({"type": "error", "error": error, "request_id": request_id}).encode()


@dataclass(frozen=True, slots=True)
class StreamError:
    """An ``error`` event within a stream that began with status 200."""

    type: str = "overloaded_error"
    message: str = "Overloaded"
    error_code: str | None = None

    def frame(self) -> bytes:
        error: dict[str, Any] = {"type": self.type, "message": self.message}
        if self.error_code:
            error["details"] = {"error_code": self.error_code}
        return frame("error", error=error, request_id="req_stream")


@dataclass(frozen=True, slots=True)
class Script:
    """A response of raw steps, for what :class:`Answer` cannot say."""

    steps: Sequence[Step]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    close: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the model, well-formed unless told otherwise.

    To a request with ``output_config.format`` the report comes as text, else as a tool call.

    Args:
        findings: what it reports, as JSON objects.
        files: what it says about each file, as JSON objects; ``None``: a line for each file that
            the request shows. ``()`` leaves the field out.
        outcome: ``None`` leaves the field out.
        report: the exact text of the report, in place of ``findings`` and ``outcome``.
        call: false: it does not call the tool (``preamble`` is all it says).
        preamble: text before the tool call.
        thinking: a thought before all else; "" is a thought that is not shown.
        tool: the name it calls.
        lookups: names and inputs of look-ups that it calls after the report.
        blocks: the report is repeated in so many tool_use blocks, one after the other.
        overlap: the deltas of these blocks are interleaved.
        delta_size: characters per delta; ``None`` sends each text whole.
        input_in_start: the whole input stands in content_block_start, no delta follows.
        omit_input: content_block_start has no ``input``.
        block_stop: false: no content_block_stop.
        message_stop: false: the body ends properly, but without message_stop.
        stop_reason: in place of the fitting one; "" sends null.
        stop_details: for refusals.
        truncate_at: the report ends after so many characters, as by max_tokens.
        max_tokens: whether the request's own max_tokens truncates (4 characters a token).
        error: an error event after the content in place of its end.
        usage: in place of the computed one; ``{}`` leaves usage out altogether.
        usage_at_end: message_start has no usage.
        delay: seconds before the status line.
        before: steps between message_start and the first block.
        pace: seconds between two deltas.
        cut_at: the body ends after so many bytes, or at its own end, by ``cut``.
        close: the socket is closed after the answer, as by ``Connection: close``.
        headers: more response headers.
    """

    findings: Sequence[Mapping[str, Any]] = ()
    files: Sequence[Mapping[str, Any]] | None = None
    outcome: str | None = "complete"
    report: str | None = None
    call: bool = True
    preamble: str = ""
    thinking: str | None = None
    tool: str = "report_findings"
    lookups: Sequence[tuple[str, Mapping[str, Any]]] = ()
    blocks: int = 1
    overlap: bool = False
    delta_size: int | None = 16
    input_in_start: bool = False
    omit_input: bool = False
    block_stop: bool = True
    message_stop: bool = True
    stop_reason: str | None = None
    stop_details: Mapping[str, Any] | None = None
    truncate_at: int | None = None
    max_tokens: bool = True
    error: StreamError | None = None
    usage: Mapping[str, Any] | None = None
    usage_at_end: bool = False
    delay: float = 0.0
    before: Sequence[Step] = ()
    pace: float = 0.0
    cut_at: int | None = None
    cut: Cut | Hang = field(default_factory=Cut)
    close: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def text(self, paths: Sequence[str] = ()) -> str:
        """The report as the model writes it, about a request that shows the files ``paths``."""
        if self.report is not None:
            return self.report
        report: dict[str, Any] = {"findings": list(self.findings)}
        files = self.files
        if files is None:
            files = [{"path": path, "change": f"Changes {path}"} for path in paths]
        if files:
            report["files"] = list(files)
        if self.outcome is not None:
            report["outcome"] = self.outcome
        return json.dumps(report, ensure_ascii=False)

    def steps(self, request: Recorded, usage: Mapping[str, Any]) -> Iterator[Step]:
        """The body, with ``cut_at`` applied."""
        left = self.cut_at
        for step in self._steps(request, usage):
            if isinstance(step, bytes) and left is not None:
                if len(step) >= left:
                    yield step[:left]
                    yield self.cut
                    return
                left -= len(step)
            yield step
        if left is not None:
            yield self.cut

    def wire(self, request: Recorded | None = None) -> bytes:
        """All bytes of the body without its pauses: for tests that cut everywhere."""
        usage = {"input_tokens": 25, "output_tokens": 0}
        steps = self._steps(request or Recorded.empty(), usage)
        return b"".join(step for step in steps if isinstance(step, bytes))

    def _steps(self, request: Recorded, usage: Mapping[str, Any]) -> Iterator[Step]:
        known = dict(usage if self.usage is None else self.usage)
        yield _message_start(request, {} if self.usage_at_end else {**known, "output_tokens": 1})
        yield from self.before
        content = self._content(request)
        written = 0
        for step, characters in content.steps:
            written += characters
            yield step
            if characters and self.pace:
                yield Pause(self.pace)
        if self.error is not None:
            yield self.error.frame()
            return
        known |= {} if self.usage == {} else {"output_tokens": -(-written // CHARS_PER_TOKEN) or 1}
        reason = content.stop_reason if self.stop_reason is None else (self.stop_reason or None)
        delta = {
            "stop_reason": reason,
            "stop_sequence": None,
            "stop_details": dict(self.stop_details) if self.stop_details else None,
        }
        end = {"usage": known} if known else {}
        yield frame("message_delta", delta=delta, **end)
        if self.message_stop:
            yield frame("message_stop")

    def _content(self, request: Recorded) -> _Content:
        room = request.max_tokens * CHARS_PER_TOKEN if self.max_tokens else None
        content = _Content(room, self.delta_size, block_stop=self.block_stop)
        if request.offers_lookups:  # calls of several turns need ids of their own
            content.ids = f"toolu_{request.request_id}"
        if self.thinking is not None:
            content.thinking(self.thinking)
        if self.preamble:
            content.texts("text", self.preamble)
        if not self.call:
            self._look_up(content)
            content.stop_reason = content.stop_reason or (
                "tool_use" if self.lookups else "end_turn"
            )
            return content
        text = self.text(request.shown_paths)
        if self.truncate_at is not None:
            content.room = min(self.truncate_at, content.room or self.truncate_at)
        if request.structured:
            content.texts("text", text)
            content.stop_reason = content.stop_reason or "end_turn"
            return content
        if self.overlap:
            content.overlapping(self.tool, text, self.blocks)
        else:
            for _ in range(self.blocks):
                content.call(
                    self.tool, text, at_start=self.input_in_start, omit_input=self.omit_input
                )
        self._look_up(content)
        content.stop_reason = content.stop_reason or "tool_use"
        return content

    def _look_up(self, content: _Content) -> None:
        for name, value in self.lookups:
            content.call(name, json.dumps(value), at_start=False, omit_input=False)


class _Content:
    """Builds the blocks of one message: steps, each with the characters it counts for."""

    def __init__(self, room: int | None, delta_size: int | None, *, block_stop: bool) -> None:
        self.room, self.delta_size, self.block_stop = room, delta_size, block_stop
        self.steps: list[tuple[Step, int]] = []
        self.stop_reason: str | None = None
        self.ids = "toolu"
        self._index = -1

    def thinking(self, text: str) -> None:
        index = self._start(type="thinking", thinking="", signature="")
        self._deltas(index, "thinking_delta", "thinking", text)
        delta = {"type": "signature_delta", "signature": "c2ln"}
        self.steps.append((frame("content_block_delta", index=index, delta=delta), 0))
        self._stop(index)

    def texts(self, kind: str, text: str) -> None:
        index = self._start(type=kind, text="")
        self._deltas(index, "text_delta", "text", text)
        self._stop(index)

    def call(self, tool: str, text: str, *, at_start: bool, omit_input: bool) -> None:
        block: dict[str, Any] = {
            "type": "tool_use",
            "id": f"{self.ids}_{self._index + 1}",
            "name": tool,
        }
        if not omit_input:
            block["input"] = json.loads(text) if at_start else {}
        index = self._start(**block)
        if not at_start:
            self._deltas(index, "input_json_delta", "partial_json", text)
        self._stop(index)

    def overlapping(self, tool: str, text: str, blocks: int) -> None:
        opened = [
            self._start(type="tool_use", id=f"toolu_{number}", name=tool, input={})
            for number in range(blocks)
        ]
        for piece in self._pieces(text):
            for index in opened:
                self._delta(index, "input_json_delta", "partial_json", piece)
        for index in opened:
            self._stop(index)

    def _start(self, **block: Any) -> int:
        self._index += 1
        if self.stop_reason is None:
            start = frame("content_block_start", index=self._index, content_block=block)
            self.steps.append((start, 0))
        return self._index

    def _stop(self, index: int) -> None:
        if self.block_stop and self.stop_reason is None:
            self.steps.append((frame("content_block_stop", index=index), 0))

    def _pieces(self, text: str) -> list[str]:
        size = self.delta_size or len(text) or 1
        return [text[at : at + size] for at in range(0, len(text), size)]

    def _deltas(self, index: int, kind: str, key: str, text: str) -> None:
        for piece in self._pieces(text):
            self._delta(index, kind, key, piece)

    def _delta(self, index: int, kind: str, key: str, piece: str) -> None:
        if self.stop_reason is not None:
            return
        if self.room is not None:
            if len(piece) > self.room:
                piece, self.stop_reason = piece[: self.room], "max_tokens"
            self.room -= len(piece)
        step = frame("content_block_delta", index=index, delta={"type": kind, key: piece})
        self.steps.append((step, len(piece)))


def _message_start(request: Recorded, usage: Mapping[str, Any]) -> bytes:
    message: dict[str, Any] = {
        "id": "msg_fake",
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
    }
    if set(usage) - {"output_tokens"}:
        message["usage"] = dict(usage)
    return frame("message_start", message=message)


Reply: TypeAlias = Answer | StatusError | Script
Responder: TypeAlias = Callable[[Recorded], Reply]
