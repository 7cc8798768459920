"""Comments that make a linter ignore faults: find those on added lines, and disable them. Pure.

A disabled comment has the same length, so that the columns of the other text stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection

_Edit: TypeAlias = Callable[[str], str]
"""From a line to the line without suppression comments. Its time is linear: lines can be long."""

_NOQA: Final = re.compile("noqa", re.IGNORECASE)


def _replace(pattern: str, old: str, new: str) -> _Edit:
    compiled = re.compile(pattern)
    return lambda line: compiled.sub(lambda match: match[0].replace(old, new), line)


def _without_noqa(line: str) -> str:
    """Return the line without ``noqa``, which counts anywhere in a comment and in any case.

    A string that looks like a comment changes too: only the linter sees that.
    """
    code, mark, comment = line.partition("#")
    return code + mark + _NOQA.sub("nqqa", comment)


_SHELLCHECK: Final = _replace(r"#\s*shellcheck\b", "shellcheck", "shellchekk")
_EDITS: Final[Mapping[str, Sequence[_Edit]]] = {
    "ruff": (
        _without_noqa,
        _replace(r"#\s*ruff:", "ruff:", "ruff_"),
        _replace(r"#\s*flake8:", "flake8:", "flake8_"),
    ),
    "oxlint": (_replace(r"\b(?:ox|es)lint-disable", "lint-disable", "lint_disable"),),
    "shellcheck": (_SHELLCHECK,),
    # hadolint passes the commands to the code of shellcheck, comments of heredocs included.
    "hadolint": (_replace(r"#\s*hadolint\b", "hadolint", "hadolimt"), _SHELLCHECK),
    "zizmor": (_replace(r"#\s*zizmor:", "zizmor:", "zizmor_"),),
}


def disable_suppressions(
    linter: str, lines: Sequence[str], numbers: Collection[int]
) -> tuple[list[str], tuple[int, ...]]:
    """Disable the suppression comments on some lines.

    Args:
        linter: name of the linter.
        lines: the text.
        numbers: numbers of the lines to look at, from 1.

    Returns:
        The lines without these comments, and the numbers of the lines that had one.
    """
    edited, found = list(lines), []
    for number in sorted(numbers):
        if not 1 <= number <= len(lines):
            continue
        line = lines[number - 1]
        for edit in _EDITS[linter]:
            line = edit(line)
        if line != lines[number - 1]:
            edited[number - 1] = line
            found.append(number)
    return edited, tuple(found)
