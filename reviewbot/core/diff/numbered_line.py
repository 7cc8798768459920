"""Lines of code with their numbers, as a model reads and copies them. Pure.

:mod:`reviewbot.core.prompt.numbered` explains the parts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from reviewbot.core.safety.escape import show_line

if TYPE_CHECKING:
    from reviewbot.core.diff.hunks import DiffLine

_MARKS: Final = {"added": "+", "removed": "-", "context": " "}
# As models copy it: perhaps with blanks between the parts.
_LINE: Final = re.compile(r"([RL]) {0,8}([0-9]{1,10}) ?([ +-]) ?\|(.*)")


class NumberedLine(NamedTuple):
    """Parts of a line in the prompt; see the module."""

    side: Literal["R", "L"]
    number: int
    mark: Literal[" ", "+", "-"]
    text: str


def format_line(line: DiffLine, *, owned: bool = True) -> str:
    """Return ``line`` with its prefix.

    Args:
        line: a line of a hunk.
        owned: False for a line that another chunk owns; such a line has no mark.
    """
    removed = line.kind == "removed"
    side, number = ("L", line.old_no) if removed else ("R", line.new_no)
    mark = _MARKS[line.kind] if owned else " "
    return f"{side}{number or 0}{mark}|{show_line(line.text)}"


def parse_line(rendered: str) -> NumberedLine | None:
    """Return the parts of a line in the form of :func:`format_line`, or None for other text."""
    match = _LINE.fullmatch(rendered)
    if match is None:
        return None
    side, number, mark, text = match.groups()
    # The pattern admits exactly these values.
    return NumberedLine(side, int(number), mark, text)  # type: ignore[arg-type]
