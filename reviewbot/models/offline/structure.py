"""Find the functions, the classes and the running code of a parsed text.

The tables hold the names of nodes for all grammars together; no grammar uses one of these names for
anything else. Elixir, Haskell and Nix have no such names for functions.

Only :mod:`reviewbot.models.offline.worker` may run this on text of a pull request. No function here
recurses, because hostile text nests deeply.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final

from reviewbot.core.late_pattern import late_pattern
from reviewbot.models.offline.messages import HEADER_CHARS, Enclosing
from reviewbot.models.offline.unreachable import rows_of, unreachable_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ast_grep_py import SgNode

    from reviewbot.models.offline.fragments import Fragment

_SCANNED_CHARS: Final = 2_000
"""Most characters of source from which a header is made."""
_LEAD_CHARS: Final = 100
"""Most characters before a definition on its first line, such as ``export const``."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTIONS: Final = _names(
    """
    compact_constructor_declaration constructor_declaration constructor_definition
    deinit_declaration destructor_declaration fallback_receive_definition function_declaration
    function_definition function_item generator_function_declaration init_declaration
    local_function_statement macro_definition method method_declaration method_definition
    modifier_definition operator_declaration preproc_function_def secondary_constructor
    singleton_method
    """
)
UNNAMED: Final = _names(
    """
    anonymous_function anonymous_method_expression arrow_function closure_expression func_literal
    function_expression generator_function lambda_expression lambda_literal
    """
)
_NAMING: Final = _names(
    "assignment_expression field_definition pair public_field_definition variable_declarator"
)
"""Nodes that give a name to an unnamed function, their last named child."""
_CLASSES: Final = _names(
    """
    abstract_class_declaration annotation_type_declaration class class_declaration class_definition
    class_specifier contract_declaration enum_declaration enum_definition enum_item enum_specifier
    impl_item interface_declaration library_declaration module object_declaration object_definition
    protocol_declaration record_declaration singleton_class struct_declaration struct_item
    struct_specifier trait_declaration trait_definition trait_item type_alias_declaration type_spec
    union_item union_specifier
    """
)
_BODIES: Final = ("body", "block", "compound_statement", "declaration_list")
_COMMENT: Final = late_pattern("comment|hash_bang|shebang|haddock|pragma")
_TEXT: Final = late_pattern(
    "string|heredoc|nowdoc|quoted|sigil|charlist|regex|character|char_literal|bare_symbol"
    "|symbol_array|subshell|shell_command|_text$|^text$|_content$|uninterpreted"
)
_CODE_IN_TEXT: Final = late_pattern("interpolat|substitution")
_WORD: Final = late_pattern(r"\w")
_PHP_START: Final = late_pattern(r"\s*(?:#!.*\n)?<\?(?:php|=)", re.IGNORECASE)


def enclosing(file: Fragment, lines: Sequence[int]) -> list[Enclosing | None]:
    """Return the innermost definition around each 1-based line of a whole file.

    It is a function with a name; else one without a name that has several lines, such as a
    callback; else a class of several lines.
    """
    rows = sorted({line - 1 for line in lines})
    best: dict[int, tuple[int, SgNode]] = {}
    stack = file.root.children()  # not the root: that of Python is a module, as a class of Ruby
    while stack:
        node = stack.pop()
        first, last = rows_of(node)
        inside = rows[bisect_left(rows, first) : bisect_right(rows, last)]
        if not inside:
            continue
        stack += node.children()
        rank = _rank(node, last - first)
        for row in inside if rank else ():
            if rank >= best.get(row, (0, node))[0]:
                best[row] = rank, node
    return [
        _described(best[line - 1][1], file.lines) if line - 1 in best else None for line in lines
    ]


def code_lines(part: Fragment) -> list[int]:
    """Return the 1-based lines of a file, or of a part of it, that contain running code.

    Such a line contains a word or a number outside comments and strings; code inside a string, as
    in a template, counts. Brackets and operators alone do not. A line that the grammar does not
    fully understand is not code, and neither is one with code that never runs
    (:mod:`reviewbot.models.offline.unreachable`).
    """
    rows: set[int] = set()
    unclear = unreachable_rows(part)
    stack = [(part.root, False)]
    while stack:
        node, in_text = stack.pop()
        kind = node.kind()
        if kind == "ERROR":
            first, last = rows_of(node)
            unclear.update(range(first, last + 1))
            continue
        if node.is_named():
            if _COMMENT.search(kind):
                continue
            if _TEXT.search(kind):
                in_text = True
            elif _CODE_IN_TEXT.search(kind):
                in_text = False
        children = node.children()
        stack += [(child, in_text) for child in children]
        if not children and not in_text:
            first, last = rows_of(node)
            text = node.text()
            if not text:  # tree-sitter inserted a missing token
                unclear.add(first)
            # A token of several lines is text that the grammar does not look into.
            elif first == last and _WORD.search(text):
                rows.add(first)
    numbers = (row - part.first_row + 1 for row in rows - unclear)
    return sorted(number for number in numbers if 1 <= number <= len(part.lines))


def has_markup(text: str, *, part: bool) -> bool:
    """Return whether PHP may contain HTML, which the grammar reads as code.

    Args:
        text: the PHP.
        part: whether the text may begin inside a file.
    """
    return "?>" in text or not (part or _PHP_START.match(text))


def _rank(node: SgNode, more_lines: int) -> int:
    """Return 3 for a function with a name, 2 for another one, 1 for a class, 0 for other nodes."""
    kind = node.kind()
    if not node.is_named():
        return 0
    if kind in FUNCTIONS or (kind in _NAMING and _named_function(node) is not None):
        return 3
    if kind in UNNAMED and more_lines:
        return 2
    return int(kind in _CLASSES and more_lines > 0)


def _named_function(naming: SgNode) -> SgNode | None:
    """Return the function that a node gives a name to."""
    last = naming.named_children()[-1:]
    return last[0] if last and last[0].kind() in UNNAMED else None


def _described(node: SgNode, source: Sequence[str]) -> Enclosing:
    first, last = rows_of(node)
    lead = source[first][: node.range().start.column]
    head = lead.lstrip() if len(lead) <= _LEAD_CHARS else ""
    parent = node.parent()
    if parent is not None and parent.kind() == "decorated_definition":
        first = rows_of(parent)[0]
    return Enclosing(first + 1, last + 1, _one_line(head + _signature(node)))


def _signature(node: SgNode) -> str:
    """Return the text up to the body, without comments; the first line if there is no body."""
    start = node.range().start.index
    text = node.text()[:_SCANNED_CHARS]
    function = _named_function(node) or node
    body = function.field("body") or next(
        (one for one in function.children() if one.is_named() and one.kind().endswith(_BODIES)),
        None,
    )
    if body is None:
        return text.partition("\n")[0].rstrip().removesuffix("{")
    text = text[: body.range().start.index - start]
    kept, at = "", 0
    for first, last in _comments(function, start, len(text)):
        kept += text[at:first] + " "
        at = max(at, last)
    return kept + text[at:]


def _comments(node: SgNode, start: int, length: int) -> list[tuple[int, int]]:
    """Return where the comments are in the first ``length`` characters from ``start`` on."""
    found = []
    stack = [node]
    while stack:
        one = stack.pop()
        span = one.range()
        if span.start.index - start >= length:
            continue
        if _COMMENT.search(one.kind()):
            found.append((span.start.index - start, span.end.index - start))
        else:
            stack += one.children()
    return sorted(found)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    if len(line) <= HEADER_CHARS:
        return line
    # Not within a word: the first part of a secret may no longer look like one.
    return line[: HEADER_CHARS - 1].rpartition(" ")[0] + "\u2026"
