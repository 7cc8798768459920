"""Event streams whose readers are slow, silent, or gone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reviewbot.server.streams import PING_S, SEND_TIMEOUT_S, event_stream
from tests.server import connected, serving
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Receive, Scope, Send

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

    return app


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
