"""The guard: requests that a browser sends for a page, its own or another, and CORS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.guarded_app import FRIEND, LOCAL, OPEN, PUBLIC, Reply, ask

if TYPE_CHECKING:
    from reviewbot.server.http.guard import Guard

NAVIGATION = {
    "sec-fetch-site": "cross-site",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
}


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
