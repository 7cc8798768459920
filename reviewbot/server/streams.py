"""What is sent: event streams, kept alive and ended in time, and any answer, in pieces.

Who does not take what is sent is dropped.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import AppStatus, EventSourceResponse

from reviewbot.store.database import StoreError
from reviewbot.store.hub import END

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PING_S: Final = 15
SEND_TIMEOUT_S: Final = 30
"""A reader that takes nothing for so long is dropped; of a stream it goes on from its last id."""
PIECE: Final = 64 << 10
"""Bytes that are sent at once: what the connection holds of an answer that nobody takes."""
ENDED: Final = "reviewbot.stream"
"""Says in the scope of a request how its answer ended where that was before its end: ``dropped``,
since the reader took nothing, or a stream ``cut`` by the server."""
ABORT: Final = "reviewbot.abort"
"""What ends a connection at once, in the ``state`` of the scopes of its requests."""

_LAST: Final = f"event: {END}\n".encode()  # in an event's data a line break is written otherwise

# The streams end when the hub closes, which is after the reviews had their time to end. The library
# would end them at the signal.
AppStatus.enable_automatic_graceful_drain = False

log = logging.getLogger(__name__)


class _SlowReader(Exception):
    """It took nothing for too long."""


class InTimeMiddleware:
    """Sends each answer in pieces, and drops the reader that does not take one in time.

    Otherwise an answer would be kept for as long as someone holds the connection. It belongs inside
    of what answers unexpected errors: this is none.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the answer on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def in_time(message: Message) -> None:
            for piece in _pieces(message):
                try:
                    async with asyncio.timeout(SEND_TIMEOUT_S):
                        await send(piece)
                except TimeoutError:
                    raise _SlowReader from None

        try:
            await self._app(scope, receive, in_time)
        except _SlowReader:
            scope[ENDED] = "dropped"
            log.info("dropped client: read nothing for %d s", SEND_TIMEOUT_S)
            abort = scope.get("state", {}).get(ABORT)
            if abort is not None:
                abort()
                await asyncio.sleep(0)  # the server hears of it, and misses no end of the answer


def _pieces(message: Message) -> Iterator[Message]:
    body = message.get("body", b"")
    if len(body) <= PIECE:
        yield message
        return
    view = memoryview(body)
    for start in range(0, len(body), PIECE):
        more = message.get("more_body", False) or start + PIECE < len(body)
        yield {**message, "body": bytes(view[start : start + PIECE]), "more_body": more}


class _ResponseStream(EventSourceResponse):
    """A stream that says how it ended."""

    cut = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except asyncio.CancelledError:  # the server waits no longer for its streams to end
            self.cut = True
            raise
        finally:
            if self.cut:
                scope[ENDED] = "cut"


def event_stream(
    events: AsyncIterator[bytes],
    *,
    headers: Mapping[str, str],
    gone: Callable[[], Awaitable[None]],
    closing: asyncio.Event,
) -> Response:
    """Return the response that sends ``events``, which are rendered already.

    Args:
        events: from the hub.
        headers: more of them. ``no-transform`` keeps proxies from compressing, and so buffering.
        gone: called when the reader leaves before the end.
        closing: set when the node shuts down.
    """

    async def body() -> AsyncIterator[bytes]:
        # Some browsers and proxies show nothing before the first bytes.
        yield b": reviewbot\nretry: 2000\n\n"
        data = b""
        try:
            async for data in events:
                yield data
        except StoreError:
            log.warning("a stream ends early: the database is away")
        # The reader has what there is; without review.finished it comes back.
        stream.cut = _LAST not in data

    async def closed(_message: Any) -> None:  # noqa: ANN401 - an ASGI message
        if not closing.is_set():
            await gone()

    stream = _ResponseStream(
        body(),
        headers={**headers, "Cache-Control": "no-store, no-transform"},
        ping=PING_S,
        ping_message_factory=lambda: ServerSentEvent(comment="still here", sep="\n"),
        client_close_handler_callable=closed,
        sep="\n",
    )
    return stream
