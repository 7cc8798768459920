"""Checks of SQL. ast-grep has no grammar for it, so the text is cut into statements here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reviewbot.core.late_pattern import late_pattern
from reviewbot.models.offline.sql_conditions import check_functions
from reviewbot.models.offline.sql_logic import check_statement, names_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NO_WHERE: Final = "sql/no-where"
NULL: Final = "sql/null-comparison"
SAME_VALUE: Final = "sql/same-value-in-every-row"

# Comments and quoted text. Each branch ends at the end of the text at the latest, so that no
# opening is searched for its end twice: linear for any text.
_QUOTED: Final = late_pattern(
    r"""--[^\n]* | /\*(?:[^*]|\*(?!/))*(?:\*/)? | '(?:[^']|'')*'? | "[^"]*"? | `[^`]*`?
      | (?P<body>\$\w*\$)""",
    re.VERBOSE,
)
_DML: Final = late_pattern(
    r"(?:^|(?<=\bbegin)|(?<=\bthen)|(?<=\belse)|(?<=\bas)|(?P<with>\)))\s*"
    r"(?P<verb>delete\s+from|update)\s+(?:only\s+)?(?P<table>[\w.\[\]\"`$]+)",
    re.IGNORECASE,
)
_UPDATE_SET: Final = late_pattern(r"\bset\s+(?P<column>\w+)", re.IGNORECASE)
_EVERY_ROW: Final = late_pattern(r"\s*(?:where\s+(?:1\s*=\s*1|true)\s*)?", re.IGNORECASE)
_LIMITED: Final = late_pattern(
    r"\b(?:where(?!\s+(?:1\s*=\s*1|true)\s*$)|limit|join|using)\b", re.IGNORECASE
)
_CONSTANT: Final = late_pattern(
    r"\s*set\s+(?P<column>\w+)\s*=\s*"
    r"(?:(?:(?:date|time|timestamp|timestamptz|interval)\s*)?q{2,}(?:::\w+)?|-?\d+(?:\.\d+)?|true|"
    r"false|null|(?:coalesce\s*\([^()]*,\s*)?(?P<now>now\s*\(\)|current_(?:timestamp|date))\s*\)?)\s*(?:,|$)",
    re.IGNORECASE,
)
_EVENT: Final = late_pattern(
    r"(?!created|updated|inserted|modified|changed)\w+_(?:at|on)$", re.IGNORECASE
)
_ONE_ROW: Final = late_pattern(
    r"(?:setting|config|option|site|meta|version|state|instance)", re.IGNORECASE
)
_NULL: Final = late_pattern(
    r"\b(?:where|and|or|on|having|when)\s+(?:not\s+)?[\w.\"`\[\]]{1,200}\s*(?P<operator>=|<>|!=)\s*null\b|"
    r"\b(?P<when>when)\s+null\s+then\b",
    re.IGNORECASE,
)
_ADDED: Final = late_pattern(
    r"\badd\s+(?:column\s+)?(?:if\s+not\s+exists\s+)?(?P<name>\w+)", re.IGNORECASE
)


def check_sql(lines: Sequence[str]) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Yield the problems of the statements that end in the new side of a hunk.

    Yields:
        The rule's id, the index of the line, and values for the rule's texts.
    """
    raw = "\n".join(lines)
    text = _QUOTED.sub(_blank, raw)
    added = {match["name"].lower() for match in _ADDED.finditer(text)}
    names = names_of(text)
    for rule, offset, values in check_functions(text):
        yield rule, text.count("\n", 0, offset), values
    row = start = 0
    for statement in text.split(";")[:-1]:
        written = raw[start : start + len(statement)]
        start += len(statement) + 1
        for rule, offset, values in check_statement(statement, written, names):
            yield rule, row + statement.count("\n", 0, offset), values
        for match in _NULL.finditer(statement):
            name = "operator" if match["operator"] else "when"
            index = row + statement.count("\n", 0, match.start(name))
            yield NULL, index, {"OPERATOR": match[name].upper()}
        dml = _DML.search(statement)
        if dml and _hits_every_row(statement[dml.end() :], dml["verb"], added):
            index = row + statement.count("\n", 0, dml.start("verb"))
            verb = " ".join(dml["verb"].upper().split())
            yield NO_WHERE, index, {"VERB": verb.split()[0], "TABLE": dml["table"]}
        if dml and dml["verb"].lower() == "update" and not _ONE_ROW.search(dml["table"]):
            rest = statement[dml.end() :]
            # A query above that the statement does not use was meant to limit it.
            column = _constant_column(rest, set() if dml["with"] else added)
            target = _UPDATE_SET.match(rest.lstrip())
            if target and _LIMITED.search(rest):
                added.discard(target["column"].lower())  # it is filled: a later value replaces it
            if column:
                index = row + statement.count("\n", 0, dml.start("verb"))
                yield SAME_VALUE, index, {"COLUMN": column, "TABLE": dml["table"]}
        row += statement.count("\n")


def _hits_every_row(rest: str, verb: str, added: set[str]) -> bool:
    """Return whether a statement changes all rows of a table, and was not meant to."""
    if _LIMITED.search(rest):
        return False
    if verb.lower().startswith("delete"):
        return _EVERY_ROW.fullmatch(rest) is not None
    column = _UPDATE_SET.match(rest.lstrip())
    return column is not None and column["column"].lower() not in added


def _constant_column(rest: str, added: set[str]) -> str | None:
    """Return the column that gets a constant in every row; None if a migration may mean it.

    To fill a new column is usual, but not with the time of an event.
    """
    constant = None if _LIMITED.search(rest) else _CONSTANT.match(rest)
    if constant is None:
        return None
    is_event = constant["now"] and _EVENT.match(constant["column"])
    return constant["column"] if is_event or constant["column"].lower() not in added else None


def _blank(match: re.Match[str]) -> str:
    """Return the text with quoted text and comments blank, line breaks kept."""
    if match["body"]:
        return " " * len(match["body"])
    filler = " " if match[0].startswith(("-", "/")) else "q"
    return "".join("\n" if char == "\n" else filler for char in match[0])
