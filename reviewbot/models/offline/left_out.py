"""Find the lines of a text that do not even reach the grammar of its language.

These are code that a preprocessor leaves out, ``__halt_compiler()`` of PHP with what follows it,
and what ``<!--`` and ``-->`` enclose in a script.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reviewbot.models.offline.constant_conditions import SCRIPTS, literal_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PREPROCESSED: Final = frozenset({"c", "cpp", "csharp", "swift"})
_DIRECTIVE: Final = re.compile(
    r"\s*(?:#|%:)\s*(if|ifdef|ifndef|elif|elifdef|elifndef|else|endif)\b"
)
_DIRECTIVE_CHARS: Final = 40
"""Characters of a directive before its last line; more are ignored."""
_CONDITION_CHARS: Final = 80
_AFTER_CONDITION: Final = re.compile(r"&&|//|/\*")
_HALT: Final = re.compile(r"__halt_compiler(?!\w)", re.IGNORECASE)


def left_out_rows(lines: Sequence[str], language: str) -> Iterator[int]:
    """Yield the numbers, from 0, of the lines that are left out."""
    if language in _PREPROCESSED:
        yield from _not_compiled(lines)
    elif language == "php":
        halt = next((at for at, line in enumerate(lines) if _HALT.search(line)), len(lines))
        yield from range(halt, len(lines))
    elif language in SCRIPTS:
        yield from _html_comments(lines)


def _not_compiled(lines: Sequence[str]) -> Iterator[int]:
    """Yield the lines that ``#if 0`` and similar conditions leave out.

    Comments and strings are not told apart from directives.
    """
    # For each open ``#if``: whether this branch is left out, and whether another one is compiled.
    open_: list[tuple[bool, bool]] = []
    dead = 0
    continued = ""
    for number, line in enumerate(lines):
        if dead:
            yield number
        if line.endswith("\\"):
            if continued or _DIRECTIVE.match(line):
                continued = f"{continued}{line[:-1]} "[:_DIRECTIVE_CHARS]
            continue
        text, continued = continued + line, ""
        match = _DIRECTIVE.match(text)
        if match is None:
            continue
        word = match[1]
        is_out, is_decided = False, False
        if not word.startswith("if"):
            if not open_:
                continue
            is_out, is_decided = open_.pop()
            dead -= is_out
        if word == "endif":
            continue
        value = None
        if word in ("if", "elif"):
            condition = text[match.end() :][:_CONDITION_CHARS]
            value = literal_of(_AFTER_CONDITION.split(condition)[0], "c")
            if value and "||" not in condition and "&&" in condition:
                value = None
        is_out = is_decided or value is False
        open_.append((is_out, is_decided or value is True))
        dead += is_out


def _html_comments(lines: Sequence[str]) -> Iterator[int]:
    """Yield the lines from ``<!--`` to ``-->``, or the line of ``<!--`` alone if none follows."""
    first: int | None = None
    for number, line in enumerate(lines):
        opened = line.rfind("<!--")
        if opened >= 0:
            yield number
        if first is not None and "-->" in line:
            yield from range(first, number + 1)
            first = None
        if opened >= 0 and line.find("-->", opened) < 0 and first is None:
            first = number
