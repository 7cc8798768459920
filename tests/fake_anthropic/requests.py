"""A request as the fake received it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(slots=True)
class Recorded:
    """One HTTP request.

    ``at`` is the loop's time of arrival in seconds. ``ended`` tells what became of the response:
    ``complete``, ``cut`` (by the script), ``client closed``, or None while it goes on.
    """

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes
    body: dict[str, Any]
    at: float
    connection: int
    request_id: str
    ended: Literal["complete", "cut", "client closed"] | None = None
    usage: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def empty(cls) -> Recorded:
        """A request that asked for nothing, to render answers without one."""
        return cls("POST", "/v1/messages", {}, b"", {"max_tokens": 10**9}, 0.0, 0, "req_0")

    @property
    def model(self) -> str:
        return str(self.body.get("model", "claude-sonnet-5-5"))

    @property
    def max_tokens(self) -> int:
        return int(self.body.get("max_tokens", 0))

    @property
    def tool(self) -> dict[str, Any] | None:
        """The first tool, if any."""
        tools = self.body.get("tools") or [None]
        tool: dict[str, Any] | None = tools[0]
        return tool

    @property
    def tool_choice(self) -> dict[str, Any] | None:
        choice: dict[str, Any] | None = self.body.get("tool_choice")
        return choice

    @property
    def forced(self) -> bool:
        return (self.tool_choice or {}).get("type") in ("any", "tool")

    @property
    def offers_lookups(self) -> bool:
        """Whether there are other tools beside the report."""
        return len(self.body.get("tools") or ()) > 1

    @property
    def results(self) -> list[dict[str, Any]]:
        """The tool results of the last message."""
        content = self.body["messages"][-1]["content"]
        return [block for block in content if block.get("type") == "tool_result"]

    @property
    def structured(self) -> bool:
        """Whether the answer is asked for as JSON text (``output_config.format``)."""
        return bool((self.body.get("output_config") or {}).get("format"))

    @property
    def system(self) -> str:
        return "".join(block["text"] for block in text_blocks(self.body.get("system")))

    @property
    def text(self) -> str:
        """All text of the messages."""
        return "".join(
            block["text"]
            for message in self.body.get("messages", [])
            for block in text_blocks(message.get("content"))
        )

    @property
    def shown_paths(self) -> tuple[str, ...]:
        """The files that the request shows, by the headings above their lines."""
        shown = self.text.rpartition("</changed_files>")[2]
        heading = "=== file "
        paths = (
            json.JSONDecoder().raw_decode(line, len(heading))[0]
            for line in shown.split("\n")
            if line.startswith(f'{heading}"')
        )
        return tuple(dict.fromkeys(paths))


def text_blocks(content: object) -> list[dict[str, Any]]:
    """Text blocks of a ``system`` or ``content`` value, which may be a plain string."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        return []
    return [block for block in content if isinstance(block, dict) and block.get("type") == "text"]
