"""Tools with which a model reads code outside the diff: their schemas, calls and results. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_RESULT_LINES: Final = 120
MAX_RESULT_BYTES: Final = 16_000

READ_CODE: Final[dict[str, Any]] = {
    "name": "read_code",
    "description": (
        "Read lines of a file at the reviewed commit, or of the old version of a changed file. "
        f"A result has at most {MAX_RESULT_LINES} lines."
    ),
    "input_schema": {
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "Path from the root of the repository."},
            "first": {"type": "integer", "description": "Number of the first line, from 1."},
            "last": {"type": "integer", "description": "Number of the last line."},
            "base": {"type": "boolean", "description": "Read the old version. Default false."},
        },
        "required": ["path", "first", "last"],
        "additionalProperties": False,
    },
}
SEARCH_CODE: Final[dict[str, Any]] = {
    "name": "search_code",
    "description": (
        "Find the lines that contain a text in the files of the reviewed commit. The text is "
        "fixed, not a pattern; an identifier matches as a whole word, or else as a part."
    ),
    "input_schema": {
        "type": "object",
        "properties": {
            "text": {"type": "string", "description": "Two characters or more, within a line."},
            "path": {"type": "string", "description": "File or folder to search. Default: all."},
        },
        "required": ["text"],
        "additionalProperties": False,
    },
}
LOOKUP_TOOLS: Final = (READ_CODE, SEARCH_CODE)
TOOL_NAMES: Final = tuple(str(tool["name"]) for tool in LOOKUP_TOOLS)


@dataclass(frozen=True, slots=True)
class LookupCall:
    """A look-up that a model asks for. ``input`` is what it wrote: any JSON object."""

    name: str
    input: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LookupResult:
    """Result of a look-up, redacted and safe to send.

    ``activity`` says what was read, such as ``reading src/settings.ts 300-420``. ``failed`` marks
    a look-up that was refused or could not be done. ``is_certain`` is False if the same look-up at
    the same commit may have another result, such as after a timeout.
    """

    text: str
    activity: str = ""
    failed: bool = False
    is_certain: bool = True


LookUp: TypeAlias = Callable[[LookupCall], Awaitable[LookupResult]]
"""Function that answers a look-up. It raises nothing: a failure is a result, too."""
