"""``POST /webhooks/github``: bodies that are large, slow or many."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import httpx2
import pytest

from reviewbot.github.app.manifest import WEBHOOK_PATH as PATH
from reviewbot.server.github import webhook as github_calls
from reviewbot.server.github.webhook import BODY_LIMIT, LARGE, LARGE_AT_ONCE, PATIENCE_S
from tests.server import connected, serving
from tests.server.webhooks import inbox, opened, pull_request, signed, state_of, until
from tests.support.webhook_calls import BODY, EVENT, HEADERS, Held, app_of, called, stored
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Client


async def test_a_compressed_body_is_refused_since_its_bytes_are_not_those_that_are_signed(
    url: str,
) -> None:
    async with called(url) as (client, store):
        packed = gzip.compress(BODY)
        for body in (packed, BODY):
            headers = signed(body, "d1", EVENT) | {"content-encoding": "gzip"}
            answer = await client.post(PATH, content=body, headers=headers)
            assert answer.status_code == 415
            assert answer.headers["accept-encoding"] == "identity"
        assert await stored(store) == []


async def test_a_body_as_large_as_githubs_largest_is_taken(url: str) -> None:
    body = pull_request(body="x" * (BODY_LIMIT - len(BODY) - 1000))
    assert BODY_LIMIT - 10_000 < len(body) <= BODY_LIMIT
    async with called(url) as (client, store):
        answer = await client.post(PATH, content=body, headers=signed(body, "d1", EVENT))
        assert answer.status_code == 202
        assert await state_of(store, "d1") == "waiting"


async def test_a_larger_body_is_refused_before_it_is_read(url: str) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\n{head}"
    async with opened(url) as store, serving(app_of(inbox(store))) as port:
        async with connected(port) as client:
            await client.send(f"{head}Content-Length: {BODY_LIMIT + 1}\r\n\r\n".encode())
            answer = await client.answer()
            assert (answer.status, answer.headers["connection"]) == (413, "close")
        async with connected(port) as client:
            await client.send(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
            piece = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"
            for _ in range(26):
                await client.send(piece)
            answer = await client.answer()
            assert answer.status == 413
        assert await stored(store) == []


@in_virtual_time
async def test_a_stalled_sender_is_dropped_when_github_would_have_given_up(tmp_path: Path) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    async with (
        opened(f"sqlite:///{tmp_path / 'x.db'}") as store,
        serving(app_of(inbox(store))) as port,
        connected(port) as client,
    ):
        began = asyncio.get_running_loop().time()
        await client.send(
            f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\n{head}Content-Length: 9\r\n\r\nx".encode()
        )
        answer = await client.answer()
        assert answer.status == 408
        assert asyncio.get_running_loop().time() - began == pytest.approx(10, abs=0.1)


async def test_large_announced_bodies_of_strangers_delay_nobody(url: str) -> None:
    """Whether they say how much, or not, and then send next to nothing."""
    said = [
        f"Content-Length: {BODY_LIMIT}\r\n\r\nx",
        "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
    ]
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(url))
        port = await stack.enter_async_context(serving(app_of(inbox(store))))
        for number in range(3 * LARGE_AT_ONCE):
            stranger = await stack.enter_async_context(connected(port))
            sent = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\n{head}{said[number % 2]}"
            await stranger.send(sent.encode())
        body = pull_request(body="x" * LARGE)
        signature = "".join(
            f"{name}: {value}\r\n" for name, value in signed(body, "large", EVENT).items()
        )
        async with connected(port) as client, asyncio.timeout(PATIENCE_S / 2):
            await client.send(
                f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\n{signature}"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
            )
            await client.send(body)
            assert (await client.answer()).status == 202


@in_virtual_time
async def test_a_large_body_that_finds_no_room_is_refused_when_github_would_have_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github_calls, "LARGE_AT_ONCE", 0)
    body = pull_request(body="x" * LARGE)
    async with called(f"sqlite:///{tmp_path / 'x.db'}") as (client, store):
        began = asyncio.get_running_loop().time()
        answer = await client.post(PATH, content=body, headers=signed(body, "d1", EVENT))
        assert asyncio.get_running_loop().time() - began == pytest.approx(PATIENCE_S, abs=1.0)
        assert answer.status_code == 503
        assert "redeliver this one later" in answer.json()["detail"]
        assert answer.headers["retry-after"]
        assert await stored(store) == []


async def test_few_large_bodies_are_held_at_once_and_small_ones_pass_them(url: str) -> None:
    body = pull_request(body="x" * LARGE)
    async with called(url) as (client, store):
        held = Held(store)
        sending = [
            asyncio.create_task(
                client.post(PATH, content=body, headers=signed(body, f"large{number}", EVENT))
            )
            for number in range(3 * LARGE_AT_ONCE)
        ]
        await until(lambda: held.waiting == LARGE_AT_ONCE)
        small = [
            asyncio.create_task(
                client.post(PATH, content=BODY, headers=signed(BODY, f"small{number}", EVENT))
            )
            for number in range(50)
        ]
        await until(lambda: held.waiting == LARGE_AT_ONCE + 50)
        held.go_on.set()
        answers = await asyncio.gather(*sending, *small)
        assert {answer.status_code for answer in answers} == {202}
        assert len(await stored(store)) == 3 * LARGE_AT_ONCE + 50


async def begun(stack: AsyncExitStack, port: int, announced: int, sent: int) -> Client:
    """A delivery of which ``sent`` bytes come."""
    client = await stack.enter_async_context(connected(port))
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\n{head}Content-Length: {announced}\r\n\r\n"
    await client.send(head.encode(), bytes(sent))
    return client


async def test_small_unfinished_bodies_are_bounded_by_the_bytes_that_came(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github_calls, "IN_FLIGHT", 10 * len(BODY))
    part = len(BODY) - 1
    async with (
        opened(url) as store,
        serving(app_of(inbox(store))) as port,
        AsyncExitStack() as stack,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as github,
    ):
        for _ in range(100):
            await begun(stack, port, BODY_LIMIT, 1)
        assert (await github.post(PATH, content=BODY, headers=HEADERS)).status_code == 202
        clients = [await begun(stack, port, len(BODY), part) for _ in range(20)]
        answers = [asyncio.create_task(client.answer()) for client in clients]
        await until(lambda: sum(answer.done() for answer in answers) >= 10)
        answer = await github.post(PATH, content=BODY, headers=HEADERS)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        refused = [one.result() for one in answers if one.done()]
        assert {one.status for one in refused} == {503}
        assert {one.headers["connection"] for one in refused} == {"close"}
        for one in answers:
            one.cancel()
        await stack.aclose()
        async with asyncio.timeout(10):
            while answer.status_code == 503:
                answer = await github.post(PATH, content=BODY, headers=HEADERS)
        assert answer.status_code == 202
