"""Neutralize commands of CI runners in logs, and lone surrogates in JSON. Pure.

GitHub's runner reads every line that a step prints. The runner executes ``::command::`` at the
start of a line, and the older ``##[command]`` anywhere (actions/runner#4692). Untrusted text must
not reach the log as a command.
"""

from __future__ import annotations

import json
from typing import Any, Final

_LEGACY: Final = "##["


def neutralize_commands(text: str) -> str:
    """Return ``text`` with a space between ``##`` and ``[``, so that it contains no command."""
    return text.replace(_LEGACY, "## [")


def json_text(value: object, *, indent: int | None = None) -> str:
    """Return ``value`` as JSON in ASCII without ``##[``, on one line unless ``indent`` is given.

    The text is ASCII, so that U+2028 and U+0085 never end a line. A JSON escape breaks up ``##[``,
    so readers get the value unchanged.

    Raises:
        ValueError: a number is not finite.
    """
    separators = (",", ":") if indent is None else None
    text = json.dumps(value, allow_nan=False, indent=indent, separators=separators)
    return text.replace(_LEGACY, "#\\u0023[")  # outside of strings JSON has no "#"


def well_formed(value: Any) -> Any:  # noqa: ANN401 - any JSON value in, the same shape out
    """Return ``value`` with every lone surrogate in its strings replaced by U+FFFD.

    A lone surrogate represents a byte that is not UTF-8. JSON can express lone surrogates, but
    strict readers reject the whole document (RFC 8259, section 8.2).
    """
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {key: well_formed(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [well_formed(each) for each in value]
    return value
