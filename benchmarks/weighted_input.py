"""The input of requests in bytes, weighted by the prices of a prompt cache."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

WRITE, READ = 1.25, 0.1
MINIMUM: Final = 2_048
"""Bytes of the shortest prefix that is cached: 512 tokens."""


class PriceCache:
    """Prefixes that the server knows, and the price of requests that use them."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()

    def price(self, body: dict[str, Any]) -> float:
        """Return the weighted bytes of a request, and remember its prefixes."""
        digest, size, read, written = hashlib.sha256(), 0, 0, 0
        for text, marked in blocks(body):
            digest.update(text.encode("utf-8", "surrogatepass"))
            size += len(text.encode("utf-8", "surrogatepass"))
            if marked and size >= MINIMUM:
                known = digest.digest() in self._known
                read, written = (size, 0) if known else (read, size - read)
                self._known.add(digest.digest())
        return size - read - written + WRITE * written + READ * read


def blocks(body: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield the texts of a request in the order of the cache, and whether a breakpoint follows."""
    for tool in body.get("tools", ()):
        yield json.dumps(tool), "cache_control" in tool
    system = body.get("system", "")
    for block in [{"text": system}] if isinstance(system, str) else system:
        yield block["text"], "cache_control" in block
    for message in body["messages"]:
        for block in message["content"]:
            yield _text_of(block), "cache_control" in block
    if schema := body.get("output_config", {}).get("format"):
        yield json.dumps(schema), False


def _text_of(block: dict[str, Any]) -> str:
    """Return the text of a block; of other blocks, such as calls, their JSON."""
    text = block.get("text", block.get("content"))
    if isinstance(text, str):
        return text
    return json.dumps({key: block[key] for key in block if key != "cache_control"})
