"""Event streams and other answers whose readers are slow, silent, or gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from reviewbot.server.http.protocol import ProblemProtocol
from reviewbot.server.streams import (
    ENDED,
    PIECE,
    PING_S,
    SEND_TIMEOUT_S,
    InTimeMiddleware,
    event_stream,
)
from reviewbot.store.database import StoreError
from tests.fake_anthropic import Answer, FakeAnthropic, Hang
from tests.server import connected, serving
from tests.server.nodes import APART, ROOT, follow, long_diff, node, post, until, until_state
from tests.server.scrapes import scrape_until
from tests.virtual_time import in_virtual_time, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tests.fake_anthropic import Recorded, Reply

ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Ends:
    """What became of streams."""

    def __init__(self) -> None:
        self.gone = 0
        self.closed = asyncio.Event()


def streaming(events: AsyncIterator[bytes], ends: Ends, closing: asyncio.Event) -> ASGIApp:
    async def body() -> AsyncIterator[bytes]:
        try:
            async for data in events:
                yield data
        finally:
            ends.closed.set()

    async def gone() -> None:
        ends.gone += 1

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = event_stream(body(), headers={"X-Some": "1"}, gone=gone, closing=closing)
        await response(scope, receive, send)

    return InTimeMiddleware(app)


async def nothing() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b"never"


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"data: " + b"x" * 65_536 + b"\n\n"


@in_virtual_time
async def test_a_silent_stream_is_kept_alive_by_comments() -> None:
    ends = Ends()
    async with serving(streaming(nothing(), ends, asyncio.Event())) as port:
        async with connected(port) as client:
            await client.send(ASK)
            await client.until(b"\n\n")  # the head of the stream
            begun = asyncio.get_running_loop().time()
            await client.until(b": still here\n\n")
            await client.until(b": still here\n\n")
            assert asyncio.get_running_loop().time() - begun <= 2 * PING_S + 1
        await ends.closed.wait()
        assert ends.gone == 1


@in_virtual_time
async def test_a_reader_that_takes_nothing_is_dropped_and_nothing_piles_up_for_it() -> None:
    ends = Ends()
    sent = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal sent
        async for data in endless():
            sent += len(data)
            yield data

    async with (
        serving(streaming(counted(), ends, asyncio.Event())) as port,
        connected(port) as client,
    ):
        await client.send(ASK)
        begun = asyncio.get_running_loop().time()
        await ends.closed.wait()
        assert asyncio.get_running_loop().time() - begun >= SEND_TIMEOUT_S
        assert sent < 50_000_000  # what the sockets hold, and no more


@in_virtual_time
async def test_no_proxy_is_let_buffer_or_change_a_stream() -> None:
    async with (
        serving(streaming(nothing(), Ends(), asyncio.Event())) as port,
        connected(port) as client,
    ):
        await client.send(ASK)
        head = (await client.until(b"\r\n\r\n")).decode().lower()
        assert "content-type: text/event-stream" in head
        assert "cache-control: no-store, no-transform" in head
        assert "x-accel-buffering: no" in head
        assert "content-length" not in head


@in_virtual_time
async def test_a_reader_that_leaves_as_the_node_shuts_down_has_cancelled_nothing() -> None:
    ends, closing = Ends(), asyncio.Event()
    async with serving(streaming(nothing(), ends, closing)) as port:
        async with connected(port) as client:
            await client.send(ASK)
            await client.until(b"\n\n")
            closing.set()
        await ends.closed.wait()
        assert ends.gone == 0


# --- How they ended


async def ended(*events: bytes | Exception, left: bool = False) -> object:
    """How a stream of these events ended."""

    async def body() -> AsyncIterator[bytes]:
        for one in events:
            if isinstance(one, Exception):
                raise one
            yield one
        if left:
            await asyncio.Event().wait()

    async def gone() -> None:
        pass

    async def receive() -> Message:
        await asyncio.sleep(0.1 if left else 1_000)
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        pass

    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": []}
    answer = event_stream(body(), headers={}, gone=gone, closing=asyncio.Event())
    await answer(scope, receive, send)
    return scope.get(ENDED)


START = b"event: review.started\nid: 1\ndata: {}\n\n"
END = b"event: review.finished\nid: 2\ndata: {}\n\n"
FORGED = b'event: finding\nid: 2\ndata: {"title":"event: review.finished\\n"}\n\n'


@pytest.mark.parametrize(
    ("events", "end"),
    [
        ((START, END), None),
        ((START + END,), None),
        ((START,), "cut"),
        ((), "cut"),
        ((START, FORGED), "cut"),
        ((START, StoreError("away")), "cut"),
    ],
)
def test_a_stream_without_its_last_event_was_cut(
    events: tuple[bytes | Exception, ...], end: str | None
) -> None:
    assert run(ended(*events)) == end


@in_virtual_time
async def test_a_stream_that_its_reader_leaves_was_not_cut() -> None:
    assert await ended(START, left=True) is None


@in_virtual_time
async def test_a_stream_that_the_server_cancels_was_cut() -> None:
    with pytest.raises(asyncio.CancelledError):
        await cancelled(scope := {"type": "http", "method": "GET", "path": "/", "headers": []})
    assert scope[ENDED] == "cut"


async def cancelled(scope: dict[str, Any]) -> None:
    async def gone() -> None:
        pass

    async def forever(*_: object) -> Any:
        await asyncio.Event().wait()

    async def send(_message: Message) -> None:
        pass

    answer = event_stream(nothing(), headers={}, gone=gone, closing=asyncio.Event())
    task = asyncio.ensure_future(answer(scope, forever, send))
    await asyncio.sleep(1)
    task.cancel("the server waits no longer")
    await task


async def test_the_log_tells_streams_that_a_shutdown_cut_from_whole_ones(tmp_path: Path) -> None:
    def respond(_: Recorded) -> Reply:
        return Answer([], before=[Hang()]) if len(fake.requests) > 1 else Answer([])

    arguments = ("--log-format", "json", "--grace-s", "0.1")
    async with (
        FakeAnthropic(respond) as fake,
        node(tmp_path, *arguments, fake=fake, settings=APART) as one,
    ):
        await follow(one, await post(one, long_diff(1)))
        review_id = await post(one, long_diff(2))
        reading = asyncio.create_task(follow(one, review_id))
        await until_state(one, review_id, "running")
        await scrape_until(one, lambda seen: seen.value("reviewbot_open_streams") == 1)
        assert await one.stop() == 0
        assert (await reading)[-1]["type"] != "review.finished"
        lines = [json.loads(line) for line in one.log.splitlines()]
    assert [line["stream"] for line in lines if "stream" in line] == ["complete", "cut"]


# --- Other answers

BODY = bytes(range(256)) * 4 * 10_000
ORDINARY: dict[str, Any] = {"http": ProblemProtocol}


def answering(lost: list[float] | None = None) -> ASGIApp:
    """Answers with :data:`BODY`; ``lost`` gets when an answer ended that was not taken."""

    async def large(_request: Request) -> Response:
        return Response(BODY)

    class Timed:
        def __init__(self, app: ASGIApp) -> None:
            self._app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self._app(scope, receive, send)
            if lost is not None and ENDED in scope:
                lost.append(asyncio.get_running_loop().time())

    middleware = [Middleware(Timed), Middleware(InTimeMiddleware)]
    return Starlette(routes=[Route("/", large)], middleware=middleware)


@in_virtual_time
async def test_a_large_answer_comes_whole_however_it_is_cut() -> None:
    async with serving(answering(), **ORDINARY) as port, connected(port) as client:
        for _ in range(2):
            await client.send(ASK)
            assert (await client.answer()).body == BODY
        await client.send(ASK.replace(b"GET", b"HEAD"))
        assert f"content-length: {len(BODY)}".encode() in await client.until(b"\r\n\r\n")


async def test_no_piece_is_larger_than_it_may_be_and_the_last_one_ends_the_answer() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError

    for size in (0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE):
        sent.clear()
        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        await InTimeMiddleware(Response(BODY[:size]))(scope, receive, send)
        start, *pieces = sent
        assert start["type"] == "http.response.start"
        assert b"".join(one["body"] for one in pieces) == BODY[:size]
        assert all(len(one["body"]) <= PIECE for one in pieces)
        more = [one.get("more_body", False) for one in pieces]
        assert more == [True] * (len(pieces) - 1) + [False]


@in_virtual_time
async def test_an_answer_that_nobody_takes_is_dropped_and_its_connection_with_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lost: list[float] = []
    with caplog.at_level(logging.INFO):
        async with serving(answering(lost), **ORDINARY) as port, connected(port) as client:
            await client.send(ASK)
            begun = asyncio.get_running_loop().time()
            await asyncio.sleep(SEND_TIMEOUT_S + 1)
            (at,) = lost
            assert at - begun == pytest.approx(SEND_TIMEOUT_S, abs=0.5)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await client.answer()
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


@in_virtual_time
async def test_an_answer_that_is_taken_slowly_comes_whole() -> None:
    loop = asyncio.get_running_loop()
    async with serving(answering(), **ORDINARY) as port:
        with socket.socket() as reader:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 << 10)
            reader.setblocking(False)
            await loop.sock_connect(reader, ("127.0.0.1", port))
            await loop.sock_sendall(reader, ASK)
            left = len(BODY)
            while left > 0:
                await asyncio.sleep(SEND_TIMEOUT_S / 10)
                taken = await loop.sock_recv(reader, PIECE)
                assert taken, f"dropped with {left} bytes to come"
                left -= len(taken)


IMPATIENT = """
from reviewbot.server import streams

streams.SEND_TIMEOUT_S = 1
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells of a process")
async def test_answers_that_nobody_takes_leave_no_memory_behind(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(IMPATIENT, "utf-8")
    head = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -0,0 +1,90000 @@\n"
    diff = head + 90_000 * f"+{'x' * 98}\n"
    async with (
        node(tmp_path, PYTHONPATH=f"{tmp_path}:{ROOT}") as one,
        contextlib.AsyncExitStack() as stack,
    ):
        review_id = await post(one, diff.encode())
        await until_state(one, review_id, "finished")
        assert one.process is not None
        pid = one.process.pid
        before = resident_mb(pid)
        for _ in range(30):
            client = await stack.enter_async_context(connected(int(one.url.rsplit(":", 1)[1])))
            await client.send(ASK.replace(b"/ ", f"/v1/reviews/{review_id}/diff ".encode()))
        async with asyncio.timeout(20):
            await until(lambda: one.log.count("dropped client") == 30)
            await until(lambda: resident_mb(pid) < before + 60)


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text("utf-8").split()[1]) * 4096 / 1e6


@in_virtual_time
async def test_a_dropped_stream_has_no_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    ends = Ends()
    app = streaming(endless(), ends, asyncio.Event())
    async with serving(app, **ORDINARY) as port, connected(port) as client:
        await client.send(ASK)
        await ends.closed.wait()
        await asyncio.sleep(1)
        assert ends.gone == 0
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []
