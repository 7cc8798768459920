"""Names in code, and the lines that define or use them. Pure.

Both are recognised by the form of the line, so the result is a likely place, not a proof.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from reviewbot.core.late_pattern import late_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SYMBOL: Final = late_pattern(r"[A-Za-z_][A-Za-z0-9_]{2,63}")
_LINE_CHARS: Final = 400
"""Characters of a line in which a definition or a call is recognised."""
_KEYWORDS: Final = (
    r"class|concept|const|contract|data|def|enum|fn|fun|func|function|impl|interface|let|library"
    r"|macro|module|namespace|object|proc|protocol|record|static|struct|sub|trait|type|typedef"
    r"|union|val|var|\#[ \t]*define|macro_rules!"
)
_STATEMENTS: Final = (
    "and|assert|await|case|defer|del|delete|echo|elif|else|export|for|go|if|in|new|not|or|print"
    "|puts|raise|return|throw|typeof|unless|until|when|while|with|yield"
)
# {} is the name. Each repetition begins where the one before cannot go on: linear for any text.
_FORMS: Final = (
    # A keyword, and perhaps a generic parameter, Go's receiver or the type that has the member.
    r"(?:^|[\s;({{])(?:" + _KEYWORDS + r")(?:<[^<>]{{0,80}}>)?\s+(?:\([^()]{{0,80}}\)\s*)?"
    r"[*&]?(?:\w{{1,64}}(?:\.|::|->)){{0,4}}{}\b",
    # A value or an alias at the left margin.
    r"^(?:export\s+|default\s+)*(?:\w{{1,64}}(?:\.|::)){{0,4}}{}\s*(?::[^=]{{0,80}})?:?=(?!=)",
    # A function of C, or a method: types before it, and no end of a statement after it. A type is
    # read in one way only: with six types, each other way would multiply the time.
    r"^\s*+(?!(?:" + _STATEMENTS + r")\b)"
    r"(?:(?>[\w.:*&@\[\]]{{1,64}}+(?:<[^;()]{{0,80}}>)?[\[\]*&?]{{0,4}}\s++)){{1,6}}"
    r"[*&]*(?:\w{{1,64}}::){{0,4}}{}\s*\([^;]*$",
    # A method of JavaScript.
    r"^\s+{}\s*\([^;]*\)[^;()]*\{{\s*$",
)

_ANY_NAME: Final = r"(?P<name>(?!__)[A-Za-z_][A-Za-z0-9_]{2,63})\b"
_DEFINITIONS: Final = tuple(
    late_pattern(form.format(_ANY_NAME + end))
    for end in (r"(?=\s*(?:<[^<>]{0,80}>)?\()", "")  # "int" is no name in: static int charge(
    for form in _FORMS
)


def is_symbol(text: str) -> bool:
    """Return whether a text may be searched for: it is an identifier of 3 to 64 characters."""
    return _SYMBOL.fullmatch(text) is not None


def defined_name(line: str) -> str | None:
    """Return the name that a line, or the header of a function, defines; None if there is none.

    Names such as ``__init__`` are left out, because nothing calls them by their name.
    """
    found = (form.search(line[:_LINE_CHARS]) for form in _DEFINITIONS)
    return next((one["name"] for one in found if one), None)


def use_lines(symbol: str, lines: Sequence[str]) -> list[int]:
    """Return the indices of the lines with a name that do not define it."""
    use = re.compile(rf"\b{re.escape(symbol)}\b")
    defined = set(definition_lines(symbol, lines))
    return [
        index
        for index, line in enumerate(lines)
        if symbol in line and index not in defined and use.search(line[:_LINE_CHARS])
    ]


def definition_lines(symbol: str, lines: Iterable[str]) -> list[int]:
    """Return the indices of the lines that look like a definition of a name."""
    forms = _forms(symbol)
    return [
        index
        for index, line in enumerate(lines)
        if symbol in line and any(form.search(line[:_LINE_CHARS]) for form in forms)
    ]


@lru_cache(maxsize=64)
def _forms(symbol: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(form.format(re.escape(symbol))) for form in _FORMS)
