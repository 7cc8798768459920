"""The guard: hosts, malformed requests, security headers and body lengths."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Route

from reviewbot.errors import ConfigError
from reviewbot.server.http.guard import SECURITY_HEADERS, Guard, GuardMiddleware
from reviewbot.server.http.protocol import ProblemProtocol
from tests.server import connected, serving
from tests.support.guarded_app import FRIEND, LOCAL, OPEN, PUBLIC, ask, inner
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Message, Receive, Scope, Send


# --- Host


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:8000", "LOCALHOST:1", "localhost.", "localhost:"),
        *("127.0.0.1", "127.0.0.1:8000", "127.8.9.10:65535", "[::1]", "[::1]:8000"),
        "[0:0:0:0:0:0:0:1]:80",
    ],
)
def test_a_loopback_server_answers_to_every_name_of_loopback(host: str) -> None:
    assert ask(LOCAL, {"host": host}).came_in


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.nip.io"),
        "0.0.0.0",  # noqa: S104 - a name that is asked for
        *("128.0.0.1", "10.0.0.1", "[::]", "[::2]", "[::ffff:127.0.0.1]", "127.1"),
        *("a.localhost", "2130706433", "0x7f.0.0.1", "127.0.0.01"),
    ],
)
def test_a_loopback_server_answers_to_no_other_name(host: str) -> None:
    reply = ask(LOCAL, {"host": host})
    assert reply.status == 421
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "host",
    [
        *(
            "",
            " ",
            "a b",
            "localhost:80:80",
            "localhost:port",
            "localhost:65536",
            "localhost:999999",
        ),
        *("user@localhost", "localhost/", "localhost, localhost", "[::1", "::1", "[::1%lo]"),
        *(
            "[localhost]",
            "[1.2.3.4]",
            "http://localhost",
            "l\xf6calhost",
            "localhost\t",
            ".",
            "%61",
        ),
        *("localhost:\xb2", "localhost?", "localhost#", "[:::]", "local\\host", ":80"),
    ],
)
@pytest.mark.parametrize("guard", [LOCAL, PUBLIC])
def test_an_invalid_host_is_refused_everywhere(guard: Guard, host: str) -> None:
    assert ask(guard, {"host": host}).status == 400


@given(st.text(st.characters(max_codepoint=255), max_size=12))
def test_no_host_is_an_accident(host: str) -> None:
    assert ask(LOCAL, {"host": host}).status in (200, 400, 421)


def test_allowed_hosts_are_let_in_beside_loopback() -> None:
    guard = Guard(loopback=True, allowed_hosts=("Reviews.Test", "[fe80::0:1]", "other.test:9000"))
    for host in ("reviews.test", "reviews.test:1", "[FE80::1]:7", "other.test:9000", "localhost"):
        assert ask(guard, {"host": host}).came_in, host
    for host in ("other.test", "other.test:9001", "a.reviews.test", "evil.example"):
        assert ask(guard, {"host": host}).status == 421, host


def test_a_public_server_asks_for_the_host_only_where_hosts_are_named() -> None:
    assert ask(PUBLIC, {"host": "anything.example"}).came_in
    named = Guard(loopback=False, allowed_hosts=("reviews.example",))
    assert ask(named, {"host": "reviews.example"}).came_in
    assert ask(named, {"host": "localhost"}).status == 421


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_checks_of_a_public_server_come_in_under_every_name(path: str) -> None:
    named = Guard(loopback=False, allowed_hosts=("reviews.example",))
    for host in ("127.0.0.1:8000", "10.1.2.3", "node-7", "reviews.example"):
        assert ask(named, {"host": host}, method="GET", path=path).came_in
    assert ask(named, {"host": "absent"}, method="GET", path=path, version="1.0").came_in
    assert ask(named, {"host": "a b"}, method="GET", path=path).status == 400
    assert ask(named, {"host": "10.1.2.3"}, method="GET", path="/metrics").status == 421
    page = {"host": "10.1.2.3", "origin": "https://evil.example"}
    assert ask(named, page, method="GET", path=path).status == 403
    for guard in (LOCAL, Guard(loopback=True, allowed_hosts=("reviews.example",))):
        assert ask(guard, {"host": "evil.example"}, method="GET", path=path).status == 421


def test_http_1_0_may_leave_out_a_host_that_nobody_asks_for() -> None:
    named = Guard(loopback=False, allowed_hosts=("reviews.example",))
    assert ask(PUBLIC, {"host": "absent"}, version="1.0").came_in
    for guard, version in [(PUBLIC, "1.1"), (LOCAL, "1.0"), (named, "1.0")]:
        assert ask(guard, {"host": "absent"}, version=version).status == 400


# --- Headers and targets that no proper client sends


@pytest.mark.parametrize("name", ["host", "origin", "authorization", "sec-fetch-site"])
def test_two_of_a_header_that_there_is_one_of_are_refused(name: str) -> None:
    reply = ask(LOCAL, [(name, "localhost"), (name, "localhost")])
    assert reply.status == 400
    assert name in json.loads(reply.body)["detail"]


@pytest.mark.parametrize("target", ["http://evil.example/", "*", "evil.example:80", ""])
def test_a_target_that_is_no_path_is_refused(target: str) -> None:
    assert ask(LOCAL, path=target, method="GET").status == 400


# --- Configuration


@pytest.mark.parametrize(
    "origin", ["*", "null", "friend.example", "https://friend.example/", "https://*.example", ""]
)
def test_an_invalid_origin_is_rejected(origin: str) -> None:
    with pytest.raises(ConfigError, match="--cors-origin: "):
        Guard(loopback=True, cors_origins=(FRIEND, origin))


@pytest.mark.parametrize("host", ["*", "*.example", "http://a.example", "a.example/", "", "::1"])
def test_an_invalid_allowed_host_is_rejected(host: str) -> None:
    with pytest.raises(ConfigError, match="--allow-host: "):
        Guard(loopback=True, allowed_hosts=("a.example", host))


# --- Every answer


@pytest.mark.parametrize(
    ("guard", "headers"),
    [
        (LOCAL, {}),
        (LOCAL, {"host": "evil.example"}),
        (LOCAL, {"host": ""}),
        (LOCAL, {"origin": "null"}),
        (OPEN, {"origin": FRIEND}),
        (OPEN, {"origin": FRIEND, "access-control-request-method": "POST"}),
    ],
)
def test_every_answer_has_the_security_headers_once(guard: Guard, headers: dict[str, str]) -> None:
    for method in ("GET", "OPTIONS"):
        reply = ask(guard, headers, method=method)
        for name, value in SECURITY_HEADERS.items():
            assert [there for key, there in reply.raw if key == name.lower()] == [value]


def test_an_answer_may_set_a_security_header_of_its_own() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"referrer-policy", b"same-origin")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    assert ask(LOCAL, app=app).headers["referrer-policy"] == "same-origin"


# --- The length of a body


SMUGGLED = b"DELETE /v1/reviews/1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = ("Transfer-Encoding: chunked", b"0\r\n\r\n")


@pytest.mark.parametrize("target", ["/v1/reviews", "/webhooks/github", "/metrics", "/", "/none"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS"])
def test_content_length_with_transfer_encoding_is_rejected(method: str, target: str) -> None:
    reply = ask(
        OPEN, {"content-length": "5", "transfer-encoding": "chunked"}, method=method, path=target
    )
    assert not reply.came_in
    assert reply.status == 400
    assert reply.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (["Content-Length: 5", CHUNKED[0]], CHUNKED[1]),
        ([CHUNKED[0], f"Content-Length: {5 + len(SMUGGLED)}"], CHUNKED[1]),
        ([CHUNKED[0], "Content-Length: 0"], b"5\r\nhello\r\n0\r\n\r\n"),
        ([CHUNKED[0], "Content-Length: 5"], b"hello"),
        (["Content-Length: 5", "Content-Length: 6"], b"hello"),
        (["Content-Length: 5, 6"], b"hello"),
        (["Content-Length: +5"], b"hello"),
        ([*[CHUNKED[0]] * 2], CHUNKED[1]),
        (["Transfer-Encoding: gzip, chunked"], CHUNKED[1]),
    ],
)
@pytest.mark.parametrize("together", [True, False])
@in_virtual_time
async def test_ambiguous_body_length_gets_one_400_and_no_second_request(
    lines: list[str], body: bytes, together: bool, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["method"])
        await inner(scope, receive, send)

    head = "\r\n".join(["POST / HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()
    served = serving(GuardMiddleware(app, LOCAL), http=ProblemProtocol)
    async with served as port, connected(port) as client:
        await client.send(*([head + body + SMUGGLED * 2] if together else [head, body, SMUGGLED]))
        answer = await client.answer()
        assert answer.status == 400
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["connection"] == "close"
        assert await client.ended()
    assert seen == []
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


# --- What passes through


async def test_other_scopes_pass_and_websockets_do_not() -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        raise AssertionError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await GuardMiddleware(app, OPEN)({"type": "lifespan"}, receive, send)
    await GuardMiddleware(app, OPEN)({"type": "websocket", "headers": []}, receive, send)
    assert seen == ["lifespan"]
    assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("guard", [LOCAL, OPEN])
@in_virtual_time
async def test_a_stream_comes_piece_by_piece_and_its_end_is_noticed(guard: Guard) -> None:
    noticed = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await receive()  # the body, which is empty
        assert (await receive())["type"] == "http.disconnect"
        noticed.set()

    async with serving(GuardMiddleware(app, guard)) as port, contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(connected(port))
        await client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert await client.until(b"first")
        assert not noticed.is_set()
        await stack.aclose()
        await noticed.wait()


@in_virtual_time
async def test_around_the_whole_application_it_sees_unexpected_errors_too() -> None:
    async def fails(_request: Request) -> Response:
        raise ValueError

    app = GuardMiddleware(Starlette(routes=[Route("/", fails)]), OPEN)
    async with serving(app) as port, connected(port) as client:
        await client.send(f"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: {FRIEND}\r\n\r\n".encode())
        answer = await client.answer()
    assert answer.status == 500
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["access-control-allow-origin"] == FRIEND
