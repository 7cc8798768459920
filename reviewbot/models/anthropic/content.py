"""The content blocks of a streamed message, put together as the server expects them back. Pure.

Thinking blocks carry a signature over their text, and servers add fields and kinds of blocks. So a
block is kept as it came, and each delta is added to the field that it names.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.findings.toolstream import MAX_CHARS
from reviewbot.models.base import Fault, ModelFault, ToolCall, TurnContent

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BLOCKS: Final = 1000
_PIECES: Final = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
"""The field of a delta with text, by the type of the delta."""


class _Block:
    def __init__(self, start: Mapping[str, Any]) -> None:
        self.start = dict(start)
        self.pieces: dict[str, list[str]] = {}
        self.citations: list[Any] = []


class ContentReader:
    """Reader of the blocks of one message.

    Args:
        report: the name of the report tool.
    """

    def __init__(self, report: str) -> None:
        self._report = report
        self._blocks: list[_Block] = []
        self._open: dict[object, _Block] = {}
        self._chars = 0

    @property
    def called(self) -> bool:
        """True if a tool was called."""
        return any(block.start.get("type") == "tool_use" for block in self._blocks)

    def take(self, kind: str, data: Mapping[str, Any]) -> None:
        """Take the next event of the stream.

        Raises:
            ModelFault: the message is too large.
        """
        index = data.get("index")
        index = index if isinstance(index, int) else 0
        if kind == "content_block_start" and isinstance(data.get("content_block"), dict):
            block = self._open[index] = _Block(data["content_block"])
            self._blocks.append(block)
            self._bound(sum(len(each) for each in block.start.values() if isinstance(each, str)))
        elif kind == "content_block_delta" and isinstance(data.get("delta"), dict):
            self._add(self._open.get(index), data["delta"])

    def _add(self, block: _Block | None, delta: Mapping[str, Any]) -> None:
        name = _PIECES.get(str(delta.get("type")))
        piece = delta.get(name) if name else None
        if block is None:
            return
        if name and isinstance(piece, str):
            self._bound(len(piece))
            block.pieces.setdefault(name, []).append(piece)
        elif delta.get("type") == "citations_delta":
            block.citations.append(delta.get("citation"))
            self._bound(100)

    def _bound(self, chars: int) -> None:
        self._chars += chars
        if self._chars > MAX_CHARS or len(self._blocks) > MAX_BLOCKS:
            raise ModelFault("the answer is too long", fault=Fault.UNUSABLE)

    def content(self) -> TurnContent:
        """Return the message once it has ended.

        Raises:
            ModelFault: the input of a call is not a JSON object, or the message has text that
                cannot be sent back.
        """
        blocks = tuple(made for block in self._blocks if (made := self._whole(block)))
        if not _can_be_sent(blocks):
            raise ModelFault("the answer has text that is not Unicode", fault=Fault.UNUSABLE)
        calls = [block for block in blocks if block.get("type") == "tool_use"]
        return TurnContent(
            json.dumps(blocks) if blocks else "",
            tuple(
                ToolCall(
                    str(each.get("id")),
                    str(each.get("name")),
                    each["input"],
                    reports=each.get("name") == self._report,
                )
                for each in calls
            ),
        )

    def _whole(self, block: _Block) -> dict[str, Any] | None:
        """Return a finished block; None for an empty text, which servers do not take back."""
        whole = dict(block.start)
        for name in ("text", "thinking", "signature"):
            if name in block.pieces:
                whole[name] = str(whole.get(name) or "") + "".join(block.pieces[name])
        if block.citations:
            whole["citations"] = [*(whole.get("citations") or ()), *block.citations]
        if whole.get("type") == "tool_use":
            value = _input(block)
            if value is None and whole.get("name") != self._report:
                raise ModelFault("the input of a tool call is not an object", fault=Fault.UNUSABLE)
            whole["input"] = value or {}  # the reader of the report decides about its text
        is_empty = whole.get("type") == "text" and not str(whole.get("text") or "").strip()
        return None if is_empty else whole


def _input(block: _Block) -> dict[str, Any] | None:
    """Return the input of a call; None if it cannot be sent back as a JSON object."""
    written = "".join(block.pieces.get("partial_json", ()))
    try:
        value = json.loads(written) if written.strip() else block.start.get("input") or {}
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and _can_be_sent(value) else None


def _can_be_sent(value: object) -> bool:
    """Return whether a value is valid JSON in UTF-8, which has no lone surrogates."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):  # UnicodeEncodeError is a ValueError
        return False
    return True
