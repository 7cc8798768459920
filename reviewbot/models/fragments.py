r"""The new side of a hunk as text that a grammar can read, and what of it was understood.

Only the hunk is at hand, not the file, so the text may start inside a function, a class, a literal,
a string or a comment. tree-sitter recovers from much of that by itself, Python's indentation
included; for the rest a few guesses at what stood above the hunk are put in front of it (and what
closes them behind it), and the guess with the least unparsed text is taken. Where the grammar still
found an ERROR, or had to invent a token, nothing is matched; a hunk that is mostly unparsed is prose
or another language, and nothing in it is matched at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ast_grep_py import SgNode

    from reviewbot.core.chunks import ShownHunk
    from reviewbot.core.diff import Line

_PROSE_SHARE: Final = 0.3
"""Share of lines with unparsed text from which on a hunk is not taken for code."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_PYTHON_CLAUSE: Final = re.compile(r"[ \t]*(elif|else|except|finally)\b")
# One token of JavaScript that holds or is a bracket. Every branch ends at the end of the text or
# line at the latest, so that no opening is searched for its close twice.
_TOKEN: Final = re.compile(
    r"""(?P<skip> //[^\n]* | /\*(?:[^*]|\*(?!/))*(?:\*/)?
      | "(?:[^"\\\n]|\\.)*"? | '(?:[^'\\\n]|\\.)*'? | `(?:[^`\\]|\\.)*`? )
      | (?P<open>[(\[{]) | (?P<close>[)\]}])(?P<next>\s*(?:else|catch|finally|while|[),;])?)""",
    re.VERBOSE | re.DOTALL,
)
_OPENER_OF: Final = {")": "(", "]": "["}
_BLOCK_BEFORE: Final = {
    "else": "if(0){",
    "catch": "try{",
    "finally": "try{",
    "while": "do{",
    ")": "()=>{",
    ",": "()=>{",
    ";": "_=()=>{",
}
_CLOSER_OF: Final = {"(": ")", "[": "]", "{": "}"}
_MAX_BRACKETS: Final = 64


@dataclass(frozen=True, slots=True)
class Fragment:
    """A parsed hunk.

    ``lines`` are those of the new side, ``fresh[i]`` whether line ``i`` was added and is the
    chunk's own. Row ``first_row`` of the tree is line 0. ``errors`` are the character ranges of
    what was not understood.
    """

    lines: tuple[Line, ...]
    fresh: tuple[bool, ...]
    root: SgNode
    first_row: int
    errors: tuple[tuple[int, int], ...]

    def understood(self, node: SgNode) -> bool:
        """Whether nothing in or around ``node`` is unparsed or invented."""
        span = node.range()
        start, end = span.start.index, span.end.index
        # An error that only touches the node's border belongs to its neighbour.
        if any(first < end and start < last for first, last in self.errors):
            return False
        return node.find(regex="^$") is None


def new_side(hunk: ShownHunk) -> tuple[tuple[Line, ...], tuple[bool, ...]]:
    """The hunk's context and added lines, and which of them the chunk answers for."""
    pairs = [
        (line, owned and line.kind == "added")
        for line, owned in zip(hunk.lines, hunk.owned, strict=True)
        if line.new_no is not None
    ]
    return tuple(line for line, _ in pairs), tuple(fresh for _, fresh in pairs)


def parse(lines: tuple[Line, ...], fresh: tuple[bool, ...], language: str) -> Fragment | None:
    """Parse the new side of a hunk; None if it is hardly code of this language.

    Args:
        lines: the new side.
        fresh: which lines were added and are the chunk's own.
        language: ``python``, ``javascript``, ``typescript`` or ``tsx``.
    """
    from ast_grep_py import SgRoot

    # One character for one, so that columns stay right; ast-grep counts characters, not bytes.
    text = _SURROGATE.sub("\ufffd", "\n".join(line.text for line in lines))
    best: tuple[int, Fragment] | None = None
    for before, after in _guesses(text, language):
        root = SgRoot(before + text + after, language).root()
        errors = tuple(_span(node) for node in root.find_all(kind="ERROR"))
        cost = sum(end - start for start, end in errors) + len(root.find_all(regex="^$"))
        if best is None or cost < best[0]:
            best = cost, Fragment(lines, fresh, root, before.count("\n"), errors)
        if not cost:
            break
    if best is None or _is_prose(best[1]):
        return None
    return best[1]


def _span(node: SgNode) -> tuple[int, int]:
    span = node.range()
    return span.start.index, span.end.index


def _is_prose(fragment: Fragment) -> bool:
    rows: set[int] = set()
    for node in fragment.root.find_all(kind="ERROR"):
        span = node.range()
        rows.update(range(span.start.line, span.end.line + 1))
    return len(rows) > max(2, _PROSE_SHARE * len(fragment.lines))


def _guesses(text: str, language: str) -> Iterator[tuple[str, str]]:
    """What may have stood before and behind the hunk, the likeliest first."""
    yield "", ""
    yield from (_python_guesses if language == "python" else _javascript_guesses)(text)


def _python_guesses(text: str) -> Iterator[tuple[str, str]]:
    openers = _python_openers(text.split("\n"))
    if openers:
        yield openers, ""
    for quotes in ('"""', "'''"):
        count = text.count(quotes)
        if count % 2:
            yield f"{quotes}\n", ""
            yield "", f"\n{quotes}"
            yield openers, f"\n{quotes}"
        elif count:
            yield f"{quotes}\n", f"\n{quotes}"


def _python_openers(texts: Sequence[str]) -> str:
    """Statements whose ``else``, ``except`` or ``finally`` is in the hunk while they are above it."""
    openers: list[str] = []
    least: int | None = None
    for text in texts:
        code = text.lstrip(" \t")
        if not code or code.startswith("#"):
            continue
        indent = len(text) - len(code)
        clause = _PYTHON_CLAUSE.match(text)
        if (least is None or indent < least) and clause:
            opener = "try:" if clause[1] in ("except", "finally") else "if _:"
            openers.append(f"{text[:indent]}{opener}\n{text[:indent]} _\n")
        least = indent if least is None else min(least, indent)
    return "".join(reversed(openers))


def _javascript_guesses(text: str) -> Iterator[tuple[str, str]]:
    before, after = _javascript_brackets(text)
    if before or after:
        yield f"{before}\n", f"\n{after}"
    for opener, closer in (("class _{", "}"), ("_({", "})"), ("_([", "])"), ("_(", ")")):
        yield f"{opener}\n", f"\n{closer}"
        if before or after:
            yield f"{opener}{before}\n", f"\n{after}{closer}"
    if "*/" in text:
        yield "/*\n", ""
    if "`" in text:
        yield "`\n", "" if text.count("`") % 2 else "`"


def _javascript_brackets(text: str) -> tuple[str, str]:
    """What opens the hunk's unmatched closing brackets, and closes its unmatched opening ones."""
    before: list[str] = []
    after: list[str] = []
    for token in _TOKEN.finditer(text):
        if token["open"]:
            after.append(_CLOSER_OF[token["open"]])
        elif token["close"]:
            if after and after[-1] == token["close"]:
                after.pop()
            elif not after:
                follower = token["next"].strip()
                before.append(_OPENER_OF.get(token["close"]) or _BLOCK_BEFORE.get(follower, "{"))
    if len(before) > _MAX_BRACKETS or len(after) > _MAX_BRACKETS:
        return "", ""
    return "".join(reversed(before)), "".join(reversed(after))
