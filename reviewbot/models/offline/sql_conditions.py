"""Checks of the conditions of statements, and of the bodies of functions."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from reviewbot.core.late_pattern import late_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.models.offline.sql_logic import Problem

MIXED: Final = "sql/mixed-and-or"
DEFINER: Final = "sql/definer-search-path"
SWALLOWED: Final = "sql/swallowed-exception"
LOST_UPDATE: Final = "sql/lost-update"
FOREIGN_JOIN: Final = "sql/join-without-its-table"
NULL_LIST: Final = "sql/not-in-null"

_FLAGS: Final = re.IGNORECASE
_WHERE: Final = late_pattern(
    r"\bwhere\b(?P<all>(?:(?!\b(?:group|order|limit|returning|union|having|window|for|on|loop|then|if)\b)[^;])"
    r"{0,3000})",
    _FLAGS,
)
_WORDS: Final = late_pattern(r"\bbetween\b|\bcase\b|\bend\b|\band\b|\bor\b|[()]", _FLAGS)
_CREATE: Final = late_pattern(r"\bcreate\b", _FLAGS)
_SEARCH_PATH: Final = late_pattern(r"\bset\s+search_path\b", _FLAGS)
_DEFINER: Final = late_pattern(
    r"create\s+(?:or\s+replace\s+)?function\s+(?P<name>[\w.]{1,100})[\s\S]{0,4000}?"
    r"(?P<place>\bsecurity\s+definer\b)",
    _FLAGS,
)
_SWALLOWED: Final = late_pattern(
    r"\bwhen\s+others\s+then\s+(?:null\s*;\s*)?end\b|\bbegin\s+catch\s+end\s+catch\b|"
    r"\bcontinue\s+handler\s+for\s+sqlexception\s+begin\s+end\b",
    _FLAGS,
)
_READ: Final = late_pattern(
    r"\bselect\s+(?:(?P<column>\w{1,60})\s+into\s+(?:strict\s+)?(?P<variable>\w{1,60})|"
    r"(?P<at>@\w{1,60})\s*=\s*(?P<assigned>\w{1,60}))\s+from\s+(?P<table>[\w.]{1,100})"
    r"(?![^;]{0,1000}\b(?:for\s+(?:no\s+key\s+)?update|updlock|serializable)\b)[^;]{0,1000};",
    _FLAGS,
)
_BODY: Final = 3000
"""Characters between the read and the write of a value, at most."""
_CLAUSE: Final = r"(?:join|left|right|inner|full|cross|where|group|order|union|limit|set)\b"
_JOIN: Final = late_pattern(
    r"\bjoin\s+[\w.]{1,100}\s+(?:as\s+)?(?P<alias>(?!on\b|using\b)\w{1,60})\s+on\b"
    rf"(?P<on>(?:(?!\b{_CLAUSE})[^;()]){{1,500}})(?=$|\b{_CLAUSE})",
    _FLAGS,
)
_QUALIFIED: Final = late_pattern(r"\b(\w+)\.\w+")
_NULL_LIST: Final = late_pattern(r"\bnot\s+in\s*\((?:[^()]{0,500},)?\s*null\s*[,)]", _FLAGS)


def check_conditions(code: str) -> Iterator[Problem]:
    """Yield the problems of the conditions in one statement.

    Args:
        code: the statement, with quoted text and comments blank.
    """
    for match in _WHERE.finditer(code):
        place = _mixed(match["all"])
        if place is not None:
            yield MIXED, match.start("all") + place, {}
    for match in _JOIN.finditer(code):
        named = {name.lower() for name in _QUALIFIED.findall(match["on"])}
        if named and match["alias"].lower() not in named:
            yield FOREIGN_JOIN, match.start("on"), {"ALIAS": match["alias"]}
    for match in _NULL_LIST.finditer(code):
        yield NULL_LIST, match.start(), {"COLUMN": "NULL"}


def check_functions(text: str) -> Iterator[Problem]:
    """Yield the problems that only several statements of a function together show.

    Args:
        text: all statements, with quoted text and comments blank.
    """
    for caught in _SWALLOWED.finditer(text):
        yield SWALLOWED, caught.start(), {}
    for read in _READ.finditer(text):
        column, variable = read["column"] or read["assigned"], read["variable"] or read["at"]
        writes = re.compile(
            rf"\bupdate\s+{re.escape(read['table'])}\s+set\s+(?P<set>{column}\s*=\s*{variable}\s*[-+])",
            _FLAGS,
        )
        written = writes.search(text, read.end(), read.end() + _BODY)
        if written:
            yield LOST_UPDATE, written.start("set"), {"COLUMN": column}
    starts = [match.start() for match in _CREATE.finditer(text)]
    for start, end in pairwise([*starts, len(text)]):
        match = _DEFINER.match(text, start, end)
        if match and not _SEARCH_PATH.search(text, start, end):
            yield DEFINER, match.start("place"), {"NAME": match["name"]}


def _mixed(condition: str) -> int | None:
    """Return where ``or`` follows ``and`` on the same level; None if it does not."""
    levels: list[bool] = [False]
    between = 0
    for match in _WORDS.finditer(condition):
        word = match[0].lower()
        if word in ("(", "case"):
            levels.append(False)
        elif word in (")", "end"):
            levels.pop()
            if not levels:
                return None
        elif word == "between":
            between += 1
        elif word == "and" and between:
            between -= 1
        elif word == "and":
            levels[-1] = True
        elif levels[-1]:
            return match.start()
    return None
