"""Faults on demand: what goes wrong with which requests, how often, before or after the write."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.fake_github.limits import SECONDARY, SECONDARY_DOCS
from tests.fake_github.wire import Answer

if TYPE_CHECKING:
    from tests.fake_github.wire import JSON, Recorded

UNICORN = b"""<!DOCTYPE html>
<html><head><title>Unicorn! &middot; GitHub</title></head>
<body><p><strong>We had issues producing the response to your request.</strong></p></body></html>
"""


@dataclass
class Fault:
    """What happens to matching requests.

    Args:
        method: GET, POST ...; ``*`` is any.
        path: a regular expression, searched for in the path.
        status: the answer's status; None leaves the answer as it is.
        body: the answer's body: JSON, or bytes of HTML.
        headers: more headers of the answer.
        after: the call is carried out before the answer is spoilt.
        drop: no answer; the connection is reset.
        delay: seconds to wait first.
        times: how many requests it takes; None is all of them.
        skip: how many pass before the first.
        contains: only requests whose body has these bytes.
        together: each waits until so many of them are there.
    """

    method: str = "*"
    path: str = ""
    status: int | None = None
    body: JSON | bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    after: bool = False
    drop: bool = False
    delay: float = 0.0
    times: int | None = 1
    skip: int = 0
    contains: bytes = b""
    together: int = 1
    hit: list[Recorded] = field(default_factory=list)
    all_there: asyncio.Event = field(default_factory=asyncio.Event)

    def takes(self, request: Recorded) -> bool:
        """Whether this request is one of those; counts it."""
        if self.method not in ("*", request.method) or not re.search(self.path, request.path):
            return False
        if self.contains not in request.raw or self.times == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        self.hit.append(request)
        if len(self.hit) >= self.together:
            self.all_there.set()
        return True

    def answer(self) -> Answer | None:
        """The answer in place of the real one, if it is to be another."""
        if self.status is None:
            return None
        if self.body is None and self.status in (502, 503, 504):
            return Answer(UNICORN, self.status, {"content-type": "text/html", **self.headers})
        body = self.body or {"message": "Server Error", "status": str(self.status)}
        return Answer(body, self.status, dict(self.headers))


def error(method: str, path: str, status: int = 500, *, times: int | None = 1) -> Fault:
    """Nothing is done, and an error says so."""
    return Fault(method, path, status, times=times)


def error_after(method: str, path: str, status: int = 502, *, times: int | None = 1) -> Fault:
    """The write happens, and an error is answered."""
    return Fault(method, path, status, after=True, times=times)


def drop(method: str, path: str, *, after: bool = False, times: int | None = 1) -> Fault:
    """The connection breaks, before or after the write."""
    return Fault(method, path, drop=True, after=after, times=times)


def slow(method: str, path: str, seconds: float, *, times: int | None = 1) -> Fault:
    """The answer comes late."""
    return Fault(method, path, delay=seconds, times=times)


def at_once(method: str, path: str, number: int = 2) -> Fault:
    """The first so many are carried out only when all are there: none has seen what another did."""
    return Fault(method, path, times=number, together=number)


def secondary(
    method: str, path: str, *, status: int = 403, retry_after: int | None = 60, times: int = 1
) -> Fault:
    """A secondary rate limit: 403 or 429, with or without ``Retry-After``."""
    body = {"message": SECONDARY, "documentation_url": SECONDARY_DOCS, "status": str(status)}
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    return Fault(method, path, status, body, headers, times=times)


def abuse(method: str, path: str, *, times: int = 1) -> Fault:
    """The spam filter's 422."""
    body = {
        "message": "Validation Failed",
        "errors": [
            {
                "resource": "IssueComment",
                "code": "abuse",
                "field": "base",
                "message": "was submitted too quickly",
            }
        ],
        "documentation_url": "https://docs.github.com/rest",
        "status": "422",
    }
    return Fault(method, path, 422, json.loads(json.dumps(body)), times=times)


def primary(method: str, path: str, *, reset: float, times: int = 1) -> Fault:
    """The primary rate limit, until the time ``reset``."""
    body = {"message": "API rate limit exceeded for installation.", "status": "403"}
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(reset))}
    return Fault(method, path, 403, body, headers, times=times)
