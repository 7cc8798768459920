"""The guard: programs and the server's own page come in, pages of other sites do not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Route

from reviewbot.errors import ConfigError
from reviewbot.server.http.guard import SECURITY_HEADERS, Guard, GuardMiddleware
from reviewbot.server.http.protocol import ProblemProtocol
from tests.server import connected, serving
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Message, Receive, Scope, Send

LOCAL = Guard(loopback=True)
PUBLIC = Guard(loopback=False)
FRIEND = "https://friend.example"
OPEN = Guard(loopback=True, cors_origins=(FRIEND,))
NAVIGATION = {
    "sec-fetch-site": "cross-site",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
}


async def inner(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"in"})


class Reply:
    def __init__(self, messages: list[Message]) -> None:
        start, *rest = messages
        self.status: int = start["status"]
        self.raw = [(name.decode(), value.decode()) for name, value in start["headers"]]
        self.headers = dict(self.raw)
        self.body = b"".join(message.get("body", b"") for message in rest)

    @property
    def came_in(self) -> bool:
        return self.body == b"in"


def ask(
    guard: Guard,
    headers: dict[str, str] | list[tuple[str, str]] | None = None,
    *,
    method: str = "POST",
    path: str = "/v1/reviews",
    version: str = "1.1",
    app: Any = inner,
) -> Reply:
    """What a request is answered with; ``Host: localhost:8000`` where ``headers`` has none."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
    if all(name != "host" for name, _ in pairs):
        pairs.insert(0, ("host", "localhost:8000"))
    scope = {
        "type": "http",
        "http_version": version,
        "method": method,
        "path": path,
        "headers": [
            (name.encode(), value.encode("latin-1")) for name, value in pairs if value != "absent"
        ],
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(GuardMiddleware(app, guard)(scope, receive, send))
    return Reply(sent)


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
def test_a_host_that_is_none_is_refused_everywhere(guard: Guard, host: str) -> None:
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


# --- Pages


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT"])
@pytest.mark.parametrize("guard", [LOCAL, PUBLIC, OPEN])
def test_a_program_comes_in(guard: Guard, method: str) -> None:
    assert ask(guard, method=method).came_in


OWN = [
    ("localhost:8000", "http://localhost:8000"),
    ("localhost:8000", "https://localhost:8000"),
    ("localhost", "http://localhost"),
    ("localhost:80", "http://localhost"),
    ("localhost", "https://localhost"),
    ("localhost", "https://localhost:443"),
    ("[::1]:8000", "http://[::1]:8000"),
]


@pytest.mark.parametrize(("host", "origin"), OWN)
@pytest.mark.parametrize("guard", [LOCAL, PUBLIC, OPEN])
def test_the_servers_own_page_comes_in(guard: Guard, host: str, origin: str) -> None:
    assert ask(guard, {"host": host, "origin": origin}).came_in
    assert ask(guard, {"host": host, "origin": origin, "sec-fetch-site": "same-origin"}).came_in


FOREIGN = [
    *("null", "http://evil.example", "http://localhost:8001", "http://127.0.0.1:8000"),
    *("http://localhost", "https://localhost", "file://", "chrome-extension://abcdef"),
    *("http://localhost:8000.evil.example", "http://localhost:8000/", "http://user@localhost:8000"),
    *("", "localhost:8000", "//localhost:8000", "ftp://localhost:8000", "http://", "*"),
    "http://localhost:8000 http://localhost:8000",
]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("guard", [LOCAL, PUBLIC, OPEN])
def test_a_page_of_another_origin_does_not(guard: Guard, origin: str, method: str) -> None:
    for path in ("/", "/v1/reviews"):
        reply = ask(guard, {"origin": origin}, method=method, path=path)
        assert reply.status == 403
        assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize(
    "site", ["cross-site", "same-site", "", "Same-Origin", "same-origin, none"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_that_the_browser_says_is_of_another_site_does_not(
    site: str, method: str
) -> None:
    for more in ({}, {"origin": "http://localhost:8000"}):
        assert ask(LOCAL, {"sec-fetch-site": site, **more}, method=method).status == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_what_the_user_and_the_own_page_ask_for_comes_in(site: str) -> None:
    assert ask(LOCAL, {"sec-fetch-site": site}, method="GET").came_in


@pytest.mark.parametrize("path", ["/", "/github/setup", "/github/setup/done"])
def test_a_link_to_a_page_can_be_followed_from_anywhere(path: str) -> None:
    assert ask(LOCAL, NAVIGATION, method="GET", path=path).came_in


@pytest.mark.parametrize(
    ("method", "path", "change"),
    [
        ("POST", "/", {}),
        ("GET", "/v1/reviews", {}),
        ("GET", "/", {"sec-fetch-dest": "iframe"}),
        ("GET", "/", {"sec-fetch-mode": "no-cors"}),
        ("GET", "/", {"origin": "null"}),
    ],
)
def test_anything_else_that_a_link_or_a_frame_could_do_is_refused(
    method: str, path: str, change: dict[str, str]
) -> None:
    assert ask(LOCAL, NAVIGATION | change, method=method, path=path).status == 403


def test_behind_a_proxy_with_another_host_the_browser_vouches_for_the_page() -> None:
    headers = {"host": "backend:8000", "origin": "https://reviews.example"}
    assert ask(PUBLIC, headers | {"sec-fetch-site": "same-origin"}).came_in
    assert ask(PUBLIC, headers).status == 403
    assert ask(PUBLIC, headers | {"sec-fetch-site": "same-origin", "origin": "null"}).status == 403
    local = {"origin": "https://reviews.example", "sec-fetch-site": "same-origin"}
    assert ask(LOCAL, local).status == 403


# --- CORS


def preflight(guard: Guard, method: str = "POST", headers: str = "", **more: str) -> Reply:
    asked = {
        "origin": FRIEND,
        "access-control-request-method": method,
        "access-control-request-headers": headers,
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "cors",
    }
    return ask(guard, asked | more, method="OPTIONS")


def test_there_is_no_cors_by_default() -> None:
    for guard in (LOCAL, PUBLIC):
        reply = preflight(guard)
        assert reply.status == 403
        assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "HEAD"])
def test_a_preflight_of_a_configured_origin_allows_what_the_api_takes(method: str) -> None:
    asked = "accept,authorization,content-encoding,content-type,idempotency-key,last-event-id"
    reply = preflight(OPEN, method, asked)
    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == FRIEND
    assert method in reply.headers["access-control-allow-methods"].split(", ")
    allowed = reply.headers["access-control-allow-headers"].lower().split(", ")
    assert set(asked.split(",")) <= set(allowed)
    assert int(reply.headers["access-control-max-age"]) > 0
    assert "Origin" in reply.headers["vary"]
    assert "access-control-allow-credentials" not in reply.headers


def test_a_preflight_for_anything_else_is_refused() -> None:
    assert preflight(OPEN, "PUT").status == 400
    assert preflight(OPEN, headers="x-other").status == 400
    assert preflight(OPEN, origin="https://evil.example").status == 403
    assert preflight(OPEN, host="evil.example").status == 421


def test_a_preflight_that_asks_for_a_private_network_is_answered() -> None:
    reply = preflight(OPEN, **{"access-control-request-private-network": "true"})
    assert reply.headers["access-control-allow-private-network"] == "true"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_configured_origin_may_read_the_answer_and_its_headers(method: str) -> None:
    reply = ask(OPEN, {"origin": FRIEND, "sec-fetch-site": "cross-site"}, method=method)
    assert reply.came_in
    assert reply.headers["access-control-allow-origin"] == FRIEND
    assert reply.headers["vary"] == "Origin"
    exposed = set(reply.headers["access-control-expose-headers"].split(", "))
    assert exposed == {
        *("Idempotent-Replayed", "Location", "Retry-After"),
        *("X-Request-Id", "X-Tokens-Remaining", "X-Tokens-Reset", "X-Tokens-Used"),
    }


def test_an_answer_to_nobodys_page_still_says_that_it_varies() -> None:
    reply = ask(OPEN, method="GET")
    assert reply.headers["vary"] == "Origin"
    assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize(
    "origin",
    ["https://friend.example.evil.example", "https://FRIEND.example", "http://friend.example"],
)
def test_an_origin_that_is_like_a_configured_one_is_another(origin: str) -> None:
    assert ask(OPEN, {"origin": origin}).status == 403


# --- Configuration


@pytest.mark.parametrize(
    "origin", ["*", "null", "friend.example", "https://friend.example/", "https://*.example", ""]
)
def test_what_is_no_origin_cannot_be_configured(origin: str) -> None:
    with pytest.raises(ConfigError, match="--cors-origin: "):
        Guard(loopback=True, cors_origins=(FRIEND, origin))


@pytest.mark.parametrize("host", ["*", "*.example", "http://a.example", "a.example/", "", "::1"])
def test_what_is_no_host_cannot_be_configured(host: str) -> None:
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
