"""One request to GitHub and what came of it, as values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
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
"""Bytes of an answer, unpacked."""
_NEXT: Final = re.compile(r'<([^<>]+)>\s*;[^<]*rel="?next"?')
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Urgency(IntEnum):
    """Which of the writes that wait goes first."""

    FINAL = 0
    """A review, or the end of a check run: somebody waits for it."""
    NORMAL = 1
    PROGRESS = 2
    """It will soon be out of date anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request.

    Attributes:
        path: below the base URL; or the whole URL of a page that GitHub named; or
            :data:`GRAPHQL`, wherever that is.
        body: sent as JSON.
        etag: of the answer that is known already.
        max_bytes: of the answer; a longer one is not read.
        writes: whether it changes anything, and so takes its turn among the writes.
        repeatable: whether doing it twice is the same as doing it once.
        creates: whether it is content, of which GitHub takes only so much an hour.
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
        """What it is called in messages: verb and path, nothing of what it sends."""
        return f"{self.verb} {urlsplit(self.path).path}"


def read(
    path: str,
    parameters: Parameters = _NOTHING,
    *,
    accept: str = JSON,
    max_bytes: int = MAX_ANSWER,
) -> Request:
    """Return a GET."""
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
    """A request that changes something; a POST creates and is not repeatable, unless it is said."""
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
    """What GitHub answered; its ``repr`` shows nothing of that.

    Attributes:
        headers: by name in lower case.
        body: as it came, for media types other than JSON.
        data: of JSON, parsed; None if there is none.
        size: bytes of the body.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    data: Any = field(default=None, repr=False)
    size: int = 0

    @property
    def message(self) -> str:
        """What GitHub says, if it refuses. A stranger's text."""
        said = self.data.get("message") if isinstance(self.data, dict) else None
        return said if isinstance(said, str) else ""

    @property
    def errors(self) -> tuple[Any, ...]:
        """The details of a refusal, or those of GraphQL. A stranger's text, too."""
        found = self.data.get("errors") if isinstance(self.data, dict) else None
        if isinstance(found, list):
            return tuple(found)
        return (found,) if isinstance(found, str) else ()

    def error_has(self, key: str, *values: str) -> bool:
        """Whether an error has one of these values there: ``code``, or ``type`` in GraphQL."""
        return any(isinstance(one, dict) and one.get(key) in values for one in self.errors)

    @property
    def is_page(self) -> bool:
        """Whether it is a page for people: GitHub's API answers nothing with one that is well."""
        return self.headers.get("content-type", "").startswith("text/html")

    @property
    def next_page(self) -> str | None:
        """The URL of the page after this one."""
        found = _NEXT.search(self.headers.get("link", ""))
        return found[1] if found else None


@dataclass(frozen=True, slots=True)
class NoResponse:
    """There was no answer.

    Attributes:
        reason: why, in words.
        sent: whether the request may have reached GitHub.
    """

    reason: str
    sent: bool


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that one try may take: to connect, without a byte, and in all."""

    connect_s: float = 5.0
    silent_s: float = 20.0
    total_s: float = 60.0
