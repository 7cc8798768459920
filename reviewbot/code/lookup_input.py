"""Check the input of a look-up, which a model writes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reviewbot.code.lookup_paths import LookupRefusedError
from reviewbot.core.findings.report_tool import REPORT_TOOL
from reviewbot.core.prompt.lookup_tools import LOOKUP_TOOLS
from reviewbot.core.safety.escape import is_plain

if TYPE_CHECKING:
    from reviewbot.core.prompt.lookup_tools import LookupCall

TEXT_CHARS: Final = 200
"""Most characters of a text to search for."""
MAX_LINE: Final = 10_000_000
"""Largest line number."""
_SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    tool["name"]: tool["input_schema"] for tool in LOOKUP_TOOLS
}
_TYPES: Final = {"string": str, "integer": int, "boolean": bool}
_TYPE_NAMES: Final = {"string": "a text", "integer": "a whole number", "boolean": "true or false"}


def checked_input(call: LookupCall) -> dict[str, Any]:
    """Return the fields of a look-up that its tool has, without empty optional ones.

    Raises:
        LookupRefusedError: the tool is unknown, or the input is invalid.
    """
    schema = _SCHEMAS.get(call.name)
    if schema is None:
        names = ", ".join((REPORT_TOOL["name"], *_SCHEMAS))
        raise LookupRefusedError(f"There is no such tool. The tools are {names}.")
    fields, given = schema["properties"], call.input
    required = schema["required"]
    if not fields.keys() >= given.keys():
        raise LookupRefusedError(f"The input must be an object with: {', '.join(fields)}.")
    values = {name: given[name] for name in given if given[name] is not None or name in required}
    for name in (*required, *values):
        kind = fields[name]["type"]
        # A truth value is a whole number for Python.
        if name not in values or type(values[name]) is not _TYPES[kind]:
            raise LookupRefusedError(f"`{name}` must be {_TYPE_NAMES[kind]}.")
    if "first" in values and not 1 <= values["first"] <= values["last"] <= MAX_LINE:
        raise LookupRefusedError("`first` and `last` are line numbers from 1, in this order.")
    if "text" in values:
        _check_text(values["text"])
    return values


def _check_text(text: str) -> None:
    if len(text) > TEXT_CHARS or len(text.strip()) < 2:
        raise LookupRefusedError(
            f"`text` must have 2 to {TEXT_CHARS} characters, not only white space."
        )
    if not is_plain(text.replace("\t", " ")):
        raise LookupRefusedError(
            "`text` must be visible text within one line; it is fixed text, not a pattern."
        )
