"""Find the lines of a parsed text that never run.

These are statements after one that leaves their block, such as ``return``, code under a condition
that is literally false (:mod:`.constant_conditions`), and what does not even reach the grammar
(:mod:`.left_out`). A line that may not run counts as one that does not.

The tables hold the names of nodes for all grammars together. Elixir, Haskell and Nix have
conditions of another kind, which are not looked at. Only :mod:`reviewbot.models.offline.worker` may
run this on text of a pull request. No function here recurses, because hostile text nests deeply.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from reviewbot.core.late_pattern import late_pattern
from reviewbot.models.offline.constant_conditions import (
    CONDITIONAL_KINDS,
    SCRIPTS,
    children_that_never_run,
)
from reviewbot.models.offline.left_out import left_out_rows

if TYPE_CHECKING:
    from ast_grep_py import Rule, SgNode

    from reviewbot.models.offline.fragments import Fragment


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LISTS: Final = _names(
    """
    begin block block_body block_statement body_statement case_item case_statement chunk colon_block
    compilation_unit compound_statement constructor_body default_statement do do_block do_group
    do_statement elif_clause else else_block else_clause ensure function_body if_statement
    indented_block module program source source_file statement_block statement_list statements
    subshell switch_block_statement_group switch_body switch_case switch_default switch_section
    template_body then translation_unit
    """
)
"""Nodes whose children are statements that run one after the other."""
_BLOCKS: Final = _names(
    "begin block block_statement compound_statement do_statement statement_block unsafe_block"
)
"""Statements that only hold other statements: if one of these leaves the block, so does it."""
_WRAPPERS: Final = _names("expression expression_statement global_statement statement")
_LEAVING: Final = _names(
    """
    break break_expression break_statement co_return_statement continue_expression
    continue_statement control_transfer_statement exit_statement goto_statement jump_expression next
    raise_statement redo retry return return_expression return_statement revert_statement
    throw_expression throw_statement
    """
)
_CALLS: Final = _names(
    """
    call call_expression command function_call function_call_expression identifier
    invocation_expression macro_invocation method_invocation scoped_call_expression
    """
)
_C_EXIT: Final = r"(?:(?:std::)?(?:exit|abort|_Exit|_exit|quick_exit|terminate))\s*\("
_EXIT: Final = {
    language: late_pattern(pattern)
    for language, pattern in {
        "bash": r"(?:exit|return|break|continue)(?![\w.=-])",
        "c": _C_EXIT,
        "cpp": _C_EXIT,
        "csharp": r"(?:System\.)?Environment\.(?:Exit|FailFast)\s*\(",
        "elixir": r"(?:raise|reraise|throw|exit|System\.halt)(?![\w.?!])",
        "go": r"(?:panic|os\.Exit|runtime\.Goexit|log\.(?:Fatal|Panic)(?:f|ln)?)\s*\(",
        "java": r"System\.exit\s*\(",
        "javascript": r"process\.(?:exit|abort)\s*\(",
        "kotlin": r"(?:exitProcess|error|TODO)\s*\(",
        "lua": r"(?:error|os\.exit)\s*[(\"'\[{]",
        "php": r"(?i:exit|die)(?!\w)",
        "python": r"(?:(?:sys\.)?exit|quit|os\._exit|os\.abort)\s*\(",
        "ruby": r"(?:raise|fail|throw|exit!?|abort)(?![\w.?!:])",
        "rust": r"(?:(?:panic|unreachable|todo|unimplemented)!|(?:(?:std::)?process::)?exit\s*\()",
        "scala": r"(?:sys\.(?:exit|error)|System\.exit)\s*\(",
        "swift": r"(?:fatalError|preconditionFailure|exit|abort)\s*\(",
    }.items()
}
_EXIT_CHARS: Final = 40
_CLAUSE: Final = late_pattern("case|default|else|elif|elsif|rescue|ensure|catch|finally")
"""Siblings of a statement that do not run after it, but instead of it or in any case."""
_GOTO: Final = late_pattern(r"\bgoto\s+(\w+)")
_LABEL: Final = late_pattern(r"\w+")

_KNOWN: Final[dict[str, tuple[str, ...]]] = {}
"""The names in the tables that a grammar has, by language."""


def unreachable_rows(part: Fragment) -> set[int]:
    """Return the rows of a tree that contain code that never runs.

    A row with other code, too, is among them.
    """
    spans = [(row + part.first_row,) * 2 for row in left_out_rows(part.lines, part.language)]
    gotos = frozenset(match[1] for line in part.lines for match in _GOTO.finditer(line))
    lists: list[SgNode] = []
    kinds: list[Rule] = [{"kind": kind} for kind in _kinds_of(part)]
    for node in part.root.find_all(any=kinds) if kinds else ():
        kind = node.kind()
        if kind in _LISTS:
            lists.append(node)
        if kind in CONDITIONAL_KINDS:
            dead = children_that_never_run(node, part.language)
            spans += (rows_of(child) for child in dead if child.is_named())
    left: set[SgNode] = set()
    for node in reversed(lists):  # inner blocks first
        unreachable, leaves = _after_leaving(node, part, gotos, left)
        if leaves:
            left.add(node)
        spans += map(rows_of, unreachable)
    rows: set[int] = set()
    end = 0
    for first, last in sorted(spans):  # hostile text nests, so each row is added once
        rows.update(range(max(first, end), last + 1))
        end = max(end, last + 1)
    return rows


def _kinds_of(part: Fragment) -> tuple[str, ...]:
    """Return the names in the tables that the grammar of a text has."""
    if part.language not in _KNOWN:
        known = []
        for kind in sorted(_LISTS | CONDITIONAL_KINDS):
            with suppress(Exception):  # ast-grep raises several types, Exception itself too
                part.root.matches(kind=kind)
                known.append(kind)
        _KNOWN[part.language] = tuple(known)
    return _KNOWN[part.language]


def _after_leaving(
    parent: SgNode, part: Fragment, gotos: frozenset[str], left: set[SgNode]
) -> tuple[list[SgNode], bool]:
    """Return the statements of a list that never run, and whether its end is never reached.

    Args:
        parent: the list.
        part: the text.
        gotos: labels that some ``goto`` names.
        left: the lists inside whose ends are never reached.
    """
    unreachable: list[SgNode] = []
    leaves = False
    children = parent.children()
    for at, child in enumerate(children):
        if not child.is_named() or "comment" in child.kind():
            continue
        if _is_entered(child, part, gotos):
            leaves = False
        elif leaves:
            if not _is_hoisted(child, parent, part.language):
                unreachable.append(child)
            continue
        in_background = at + 1 < len(children) and children[at + 1].kind() == "&"
        leaves = not in_background and _leaves(child, part, left)
    return unreachable, leaves


def _leaves(statement: SgNode, part: Fragment, left: set[SgNode]) -> bool:
    """Return whether the code after a statement of the same list never runs."""
    while statement.kind() in _WRAPPERS:
        inner = [child for child in statement.children() if child.is_named()]
        if len(inner) != 1:
            return False
        statement = inner[0]
    kind = statement.kind()
    if kind in _LEAVING:
        return True
    if kind in _BLOCKS:
        blocks = (statement, *statement.children()) if kind == "do_statement" else (statement,)
        return any(block in left for block in blocks)
    pattern = _EXIT.get("javascript" if part.language in SCRIPTS else part.language)
    return (
        kind in _CALLS and pattern is not None and pattern.match(_head(statement, part)) is not None
    )


def _is_entered(statement: SgNode, part: Fragment, gotos: frozenset[str]) -> bool:
    """Return whether a statement can run although the one above it leaves the block."""
    kind = statement.kind()
    if "label" in kind:
        label = _LABEL.search(_head(statement, part))
        return label is not None and label[0] in gotos
    return _CLAUSE.search(kind) is not None


def _is_hoisted(statement: SgNode, parent: SgNode, language: str) -> bool:
    """Return whether a statement defines a function that exists before the statement is reached."""
    kind = statement.kind()
    if language == "php":
        return parent.kind() == "program" and kind in ("function_definition", "class_declaration")
    return language in SCRIPTS and kind.endswith("function_declaration")


def _head(node: SgNode, part: Fragment) -> str:
    """Return the start of the text of a node."""
    start = node.range().start
    row = start.line - part.first_row
    if not 0 <= row < len(part.lines):
        return ""
    return part.lines[row][start.column : start.column + _EXIT_CHARS]


def rows_of(node: SgNode) -> tuple[int, int]:
    """Return the first and the last row of a node."""
    span = node.range()
    # A node that includes its newline ends at column 0 of the next row.
    last = span.end.line - (span.end.column == 0)
    return span.start.line, max(span.start.line, last)
