"""The new side of a hunk as text that a grammar can read, and what of it was understood.

Only the hunk is at hand, not the file, so the text may start inside a function, a class, a literal
or a comment. tree-sitter recovers from much of that by itself, Python's indentation included; for
the rest, guesses at what stood above and below (:mod:`reviewbot.models.stitching`) are parsed with
it, and the one with the least unparsed text is taken. Where the grammar still found an ERROR or had
to invent a token, nothing is matched; a hunk that stays mostly unparsed is prose or another
language, and nothing in it is matched at all. Brackets nested absurdly deep are refused
(:func:`too_deep`): no code needs them, so whoever reviews has to say that it was not read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.models.stitching import guesses

if TYPE_CHECKING:
    from ast_grep_py import SgNode

    from reviewbot.core.chunks import ShownHunk
    from reviewbot.core.diff import Line

MAX_DEPTH: Final = 200
"""Brackets in brackets from which on a hunk is not parsed. Looking for a node's parent takes as
long as the tree is deep; code that people write stays below 30."""
_BRACKET: Final = re.compile(r"[(){}\[\]]")
_PROSE_SHARE: Final = 0.3
"""Share of lines with unparsed text from which on a hunk is not taken for code."""
_PROSE_LINES: Final = 2
"""So many of them prove nothing: a hunk's edges are often cut."""
_UNREADABLE: Final = re.compile("[\x00\ud800-\udfff]")
"""A grammar takes NUL for the end of the text, and ast-grep takes no lone surrogates."""


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

    def understood(self, match: SgNode, place: SgNode) -> bool:
        """Whether nothing is unparsed or invented from the start of ``match`` to ``place``'s end.

        What follows the place in a longer match, the rest of a function for example, may be cut.
        """
        start, end = _span(match)[0], _span(place)[1]
        # An error that only touches the border belongs to the neighbour.
        if any(first < end and start < last for first, last in self.errors):
            return False
        return place.find(regex="^$") is None


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

    if too_deep(lines):
        return None
    # One character for one, so that columns stay right; ast-grep counts characters, not bytes.
    text = _UNREADABLE.sub("\ufffd", "\n".join(line.text for line in lines))
    best: Fragment | None = None
    least = 0
    for before, after in guesses(text, language):
        root = SgRoot(before + text + after, language).root()
        errors = tuple(_span(node) for node in root.find_all(kind="ERROR"))
        cost = sum(end - start for start, end in errors) + len(root.find_all(regex="^$"))
        if best is None or cost < least:
            best, least = Fragment(lines, fresh, root, before.count("\n"), errors), cost
        if not cost:
            break
    return None if best is None or _is_prose(best) else best


def too_deep(lines: tuple[Line, ...]) -> bool:
    """Whether the brackets nest more than :data:`MAX_DEPTH` deep.

    Those in strings and comments count, too: where these begin and end is only known after
    parsing, and a count that a stray quote can mislead protects from nothing.
    """
    depth = 0
    for line in lines:
        for bracket in _BRACKET.findall(line.text):
            depth += 1 if bracket in "([{" else -1
            if depth > MAX_DEPTH:
                return True
    return False


def _span(node: SgNode) -> tuple[int, int]:
    span = node.range()
    return span.start.index, span.end.index


def _is_prose(fragment: Fragment) -> bool:
    rows: set[int] = set()
    for node in fragment.root.find_all(kind="ERROR"):
        span = node.range()
        rows.update(range(span.start.line, span.end.line + 1))
    return len(rows) > max(_PROSE_LINES, _PROSE_SHARE * len(fragment.lines))
