"""The chunks of a PNG file: https://www.w3.org/TR/png-3/#5Chunk-layout."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Type and content of each.

    Raises:
        ValueError: it is no PNG, is cut off, or has an error in it.
    """
    if not png.startswith(SIGNATURE):
        raise ValueError("no PNG: it begins with something else")
    found: list[tuple[bytes, bytes]] = []
    at = len(SIGNATURE)
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        at += size + 12
        if png[at - size - 12 : at] != _chunk(kind, content):
            raise ValueError(f"the chunk {kind!r} is broken")
        found.append((kind, content))
    return found


def joined(parts: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The file of these chunks."""
    return SIGNATURE + b"".join(_chunk(kind, content) for kind, content in parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
