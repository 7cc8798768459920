"""Event streams as HTTP responses: kept alive, ended in time, dropped when nobody reads."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import AppStatus, EventSourceResponse, SendTimeoutError

from reviewbot.store.database import StoreError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

PING_S: Final = 15
SEND_TIMEOUT_S: Final = 30
"""A reader that takes nothing for so long is dropped; it goes on from its last id."""
DROPPED: Final = "reviewbot.stream"
"""Says in the scope of a request that its stream was ``dropped``."""

# The streams end when the hub closes, which is after the reviews had their time to end. The library
# would end them at the signal.
AppStatus.enable_automatic_graceful_drain = False

log = logging.getLogger(__name__)


class _Stream(EventSourceResponse):
    """A stream that a slow reader ends without an error in the log."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            scope[DROPPED] = "dropped"


def event_stream(
    events: AsyncIterator[bytes],
    *,
    headers: Mapping[str, str],
    gone: Callable[[], Awaitable[None]],
    closing: asyncio.Event,
) -> Response:
    """The response that sends ``events``, which are rendered already.

    Args:
        events: from the hub.
        headers: more of them. ``no-transform`` keeps proxies from compressing, and so buffering.
        gone: called when the reader leaves before the end.
        closing: set when the node shuts down.
    """

    async def body() -> AsyncIterator[bytes]:
        # Some browsers and proxies show nothing before the first bytes.
        yield b": reviewbot\nretry: 2000\n\n"
        try:
            async for data in events:
                yield data
        except StoreError:
            log.warning("a stream ends early: the database is away")
        # The reader has what there is; without review.finished it comes back.

    async def closed(_message: Any) -> None:  # noqa: ANN401 - an ASGI message
        if not closing.is_set():
            await gone()

    return _Stream(
        body(),
        headers={**headers, "Cache-Control": "no-store, no-transform"},
        ping=PING_S,
        ping_message_factory=lambda: ServerSentEvent(comment="still here", sep="\n"),
        send_timeout=SEND_TIMEOUT_S,
        client_close_handler_callable=closed,
        sep="\n",
    )
