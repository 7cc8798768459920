"""Parse a comment into the blocks that GitHub shows. Pure.

Format: GitHub Flavored Markdown 0.29. Only blocks are parsed; the text within them is parsed on
demand.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_LINE_END: Final = re.compile(r"\r\n?|\n")
_MAX_PARAGRAPH: Final = 2_000
_FIRST_MARK: Final = 0xE000  # characters for private use, which mean nothing to Markdown
_MAX_MARKS: Final = 50
_HTML: Final = re.compile(
    r"""
    <!--.*?(?:-->|\Z)
    | <(?P<end>/?) (?P<name>[A-Za-z][^\s/>]*+) (?: "[^"]*+" | '[^']*+' | [^"'>] )*+
    """,
    re.VERBOSE | re.DOTALL,
)
"""Pattern of a comment or a tag. The standard library's parser raises for some real comments."""
_OPENING: Final = ("paragraph_open", "heading_open")  # "text" above "---" is a heading


def lines(text: str) -> list[str]:
    """Return the lines of ``text`` as Markdown splits them."""
    return _LINE_END.split(text)


def shown_lines(text: str, among: Collection[int]) -> Iterator[int]:
    """Yield the lines (from 0) of ``among`` that readers see begin as written.

    Lines within code, quotes, tables, HTML or ``<details>`` are omitted. Lines inside a paragraph
    of more than 2,000 characters are omitted, too.
    """
    candidates = sorted(among)
    quotes, folds, kind = 0, 0, ""
    outside: list[int] = []  # open folds at the start of each list item or quote
    for token in _parser().parse(text):
        quotes += (token.type == "blockquote_open") - (token.type == "blockquote_close")
        hidden = quotes or folds
        if token.type in ("blockquote_open", "list_item_open"):
            outside.append(folds)
        elif token.type in ("blockquote_close", "list_item_close"):
            folds = min(folds, outside.pop())
        else:
            folds = max(0, folds + _folds_opened(token))
        if token.type == "inline" and kind in _OPENING and token.map and not hidden:
            first, end = (bisect_left(candidates, line) for line in token.map)
            asked = [line - token.map[0] for line in candidates[first:end]]
            for line in _shown_within(token.content, asked):
                yield token.map[0] + line
        kind = token.type


def html_blocks(text: str) -> list[str]:
    """Return the HTML in ``text`` that GitHub reads as blocks of their own."""
    tokens = _parser().parse(text)
    return [one.content.strip() for one in tokens if one.type == "html_block" and not one.level]


def _folds_opened(token: Token) -> int:
    """Return the number of ``<details>`` that begin in a block, minus those that end there."""
    if "details" not in token.content.lower():
        return 0
    if token.type == "html_block":
        return _folds_in(token.content)
    if token.type != "inline" or len(token.content) > _MAX_PARAGRAPH:
        return 0
    parser = _parser()
    children = parser.inline.parse(token.content, parser, {}, [])
    return sum(_folds_in(child.content) for child in children if child.type == "html_inline")


def _folds_in(html: str) -> int:
    """Return how many ``<details>`` begin in HTML, minus those that end. Skip comments."""
    tags = (one for one in _HTML.finditer(html) if (one["name"] or "").lower() == "details")
    return sum(-1 if tag["end"] else 1 for tag in tags)


def _shown_within(paragraph: str, asked: list[int]) -> list[int]:
    """Return the lines of ``asked`` that do not begin inside code, a link or a comment."""
    shown = [line for line in asked if line < 1]
    parts = paragraph.split("\n")
    marks = {chr(_FIRST_MARK + line): line for line in asked[:_MAX_MARKS] if 0 < line < len(parts)}
    if not marks or len(paragraph) > _MAX_PARAGRAPH or any(mark in paragraph for mark in marks):
        return shown
    for mark, line in marks.items():
        parts[line] = mark + parts[line].lstrip()
    parser = _parser()
    before = "softbreak"
    for child in parser.inline.parse("\n".join(parts), parser, {}, []):
        if child.type == "text" and before in ("softbreak", "hardbreak"):
            shown += [marks[first] for first in child.content[:1] if first in marks]
        before = child.type
    return shown


@cache
def _parser() -> MarkdownIt:
    # 50 ms to import, and only comments need it.
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    parser.core.ruler.disable(["inline", "text_join"])
    return parser
