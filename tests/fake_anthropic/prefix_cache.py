"""The prompt cache of the fake: prefixes that end at a breakpoint, usable once answered."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from tests.fake_anthropic.replies import CHARS_PER_TOKEN

if TYPE_CHECKING:
    from tests.fake_anthropic.requests import Recorded

# Shortest cached prefix in tokens (prompt caching documentation, read 2026-11).
MINIMUM = {
    "claude-opus-4-8": 1024,
    "claude-sonnet-5": 1024,
    "claude-sonnet-4-6": 1024,
    "claude-sonnet-4-5": 1024,
    "claude-opus-4-7": 2048,
    "claude-opus-4-6": 4096,
    "claude-opus-4-5": 4096,
    "claude-haiku-4-5": 4096,
}


class PrefixCache:
    """Remembers prefixes by their bytes. ``usage`` looks up, ``began`` makes them usable."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def usage(self, request: Recorded) -> dict[str, Any]:
        """Input usage of ``request`` as things stand now."""
        prefixes, total = _prefixes(request)
        minimum = MINIMUM.get(request.model, 512)
        usable = [(digest, size) for digest, size in prefixes if size >= minimum]
        read = max((size for digest, size in usable if digest in self._known), default=0)
        last = max((size for _, size in usable), default=0)
        written = max(last - read, 0)
        return {
            "input_tokens": total - read - written,
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": written,
                "ephemeral_1h_input_tokens": 0,
            },
            "service_tier": "standard",
        }

    def began(self, request: Recorded) -> None:
        """The response to ``request`` begins: its prefixes can be read from now on."""
        self._known.update(digest for digest, _ in _prefixes(request)[0])


def _prefixes(request: Recorded) -> tuple[list[tuple[str, int]], int]:
    """(digest, tokens) of each prefix that ends at a breakpoint, and the tokens of everything."""
    body = request.body
    digest = hashlib.sha256(request.model.encode())
    size = 0
    found: list[tuple[str, int]] = []

    def add(block: object) -> None:
        nonlocal size
        marked = isinstance(block, dict) and "cache_control" in block
        if isinstance(block, dict):
            block = {key: value for key, value in block.items() if key != "cache_control"}
        data = json.dumps(block, sort_keys=False).encode()
        digest.update(data)
        size += -(-len(data) // CHARS_PER_TOKEN)
        if marked:
            found.append((digest.hexdigest(), size))

    for tool in body.get("tools") or ():
        add(tool)
    system = body.get("system") or ()
    for block in [system] if isinstance(system, str) else system:
        add(block)
    # A change of these loses the part of the cache that lies in the messages.
    config = {key: body.get(key) for key in ("tool_choice", "thinking", "output_config")}
    digest.update(json.dumps(config, sort_keys=True).encode())
    for message in body.get("messages") or ():
        content = message.get("content", ())
        for block in [content] if isinstance(content, str) else content:
            add(block)
    return found, size
