"""Bytes of request bodies that a server holds at once: bounded for each key and for all."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from reviewbot.server.app import ServerConfig, make_app
from reviewbot.server.http.guard import Guard
from reviewbot.server.http.protocol import ProblemProtocol
from reviewbot.server.in_flight import InFlight
from reviewbot.server.problems import Problem
from reviewbot.server.reviews import BODIES_IN_FLIGHT
from reviewbot.server.telemetry.instrumentation import Telemetry
from reviewbot.store import keys
from reviewbot.store.keys import Limits
from tests.server import connected, serving
from tests.server.in_process import service
from tests.server.nodes import DEMO
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.server import Answer, Client

LIMIT = 1_000_000
OF_ONE_KEY = BODIES_IN_FLIGHT // 2


# --- The bounds


def test_bounds_hold_for_one_tenant_and_for_all() -> None:
    bodies = InFlight(100, 50)
    with bodies.reserve("a") as a, bodies.reserve("b") as b, bodies.reserve("c") as c:
        with pytest.raises(Problem, match="One key") as refused:
            a(51)
        assert refused.value.status == 503
        a(50)
        b(40)
        with pytest.raises(Problem, match="limit of bytes") as refused:
            c(11)
        assert refused.value.headers["Retry-After"]
        assert refused.value.headers["Connection"] == "close"
        c(10)


def test_reservations_of_one_tenant_add_up_and_end_with_their_requests() -> None:
    bodies = InFlight(100, 50)
    with bodies.reserve("a") as first:
        first(30)
        with suppress(ZeroDivisionError), bodies.reserve("a") as second:
            second(20)
            _ = 1 // 0
        with bodies.reserve("a") as second:
            with pytest.raises(Problem):
                second(21)
            first(10)
            second(40)
    with bodies.reserve("a") as first:
        first(50)
    assert not bodies.held


# --- On the wire


@asynccontextmanager
async def server(folder: Path) -> AsyncIterator[tuple[int, Callable[[], str]]]:
    """A server that needs keys: its port, and a function that makes keys."""
    async with service(folder, Telemetry()) as one:

        def key() -> str:
            with one.database.engine.begin() as connection:
                return keys.add(connection, "ci", Limits())[1]

        config = ServerConfig(need_key=True, guard=Guard(loopback=True), body_limit=LIMIT)
        async with serving(make_app(one, config), http=ProblemProtocol) as port:
            yield port, key


def head(key: str, *lines: str) -> bytes:
    start = ["POST /v1/reviews HTTP/1.1", "Host: localhost", f"Authorization: Bearer {key}"]
    return "\r\n".join([*start, "Content-Type: text/x-diff", *lines, "", ""]).encode()


async def reviewed(port: int, key: str) -> Answer:
    async with connected(port) as client:
        await client.send(head(key, f"Content-Length: {len(DEMO)}"), DEMO)
        return await client.answer()


async def until_admitted(port: int, key: str) -> Answer:
    """The first answer that is not 503."""
    async with asyncio.timeout(10):
        while True:
            answer = await reviewed(port, key)
            if answer.status != 503:
                return answer


def assert_refused(answer: Answer) -> None:
    assert answer.status == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["connection"] == "close"


async def asked(stack: AsyncExitStack, port: int, key: str, *lines: str) -> tuple[Client, Answer]:
    """A client that announced a body, and the first answer: 100 if it may send the body."""
    client = await stack.enter_async_context(connected(port))
    await client.send(head(key, "Expect: 100-continue", *lines))
    return client, await client.answer()


async def test_unfinished_bodies_of_one_key_are_bounded_and_keep_out_nobody_else(
    tmp_path: Path,
) -> None:
    body = bytes(LIMIT)
    async with server(tmp_path) as (port, key), AsyncExitStack() as stack:
        busy, other = key(), key()
        assert (await reviewed(port, busy)).status == 201
        tracemalloc.start()
        try:
            refused = 0
            for _ in range(40):
                client, answer = await asked(stack, port, busy, f"Content-Length: {len(body)}")
                if answer.status != 100:
                    refused += 1
                    assert_refused(answer)
                    assert "One key" in answer.json()["detail"]
                await client.send(body[:-1])  # also where nobody asked for it
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert refused == 40 - OF_ONE_KEY
        assert held < (OF_ONE_KEY + 3) * len(body)
        assert_refused(await reviewed(port, busy))
        assert (await reviewed(port, other)).status == 201
        await stack.aclose()
        assert (await until_admitted(port, busy)).status == 201


async def test_all_keys_together_are_bounded(tmp_path: Path) -> None:
    async with server(tmp_path) as (port, key), AsyncExitStack() as stack:
        line = f"Content-Length: {LIMIT}"
        for busy in (key(), key()):
            for _ in range(OF_ONE_KEY):
                _, answer = await asked(stack, port, busy, line)
                assert answer.status == 100
        third = key()
        answer = await reviewed(port, third)
        assert_refused(answer)
        assert "limit of bytes" in answer.json()["detail"]
        await stack.aclose()
        assert (await until_admitted(port, third)).status == 201


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        ([f"Content-Length: {LIMIT}"], LIMIT),
        (["Transfer-Encoding: chunked"], LIMIT),
        (["Content-Length: 100", "Content-Encoding: gzip"], LIMIT),
        ([f"Content-Length: {LIMIT // 2}"], LIMIT // 2),
    ],
)
async def test_a_body_counts_as_announced_or_as_the_limit(
    tmp_path: Path, lines: list[str], size: int
) -> None:
    async with server(tmp_path) as (port, key), AsyncExitStack() as stack:
        busy = key()
        for _ in range(OF_ONE_KEY * LIMIT // size):
            _, answer = await asked(stack, port, busy, *lines)
            assert answer.status == 100
        _, answer = await asked(stack, port, busy, *lines)
        assert_refused(answer)


async def test_a_body_that_failed_or_was_stored_is_no_longer_counted(tmp_path: Path) -> None:
    packed = gzip.compress(DEMO)
    async with server(tmp_path) as (port, key):
        mine = key()
        for _ in range(2 * OF_ONE_KEY):
            for body, lines, status in (
                (bytes(LIMIT), [f"Content-Length: {LIMIT}"], 400),
                (packed, ["Content-Encoding: gzip", f"Content-Length: {len(packed)}"], 201),
            ):
                async with connected(port) as client:
                    await client.send(head(mine, *lines), body)
                    assert (await client.answer()).status == status


async def test_a_body_that_is_too_large_is_refused_as_such_while_nothing_else_fits(
    tmp_path: Path,
) -> None:
    async with server(tmp_path) as (port, key), AsyncExitStack() as stack:
        busy = key()
        for _ in range(OF_ONE_KEY):
            await asked(stack, port, busy, f"Content-Length: {LIMIT}")
        _, answer = await asked(stack, port, busy, f"Content-Length: {LIMIT + 1}")
        assert answer.status == 413


@in_virtual_time
async def test_a_slow_body_is_dropped_before_its_answer_lingers(tmp_path: Path) -> None:
    """The sender may keep the connection open after 408, but not the bytes in memory."""
    async with server(tmp_path) as (port, key), AsyncExitStack() as stack:
        mine = key()
        assert (await reviewed(port, mine)).status == 201
        tracemalloc.start()
        try:
            clients = []
            for _ in range(OF_ONE_KEY):
                client, answer = await asked(stack, port, mine, f"Content-Length: {LIMIT}")
                assert answer.status == 100
                await client.send(bytes(LIMIT - 1))
                clients.append(client)
            for client in clients:
                assert (await client.answer()).status == 408
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert held < LIMIT
