"""Conditions that a literal decides, such as ``if False`` and ``false && ...``.

Values are not computed: ``1 > 2`` is not a literal. The tables hold the names of nodes for all
grammars together. No function here recurses, because hostile text nests deeply.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ast_grep_py import SgNode


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CONDITIONALS: Final = _names(
    """
    elif_clause else_if_clause elseif_statement elsif for_statement if if_expression if_modifier
    if_statement unless unless_modifier until until_modifier while while_expression while_modifier
    while_statement
    """
)
_BINARY: Final = _names(
    """
    binary binary_expression boolean_operator conjunction_expression disjunction_expression
    infix_expression list
    """
)
CONDITIONAL_KINDS: Final = _CONDITIONALS | _BINARY
"""Nodes that have a condition."""
SCRIPTS: Final = _names("javascript tsx typescript")
_OPERATORS: Final = {"&&": False, "and": False, "||": True, "or": True}
"""The value of the left side with which an operator does not look at the right side."""
_CHAIN: Final = 5
"""Most operators of one expression that are followed to its left end."""
_ELSE: Final = re.compile("else|elif|elsif")
_NEVER: Final = _names("false null nil none undefined type_checking typing.type_checking nullptr")
_ALWAYS: Final = _names("true")
_EMPTY: Final = {
    "python": _names("\"\" '' () [] {}"),
    **dict.fromkeys((*SCRIPTS, "php"), _names("\"\" ''")),
}
"""Empty texts and collections, which are false."""
_NOT: Final = re.compile(r"(?:!|not\b)\s*")
_CONDITION_CHARS: Final = 40
_ZERO: Final = re.compile(r"0+(?:\.0*)?[ul]*|0x0+[ul]*", re.IGNORECASE)
_ONE: Final = re.compile(r"[1-9][0-9]*[ul]*", re.IGNORECASE)
_ZERO_IS_TRUE: Final = _names("bash elixir lua ruby")


def children_that_never_run(node: SgNode, language: str) -> Sequence[SgNode]:
    """Return the children of a node of :data:`CONDITIONAL_KINDS` that never run."""
    kind = node.kind()
    if kind in _CONDITIONALS:
        return _under_condition(node, kind, language)
    return () if _decided_value(node, language) is None else node.children()[2:]


def _under_condition(node: SgNode, kind: str, language: str) -> Sequence[SgNode]:
    """Return the children of a statement with a condition that never run."""
    children = node.children()
    named = (child for child in children if child.is_named())
    condition = node.field("condition") or next(named, None)
    value = None if condition is None else _value(condition, language)
    if condition is None or value is None:
        return ()
    if kind.startswith(("unless", "until")):
        value = not value
    at = children.index(condition)
    if kind.endswith("_modifier"):
        return () if value else children[:at]
    else_at = next(
        (number for number in range(at + 1, len(children)) if _ELSE.match(children[number].kind())),
        len(children),
    )
    if not value:
        return children[at + 1 : else_at]
    return children[else_at:] if kind.startswith(("if", "el", "unless")) else ()


def _decided_value(binary: SgNode, language: str) -> bool | None:
    """Return the value of an expression that begins with ``false &&`` or ``true ||``; else None."""
    left, operator = binary, ""
    for _ in range(_CHAIN):
        children = left.children()
        if len(children) < 3 or children[1].text() not in _OPERATORS:
            return None
        if operator and operator != children[1].text():
            return None
        left, operator = children[0], children[1].text()
        if left.kind() not in _BINARY:
            value = _literal_value(left, language)
            return value if value is _OPERATORS[operator] else None
    return None


def _value(condition: SgNode, language: str) -> bool | None:
    """Return the value of a condition that a literal decides; None if it is another one."""
    if condition.kind() in _BINARY:
        return _decided_value(condition, language)
    return _literal_value(condition, language)


def _literal_value(node: SgNode, language: str) -> bool | None:
    span = node.range()
    short = span.end.index - span.start.index <= _CONDITION_CHARS
    return literal_of(node.text(), language) if short else None


def literal_of(text: str, language: str) -> bool | None:
    """Return the value of a literal, perhaps negated or in parentheses; None for other text."""
    text, negated = text.strip(), False
    empty = _EMPTY.get(language, frozenset())
    while text and text not in empty:
        if text[0] == "(" and text[-1] == ")":
            text = text[1:-1].strip()
        elif match := _NOT.match(text):
            text, negated = text[match.end() :].strip(), not negated
        else:
            break
    if _ZERO.fullmatch(text):
        value = language in _ZERO_IS_TRUE
    elif text.lower() in _NEVER or text in empty:
        value = False
    elif text.lower() in _ALWAYS or _ONE.fullmatch(text):
        value = True
    else:
        return None
    return value != negated
