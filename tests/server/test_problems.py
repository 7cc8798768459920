"""Problems: what a client is told when something is wrong, and what it is not told."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from reviewbot.core.safety.escape import is_plain
from reviewbot.errors import ConfigError, DiffError, SourceError
from reviewbot.server.problems import (
    CLOSE,
    EXCEPTION_HANDLERS,
    LINGER_QUIET_S,
    LINGER_S,
    Problem,
    problem_response,
    to_problem,
)
from tests.server import connected, serving
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

LOGGER = "reviewbot.server.problems"
HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30000000\r\n\r\n"


def raising(error: Exception) -> Starlette:
    async def endpoint(_request: Request) -> Response:
        raise error

    routes = [Route("/", endpoint, methods=["GET", "POST"])]
    return Starlette(routes=routes, exception_handlers=EXCEPTION_HANDLERS)


async def get(error: Exception, method: str = "GET", path: str = "/") -> httpx2.Response:
    transport = httpx2.ASGITransport(raising(error), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.request(method, path)


def document(problem: Problem) -> Any:
    return json.loads(bytes(problem_response(problem).body))


async def test_a_problem_is_answered_as_rfc_9457_has_it() -> None:
    problem = Problem(
        429,
        "Come back in 7 s.",
        headers={"Retry-After": "7"},
        used=[1, 2],
        nothing=None,
    )
    answer = await get(problem)
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["retry-after"] == "7"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "Come back in 7 s.",
        "used": [1, 2],
    }


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (404, "Not Found"),
        (413, "Content Too Large"),
        (421, "Misdirected Request"),
        (422, "Unprocessable Content"),
        (599, "Status 599"),
    ],
)
def test_the_title_is_the_phrase_of_rfc_9110_on_every_python(status: int, title: str) -> None:
    assert document(Problem(status)) == {"type": "about:blank", "title": title, "status": status}


@given(st.text(st.characters()), st.text(st.characters()))
def test_no_text_of_a_stranger_moves_hides_or_breaks_anything(text: str, name: str) -> None:
    found = document(Problem(400, text, member=[{name: text}]))
    (inner,) = found["member"]
    ((key, value),) = inner.items()
    assert all(map(is_plain, (found.get("detail", ""), key, value)))


def test_a_long_text_is_cut() -> None:
    assert len(document(Problem(400, "x" * 1_000_000))["detail"]) < 1_100


async def test_a_path_that_is_not_there_is_a_problem() -> None:
    answer = await get(Problem(400), path="/elsewhere")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "There is nothing at this path."
    assert answer.headers["content-type"] == "application/problem+json"


async def test_another_method_is_a_problem_that_names_those_that_are_taken() -> None:
    answer = await get(Problem(400), "DELETE")
    assert answer.status_code == 405
    allowed = answer.headers["allow"]
    assert {name.strip() for name in allowed.split(",")} == {"GET", "HEAD", "POST"}
    assert answer.json()["detail"] == f"This path supports {allowed} only."


async def test_what_an_http_exception_says_is_kept() -> None:
    answer = await get(HTTPException(403, "Not you.", headers={"X-Why": "key"}))
    assert (answer.status_code, answer.json()["detail"]) == (403, "Not you.")
    assert answer.headers["x-why"] == "key"


async def test_an_http_exception_that_is_no_error_stays_what_it_is() -> None:
    answer = await get(HTTPException(304, headers={"ETag": '"1"'}))
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", '"1"')


async def test_a_diff_that_cannot_be_read_is_told_with_its_line() -> None:
    answer = await get(DiffError("expected a hunk", line=7))
    assert answer.status_code == 400
    assert answer.json()["line"] == 7
    assert answer.json()["detail"] == "line 7 of the diff: expected a hunk"


async def test_a_wrong_option_is_told_with_its_name() -> None:
    answer = await get(ConfigError("must be a number", key="options.max_notes"))
    assert answer.status_code == 400
    assert answer.json()["key"] == "options.max_notes"
    assert "key" not in document(to_problem(ConfigError("bad")))


@pytest.mark.parametrize("error", [ValueError("sk-secret"), SourceError("cannot read /sk-secret")])
async def test_what_is_unexpected_is_told_to_the_log_alone(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, LOGGER):
        answer = await get(error)
    assert answer.status_code == 500
    number = answer.json()["incident"]
    assert len(number) == 8
    assert number in answer.json()["detail"]
    assert "secret" not in answer.text
    assert type(error).__name__ not in answer.text
    (record,) = caplog.records
    assert number in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[1] is error


def test_two_incidents_have_two_numbers() -> None:
    assert to_problem(ValueError()).members != to_problem(ValueError()).members


async def test_a_client_that_went_away_is_no_incident(caplog: pytest.LogCaptureFixture) -> None:
    answer = await get(ClientDisconnect())
    assert answer.status_code == 400
    assert not [record for record in caplog.records if record.name == LOGGER]


# --- The end of a connection


@in_virtual_time
async def test_a_client_that_sends_before_it_reads_still_sees_the_answer() -> None:
    async with serving(raising(Problem(413, headers=CLOSE))) as port, connected(port) as client:
        await client.send(HEAD, *[bytes(1_000_000)] * 30)
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert await client.ended()


@in_virtual_time
async def test_a_client_that_says_no_more_is_not_waited_for_long() -> None:
    clock = asyncio.get_running_loop().time
    async with serving(raising(Problem(413, headers=CLOSE))) as port, connected(port) as client:
        await client.send(HEAD)
        assert (await client.answer()).status == 413  # at once
        started = clock()
        assert await client.ended()
        assert clock() - started == pytest.approx(LINGER_QUIET_S)


@in_virtual_time
async def test_a_client_that_never_stops_sending_is_closed_in_the_end() -> None:
    clock = asyncio.get_running_loop().time
    async with serving(raising(Problem(413, headers=CLOSE))) as port, connected(port) as client:
        await client.send(HEAD)
        assert (await client.answer()).status == 413
        ended, started = asyncio.ensure_future(client.ended()), clock()
        while not ended.done():
            await client.send(b"x")
            await asyncio.wait([ended], timeout=1)
        assert await ended
        assert clock() - started == pytest.approx(LINGER_S, abs=1)


@in_virtual_time
async def test_a_connection_goes_on_after_a_problem_that_does_not_end_it() -> None:
    async with serving(raising(Problem(409))) as port, connected(port) as client:
        for _ in range(2):
            await client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await client.answer()).status == 409
