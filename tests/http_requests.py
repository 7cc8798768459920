"""HTTP/1.1 requests as the fakes read them: a head, then a body of a length that it says."""

from __future__ import annotations

from asyncio import IncompleteReadError
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import StreamReader


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came; the names of headers in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    raw: bytes


async def read_request(reader: StreamReader) -> Request | None:
    """The next request of a connection, or None where the client closed it."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
    except (IncompleteReadError, ConnectionError):
        return None
    return Request(method, target, headers, raw)
