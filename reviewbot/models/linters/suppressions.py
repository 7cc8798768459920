"""Comments that make a linter ignore faults: find those of a change, and disable them. Pure.

A disabled comment has the same length, so that the columns of the other text stay. The patterns
match what the locked version of each linter accepts, and more: in text that only looks like a
suppression, the edit is harmless, because only the linter sees it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_SHELLCHECK: Final = r"#[\s\u200b]*shellcheck"
"""shellcheck skips a zero-width space, too, which Python does not count as white space."""
_SUPPRESSIONS: Final[Mapping[str, re.Pattern[str]]] = {
    # ``enable`` ends a suppression, so it stays.
    "ruff": re.compile(r"#\s*(?:noqa|(?:ruff|flake8)\s*:(?!\s*enable))", re.IGNORECASE),
    # The text at the start of the comment, which can be on an earlier line, does not matter.
    "oxlint": re.compile(r"(?:ox|es)lint-disable"),
    "shellcheck": re.compile(_SHELLCHECK),
    # hadolint passes the commands to the code of shellcheck, comments of heredocs included.
    "hadolint": re.compile(rf"#\s*hadolint|{_SHELLCHECK}"),
    "zizmor": re.compile(r"#\s*zizmor:"),
}
"""The start of a suppression in a line, by linter. The time is linear, because lines can be long.

Without its last character, a match is no suppression.
"""
_BLOCK_COMMENT: Final = re.compile(r"/\*\s*(?:ox|es)lint-disable")
"""The start of a suppression of oxlint that can go on over several lines."""


def disable_suppressions(
    linter: str, lines: Sequence[str], numbers: Collection[int]
) -> tuple[list[str], tuple[int, ...]]:
    """Disable the suppression comments that have text on some lines.

    Args:
        linter: name of the linter.
        lines: the text.
        numbers: numbers of the lines to look at, from 1.

    Returns:
        The lines with the comments disabled, and those of ``numbers`` on which the comments are. A
        comment of several lines is disabled where it starts, even if that is not in ``numbers``.
    """
    here = sorted(number for number in set(numbers) if 1 <= number <= len(lines))
    pattern = _SUPPRESSIONS[linter]
    suppressing = {number for number in here if pattern.search(lines[number - 1])}
    starts = set(suppressing)
    if linter == "oxlint":
        listed = 0  # so that each line is listed once: an open comment can hold many starts
        for first, start, last in _block_comments(lines):
            inside = range(bisect_left(here, first), bisect_left(here, last + 1))
            if inside:
                starts.add(start)
                suppressing.update(here[max(inside.start, listed) : inside.stop])
                listed = inside.stop
    edited = list(lines)
    for number in starts:
        edited[number - 1] = pattern.sub(_disabled, lines[number - 1])
    return edited, tuple(sorted(suppressing))


def _disabled(match: re.Match[str]) -> str:
    return f"{match[0][:-1]}_"


def _block_comments(lines: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Yield the lines of the block comments that start with a suppression of oxlint.

    A comment extends to the next ``*/``, so its rules can be on other lines than its start.

    Yields:
        The line of ``/*``, that of the suppression, and that of ``*/``.
    """
    text, closed = "\n".join(lines), -1
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    for match in _BLOCK_COMMENT.finditer(text):
        if match.end() > closed:
            closed = text.find("*/", match.end())
            closed = len(text) if closed < 0 else closed
        yield (
            bisect_left(starts, match.start() + 1),
            bisect_left(starts, match.end()),
            bisect_left(starts, closed + 1),
        )
