"""Whether an answer is one that ``/openapi.json`` promises; each test of a real server asks."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from reviewbot.server.openapi import openapi_document

if TYPE_CHECKING:
    import httpx2 as httpx


@cache
def document() -> dict[str, Any]:
    return openapi_document()


def operations() -> dict[str, dict[str, Any]]:
    """Each operation by its method and path, such as ``GET /v1/reviews``."""
    return {
        f"{method.upper()} {path}": operation
        for path, item in document()["paths"].items()
        for method, operation in item.items()
        if method in ("get", "post", "delete")
    }


def resolved(value: dict[str, Any]) -> dict[str, Any]:
    """What a reference leads to; anything else is itself."""
    while "$ref" in value:
        found = document()
        for name in value["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        value = found
    return value


async def assert_described(answer: httpx.Response) -> None:
    """Fails if the document does not declare the status, a header or the media type of an answer.

    What is not in the document at all is left alone: the files of the page, and methods that get
    405 (RFC 9110, section 15.5.6).
    """
    operation = _operation(answer.request.method, answer.request.url.path)
    if operation is None:
        return
    what = f"{operation['operationId']} answered {answer.status_code}"
    responses = operation["responses"]
    assert str(answer.status_code) in responses, f"{what}; there are {', '.join(responses)}"
    response = resolved(responses[str(answer.status_code)])
    for name, header in response.get("headers", {}).items():
        assert not resolved(header).get("required") or name in answer.headers, f"{what}: no {name}"
    kind = answer.headers.get("content-type", "").partition(";")[0]
    content = response.get("content", {})
    assert kind in content or (not kind and not content), f"{what} as {kind or 'nothing'}"


def _operation(method: str, path: str) -> dict[str, Any] | None:
    for name, operation in operations().items():
        verb, _, template = name.partition(" ")
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if verb == method and re.fullmatch(pattern, path):
            return operation
    return None
