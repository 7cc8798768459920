"""Find the lines of a parsed text that never run.

These are statements after one that leaves their block, such as ``return``, code under a condition
that is literally false, code that a preprocessor leaves out, ``__halt_compiler()`` of PHP with what
follows it, and what ``<!--`` and ``-->`` enclose in a script. A line that may not run counts as one
that does not. Values are not computed: code under ``if 1 > 2`` counts as running.

The tables hold the names of nodes for all grammars together. Elixir, Haskell and Nix have
conditions of another kind, which are not looked at. Only :mod:`reviewbot.models.offline.worker` may
run this on text of a pull request. No function here recurses, because hostile text nests deeply.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ast_grep_py import Rule, SgNode

    from reviewbot.models.offline.fragments import Fragment


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LISTS: Final = _names(
    """
    begin block block_body block_statement body_statement case_item case_statement chunk colon_block
    compilation_unit compound_statement constructor_body default_statement do do_block do_group
    do_statement elif_clause else else_block else_clause ensure function_body if_statement
    indented_block module
    program source source_file statement_block statement_list statements subshell switch_body
    switch_block_statement_group switch_case switch_default switch_section template_body then
    translation_unit
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
_SCRIPTS: Final = _names("javascript tsx typescript")
_C_EXIT: Final = r"(?:(?:std::)?(?:exit|abort|_Exit|_exit|quick_exit|terminate))\s*\("
_EXIT: Final = {
    language: re.compile(pattern)
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
_CLAUSE: Final = re.compile("case|default|else|elif|elsif|rescue|ensure|catch|finally")
"""Siblings of a statement that do not run after it, but instead of it or in any case."""
_GOTO: Final = re.compile(r"\bgoto\s+(\w+)")
_LABEL: Final = re.compile(r"\w+")

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
_OPERATORS: Final = {"&&": False, "and": False, "||": True, "or": True}
"""The value of the left side with which an operator does not look at the right side."""
_CHAIN: Final = 5
"""Most operators of one expression that are followed to its left end."""
_KNOWN: Final[dict[str, tuple[str, ...]]] = {}
"""The names in the tables that a grammar has, by language."""
_ELSE: Final = re.compile("else|elif|elsif")
_NEVER: Final = _names("false null nil none undefined type_checking typing.type_checking nullptr")
_ALWAYS: Final = _names("true")
_EMPTY: Final = {
    "python": _names("\"\" '' () [] {}"),
    **dict.fromkeys((*_SCRIPTS, "php"), _names("\"\" ''")),
}
"""Empty texts and collections, which are false."""
_NOT: Final = re.compile(r"(?:!|not\b)\s*")
_CONDITION_CHARS: Final = 40
_ZERO: Final = re.compile(r"0+(?:\.0*)?[ul]*|0x0+[ul]*", re.IGNORECASE)
_ONE: Final = re.compile(r"[1-9][0-9]*[ul]*", re.IGNORECASE)
_ZERO_IS_TRUE: Final = _names("bash elixir lua ruby")

_PREPROCESSED: Final = _names("c cpp csharp swift")
_DIRECTIVE: Final = re.compile(
    r"\s*(?:#|%:)\s*(if|ifdef|ifndef|elif|elifdef|elifndef|else|endif)\b"
)
_AFTER_CONDITION: Final = re.compile(r"&&|//|/\*")
_HALT: Final = re.compile(r"__halt_compiler(?!\w)", re.IGNORECASE)


def unreachable_rows(part: Fragment) -> set[int]:
    """Return the rows of a tree that contain code that never runs.

    A row with other code, too, is among them.
    """
    spans = [(row + part.first_row,) * 2 for row in _left_out(part.lines, part.language)]
    gotos = frozenset(match[1] for line in part.lines for match in _GOTO.finditer(line))
    lists: list[SgNode] = []
    kinds: list[Rule] = [{"kind": kind} for kind in _kinds_of(part)]
    for node in part.root.find_all(any=kinds) if kinds else ():
        kind = node.kind()
        if kind in _LISTS:
            lists.append(node)
        dead: Sequence[SgNode] = ()
        if kind in _CONDITIONALS:
            dead = _under_condition(node, kind, part.language)
        elif kind in _BINARY and _decided(node, part.language) is not None:
            dead = node.children()[2:]
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
        for kind in sorted(_LISTS | _CONDITIONALS | _BINARY):
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
        inner = [one for one in statement.children() if one.is_named()]
        if len(inner) != 1:
            return False
        statement = inner[0]
    kind = statement.kind()
    if kind in _LEAVING:
        return True
    if kind in _BLOCKS:
        blocks = (statement, *statement.children()) if kind == "do_statement" else (statement,)
        return any(one in left for one in blocks)
    pattern = _EXIT.get("javascript" if part.language in _SCRIPTS else part.language)
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
    return language in _SCRIPTS and kind.endswith("function_declaration")


def _under_condition(node: SgNode, kind: str, language: str) -> Sequence[SgNode]:
    """Return the children of a statement with a condition that never run."""
    children = node.children()
    condition = node.field("condition") or next((one for one in children if one.is_named()), None)
    value = None if condition is None else _value(condition, language)
    if condition is None or value is None:
        return ()
    if kind.startswith(("unless", "until")):
        value = not value
    at = next(number for number, one in enumerate(children) if one == condition)
    if kind.endswith("_modifier"):
        return () if value else children[:at]
    other = next(
        (number for number in range(at + 1, len(children)) if _ELSE.match(children[number].kind())),
        len(children),
    )
    if not value:
        return children[at + 1 : other]
    return children[other:] if kind.startswith(("if", "el", "unless")) else ()


def _decided(binary: SgNode, language: str) -> bool | None:
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
        return _decided(condition, language)
    return _literal_value(condition, language)


def _literal_value(node: SgNode, language: str) -> bool | None:
    span = node.range()
    short = span.end.index - span.start.index <= _CONDITION_CHARS
    return _literal(node.text(), language) if short else None


def _literal(text: str, language: str) -> bool | None:
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


def _left_out(lines: Sequence[str], language: str) -> Iterator[int]:
    """Yield the numbers, from 0, of the lines that do not even reach the grammar of a language."""
    if language in _PREPROCESSED:
        yield from _not_compiled(lines)
    elif language == "php":
        halt = next((at for at, line in enumerate(lines) if _HALT.search(line)), len(lines))
        yield from range(halt, len(lines))
    elif language in _SCRIPTS:
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
                continued = f"{continued}{line[:-1]} "[:_EXIT_CHARS]
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
            condition = text[match.end() :][: 2 * _CONDITION_CHARS]
            value = _literal(_AFTER_CONDITION.split(condition)[0], "c")
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
