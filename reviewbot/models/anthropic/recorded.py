"""Requests that are kept in a folder, and answered from it instead of by a server.

So a person, or another program, can stand in for a model. A new request is written to the folder
``requests``, and refused until the folder ``answers`` has its answer. The same command, run again,
then continues with the next request.
"""

from __future__ import annotations

import hashlib
import json
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import httpx2

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

TRANSPORT: Final[ContextVar[httpx2.AsyncBaseTransport | None]] = ContextVar(
    "TRANSPORT", default=None
)
"""Transport of the clients that are opened in this context; None for the network."""
REPORT: Final = "report_findings"
_IDENTITY: Final = ("system", "messages", "tools", "tool_choice")
_BYTES_PER_TOKEN: Final = 4


class RecordedAnswers(httpx2.AsyncBaseTransport):
    """Transport that answers requests to the Messages API from files.

    ``answers/ID.json`` has the answer to ``requests/ID.json``, whose text is in
    ``requests/ID.txt``. An object is the input of the report tool, or of the only tool; without
    tools it is the JSON to write. A string is a text. A list has blocks: ``{"text": "..."}`` or
    ``{"name": "read_code", "input": {...}}``.

    Args:
        folder: the folder; it is made if it does not exist.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._requests, self._answers = folder / "requests", folder / "answers"
        for subfolder in (self._requests, self._answers):
            subfolder.mkdir(parents=True, exist_ok=True)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the recorded answer, or a refusal with the id of the request."""
        body = json.loads(await request.aread())
        if not request.url.path.endswith("/messages"):
            return _refusal("only messages are recorded", 404)
        text = json.dumps([body.get(name) for name in _IDENTITY], sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        path = self._answers / f"{key}.json"
        try:
            (self._requests / f"{key}.json").write_text(json.dumps(body), "utf-8")
            (self._requests / f"{key}.txt").write_text(
                _readable(body), "utf-8", errors="backslashreplace"
            )
            if not path.exists():
                return _refusal(f"no answer yet: {key}")
            content = [*_blocks(json.loads(path.read_text("utf-8")), body)]
        except OSError as error:
            return _refusal(f"cannot use the folder of recorded answers: {error.strerror}")
        except (ValueError, TypeError, RecursionError):
            return _refusal(f"the answer {key} is not valid")
        events = "".join(
            f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
            for event in _events(key, content, body)
        )
        return httpx2.Response(
            200, headers={"content-type": "text/event-stream"}, content=events.encode()
        )


def _refusal(message: str, status: int = 400) -> httpx2.Response:
    error = {"type": "invalid_request_error", "message": message}
    return httpx2.Response(status, json={"type": "error", "error": error})


def _blocks(answer: object, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the content blocks of an answer.

    Raises:
        TypeError: the answer or a block has another form.
    """
    tools = [tool["name"] for tool in body.get("tools") or () if "input_schema" in tool]
    match answer:
        case str():
            yield {"type": "text", "text": answer}
        case dict() if tools:
            yield _call(REPORT if REPORT in tools else tools[0], answer)
        case dict():
            yield {"type": "text", "text": json.dumps(answer)}
        case [*blocks]:
            yield from map(_block, blocks)
        case _:
            raise TypeError("an answer must be an object, a string or a list")


def _block(value: object) -> dict[str, Any]:
    match value:
        case {"name": str(name), "input": call}:
            return _call(name, call)
        case {"text": str(text)}:
            return {"type": "text", "text": text}
        case _:
            raise TypeError("a block must have a text, or the name of a tool and its input")


def _call(name: str, value: object) -> dict[str, Any]:
    return {"type": "tool_use", "name": name, "input": value}


def _events(
    key: str, content: list[dict[str, Any]], body: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the events of a stream. Tokens are estimated from the bytes."""
    usage = {"input_tokens": len(json.dumps(body)) // _BYTES_PER_TOKEN, "output_tokens": 1}
    message: dict[str, Any] = {
        "id": f"msg_{key}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    yield {"type": "message_start", "message": message}
    for index, block in enumerate(content):
        if block["type"] == "tool_use":
            start = block | {"id": f"toolu_{key}_{index}", "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        else:
            start = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": block["text"]}
        yield {"type": "content_block_start", "index": index, "content_block": start}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    called = any(block["type"] == "tool_use" for block in content)
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use" if called else "end_turn", "stop_sequence": None},
        "usage": usage | {"output_tokens": len(json.dumps(content)) // _BYTES_PER_TOKEN + 1},
    }
    yield {"type": "message_stop"}


def _readable(body: Mapping[str, Any]) -> str:
    """Return a request as text: system prompt, messages and tools."""
    parts = ["===== SYSTEM =====", _plain(body.get("system") or "")]
    for message in body.get("messages") or ():
        parts += [f"===== {str(message.get('role')).upper()} =====", _plain(message.get("content"))]
    for tool in body.get("tools") or ():
        parts += [f"===== TOOL {tool.get('name')} =====", json.dumps(tool, indent=1)]
    return "\n".join(parts) + "\n"


def _plain(content: object) -> str:
    """Return content as text. Blocks of other types are shown as JSON."""
    match content:
        case str():
            return content
        case [*blocks]:
            return "\n".join(map(_plain, blocks))
        case {"type": "text", "text": str(text)}:
            return text
        case {"type": "tool_result", "content": inner}:
            return f"[result]\n{_plain(inner)}"
        case _:
            return json.dumps(content)
