"""Checks of SQL statements that run, but do not do what they seem to do.

:mod:`reviewbot.models.offline.sql_text` cuts the text into statements and blanks comments and
quoted text. Patterns have bounded repetition, since the text is hostile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.core.late_pattern import late_pattern
from reviewbot.models.offline.sql_conditions import check_conditions

if TYPE_CHECKING:
    from collections.abc import Iterator

DYNAMIC: Final = "sql/dynamic-statement"
QUOTED: Final = "sql/quoted-value"
NOT_IN: Final = "sql/not-in-null"
OUTER_JOIN: Final = "sql/outer-join-filter"
FLOAT_MONEY: Final = "sql/float-money"
NO_DEFAULT: Final = "sql/not-null-without-default"
SET_AND: Final = "sql/and-in-set"
REVERSED: Final = "sql/reversed-between"
SELF: Final = "sql/self-comparison"
EVERYBODY: Final = "sql/rights-for-everybody"
CROSS_JOIN: Final = "sql/missing-join-condition"

Problem = tuple[str, int, dict[str, str]]
"""Rule, offset in the statement, and values for the texts of the rule."""

_FLAGS: Final = re.IGNORECASE
# Quoted text is a run of "q" here.
_DYNAMIC: Final = late_pattern(
    r"\b(?:execute(?:\s+immediate)?|exec\s*\()\s*\(?\s*[NE]?q{2,4000}\s*(?:\|\||\+)\s*"
    r"(?!quote_|format\b|q{2})(?P<value>@?[a-z_][\w.]{0,100})(?!\s*\()",
    _FLAGS,
)
# A text that is built in a variable, which a later statement executes.
_BUILT: Final = late_pattern(
    r"\b(?P<name>[a-z_]\w{0,60})\s{0,9}:=|\bset\s{1,9}(?P<variable>@\w{1,60})\s{0,9}\+?=", _FLAGS
)
_PASTED: Final = late_pattern(
    r"(?:q\s*(?:\|\||\+)|\bconcat\s*\(\s*q{2,4000}\s*,)\s*(?!quote_|format\b|q{2})"
    r"(?P<value>@?[a-z_][\w.]{0,100})(?!\s*\()",
    _FLAGS,
)
_EXECUTED: Final = late_pattern(
    r"\b(?:(?:exec(?:ute)?\s+)?sp_executesql|execute(?:\s+immediate)?|exec|prepare\s+\w+\s+from)\s*\(?\s*(?P<name>@?[a-z_]\w*)",
    _FLAGS,
)
_NUMBERS: Final = late_pattern(
    r"(?<![\w@])(?P<name>@?\w{1,60})\s{1,9}(?:in\s{1,9})?(?:(?:big|small|tiny)?int(?:eger)?|numeric|boolean|bit|oid|reg\w+|date|"
    r"timestamp\w*|uuid|interval)\b",
    _FLAGS,
)
_QUOTED: Final = late_pattern(
    r"(?:=|<>|like|\()\s*%?'{3}\s*(?:\|\||,|\+)\s*(?!quote_|replace\b)(?P<value>@?[a-z_][\w.]{0,100})"
    r"\s*(?:\|\||,|\+)",
    _FLAGS,
)
_NOT_IN: Final = late_pattern(
    r"\bnot\s+in\s*\(\s*select\s+(?:distinct\s+)?(?P<column>[\w.]{1,100})\s+from\b"
    r"(?P<rest>[^()]{0,2000})\)",
    _FLAGS,
)
_KEY: Final = late_pattern(r"(?:^|\.)(?:id|oid|uuid|name|\w*name)$", _FLAGS)
_OUTER: Final = late_pattern(
    r"\bleft\s+(?:outer\s+)?join\s+[\w.]{1,100}\s+(?:as\s+)?(?P<alias>(?!on\b)\w{1,60})\s+on\b"
    r"(?P<on>(?:(?!\b(?:where|select|union)\b)[^;]){0,2000})\bwhere\b"
    r"(?P<where>(?:(?!\b(?:group\s+by|order\s+by|limit|union|select|having)\b)[^;]){0,2000})",
    _FLAGS,
)
_MONEY: Final = late_pattern(
    r"(?:^|[,(]|\badd(?:\s+column)?)\s*(?P<column>(?:\w{1,40}_)?(?:price|amount|balance|salary|cost|"
    r"fee|subtotal|revenue))\s+(?:float\d?|real|double(?:\s+precision)?)\b",
    _FLAGS,
)
_DEFINES: Final = late_pattern(r"^\s*(?:create\s+(?:\w+\s+){0,2}table|alter\s+table)\b", _FLAGS)
_ALTER: Final = late_pattern(
    r"^\s*alter\s+table\s+(?:only\s+|if\s+exists\s+){0,2}(?P<table>[\w.]{1,100})\s", _FLAGS
)
_ADD: Final = late_pattern(
    r"\badd\s+(?:column\s+)?(?:if\s+not\s+exists\s+)?(?!constraint\b|primary\b|foreign\b|unique\b|"
    r"index\b|key\b|check\b)(?P<column>\w{1,60})\s+\w+(?P<rest>(?:\([^()]{0,100}\)|[^,();]){0,400})",
    _FLAGS,
)
_FILLED: Final = late_pattern(r"\b(?:default|generated|identity|serial|auto_increment)\b", _FLAGS)
_CREATED: Final = late_pattern(
    r"\bcreate\s+(?:\w+\s+){0,2}table\s+(?:if\s+not\s+exists\s+)?(?P<table>[\w.]{1,100})", _FLAGS
)
_FUNCTION: Final = late_pattern(
    r"\bcreate\s+(?:or\s+replace\s+)?(?:function|procedure)\s+[\w.]{1,100}\s*\((?P<list>[^)]{0,2000})",
    _FLAGS,
)
_WORD: Final = late_pattern(r"\w+")
_SET_AND: Final = late_pattern(
    r"^\s*update\s+[\w.]{1,100}\s+set\s+(?P<first>\w{1,60}\s*=\s*[\w.+*/-]{1,60})\s+"
    r"(?P<word>and)\s+\w{1,60}\s*=",
    _FLAGS,
)
_BETWEEN: Final = late_pattern(
    r"\bbetween\s+(?:date\s+)?(?P<low>'[\d-]{10}'|\d{1,9})\s+and\s+(?:date\s+)?"
    r"(?P<high>'[\d-]{10}'|\d{1,9})(?![\w.])",
    _FLAGS,
)
_SELF: Final = late_pattern(
    r"\b(?:on|where|and|or)\s+(?P<column>[a-z_]\w{0,60}(?:\.\w{1,60})?)\s*=\s*(?P=column)(?![\w.(])",
    _FLAGS,
)
_EVERYBODY: Final = late_pattern(
    r"^\s*grant\s+all\b[^;]{0,300}\bto\s+public\b|^\s*grant\s+all(?:\s+privileges)?\s+on\s+\*\.\*\s+to\b",
    _FLAGS,
)
_CROSS: Final = late_pattern(
    r"\bfrom\s+\w{1,60}\s+(?:as\s+)?(?P<one>\w{1,60})\s*,\s*\w{1,60}\s+(?:as\s+)?(?P<two>\w{1,60})\s+"
    r"where\b(?P<where>[^();]{0,1000})$",
    _FLAGS,
)


@dataclass(frozen=True, slots=True)
class SqlNames:
    """Names in a text, in lower case.

    ``tables`` are those that it creates, which are still empty. ``parameters`` are those of its
    functions. ``numbers`` are those that hold no text. ``executed`` are variables whose text is
    executed.
    """

    tables: frozenset[str]
    parameters: frozenset[str]
    numbers: frozenset[str]
    executed: frozenset[str]

    def is_parameter(self, name: str) -> bool:
        """Return whether a value comes from a caller; ``@`` and ``p_`` mark parameters, too."""
        return name.lower() in self.parameters or name.lower().startswith(("@", "p_"))


def names_of(text: str) -> SqlNames:
    """Return the names in a text whose comments and quoted text are blank."""
    lists = (match["list"] for match in _FUNCTION.finditer(text))
    return SqlNames(
        frozenset(match["table"].lower() for match in _CREATED.finditer(text)),
        frozenset(word.lower() for one in lists for word in _WORD.findall(one)),
        frozenset(match["name"].lower() for match in _NUMBERS.finditer(text)),
        frozenset(match["name"].lower() for match in _EXECUTED.finditer(text)),
    )


def check_statement(code: str, raw: str, names: SqlNames) -> Iterator[Problem]:
    """Yield the problems of one statement.

    Args:
        code: the statement, with quoted text and comments blank.
        raw: the same characters, as they were written.
        names: names in the whole text.
    """
    yield from _pasted_values(code, raw, names)
    yield from _built_statements(code, names)
    yield from check_conditions(code)
    yield from _queries(code, raw)
    yield from _outer_joins(code)
    yield from _columns(code, names)
    assigned = _SET_AND.match(code)
    if assigned:
        yield SET_AND, assigned.start("word"), {"FIRST": assigned["first"]}
    granted = _EVERYBODY.match(code)
    if granted:
        yield EVERYBODY, granted.end() - len(granted[0].lstrip()), {}


def _pasted_values(code: str, raw: str, names: SqlNames) -> Iterator[Problem]:
    for rule, pattern, text in ((DYNAMIC, _DYNAMIC, code), (QUOTED, _QUOTED, raw)):
        for match in pattern.finditer(text):
            if names.is_parameter(match["value"]):
                yield rule, match.start(), {"VALUE": match["value"]}


def _built_statements(code: str, names: SqlNames) -> Iterator[Problem]:
    built = _BUILT.search(code)
    name = (built["name"] or built["variable"]).lower() if built else ""
    if built is None or name not in names.executed:
        return
    for match in _PASTED.finditer(code, built.end()):
        value = match["value"].lower()
        if names.is_parameter(value) and value != name and value not in names.numbers:
            yield DYNAMIC, match.start(), {"VALUE": match["value"]}


def _queries(code: str, raw: str) -> Iterator[Problem]:
    for match in _NOT_IN.finditer(code):
        if not _KEY.search(match["column"]) and "null" not in match["rest"].lower():
            yield NOT_IN, match.start(), {"COLUMN": match["column"]}
    for match in _BETWEEN.finditer(raw):
        low, high = match["low"], match["high"]
        same = low.startswith("'") == high.startswith("'")
        if same and (low > high if low.startswith("'") else int(low) > int(high)):
            yield REVERSED, match.start(), {"LOW": low, "HIGH": high}
    for match in _SELF.finditer(code):
        yield SELF, match.start("column"), {"COLUMN": match["column"]}
    crossed = _CROSS.search(code)
    if crossed and not _joins(crossed):
        yield CROSS_JOIN, crossed.start(), {"ONE": crossed["one"], "TWO": crossed["two"]}


def _joins(match: re.Match[str]) -> bool:
    """Return whether the condition after two tables names both, or columns without a table."""
    columns = re.findall(r"(\w+)(\.)?", match["where"])
    names = {name.lower() for name, dot in columns if dot}
    return {match["one"].lower(), match["two"].lower()} <= names or not names


def _outer_joins(code: str) -> Iterator[Problem]:
    for match in _OUTER.finditer(code):
        alias, where = re.escape(match["alias"]), match["where"]
        if re.search(rf"\bor\b|\b{alias}\.\w+\s+is\s+null|coalesce", where, _FLAGS):
            continue
        use = re.search(rf"\b{alias}\.\w+\s*(?:=|<|>|\bin\b|\blike\b|\bbetween\b)", where, _FLAGS)
        if use:
            yield OUTER_JOIN, match.start("where") + use.start(), {"ALIAS": match["alias"]}


def _columns(code: str, names: SqlNames) -> Iterator[Problem]:
    if _DEFINES.match(code):
        for match in _MONEY.finditer(code):
            yield FLOAT_MONEY, match.start("column"), {"COLUMN": match["column"]}
    table = _ALTER.match(code)
    if table is None or table["table"].lower() in names.tables:
        return
    for match in _ADD.finditer(code, table.end() - 1):
        rest = match[0]
        if re.search(r"\bnot\s+null\b", rest, _FLAGS) and not _FILLED.search(rest):
            yield NO_DEFAULT, match.start(), {"COLUMN": match["column"], "TABLE": table["table"]}
