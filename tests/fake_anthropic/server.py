"""The HTTP server of the fake: connections, requests, and replies played step by step."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, Self

from tests.fake_anthropic.prefix_cache import PrefixCache
from tests.fake_anthropic.replies import (
    CHARS_PER_TOKEN,
    PING,
    Answer,
    Cut,
    Hang,
    Pause,
    Reply,
    Responder,
    Script,
    StatusError,
    Step,
)
from tests.fake_anthropic.requests import Recorded
from tests.fake_anthropic.validation import MAX_OUTPUT, refusal
from tests.fake_anthropic.verdicts import is_verification, supports
from tests.http_requests import read_request

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from types import TracebackType


class _ClientGone(Exception):
    """The client closed the connection."""


class _Reader(asyncio.StreamReader):
    """A stream reader that tells at once when the other side is gone."""

    def __init__(self) -> None:
        super().__init__(limit=2**20)
        self.gone = asyncio.Event()

    def feed_eof(self) -> None:
        self.gone.set()
        super().feed_eof()

    def set_exception(self, exc: Exception) -> None:
        self.gone.set()
        super().set_exception(exc)


class FakeAnthropic:
    """A fake of the API on a free port of 127.0.0.1, for the time of ``async with``.

    Args:
        respond: replies when the queue is empty; None fails the test then.
        key: the API key it accepts.
        refuses: features that it answers with 400, for servers other than Anthropic's: names
            as in ``validation``, for example ``{"eager_input_streaming", "forced"}``.
        accepts: features beyond Anthropic's API: ``{"sampling"}``.
        models: the names it knows, for other servers; None: Anthropic's, with their limits.
        verify: replies to requests that verify findings, which are in ``verifications``, not in
            ``requests``; None treats them as all other requests.
    """

    def __init__(
        self,
        respond: Responder | None = None,
        *,
        key: str = "sk-ant-" + "fake",
        refuses: Collection[str] = (),
        accepts: Collection[str] = (),
        models: Collection[str] | None = None,
        port: int = 0,
        verify: Responder | None = supports,
    ) -> None:
        self.respond, self.key, self.port = respond, key, port
        self.verify = verify
        self.verifications: list[Recorded] = []
        self.refuted: set[str] = set()
        """Titles of findings that a test's verifier refuted."""
        self.refuses, self.accepts, self.models = refuses, accepts, models
        self.requests: list[Recorded] = []
        self.replies: list[tuple[Recorded, Reply]] = []
        self.counted: list[Recorded] = []
        self.rejected: list[tuple[Recorded, StatusError]] = []
        self.cache = PrefixCache()
        self.open_connections = 0
        self._connections = 0
        self._queue: deque[Reply | Responder] = deque()
        self._unexpected: list[Recorded] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def enqueue(self, *replies: Reply | Responder) -> None:
        """Adds replies, each for one request, in the order of the requests' arrival."""
        self._queue.extend(replies)

    @property
    def waiting(self) -> int:
        """Replies not used yet."""
        return len(self._queue)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)
        if error is None and self._unexpected:
            message = f"{len(self._unexpected)} requests came that no reply was scripted for"
            raise AssertionError(message)

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        reader = _Reader()

        def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._connections += 1
            task = asyncio.ensure_future(self._serve(reader, writer, self._connections))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return asyncio.StreamReaderProtocol(reader, connected)

    async def _serve(self, reader: _Reader, writer: asyncio.StreamWriter, number: int) -> None:
        self.open_connections += 1
        try:
            while (request := await _read(reader, number)) is not None:
                exchange = _Exchange(request, reader, writer)
                try:
                    keep = await self._answer(exchange)
                except (_ClientGone, ConnectionError):
                    request.ended = "client closed"
                    return
                if not keep:
                    return
        finally:
            self.open_connections -= 1
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, exchange: _Exchange) -> bool:
        """Answers one request. Returns whether the connection stays open."""
        request = exchange.request
        path = request.path.partition("?")[0]
        if request.method == "POST" and path in ("/v1/messages", "/v1/messages/count_tokens"):
            counting = path.endswith("count_tokens")
            verify = self.verify if is_verification(request) and not counting else None
            kept = self.counted if counting else self.requests
            (self.verifications if verify else kept).append(request)
            request.request_id = f"req_{len(self.requests) + len(self.counted)}"
            error = refusal(
                request,
                key=self.key,
                refuses=self.refuses,
                models=self.models,
                accepts=self.accepts,
            )
            if error is not None:
                self.rejected.append((request, error))
                return await exchange.error(error)
            if counting:
                tokens = len(json.dumps(request.body)) // CHARS_PER_TOKEN
                return await exchange.json({"input_tokens": tokens})
            reply = verify(request) if verify else self._next_reply(request)
            return await self._play(exchange, reply)
        name = path.removeprefix("/v1/models/")
        if request.method == "GET" and name in MAX_OUTPUT:
            described = {"type": "model", "id": name, "display_name": name}
            return await exchange.json(described | {"max_tokens": MAX_OUTPUT[name]})
        return await exchange.error(StatusError(404, f"no such path: {path}"))

    def _next_reply(self, request: Recorded) -> Reply:
        reply = self._queue.popleft() if self._queue else self.respond
        if reply is None:
            self._unexpected.append(request)
            return StatusError(500, "the script of the fake is at its end")
        made = reply(request) if callable(reply) else reply
        self.replies.append((request, made))
        return made

    async def _play(self, exchange: _Exchange, reply: Reply) -> bool:
        if isinstance(reply, StatusError):
            return await exchange.error(reply)
        if isinstance(reply, Script):
            await exchange.pause(Pause(reply.delay))
            await exchange.head(reply.status, reply.headers, close=reply.close)
            return await exchange.play(reply.steps) and not reply.close
        return await self._play_answer(exchange, reply)

    async def _play_answer(self, exchange: _Exchange, answer: Answer) -> bool:
        request = exchange.request
        request.usage = self.cache.usage(request)  # as it was when the request came in
        await exchange.pause(Pause(answer.delay))
        await exchange.head(200, answer.headers, close=answer.close)
        self.cache.began(request)
        return await exchange.play(answer.steps(request, request.usage)) and not answer.close


class _Exchange:
    """One request and the response that is being written to it."""

    def __init__(self, request: Recorded, reader: _Reader, writer: asyncio.StreamWriter) -> None:
        self.request, self._reader, self._writer = request, reader, writer

    async def error(self, error: StatusError) -> bool:
        await self.pause(Pause(error.delay))
        headers = {"content-type": "application/json", **error.headers}
        if error.retry_after is not None:
            headers["retry-after"] = str(error.retry_after)
        return await self._whole(error.status, headers, error.payload(self.request.request_id))

    async def json(self, body: object) -> bool:
        return await self._whole(
            200, {"content-type": "application/json"}, json.dumps(body).encode()
        )

    async def _whole(self, status: int, headers: dict[str, str], body: bytes) -> bool:
        lines = {**headers, "content-length": str(len(body)), "request-id": self.request.request_id}
        await self._write(_head(status, lines) + body)
        self.request.ended = "complete"
        return True

    async def head(self, status: int, headers: Mapping[str, str], *, close: bool) -> None:
        lines = {
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache",
            "request-id": self.request.request_id,
            "transfer-encoding": "chunked",
            **headers,
        }
        if close:
            lines["connection"] = "close"
        await self._write(_head(status, lines))

    async def play(self, steps: Iterable[Step]) -> bool:
        """Plays the body. Returns whether the connection stays usable."""
        for step in steps:
            if isinstance(step, bytes):
                if step:
                    await self._write(b"%x\r\n%b\r\n" % (len(step), step))
            elif isinstance(step, Cut):
                self.request.ended = "cut"
                return await self._cut(step)
            else:
                await self.pause(step)
        await self._write(b"0\r\n\r\n")
        self.request.ended = "complete"
        return True

    async def pause(self, step: Pause | Hang) -> None:
        """Waits, with pings if asked for.

        Raises:
            _ClientGone: the client did not wait.
        """
        left = step.seconds if isinstance(step, Pause) else float("inf")
        while left > 0:
            wait = min(left, step.ping_every or left)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if wait == float("inf") else wait):
                    await self._reader.gone.wait()
                raise _ClientGone
            left -= wait
            if step.ping_every:
                await self._write(b"%x\r\n%b\r\n" % (len(PING), PING))

    async def _write(self, data: bytes) -> None:
        if self._reader.gone.is_set():
            raise _ClientGone
        self._writer.write(data)
        await self._writer.drain()

    async def _cut(self, cut: Cut) -> bool:
        if cut.how == "eof":
            await self._write(b"0\r\n\r\n")
            return True
        if cut.how == "reset":
            sock = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
        return False


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Fake", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _read(reader: asyncio.StreamReader, connection: int) -> Recorded | None:
    """The next request of a connection, or None where the client closed it."""
    request = await read_request(reader)
    if request is None:
        return None
    body = json.loads(request.raw) if request.raw else {}
    at = asyncio.get_running_loop().time()
    return Recorded(
        request.method,
        request.target,
        request.headers,
        request.raw,
        body,
        at,
        connection,
        request_id="",
    )
