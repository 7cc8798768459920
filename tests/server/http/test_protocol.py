"""Connections: who sends no request, or hardly one, takes nobody else's place."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import resource
import socket
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import PlainTextResponse, Response

from reviewbot.server.http import protocol
from reviewbot.server.http.protocol import CLOSE_S, HEAD_S, ProblemProtocol, most_connections
from tests.server import connected, serving
from tests.server.nodes import node
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from tests.server import Client

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
KEEP_ALIVE_S = 30
SERVED: dict[str, Any] = {"http": ProblemProtocol, "timeout_keep_alive": KEEP_ALIVE_S}


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("hello")(scope, receive, send)


async def never(_scope: Scope, _receive: Receive, _send: Send) -> None:
    await asyncio.Event().wait()


def now() -> float:
    return asyncio.get_running_loop().time()


async def dribble(client: Client, every_s: float = 1.0) -> None:
    """Sends a head that has no end, a byte at a time."""
    with contextlib.suppress(ConnectionError):
        await client.send(b"GET / HTTP/1.1\r\nX-Long: ")
        while True:
            await asyncio.sleep(every_s)
            await client.send(b"x")


# --- Time


@in_virtual_time
async def test_a_connection_without_a_byte_is_closed_and_told_nothing() -> None:
    async with serving(hello, **SERVED) as port, connected(port) as client:
        begun = now()
        assert await client.ended()
        assert now() - begun == pytest.approx(HEAD_S, abs=0.1)


@in_virtual_time
async def test_a_head_that_comes_too_slowly_is_answered_408() -> None:
    async with serving(hello, **SERVED) as port, connected(port) as client:
        begun = now()
        dribbling = asyncio.create_task(dribble(client))
        answer = await client.answer()
        assert now() - begun == pytest.approx(HEAD_S, abs=0.1)
        assert answer.status == 408
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["connection"] == "close"
        assert answer.json()["title"] == "Request Timeout"
        assert await client.ended()
        dribbling.cancel()


@in_virtual_time
async def test_a_head_of_several_pieces_within_the_time_is_taken() -> None:
    async with serving(hello, **SERVED) as port, connected(port) as client:
        for _ in range(3):
            for piece in (HEAD[:5], HEAD[5:30], HEAD[30:]):
                await asyncio.sleep(HEAD_S / 3 - 0.5)
                await client.send(piece)
            assert (await client.answer()).body == b"hello"


@in_virtual_time
async def test_an_answer_may_take_longer_than_a_head() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(10 * HEAD_S)
        await hello(scope, receive, send)

    async with serving(slow, **SERVED) as port, connected(port) as client:
        await client.send(HEAD)
        assert (await client.answer()).body == b"hello"


@in_virtual_time
async def test_a_later_head_has_as_long_as_the_first_from_its_first_byte() -> None:
    async with serving(hello, **SERVED) as port, connected(port) as client:
        await client.send(HEAD)
        assert (await client.answer()).status == 200
        await asyncio.sleep(KEEP_ALIVE_S - 1)
        begun = now()
        await client.send(b"G")
        assert (await client.answer()).status == 408
        assert now() - begun == pytest.approx(HEAD_S, abs=0.1)
        assert await client.ended()


@in_virtual_time
async def test_a_head_that_began_while_the_last_request_was_answered_has_its_limit_too() -> None:
    async with serving(hello, **SERVED) as port, connected(port) as client:
        await client.send(HEAD + b"GET /")
        assert (await client.answer()).status == 200
        begun = now()
        assert (await client.answer()).status == 408
        assert now() - begun == pytest.approx(HEAD_S, abs=0.1)


@in_virtual_time
async def test_requests_that_are_sent_together_are_all_answered() -> None:
    async with serving(hello, **SERVED) as port, connected(port) as client:
        await client.send(HEAD * 20)
        for _ in range(20):
            assert (await client.answer()).body == b"hello"
        begun = now()
        assert await client.ended()
        assert now() - begun == pytest.approx(KEEP_ALIVE_S, abs=0.1)


@in_virtual_time
async def test_a_body_that_nobody_waits_for_keeps_no_connection_open() -> None:
    async with serving(hello, **SERVED) as port, connected(port) as client:
        await client.send(HEAD.replace(b"\r\n\r\n", b"\r\nContent-Length: 100000\r\n\r\n"))
        assert (await client.answer()).status == 200
        ended, begun = asyncio.ensure_future(client.ended()), now()
        while not ended.done():
            await client.send(b"x")
            await asyncio.wait([ended], timeout=1)
        assert now() - begun <= HEAD_S + 1


@in_virtual_time
async def test_the_end_of_such_a_body_starts_no_endless_silence() -> None:
    async with serving(hello, **SERVED) as port, connected(port) as client:
        await client.send(HEAD.replace(b"\r\n\r\n", b"\r\nContent-Length: 1\r\n\r\n"))
        assert (await client.answer()).status == 200
        await client.send(b"x")
        begun = now()
        assert await client.ended()
        assert now() - begun == pytest.approx(HEAD_S, abs=0.1)


@in_virtual_time
async def test_what_is_no_http_after_an_answer_ends_the_connection_and_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(hello, **SERVED) as port, connected(port) as client:
        await client.send(HEAD.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"))
        assert (await client.answer()).status == 200
        await client.send(b"no chunk\r\n")
        assert await client.ended()
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


@in_virtual_time
async def test_a_closed_connection_whose_last_bytes_nobody_takes_is_dropped() -> None:
    body = bytes(8 << 20)
    lost: list[float] = []

    class Watched(ProblemProtocol):
        def connection_lost(self, exc: Exception | None) -> None:
            lost.append(now())
            super().connection_lost(exc)

    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(body, headers={"Connection": "close"})(scope, receive, send)

    async with serving(large, **SERVED | {"http": Watched}) as port, connected(port) as client:
        begun = now()
        await client.send(HEAD)
        await asyncio.sleep(3 * CLOSE_S)
        (at,) = lost
        assert at - begun <= 2 * CLOSE_S + 1


@in_virtual_time
async def test_nothing_of_a_connection_is_kept_after_its_end() -> None:
    made: list[weakref.ref[ProblemProtocol]] = []

    class Watched(ProblemProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            made.append(weakref.ref(self))
            super().connection_made(transport)

    async with serving(hello, **SERVED | {"http": Watched}) as port:
        for sent in (b"", b"G", HEAD, HEAD + b"G"):
            async with connected(port) as client:
                await client.send(sent)
                await asyncio.sleep(1)
        await asyncio.sleep(1)
        gc.collect()
        assert [one() for one in made] == [None] * 4


# --- Number


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets how many connections there may be."""

    def set_room(number: int) -> None:
        monkeypatch.setattr(protocol, "most_connections", lambda: number)

    return set_room


@in_virtual_time
async def test_the_connection_that_was_silent_longest_makes_room(
    room: Callable[[int], None],
) -> None:
    room(3)
    async with contextlib.AsyncExitStack() as stack:
        port = await stack.enter_async_context(serving(hello, **SERVED))
        clients = []
        for _ in range(3):
            clients.append(await stack.enter_async_context(connected(port)))
            await asyncio.sleep(1)
        await clients[0].send(HEAD)  # it asks last, and so has waited least
        assert (await clients[0].answer()).status == 200
        begun = now()
        async with connected(port) as another:
            await another.send(HEAD)
            assert (await another.answer()).body == b"hello"
            assert await clients[1].ended()
            assert now() - begun < 1
            for one in (clients[0], clients[2]):
                await one.send(HEAD)
                assert (await one.answer()).status == 200


@in_virtual_time
async def test_where_every_connection_is_at_work_a_new_one_is_told_503(
    room: Callable[[int], None],
) -> None:
    room(2)
    async with contextlib.AsyncExitStack() as stack:
        port = await stack.enter_async_context(serving(never, **SERVED))
        for _ in range(2):
            client = await stack.enter_async_context(connected(port))
            await client.send(HEAD)
        await asyncio.sleep(0.1)
        for _ in range(3):
            async with connected(port) as another:
                await another.send(HEAD)
                answer = await another.answer()
                assert answer.status == 503
                assert answer.headers["content-type"] == "application/problem+json"
                assert int(answer.headers["retry-after"]) > 0
                assert "connections" in answer.json()["detail"]
                assert await another.ended()


@pytest.mark.parametrize(
    ("files", "most"), [(64, 32), (256, 128), (1024, 832), (20_000, 2_000), (-1, 2_000)]
)
def test_as_many_are_taken_as_leave_files_for_the_rest(
    monkeypatch: pytest.MonkeyPatch, files: int, most: int
) -> None:
    assert resource.RLIM_INFINITY == -1
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert most_connections() == most


@pytest.mark.slow
async def test_silent_sockets_without_end_keep_nobody_out(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        starting = node(tmp_path)
        one = await starting.__aenter__()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    sockets: list[socket.socket] = []
    try:
        port = int(one.url.rsplit(":", 1)[1])
        sockets += [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
        async with one.client() as client:
            for _ in range(20):
                assert (await client.get("/healthz")).status_code == 200
        assert len(one.log) < 20_000
    finally:
        for each in sockets:
            each.close()
        await starting.__aexit__(None, None, None)
