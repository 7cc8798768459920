"""Find the functions, the parameters and the assignments of a parsed text.

Only :mod:`reviewbot.models.offline.worker` may run this on text of a pull request.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from reviewbot.core.late_pattern import late_pattern
from reviewbot.models.offline.structure import FUNCTIONS, UNNAMED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ast_grep_py import Config, SgNode

_HEAD_CHARS: Final = 2_000
_LISTS: Final = frozenset(("expression_list", "right_assignment_list", "tuple"))
_CHANGES: Final = "(append|push|extend|add|unshift)"
_JAVASCRIPT: Final = {
    "any": [
        {"kind": "variable_declarator"},
        {"kind": "assignment_expression"},
        {"kind": "augmented_assignment_expression"},
        {"kind": "for_in_statement"},
        {"kind": "call_expression", "regex": rf"^[\w.]+\.{_CHANGES}\("},
    ]
}
_ASSIGNMENTS: Final = {
    "go": {
        "any": [
            {"kind": "short_var_declaration"},
            {"kind": "assignment_statement"},
            {"kind": "var_spec"},
            {"kind": "range_clause"},
            {
                "kind": "call_expression",
                "regex": r"\.(Decode|Bind\w*|ShouldBind\w*|BodyParser)\(&\w+\)$",
            },
            {"kind": "call_expression", "regex": r"^\w+\.(WriteString|WriteByte)\("},
        ]
    },
    "java": {
        "any": [
            {"kind": "variable_declarator"},
            {"kind": "assignment_expression"},
            {"kind": "enhanced_for_statement"},
            {"kind": "method_invocation", "regex": r"^\w+\s*\.(append|add)\("},
        ]
    },
    "javascript": _JAVASCRIPT,
    "php": {
        "any": [
            {"kind": "assignment_expression"},
            {"kind": "augmented_assignment_expression"},
            {"kind": "foreach_statement"},
        ]
    },
    "python": {
        "any": [
            {"kind": "assignment"},
            {"kind": "augmented_assignment"},
            {"kind": "named_expression"},
            {"kind": "for_statement"},
            {"kind": "for_in_clause"},
            {"kind": "call", "regex": rf"^[\w.]+\.{_CHANGES}\("},
        ]
    },
    "ruby": {
        "any": [
            {"kind": "assignment"},
            {"kind": "operator_assignment"},
            {"kind": "binary", "regex": r"^@?\w+\s*<<"},
            {"kind": "call", "regex": rf"^@?\w+\.{_CHANGES}\b"},
        ]
    },
    "tsx": _JAVASCRIPT,
    "typescript": _JAVASCRIPT,
}
"""The assignments of each language whose values can be followed."""
_NAME: Final = late_pattern(r"[$@]*[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Definition:
    """An assignment to a variable.

    ``start`` and ``end`` are its characters, ``block`` those of the block that it is in. ``adds``
    is true if the variable keeps its earlier value, too.
    """

    start: int
    end: int
    block: tuple[int, int]
    value: SgNode
    statement: SgNode
    adds: bool


def span(node: SgNode) -> tuple[int, int]:
    """Return the first character of a node, and the one after its last."""
    place = node.range()
    return place.start.index, place.end.index


def is_function(node: SgNode) -> bool:
    """Return whether a node is a function, with a name or without."""
    return node.kind() in FUNCTIONS or node.kind() in UNNAMED


class Scopes:
    """The functions of a parsed text, which are read when they are needed.

    Args:
        root: the text.
        language: one of those whose values can be followed.
    """

    def __init__(self, root: SgNode, language: str) -> None:
        self._root, self._matcher = root, {"rule": _ASSIGNMENTS[language]}
        self._known: dict[tuple[int, int], dict[str, list[Definition]]] = {}
        self._nodes: list[SgNode] | None = None
        self._starts: list[int] = []

    def definitions(self, use: SgNode, name: str) -> list[Definition]:
        """Return the assignments whose value a name may have where it is used.

        Args:
            use: where the name is used.
            name: a variable, or a member such as ``self.path``.
        """
        start = span(use)[0]
        for scope in self._scopes(use):
            found = self._of(scope).get(name, [])
            before = [one for one in found if one.end <= start]
            if before:
                return _reaching(before, start)
            if self._declared(scope, name) is not None:
                return []
        return []

    def parameter(self, use: SgNode, name: str) -> tuple[str, str] | None:
        """Return the declaration of a parameter, and the text before its function's body."""
        for scope in self._scopes(use):
            declared = self._declared(scope, name)
            if declared is not None:
                parent = scope.parent()
                whole = parent if parent and parent.kind() == "decorated_definition" else scope
                body = scope.field("body")
                length = span(body)[0] - span(whole)[0] if body else _HEAD_CHARS
                return declared, whole.text()[: min(length, _HEAD_CHARS)]
        return None

    def heredoc(self, beginning: SgNode) -> SgNode | None:
        """Return the body of a heredoc of Ruby."""
        start = span(beginning)[0]
        bodies = self._root.find_all(kind="heredoc_body")
        return next((one for one in bodies if span(one)[0] > start), None)

    def text_before(self, use: SgNode) -> str:
        """Return the text of the outermost function up to a use."""
        scope = list(self._scopes(use))
        outer = scope[-2] if len(scope) > 1 else scope[-1]
        return outer.text()[: span(use)[0] - span(outer)[0]]

    def _scopes(self, use: SgNode) -> Iterator[SgNode]:
        """Yield the functions around a node, from the inside, and the whole text."""
        yield from (one for one in use.ancestors() if is_function(one))
        yield self._root

    def _of(self, scope: SgNode) -> dict[str, list[Definition]]:
        key = span(scope)
        if key not in self._known:
            # To compile the matcher takes long, so the whole text is searched once.
            if self._nodes is None:
                self._nodes = self._root.find_all(cast("Config", self._matcher))
                self._starts = [span(node)[0] for node in self._nodes]
            first, last = bisect_left(self._starts, key[0]), bisect_left(self._starts, key[1])
            self._known[key] = _read(scope, self._nodes[first:last])
        return self._known[key]

    def _declared(self, scope: SgNode, name: str) -> str | None:
        """Return the text of the parameter with a name."""
        if scope.kind() == self._root.kind():
            return None
        single = scope.field("parameter")
        if single is not None and single.text() == name:
            return name
        parameters = scope.field("parameters")
        for one in parameters.named_children() if parameters else ():
            head = one.text().partition("=")[0].partition(":")[0]
            if (
                any(child.text() == name for child in one.named_children())
                or name in _NAME.findall(head)
                or ("{" in one.text() and name in _NAME.findall(one.text()))
            ):
                return one.text()
        return None


def _reaching(before: list[Definition], start: int) -> list[Definition]:
    """Return the definitions that reach a use: up to the last one that always runs."""
    kept = []
    for one in reversed(before):
        kept.append(one)
        if not one.adds and one.block[0] <= start < one.block[1]:
            break
    return kept


def _read(scope: SgNode, nodes: list[SgNode]) -> dict[str, list[Definition]]:
    found: dict[str, list[Definition]] = {}
    for node in nodes:
        for name, value, adds in _assigned(node):
            start, end = span(node)
            if node.kind() == "for_in_clause":  # its variable is used in front of it
                end = span(node.parent() or node)[0]
            elif "for" in node.kind():
                end = span(value)[1]
            block = next((one for one in node.ancestors() if _is_block(one)), None)
            place = span(block) if block else span(scope)
            found.setdefault(name, []).append(Definition(start, end, place, value, node, adds))
    return found


def _is_block(node: SgNode) -> bool:
    kind = node.kind()
    return kind.endswith(("block", "compound_statement", "body", "module", "program")) or kind in (
        "body_statement",
        "then",
        "else",
        "if_statement",
        "switch_case",
        "case_statement",
        "communication_case",
        "expression_case",
        "switch_block_statement_group",
        "if_modifier",
    )


def _assigned(node: SgNode) -> Iterator[tuple[str, SgNode, bool]]:
    """Yield the name, the value and whether the old value is kept, of each assigned variable."""
    left = node.field("left") or node.field("name")
    value = node.field("right") or node.field("value")
    kind = node.kind()
    if kind == "foreach_statement":
        value, left = node.named_children()[:2]
    if kind in ("call", "call_expression", "method_invocation"):
        yield from _changed(node)
        return
    if left is None or value is None:
        return
    adds = kind in (
        "augmented_assignment",
        "augmented_assignment_expression",
        "operator_assignment",
    ) or _is_sum(node)
    if kind == "binary":
        yield left.text(), value, True
        return
    text = left.text()
    if text.endswith("[]"):
        yield text[:-2], value, True
        return
    if re.fullmatch(r"[$@\w]+((\.|->)\w+)*", text):
        yield text, value, adds
        return
    targets = left.named_children()
    values = value.named_children() if value.kind() in _LISTS else []
    for index, target in enumerate(targets):
        one = values[index] if len(values) == len(targets) else value
        for name in _NAME.findall(target.text()):
            yield name, one, False


def _changed(call: SgNode) -> Iterator[tuple[str, SgNode, bool]]:
    """Yield the variable that a call changes: ``names.append(x)``, in Go ``Decode(&value)``."""
    callee, arguments = call.field("function") or call.field("method"), call.field("arguments")
    receiver = call.field("receiver") or call.field("object")
    if receiver is None and callee is not None:
        receiver = callee.field("object") or callee.field("operand")
    while receiver is not None and receiver.kind() == "method_invocation":
        receiver = receiver.field("object")  # the first of a chain
    if receiver is None or arguments is None:
        return
    pointer = re.fullmatch(r"\(&(\w+)\)", arguments.text())
    if pointer and callee is not None:
        yield pointer[1], callee, False
    else:
        yield receiver.text(), arguments, True


def _is_sum(node: SgNode) -> bool:
    operator = node.field("operator")
    return operator is not None and operator.text() == "+="
