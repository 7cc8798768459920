"""Candidate contexts above and below a hunk, so that its text can be parsed alone.

A hunk of a diff often begins inside a call, a literal, a block or a class. Each candidate is a text
before the hunk and a text after it. :mod:`reviewbot.models.offline.fragments` selects the candidate
that parses best. An open string or comment above the hunk is a candidate only if its end is in the
hunk: a wrong candidate would turn code into text and text into code.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reviewbot.core.late_pattern import late_pattern
from reviewbot.models.offline.brace_contexts import CLAUSES, DIALECTS, brace_contexts
from reviewbot.models.offline.brackets import scan_brackets
from reviewbot.models.offline.line_contexts import ruby_contexts, yaml_contexts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reviewbot.models.offline.brackets import Closer

# One token that contains or is a bracket. Every branch ends at the end of the line or text at the
# latest, so that no opening is searched for its end twice: linear for any text.
_JAVASCRIPT: Final = late_pattern(
    r"""//[^\n]* | /\*(?:[^*]|\*(?!/))*(?:\*/)?
      | "(?:[^"\\\n]|\\.)*"? | '(?:[^'\\\n]|\\.)*'? | `(?:[^`\\]|\\.)*`?
      | (?P<open>[(\[{])
      | (?P<close>[)\]}])(?=\s*(?P<next>else|catch|finally|while|[),;\]])?)""",
    re.VERBOSE | re.DOTALL,
)
_PYTHON: Final = late_pattern(
    r"""\#[^\n]* | \"{3}(?:[^"\\]|\\.|"(?!""))*(?:\"{3})? | '{3}(?:[^'\\]|\\.|'(?!''))*(?:'{3})?
      | "(?:[^"\\\n]|\\.)*"? | '(?:[^'\\\n]|\\.)*'?
      | (?P<open>[(\[{]) | (?P<close>[)\]}])(?P<next>)""",
    re.VERBOSE | re.DOTALL,
)
_PYTHON_CLAUSE: Final = late_pattern(r"[ \t]*(elif|else|except|finally)\b")


def candidate_contexts(text: str, language: str) -> Iterator[tuple[str, str]]:
    """Yield candidate texts before and after ``text``, likeliest first.

    The first adds no code. A line break at the end is what Go's grammar ends a statement with.

    Args:
        text: the new side of a hunk.
        language: a language that ast-grep has a grammar for.
    """
    yield "", "\n"
    if language in DIALECTS:
        yield from brace_contexts(text, DIALECTS[language])
    elif language in _OTHERS:
        yield from _OTHERS[language](text)


def _python(text: str) -> Iterator[tuple[str, str]]:
    indent, openers = _clause_openers(text.split("\n"))
    closers, behind = scan_brackets(_PYTHON, text)
    inside = ""
    parent = ""
    for closer in reversed(closers):
        inside += "_:" if parent == "}" else ""
        inside += {")": "_(", "]": "[", "}": "{"}[closer.bracket]
        parent = closer.bracket
    front = openers + (f"{indent} {inside}\n" if inside else "")
    tail = f"\n{behind}" if behind else ""
    if front or tail:
        yield front, tail
    if openers and inside:
        yield f"{inside}\n", tail
    for quotes in ('"""', "'''"):
        if text.count(quotes) % 2:
            yield f"{quotes}\n", ""
            yield front, f"\n{quotes}"


def _clause_openers(texts: Sequence[str]) -> tuple[str, str]:
    """Return openers of statements above the hunk with ``else``, ``except`` or ``finally`` in it.

    Returns:
        The indentation of the innermost, and the statements.
    """
    openers: list[str] = []
    innermost: str | None = None
    least: int | None = None
    for text in texts:
        code = text.lstrip(" \t")
        if not code or code.startswith("#"):
            continue
        indent = text[: len(text) - len(code)]
        clause = _PYTHON_CLAUSE.match(text)
        if clause and (least is None or len(indent) < least):
            opener = "try:" if clause[1] in ("except", "finally") else "if _:"
            openers.append(f"{indent}{opener}\n{indent} _\n")
            innermost = indent if innermost is None else innermost
        least = len(indent) if least is None else min(least, len(indent))
    return innermost or "", "".join(reversed(openers))


def _javascript(text: str) -> Iterator[tuple[str, str]]:
    closers, behind = scan_brackets(_JAVASCRIPT, text)
    tail = f"\n{behind}" if behind else ""
    for unclear in ("block", "object") if closers else ("block",):
        plain = _open(closers, "block", unclear)
        if plain or tail:
            yield f"{plain}\n", tail
        if closers and closers[-1].bracket == "}":
            yield f"class _{{{_open(closers[:-1], 'class', unclear)}\n", tail
        yield f"class _{{{_open(closers, 'class', unclear)}\n", f"{tail}\n}}"
    for context, front, end in (("object", "_({", "})"), ("array", "_([", "])")):
        yield f"{front}{_open(closers, context, 'object')}\n", f"{tail}\n{end}"
    comment_end = text.find("*/")
    if comment_end >= 0 and text.rfind("/*", 0, comment_end) < 0:
        yield "/*\n", tail


def _open(closers: Sequence[Closer], context: str, unclear: str) -> str:
    """Return text that opens ``closers`` inside ``context``.

    Args:
        closers: the closing brackets, in the order of the text.
        context: ``block``, ``class``, ``object`` or ``array``.
        unclear: content of ambiguous braces: ``block`` or ``object``.
    """
    text = ""
    for closer in reversed(closers):
        value = {"object": "_:", "class": "_="}.get(context, "")
        if closer.bracket == ")":
            text, context = f"{text}{value}_(", "array"
        elif closer.bracket == "]":
            text, context = f"{text}{value or '_=' * (context == 'block')}[", "array"
        elif _is_object(closer, unclear):
            text, context = f"{text}{value or '_=' * (context == 'block')}{{", "object"
        else:
            text += {"class": "_(){", "object": "_:()=>{", "array": "()=>{"}.get(
                context, CLAUSES.get(closer.after, "{")
            )
            context = "block"
    return text


def _is_object(closer: Closer, unclear: str) -> bool:
    """Return whether a brace closes an object literal rather than statements."""
    if closer.after in CLAUSES or closer.before == ";":
        return False
    return closer.before == "," or unclear == "object"


_OTHERS: Final = {
    "javascript": _javascript,
    "python": _python,
    "ruby": ruby_contexts,
    "tsx": _javascript,
    "typescript": _javascript,
    "yaml": yaml_contexts,
}
