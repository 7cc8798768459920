"""Parse the new side of a hunk, although it may begin or end in the middle of the code.

Only the hunk is at hand, not the file, so the text may start inside a function, a class, a literal
or a comment. tree-sitter recovers from much of that by itself, Python's indentation included. For
the rest, the hunk is parsed with candidate contexts (:mod:`reviewbot.models.offline.stitching`).
The candidate with the least unparsed text is used. Text with an ERROR or an inserted token is not
matched. A hunk that stays mostly unparsed is prose or another language, and nothing in it is
matched.

Only :mod:`reviewbot.models.offline.worker` may run this on text of a pull request: the text can
make tree-sitter loop, crash or use all memory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.models.offline.assignments import span
from reviewbot.models.offline.php_markup import blank_markup
from reviewbot.models.offline.stitching import candidate_contexts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ast_grep_py import SgNode

_PROSE_SHARE: Final = 0.3
"""Share of lines with unparsed text above which a hunk does not count as code."""
_PROSE_LINES: Final = 2
"""Acceptable number of lines with unparsed text: the edges of a hunk are often incomplete."""
_UNREADABLE: Final = re.compile("[\x00\ud800-\udfff]")
"""Pattern of characters to replace: a grammar ends at NUL, and ast-grep rejects lone surrogates."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A parsed hunk.

    ``lines`` are the texts of the new side; ``fresh[i]`` is true if line ``i`` was added and
    belongs to the chunk. Row ``first_row`` of the tree is line 0. ``errors`` are the character
    ranges that the grammar did not understand.
    """

    lines: Sequence[str]
    fresh: Sequence[bool]
    root: SgNode
    first_row: int
    errors: tuple[tuple[int, int], ...]
    language: str

    def understood(self, match: SgNode, place: SgNode) -> bool:
        """Return whether all text from the start of ``match`` to the end of ``place`` was parsed.

        The text after ``place``, such as the rest of a function, may be incomplete.
        """
        start, end = span(match)[0], span(place)[1]
        # An error that only touches the border belongs to the neighbour.
        if any(first < end and start < last for first, last in self.errors):
            return False
        return place.find(regex="^$") is None


def parse(lines: Sequence[str], fresh: Sequence[bool], language: str) -> Fragment | None:
    """Parse the new side of a hunk; return None if it is hardly code of this language.

    Args:
        lines: texts of the new side.
        fresh: for each line, whether it was added and belongs to the chunk.
        language: a language that ast-grep has a grammar for.
    """
    from ast_grep_py import SgRoot

    text = _readable("\n".join(lines))
    if language == "php":
        text = blank_markup(text)
    best: Fragment | None = None
    least = 0
    for before, after in candidate_contexts(text, language):
        root = SgRoot(before + text + after, language).root()
        errors = tuple(span(node) for node in root.find_all(kind="ERROR"))
        cost = sum(end - start for start, end in errors) + len(root.find_all(regex="^$"))
        if best is None or cost < least:
            best, least = Fragment(lines, fresh, root, before.count("\n"), errors, language), cost
        if not cost:
            break
    return None if best is None or _is_prose(best) else best


def parse_whole(text: str, language: str) -> Fragment:
    """Parse a whole file as it is. ast-grep must have a grammar for ``language``."""
    from ast_grep_py import SgRoot

    text = _readable(text)
    return Fragment(text.split("\n"), (), SgRoot(text, language).root(), 0, (), language)


def _readable(text: str) -> str:
    # One character for one, so that columns stay right; ast-grep counts characters, not bytes.
    return _UNREADABLE.sub("\ufffd", text)


def _is_prose(fragment: Fragment) -> bool:
    rows: set[int] = set()
    for node in fragment.root.find_all(kind="ERROR"):
        place = node.range()
        rows.update(range(place.start.line, place.end.line + 1))
    return len(rows) > max(_PROSE_LINES, _PROSE_SHARE * len(fragment.lines))
