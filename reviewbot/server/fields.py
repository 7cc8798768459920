"""Read the fields of a JSON body one by one; refuse unknown fields and values that are too long.

The standard library reads a whole JSON document at once, which blocks the process meanwhile. Ten
million bytes of empty lists take half a second, and compress to a thousand bytes. A string is read
quickly, however long.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from reviewbot.server.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

VALUE_LIMIT: Final = 400_000
"""Maximum characters of JSON in a value that is not a string."""

_SIGN: Final = re.compile(r"[ \t\n\r]*(.?)[ \t\n\r]*", re.DOTALL)
"""A sign between values, with the white space around the sign (RFC 8259, section 2)."""


def read_fields(body: bytes, known: Sequence[str]) -> dict[str, Any]:
    """Return the JSON object in ``body``.

    Args:
        body: UTF-8 (RFC 8259, section 8.1).
        known: the names of the supported fields.

    Raises:
        Problem: the body is not a JSON object, has an unknown field, or has a field twice.
    """
    try:
        return _read(body.decode("utf-8-sig", "surrogatepass"), known)
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"the body is not JSON, or not an object: {str(error)[:200]}") from None


def _read(text: str, known: Sequence[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    sign, at = _sign(text, 0, "{")
    if text.startswith("}", at):  # an object without fields
        sign, at = _sign(text, at, "}")
    while sign != "}":
        if not text.startswith('"', at):
            raise json.JSONDecodeError("Expecting a name in double quotes", text, at)
        name, at = _value(text, at)
        _, at = _sign(text, at, ":")
        value, at = _value(text, at)
        if name not in known:
            there = f"{', '.join(known[:-1])} and {known[-1]}"
            detail = f"there is no field {name[:60]!r}; supported are {there}"
            raise Problem(400, detail, key=name[:60])
        if name in fields:
            raise ValueError(f"{name} is given twice")
        fields[name] = value
        sign, at = _sign(text, at, ",}")
    if at < len(text):
        raise json.JSONDecodeError("Extra data", text, at)
    return fields


def _sign(text: str, at: int, signs: str) -> tuple[str, int]:
    """Return the next sign, one of ``signs``, and the position after the sign."""
    match = _SIGN.match(text, at)
    if match is None or not match[1] or match[1] not in signs:
        wanted = " or ".join(map(repr, signs))
        raise json.JSONDecodeError(f"Expecting {wanted}", text, match.start(1) if match else at)
    return match[1], match.end()


def _value(text: str, at: int) -> tuple[Any, int]:
    """Return the value that begins at ``at``, and the position after the value."""
    if text.startswith('"', at):
        return _DECODER.raw_decode(text, at)
    piece = text[at : at + VALUE_LIMIT]
    try:
        value, length = _DECODER.raw_decode(piece)
    except json.JSONDecodeError as error:
        message = error.msg
        if len(piece) == VALUE_LIMIT:
            message += f", or a value is longer than {VALUE_LIMIT:,} characters"
        raise json.JSONDecodeError(message, text, at + error.pos) from None
    return value, at + length


def _no_number(name: str) -> None:
    raise ValueError(f"it has no {name}")


_DECODER: Final = json.JSONDecoder(parse_constant=_no_number)
