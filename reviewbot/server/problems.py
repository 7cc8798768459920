"""Problems: the error responses of the server, in the format of RFC 9457.

Code raises :class:`Problem`, and :data:`EXCEPTION_HANDLERS` creates the response. An unexpected
error is logged under an incident number. The client receives only the number.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from http.client import responses as _PHRASES  # noqa: N812 - a table
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from reviewbot.core.safety.escape import cut, show
from reviewbot.errors import ConfigError, DiffError, ReviewbotError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import HTTPExceptionHandler, Receive, Scope, Send

MEDIA_TYPE: Final = "application/problem+json"
TEXT_LIMIT: Final = 1_000
"""Maximum characters of a text in a problem; a sentence may quote what a client sent."""
LINGER_S: Final = 10.0
"""Maximum seconds to read the rest of a request, after a response that ends the connection."""
LINGER_QUIET_S: Final = 2.0
"""Seconds without a byte after which the server stops reading the rest."""
CLOSE: Final[Mapping[str, str]] = MappingProxyType({"Connection": "close"})
"""Headers of a problem that ends the connection, since a body was not read to its end."""

# The phrases of RFC 9110, section 15.5, where older Pythons still have those of RFC 7231.
_TITLES: Final = {413: "Content Too Large", 422: "Unprocessable Content"}
_log = logging.getLogger(__name__)


class Problem(Exception):
    """An error response. Raise it anywhere below :data:`EXCEPTION_HANDLERS`.

    Args:
        status: 400 to 599.
        detail: one sentence with the problem or its remedy. It may quote untrusted text: control
            and invisible characters are escaped in the response.
        headers: headers of the response. ``Connection: close`` (:data:`CLOSE`) is for a request
            whose body was not read to its end: see :func:`problem_response`.
        members: extension members (RFC 9457, section 3.2) with JSON values; None omits a member.
    """

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        **members: object,
    ) -> None:
        self.status, self.detail = status, detail
        # RFC 9457, section 4.2.1, requires this title for the type ``about:blank``.
        self.title = _phrase(status)
        self.headers = dict(headers or {})
        self.members = {name: value for name, value in members.items() if value is not None}
        super().__init__(f"{status} {self.title}: {detail}")

    def document(self) -> dict[str, object]:
        """Return the JSON object of the problem, with its texts escaped."""
        standard = {"type": "about:blank", "title": self.title, "status": self.status}
        if self.detail:
            standard["detail"] = self.detail
        return {name: _safe(value) for name, value in {**standard, **self.members}.items()}


def problem_response(problem: Problem) -> Response:
    """Return the response for ``problem``: ``application/problem+json``, not to be cached.

    With the header ``Connection: close``, the response is sent at once, and the rest of the request
    is read and discarded for a few seconds. Closing with unread bytes would reset the connection,
    and a client that sends before it reads would never see the response (RFC 9112, section 9.6).
    """
    closes = any(
        name.lower() == "connection" and value.lower() == "close"
        for name, value in problem.headers.items()
    )
    kind = _LastAnswer if closes else Response
    return kind(
        json.dumps(problem.document(), ensure_ascii=False).encode(),
        status_code=problem.status,
        headers={"Cache-Control": "no-store", **problem.headers},
        media_type=MEDIA_TYPE,
    )


def to_problem(error: Exception) -> Problem:
    """Return the problem for ``error``. An error that no request caused is logged."""
    match error:
        case Problem():
            return error
        case HTTPException():
            return _of_starlette(error)
        case DiffError():
            return Problem(400, str(error), line=error.line)
        case ConfigError():
            return Problem(400, str(error), key=error.key)
        case ClientDisconnect():
            # Only the log of requests uses this response (RFC 9112, section 8: 400).
            return Problem(400, "The connection ended before the body did.", headers=CLOSE)
        case _:
            return _incident(error)


async def _answer(_request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code < 400:
        return Response(status_code=error.status_code, headers=error.headers)
    return problem_response(to_problem(error))


EXCEPTION_HANDLERS: Final[Mapping[type[Exception], HTTPExceptionHandler]] = MappingProxyType(
    dict.fromkeys((Problem, HTTPException, ReviewbotError, ClientDisconnect, Exception), _answer)
)
"""Handlers for ``Starlette(exception_handlers=...)``.

Starlette handles an ``Exception`` outside of all middleware, and raises it again for the server to
log. Middleware that has to see that response must be wrapped around the application.
"""


def _of_starlette(error: HTTPException) -> Problem:
    headers = error.headers or {}
    detail = error.detail
    if detail == _PHRASES.get(error.status_code):
        detail = ""
        if error.status_code == 404:
            detail = "There is nothing at this path."
        elif error.status_code == 405 and (allowed := headers.get("Allow")):
            detail = f"This path supports {allowed} only."
    return Problem(error.status_code, detail, headers=headers)


def _incident(error: Exception) -> Problem:
    number = secrets.token_hex(4)
    _log.error("incident %s: %s", number, type(error).__name__, exc_info=error)
    detail = f"The server failed; its log has the details under incident {number}."
    return Problem(500, detail, incident=number)


def _phrase(status: int) -> str:
    try:
        return _TITLES.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"


def _safe(value: object) -> object:
    match value:
        case str():
            return cut(show(value), TEXT_LIMIT)
        case Mapping():
            return {show(str(name)): _safe(item) for name, item in value.items()}
        case list() | tuple():
            return [_safe(item) for item in value]
        case _:
            return value


class _LastAnswer(Response):
    """Response that ends the connection after the client had time to read."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while await _sends_more(receive):
                    pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _sends_more(receive: Receive) -> bool:
    async with asyncio.timeout(LINGER_QUIET_S):
        message = await receive()
    return message["type"] == "http.request" and bool(message.get("more_body", False))
