"""Requests, answers and refusals as they go over the wire."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

JSON: TypeAlias = dict[str, Any]

DOCS = "https://docs.github.com/rest"
INTEGRATION = "Resource not accessible by integration"


@dataclass(slots=True)
class Recorded:
    """One HTTP request, and what became of it.

    ``path`` is without the prefix of an enterprise server and without the query. ``at`` is the time
    of arrival by GitHub's clock. ``written`` tells whether the handler ran to its end, whatever the
    client was then told; ``refused`` is the answer of a rule that refused it. ``ended`` is
    ``complete``, ``dropped`` (by a fault), ``client closed``, or None while it goes on.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    raw: bytes
    body: Any
    at: float
    connection: int
    actor: str = "nobody"
    token: str = ""
    call: str = ""
    status: int | None = None
    answer: bytes = b""
    written: bool = False
    refused: bytes = b""
    ended: Literal["complete", "dropped", "client closed"] | None = None

    @property
    def key(self) -> str:
        """Method and path, for assertions on what was called in which order."""
        return f"{self.method} {self.path}"

    @property
    def json(self) -> Any:
        """The answer's body."""
        return json.loads(self.answer)


@dataclass(slots=True)
class Answer:
    """A response: a JSON value, or bytes of another kind, or nothing."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """The body on the wire."""
        if self.body is None:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body, separators=(",", ":"), ensure_ascii=False).encode(
            "utf-8", "replace"
        )


class Refused(Exception):
    """GitHub says no: a status, a sentence, and often a list of errors."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: list[Any] | None = None,
        *,
        docs: str = DOCS,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(status, message, errors)
        self.status, self.message, self.errors = status, message, errors
        self.docs, self.headers, self.more = docs, headers or {}, more

    def answer(self) -> Answer:
        body: JSON = {"message": self.message}
        if self.errors is not None:
            body["errors"] = self.errors
        body |= self.more
        body |= {"documentation_url": self.docs, "status": str(self.status)}
        return Answer(body, self.status, dict(self.headers))


def not_found() -> Refused:
    """What GitHub says of what is not there, and of what the caller may not know to be there."""
    return Refused(404, "Not Found")


def invalid_request(complaint: str, *, docs: str = DOCS) -> Refused:
    """The 422 of a body that does not fit the call's schema."""
    return Refused(422, f"Invalid request.\n\n{complaint}", docs=docs)


def unprocessable(*errors: str, docs: str = DOCS) -> Refused:
    """The 422 of calls that run on GraphQL inside: sentences, without a field or an entry."""
    return Refused(422, "Unprocessable Entity", list(errors), docs=docs)


def validation_failed(
    resource: str, field_: str, message: str | None = None, code: str = "custom", docs: str = DOCS
) -> Refused:
    """The 422 of the older calls: one error with resource, field and code."""
    error: JSON = {"resource": resource, "code": code, "field": field_}
    if message is not None:
        error["message"] = message
    return Refused(422, "Validation Failed", [error], docs=docs)


def units(text: str) -> int:
    """Length as GitHub counts it: UTF-16 code units (measured for check runs)."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
