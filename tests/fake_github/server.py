"""HTTP/1.1 on loopback: connections, requests, answers, and connections that break."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl

from tests.fake_github.wire import Answer, Recorded
from tests.http_requests import read_request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

NOT_JSON = object()
"""The body of a request that is not valid JSON."""


class Responder(Protocol):
    """Answers a request; None breaks the connection."""

    def __call__(self, request: Recorded) -> Awaitable[Answer | None]: ...


class Server:
    """Serves until it is closed. ``now`` is the clock that requests are dated by."""

    def __init__(self, respond: Responder, now: Callable[[], float], port: int = 0) -> None:
        self._respond, self._now, self.port = respond, now, port
        self._connections = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", self.port, limit=2**20
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        task = asyncio.ensure_future(self._serve(reader, writer, self._connections))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        try:
            while (request := await self._read(reader, number)) is not None:
                answer = await self._respond(request)
                if answer is None:
                    request.ended = "dropped"
                    _reset(writer)
                    return
                writer.write(_wire(request, answer))
                await writer.drain()
                request.ended = "complete"
        except ConnectionError:
            return
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader, connection: int) -> Recorded | None:
        """The next request of a connection, or None where the client closed it."""
        request = await read_request(reader)
        if request is None:
            return None
        path, _, query = request.target.partition("?")
        body = None
        if request.raw:
            try:
                body = json.loads(request.raw)
            except ValueError:
                body = NOT_JSON
        asked = dict(parse_qsl(query, keep_blank_values=True))
        return Recorded(
            request.method,
            path,
            asked,
            request.headers,
            request.raw,
            body,
            self._now(),
            connection,
        )


def _wire(request: Recorded, answer: Answer) -> bytes:
    request.status, request.answer = answer.status, answer.content()
    kind = "application/octet-stream" if isinstance(answer.body, bytes) else "application/json"
    headers = {
        "server": "github.com",
        "content-type": f"{kind}; charset=utf-8",
        **answer.headers,
        "content-length": str(len(request.answer)),
    }
    if answer.status in (204, 304):
        del headers["content-type"]
    reason = HTTPStatus(answer.status).phrase
    lines = [f"HTTP/1.1 {answer.status} {reason}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    body = b"" if answer.status in (204, 304) else request.answer
    if not body:
        lines = [line for line in lines if not line.startswith("content-length")]
        lines += [] if answer.status in (204, 304) else ["content-length: 0"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
