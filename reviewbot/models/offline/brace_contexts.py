"""Candidate contexts of a hunk in C, C++, Go, Java and PHP."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.late_pattern import late_pattern
from reviewbot.models.offline.brackets import scan_brackets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reviewbot.models.offline.brackets import Closer

CUT: Final = "/*cut*/"
"""Comment at the end of a context. A rule that needs all of a function must not match around it."""

# One token that contains or is a bracket: linear for any text, as in stitching.
_LEXEME: Final = r"""//[^\n]* | /\*(?:[^*]|\*(?!/))*(?:\*/)?
      | "(?:[^"\\\n]|\\.)*"? {quotes}
      | (?P<open>[(\[{{])
      | (?P<close>[)\]}}])(?=\s*(?P<next>else|catch|finally|while|[(),;\]])?)"""
_CHARACTER: Final = r"| '(?:[^'\\\n]|\\.)*'?"
_CASE: Final = late_pattern(r"[ \t]*(?:case\b[^\n]*|default\s*):")


@dataclass(frozen=True, slots=True)
class Dialect:
    """The syntax of a language with braces.

    ``token`` is for :func:`scan_brackets`. ``condition`` and ``switch`` begin such a statement.
    ``type_`` begins a type with members, ``method`` a method in it. ``closure`` begins a function
    in an argument list, ``literal`` a list or mapping in braces. ``items`` are the beginning and
    the end of a list of values. ``clauses`` maps the word after a brace to the statement that the
    brace ends.
    """

    token: re.Pattern[str]
    condition: str
    switch: str
    type_: str
    method: str
    closure: str
    literal: str
    items: tuple[str, str]
    clauses: Mapping[str, str]


def _lexemes(quotes: str) -> re.Pattern[str]:
    return re.compile(_LEXEME.format(quotes=quotes), re.VERBOSE | re.DOTALL)


CLAUSES: Final = {"else": "if(0){", "catch": "try{", "finally": "try{", "while": "do{"}
_C: Final = Dialect(
    token=_lexemes(_CHARACTER),
    condition="if(0)",
    switch="switch(0){case 0:",
    type_="struct _{",
    method="int _(){",
    closure="{",
    literal="{",
    items=("int _[]={", "};"),
    clauses=CLAUSES,
)
DIALECTS: Final = {
    "c": _C,
    "cpp": replace(_C, closure="[]{"),
    "go": Dialect(
        token=_lexemes(_CHARACTER + "| `[^`]*`?"),
        condition="if _",
        switch="switch _ {case _:",
        type_="type _ struct {",
        method="",
        closure="func(){",
        literal="_{",
        items=("_=_{", "}"),
        clauses={"else": "if _ {"},
    ),
    "java": replace(
        _C,
        type_="class _{",
        method="void _(){",
        closure="()->{",
        literal="new _[]{",
        items=("_(", ");"),
    ),
    "php": replace(
        _C,
        token=_lexemes(r"| '(?:[^'\\]|\\.)*'? | \#(?!\[)[^\n]*"),
        type_="class _{",
        method="function _(){",
        closure="function(){",
        items=("$_=[", "];"),
    ),
}
"""The dialect of each language with braces, except JavaScript."""


def brace_contexts(text: str, dialect: Dialect) -> Iterator[tuple[str, str]]:
    """Yield candidate texts before and after ``text``, the new side of a hunk, likeliest first."""
    closers, behind = scan_brackets(dialect.token, text)
    # The line break ends a line comment, and a statement in Go.
    tail = "\n*/" if text.rfind("/*") > text.rfind("*/") else ""
    tail += f"\n{CUT}{behind}\n" if behind else "\n"
    blocks = _open(closers, dialect)
    if _has_case_first(text):
        yield f"{blocks}{dialect.switch}\n", f"{tail}}}\n"
    yield f"{blocks}\n", tail
    if not closers or closers[-1].bracket == "}":
        yield from _in_type(closers, dialect, tail)
    first, last = dialect.items
    yield f"{first}{_open(closers, dialect, in_list=True)}\n", f"{tail}{last}\n"
    comment_end = text.find("*/")
    if comment_end >= 0 and text.rfind("/*", 0, comment_end) < 0:
        yield "/*\n", tail
        yield f"{dialect.type_}/*\n", f"{tail}}}\n"


def _in_type(closers: Sequence[Closer], dialect: Dialect, tail: str) -> Iterator[tuple[str, str]]:
    """Yield contexts of a hunk in a type or in a method of it."""
    if closers and dialect.method:
        method = dialect.type_ + dialect.method
        yield f"{method}{_open(closers[:-1], dialect)}\n", f"{tail}}}\n"
        if len(closers) > 1 and closers[-2].bracket == "}":
            yield f"{method}{_open(closers[:-2], dialect)}\n", tail
    if closers:
        yield f"{dialect.type_}{_open(closers[:-1], dialect)}\n", tail
    yield f"{dialect.type_}{_open(closers, dialect)}\n", f"{tail}}}\n"


def _has_case_first(text: str) -> bool:
    """Return whether a ``case`` comes before the first brace that opens a block."""
    for line in text.split("\n"):
        if _CASE.match(line):
            return True
        if "{" in line:
            return False
    return False


def _open(closers: Sequence[Closer], dialect: Dialect, *, in_list: bool = False) -> str:
    """Return text that opens ``closers``, the innermost last.

    Args:
        closers: the closing brackets, in the order of the text.
        dialect: the language.
        in_list: whether the text is in an argument list or a list of values.
    """
    text = ""
    for closer in reversed(closers):
        ends_value = closer.before != ";" and closer.after in (",", ")")
        if closer.bracket == ")":
            text, in_list = f"{text}_(", True
        elif closer.bracket == "]":
            text, in_list = f"{text}{'' if in_list else '_'}[", True
        elif closer.before == "," or (in_list and ends_value):
            text, in_list = f"{text}{'' if in_list else '_='}{dialect.literal}", True
        elif in_list:
            text, in_list = text + dialect.closure, False
        else:
            text += dialect.clauses.get(closer.after, f"{dialect.condition}{{")
    return text
