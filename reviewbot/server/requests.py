"""Read the request for a review: a diff with options in the query, or JSON with both."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final

from reviewbot.jobs.admission import ReviewRequest
from reviewbot.jobs.options import options_from_query, parse_options
from reviewbot.server.bodies import read_body
from reviewbot.server.fields import read_fields
from reviewbot.server.problems import CLOSE, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from reviewbot.server.access import Principal

DIFF_TYPES: Final = frozenset(
    {
        "text/x-diff",
        "text/x-patch",
        "text/plain",
        "application/octet-stream",
        "application/x-www-form-urlencoded",  # the default of curl --data-binary
        "",
    }
)
TEXT_LIMITS: Final[Mapping[str, int]] = {"title": 500, "description": 20_000, "subject": 500}
_IDEMPOTENCY_KEY: Final = re.compile(r"[!-~]{1,255}")


async def read_request(
    request: Request, caller: Principal, reserve: Callable[[int], None], *, limit: int
) -> ReviewRequest:
    """Return the review that ``request`` asks for.

    Args:
        request: its body must not have been read yet.
        caller: the sender.
        reserve: function that replaces the bytes reserved for the body.
        limit: most bytes of the body, after decompression.

    Raises:
        Problem: the body cannot be read, is too large, or is not a request for a review.
        ConfigError: an option is invalid.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and kind not in DIFF_TYPES:
        raise Problem(
            415,
            "send a diff as text/x-diff, or JSON as application/json",
            headers={"Accept": "application/json, text/x-diff", **CLOSE},
        )
    key = idempotency_key(request)
    body = await read_body(request, reserve=reserve, limit=limit)
    query = dict(request.query_params)

    def read() -> ReviewRequest:
        values: dict[str, Any] = {"diff": body, "options": {}}
        if kind == "application/json":
            values = _object_of(body)
        values = _with_query(values, query)
        if not values["diff"].strip():
            raise Problem(400, "Nothing to review: the diff is empty")
        texts = {name: _text(values, name, most) for name, most in TEXT_LIMITS.items()}
        return ReviewRequest(
            tenant=caller.tenant,
            diff=values["diff"],
            options=parse_options(values["options"]),
            title=texts["title"] or "",
            description=texts["description"] or "",
            subject=texts["subject"],
            idempotency_key=key,
            limits=caller.limits,
        )

    return await asyncio.to_thread(read)  # the body may be long


def idempotency_key(request: Request) -> str | None:
    """Return the idempotency key of a request; None without one.

    Raises:
        Problem: the key is invalid.
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise Problem(
            400, "an Idempotency-Key must have 1 to 255 visible ASCII characters", headers=CLOSE
        )
    return key


def _object_of(body: bytes) -> dict[str, Any]:
    """Return the fields of a JSON request; ``diff`` as bytes."""
    values = read_fields(body, ("diff", *TEXT_LIMITS, "options"))
    if not isinstance(values.get("diff"), str):
        raise Problem(400, 'the body must be an object with the diff as text: {"diff": "..."}')
    options = values.get("options", {})
    if not isinstance(options, dict):
        raise Problem(400, "options must be an object", key="options")
    # JSON can contain a lone surrogate, which has no bytes in UTF-8.
    return {**values, "diff": values["diff"].encode("utf-8", "replace"), "options": options}


def _with_query(values: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
    """Return the fields, with fields of the query in place of fields of the body."""
    if not query:
        return values
    parse_options(values["options"])  # replaced values must be valid too
    for name, most in TEXT_LIMITS.items():
        _text(values, name, most)
    texts = {name: query.pop(name) for name in TEXT_LIMITS if name in query}
    return {**values, **texts, "options": {**values["options"], **options_from_query(query)}}


def _text(values: Mapping[str, Any], name: str, most: int) -> str | None:
    text = values.get(name)
    if text is None:
        return None
    if not isinstance(text, str) or len(text) > most:
        raise Problem(400, f"{name} must be a text of at most {most:,} characters", key=name)
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
