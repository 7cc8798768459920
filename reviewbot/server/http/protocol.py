"""HTTP/1.1: bound connections, and refuse invalid requests before the application.

An unknown client may send nothing, or a byte now and then, on a thousand connections. Each request
head has a time limit, and the connection that is idle for longest is dropped to make room.
"""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import h11
from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from reviewbot.server.problems import MEDIA_TYPE, Problem
from reviewbot.server.streams import ABORT, PIECE

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

HEAD_LIMIT: Final = 512 << 10
"""Maximum bytes of a request before its body. A query can carry 20,000 characters of description,
each of which takes up to twelve bytes there."""
HEAD_S: Final = 15.0
"""Seconds for the head of a request. The time starts with the connection for the first request,
and with the first byte of the head for later requests."""
CLOSE_S: Final = 30.0
"""Seconds between checks for connections that are closing. A client that does not read the last
bytes is dropped at the second check."""
CONNECTIONS: Final = 2_000
"""Maximum number of connections; fewer where the process may not open enough files."""
OWN_FILES: Final = 192
"""Files reserved for the database, the models and new connections."""
ACCEPTED_AT_ONCE: Final = 32
"""Connections accepted before any of them is handled: fewer than :data:`OWN_FILES`."""
AGAIN_S: Final = 5

_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Connection": "close",
    }
)


def most_connections() -> int:
    """Return the most connections, given the files that the process may open now."""
    try:
        import resource
    except ImportError:  # Windows
        return CONNECTIONS
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return CONNECTIONS
    return min(CONNECTIONS, max(files - OWN_FILES, files // 2))


class ProblemProtocol(H11Protocol):
    """Protocol that bounds connections in time and number, and refuses invalid requests.

    Attributes:
        awaited: timer that ends the wait for a head; None while a request is processed. Also None
            while the connection is idle between two requests, which uvicorn ends.
        since: when the connection began to wait for a request.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*args, **kwargs)
        self.awaited: asyncio.TimerHandle | None = None
        self.since = self.loop.time()
        self._closing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head, and drop an idle connection if there are too many."""
        super().connection_made(transport)
        _keep_little(transport.get_extra_info("socket"))
        self.app_state = {**self.app_state, ABORT: transport.abort}
        self.since = self.loop.time()
        self._await_head()
        self._closing = self.loop.call_later(CLOSE_S, self._drop_if_closing, False)
        if len(self.connections) > most_connections() and not self._make_room():
            self.app = _full

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers."""
        self._stop_waiting()
        if self._closing is not None:
            self._closing.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Process bytes of a head or of a body."""
        super().data_received(data)
        if self._at_work:
            self._stop_waiting()
        else:
            self._await_head()  # also after a response that came before the end of its request

    def on_response_complete(self) -> None:
        """Wait for the next head if some of its bytes have arrived."""
        self.since = self.loop.time()
        super().on_response_complete()
        if not self._at_work and self.conn.trailing_data[0]:
            self._await_head()

    @property
    def _at_work(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _await_head(self) -> None:
        if self.awaited is None and not self.transport.is_closing():
            self.awaited = self.loop.call_later(HEAD_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self.awaited is not None:
            self.awaited.cancel()
            self.awaited = None

    def _give_up(self) -> None:
        """Close a connection whose head is not complete in time.

        A client that sent nothing gets no response: it may send a request only now, and take the
        problem for the response to that request.
        """
        if self.conn.trailing_data[0]:
            self._answer(Problem(408, f"The head of a request must arrive within {HEAD_S:.0f} s."))
        else:
            self.transport.close()

    def _make_room(self) -> bool:
        """Drop the connection that is idle for longest; return whether there was one.

        A new connection never drops itself, but the next connection may drop it.
        """
        idle = [
            one
            for one in self.connections
            if isinstance(one, ProblemProtocol)
            and one is not self
            and not (one._at_work or one.transport.is_closing())  # noqa: SLF001 - of this class
        ]
        if not idle:
            return False
        min(idle, key=lambda one: one.since).transport.abort()
        return True

    def _drop_if_closing(self, was_closing: bool) -> None:
        """Abort a connection that is closing for too long, as its last bytes are not read."""
        closing = self.transport.is_closing()
        if closing and was_closing:
            self.transport.abort()
        self._closing = self.loop.call_later(CLOSE_S, self._drop_if_closing, closing)

    def send_400_response(self, msg: str) -> None:
        """Respond to a request that h11 refuses (RFC 9112, section 2.2); ignore ``msg``."""
        del msg
        if self._at_work:
            self.cycle.disconnected = True  # the application must not send a second response
        detail = (
            f"The request is not HTTP/1.1, or its head is larger than {HEAD_LIMIT >> 10} KiB; send"
            " a long text in a JSON body."
        )
        self._answer(Problem(400, detail))

    def _answer(self, problem: Problem) -> None:
        """Send ``problem`` if a response can begin now, and close the connection."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = json.dumps(problem.document()).encode()
            headers = [
                ("Content-Type", MEDIA_TYPE),
                ("Content-Length", str(len(body))),
                *_HEADERS.items(),
            ]
            reason = problem.title.encode()
            for event in (
                h11.Response(status_code=problem.status, headers=headers, reason=reason),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def _keep_little(connection: socket.socket) -> None:
    """Limit the unsent bytes that the system buffers for a connection.

    By default the system buffers megabytes, and reports progress only after a third was read. A
    slow reader would time out before that.
    """
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # not on Windows
    if option is not None:
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, option, PIECE)


_full = Response(
    json.dumps(
        Problem(503, "The server has reached its limit of connections; try again soon.").document()
    ).encode(),
    status_code=503,
    headers={**_HEADERS, "Retry-After": str(AGAIN_S)},
    media_type=MEDIA_TYPE,
)
