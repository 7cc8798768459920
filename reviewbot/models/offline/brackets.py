"""Find the brackets that a hunk closes without opening them, and those that it leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import re

_CLOSER_OF: Final = {"(": ")", "[": "]", "{": "}"}
_MAX_BRACKETS: Final = 64


@dataclass(frozen=True, slots=True)
class Closer:
    """A bracket that is closed in the hunk and opened above it."""

    bracket: str
    before: str
    """The character before the bracket, except white space."""
    after: str
    """The text after the bracket: a keyword, a sign or nothing."""


def scan_brackets(token: re.Pattern[str], text: str) -> tuple[list[Closer], str]:
    """Return the brackets that are opened above the text, and closers of its open brackets.

    Both are empty if there are more than 64 of either.

    Args:
        token: pattern of a string, a comment or a bracket, with the groups ``open``, ``close`` and
            ``next``, the text after a closing bracket.
        text: the new side of a hunk.
    """
    closers: list[Closer] = []
    open_: list[str] = []
    for match in token.finditer(text):
        if match["open"]:
            open_.append(_CLOSER_OF[match["open"]])
        elif not match["close"]:
            continue
        elif open_ and open_[-1] == match["close"]:
            open_.pop()
        elif not open_:
            before = match.start() - 1
            while before > 0 and text[before].isspace():
                before -= 1
            closers.append(Closer(match["close"], text[max(before, 0)], match["next"] or ""))
    if len(closers) > _MAX_BRACKETS or len(open_) > _MAX_BRACKETS:
        return [], ""
    return closers, "".join(reversed(open_))
