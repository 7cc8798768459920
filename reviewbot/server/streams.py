"""Event streams and chunked responses.

Event streams are kept alive and ended in time. A client that does not read is dropped.
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
"""Seconds without a read after which a client is dropped; a stream can be resumed."""
PIECE: Final = 64 << 10
"""Maximum bytes sent at once, and so buffered for a client that does not read."""
ENDED: Final = "reviewbot.stream"
"""Key in the ASGI scope that holds how a response was interrupted. ``dropped``: the client did not
read. ``cut``: the server ended a stream."""
ABORT: Final = "reviewbot.abort"
"""Key in the ``state`` of an ASGI scope that holds the function that aborts the connection."""

_LAST: Final = f"event: {END}\n".encode()  # in the data of an event, line breaks are escaped

# The streams end when the hub closes, after the reviews had time to end. The library would end the
# streams at the signal.
AppStatus.enable_automatic_graceful_drain = False

log = logging.getLogger(__name__)


class _SlowReader(Exception):
    """The client did not read for too long."""


class InTimeMiddleware:
    """Middleware that sends each response in pieces, and drops a client that does not read in time.

    Otherwise a response would stay in memory as long as the client keeps the connection. Place the
    middleware inside the handler of unexpected errors: a slow client is not such an error.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the response on in pieces."""
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
                await asyncio.sleep(0)  # the server notices, and expects no end of the response


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
    """A stream that records in the ASGI scope if the server ended it."""

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

    ``no-transform`` keeps proxies from compressing the stream, which would buffer it.

    Args:
        events: rendered events from the hub.
        headers: additional headers.
        gone: function to call when the client leaves before the end.
        closing: event that is set when the node shuts down.
    """

    async def body() -> AsyncIterator[bytes]:
        # Some browsers and proxies show nothing before the first bytes.
        yield b": reviewbot\nretry: 2000\n\n"
        data = b""
        try:
            async for data in events:
                yield data
        except StoreError:
            log.warning("a stream ended early: the database is unavailable")
        # Without review.finished, the client reconnects for the remaining events.
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
