"""Bodies of responses: decompressed, bounded in bytes, and read as server-sent events.

A server is untrusted: it may send without end, or send a small body that inflates to a very large
one.
"""

from __future__ import annotations

import codecs
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, cast

import httpx2

from reviewbot.models.base import Fault, ModelFault

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

MAX_BODY: Final = 64 << 20
"""Maximum bytes of an answer. The longest of today's answers (128k tokens, an event of 150 bytes
each) is 20 MB."""
MAX_EVENT: Final = 4 << 20
"""Maximum bytes of one event. Servers that do not stream send a whole report as one event."""
MAX_ERROR_BODY: Final = 64 << 10
"""Maximum bytes of a body with another status than 2xx; the rest is not read."""
_MB: Final = 1 << 20
_EVENTS: Final = {"content-type": "text/event-stream; charset=utf-8"}


async def bound(response: httpx2.Response) -> None:
    """Bound what can be read of ``response``: a hook for httpx2 ("Event Hooks"), before any read.

    Reading an answer too far raises :class:`ModelFault`; the body of an error just ends.
    """
    packed = httpx2.Response(
        response.status_code,
        headers=response.headers,
        stream=response.stream,
        request=response.request,
    )
    response.headers.pop("content-encoding", None)
    response.stream = _Bounded(packed)
    # The server may name a codec that does not produce text.
    response.encoding = "utf-8"


class _Bounded(httpx2.AsyncByteStream):
    """The body of ``packed``, decompressed in pieces (by httpx2, of at most 1 MiB)."""

    def __init__(self, packed: httpx2.Response) -> None:
        self._packed = packed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        answers = self._packed.is_success
        left = MAX_BODY if answers else MAX_ERROR_BODY
        async with aclosing(self._packed.aiter_bytes()) as pieces:
            async for piece in pieces:
                yield piece[:left]
                left -= len(piece)
                if left <= 0 and not answers:
                    return
                if left < 0:
                    raise ModelFault(
                        f"the server's answer is larger than {MAX_BODY // _MB} MB",
                        fault=Fault.UNUSABLE,
                    )

    async def aclose(self) -> None:
        await self._packed.aclose()


async def events_of(response: httpx2.Response) -> AsyncGenerator[httpx2.ServerSentEvent, None]:
    """Yield the events of ``response`` in linear time, within size limits, for any content type.

    Raises:
        ModelFault: an event or the whole body is too large.
        UnicodeDecodeError: the body is not UTF-8.
        httpx2.HTTPError: the connection failed.
    """
    # EventSource insists on the content type, and follows its charset.
    plain = httpx2.Response(200, headers=_EVENTS, content=_utf8(response), request=response.request)
    source = httpx2.EventSource(plain, max_event_size=MAX_EVENT)
    events = cast("AsyncGenerator[httpx2.ServerSentEvent, None]", aiter(source))
    try:
        async with aclosing(events):
            async for event in events:
                yield event
    except httpx2.SSEError:
        raise ModelFault(
            f"an event of the server is larger than {MAX_EVENT // _MB} MB", fault=Fault.UNUSABLE
        ) from None


async def _utf8(response: httpx2.Response) -> AsyncGenerator[bytes, None]:
    """Yield the body, checked: EventSource would replace invalid UTF-8 by U+FFFD."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    async with aclosing(response.aiter_bytes()) as pieces:
        async for piece in pieces:
            decoder.decode(piece)
            yield piece
