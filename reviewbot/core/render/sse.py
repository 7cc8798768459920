"""Render a record as a server-sent event (WHATWG HTML, "Server-sent events"). Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reviewbot.core.render.inert import json_text

if TYPE_CHECKING:
    from reviewbot.core.events.records import Json

_TYPE: Final = re.compile(r"[a-z]+(?:\.[a-z]+)?")


def render(record: Json) -> str:
    """Return the event: type in ``event:``, sequence number in ``id:``, record in ``data:``.

    Raises:
        ValueError: the type is not a name, or the sequence number is not an integer. Such a value
            could end the line and forge another event.
    """
    kind, seq = record["type"], record["seq"]
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind) or type(seq) is not int:
        raise ValueError(f"not a record: type {kind!r:.60}, seq {seq!r:.60}")
    return f"event: {kind}\nid: {seq}\ndata: {json_text(record)}\n\n"


def frame(kind: str, seq: int, data: str) -> bytes:
    """Return the same of a record that is one line of JSON already, as a store keeps it."""
    return f"event: {kind}\nid: {seq}\ndata: {data}\n\n".encode()
