"""Values for one request to GitHub and its response."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

Verb = Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
Parameters: TypeAlias = "Mapping[str, str | int]"

JSON: Final = "application/vnd.github+json"
DIFF: Final = "application/vnd.github.diff"
RAW: Final = "application/vnd.github.raw+json"
GRAPHQL: Final = "/graphql"
MAX_ANSWER: Final = 32 << 20
"""Maximum bytes of a response, after decompression."""
_NEXT: Final = re.compile(r'<([^<>]+)>\s*;[^<]*rel="?next"?')
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Urgency(IntEnum):
    """Priority among waiting writes."""

    FINAL = 0
    """A review, or the end of a check run: somebody waits for it."""
    NORMAL = 1
    PROGRESS = 2
    """A write that will soon be outdated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request.

    Attributes:
        path: path below the base URL, the whole URL of a page that GitHub named, or
            :data:`GRAPHQL`.
        body: body, sent as JSON.
        etag: ETag of the cached response.
        max_bytes: maximum size of the response; a longer response is not read.
        writes: whether the request changes anything, and so needs a slot for writes.
        repeatable: whether the request is idempotent.
        creates: whether the request creates content, which GitHub limits per hour.
    """

    verb: Verb
    path: str
    parameters: Parameters = field(default_factory=lambda: _NOTHING)
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    accept: str = JSON
    etag: str | None = None
    max_bytes: int = MAX_ANSWER
    writes: bool = False
    repeatable: bool = True
    creates: bool = False
    urgency: Urgency = Urgency.NORMAL

    @property
    def graphql(self) -> bool:
        """GraphQL has a rate limit of its own."""
        return self.path == GRAPHQL

    @property
    def what(self) -> str:
        """Name of the request in messages: verb and path, without body or query."""
        return f"{self.verb} {urlsplit(self.path).path}"


def read(
    path: str,
    parameters: Parameters = _NOTHING,
    *,
    accept: str = JSON,
    max_bytes: int = MAX_ANSWER,
) -> Request:
    """Return a GET request."""
    return Request(verb="GET", path=path, parameters=parameters, accept=accept, max_bytes=max_bytes)


def write(
    verb: Verb,
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    repeatable: bool | None = None,
    creates: bool | None = None,
    urgency: Urgency = Urgency.NORMAL,
) -> Request:
    """Return a request that writes. By default, a POST creates content and is not repeatable."""
    return Request(
        verb=verb,
        path=path,
        body=body,
        writes=True,
        repeatable=verb != "POST" if repeatable is None else repeatable,
        creates=verb == "POST" if creates is None else creates,
        urgency=urgency,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Response of GitHub. Its ``repr`` does not show the content.

    Attributes:
        headers: headers by name in lower case.
        body: raw body, for media types other than JSON.
        data: parsed JSON; None if the body is not JSON.
        size: size of the body in bytes.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    data: Any = field(default=None, repr=False)
    size: int = 0

    @property
    def message(self) -> str:
        """GitHub's error message. The text is untrusted."""
        said = self.data.get("message") if isinstance(self.data, dict) else None
        return said if isinstance(said, str) else ""

    @property
    def errors(self) -> tuple[Any, ...]:
        """Details of a refusal, or the errors of GraphQL. The text is untrusted."""
        found = self.data.get("errors") if isinstance(self.data, dict) else None
        if isinstance(found, list):
            return tuple(found)
        return (found,) if isinstance(found, str) else ()

    def error_has(self, key: str, *values: str) -> bool:
        """Return whether an error has one of the values at ``key`` (``code`` or ``type``)."""
        return any(isinstance(one, dict) and one.get(key) in values for one in self.errors)

    def without_errors_in(self, path: tuple[str, ...]) -> Answer:
        """Return the response of GraphQL without the errors of the field at ``path``."""
        kept = [
            error
            for error in self.errors
            if not isinstance(error, dict) or _beginning(error.get("path"), len(path)) != path
        ]
        return (
            self
            if len(kept) == len(self.errors)
            else replace(self, data={**self.data, "errors": kept})
        )

    @property
    def is_page(self) -> bool:
        """True if the response is a web page. GitHub's API never succeeds with a web page."""
        return self.headers.get("content-type", "").startswith("text/html")

    @property
    def next_page(self) -> str | None:
        """The URL of the page after this one."""
        found = _NEXT.search(self.headers.get("link", ""))
        return found[1] if found else None


def _beginning(path: object, length: int) -> tuple[object, ...]:
    return tuple(path[:length]) if isinstance(path, list) else ()


@dataclass(frozen=True, slots=True)
class NoResponse:
    """A request without a response.

    Attributes:
        reason: the reason, in words.
        sent: whether the request may have reached GitHub.
    """

    reason: str
    sent: bool


@dataclass(frozen=True, slots=True)
class Patience:
    """Time limits of one attempt in seconds: to connect, without data, and in total."""

    connect_s: float = 5.0
    silent_s: float = 20.0
    total_s: float = 60.0
