"""Write a record as a server-sent event (WHATWG HTML, "Server-sent events"). Pure."""

from __future__ import annotations


def frame(kind: str, seq: int, data: str) -> bytes:
    """Return a stored record as an event: its type, its sequence number, and its line of JSON."""
    return f"event: {kind}\nid: {seq}\ndata: {data}\n\n".encode()
