"""What a reader of a text on GitHub sees before any click."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKDOWN: Final = MarkdownIt("commonmark", {"html": True}).enable("table")
_LABEL: Final = re.compile(r"<summary>(.*?)</summary>", re.DOTALL)
_TAG: Final = re.compile(r"<!--.*?-->|<[^>]+>", re.DOTALL)


def visible_text(markdown: str) -> str:
    """Return the text that is shown, without markup, addresses of links and hidden comments.

    The labels of folds are shown; what they fold is not.
    """
    return "\n".join(filter(None, _lines(markdown)))


def _lines(markdown: str) -> Iterator[str]:
    depth = 0
    for token in _MARKDOWN.parse(markdown):
        if token.type == "html_block":
            opened, closed = token.content.count("<details"), token.content.count("</details")
            if not depth:
                shown = _LABEL.findall(token.content) if opened else [token.content]
                yield from (_TAG.sub("", text).strip() for text in shown)
            depth += opened - closed
        elif not depth and token.type in ("fence", "code_block"):
            yield token.content
        elif not depth and token.type == "inline":
            pieces = (
                "\n" if child.type.endswith("break") else child.content
                for child in token.children or ()
                if child.type != "html_inline"
            )
            yield "".join(pieces)


def visible_length(markdown: str) -> int:
    """Return the number of characters of :func:`visible_text`."""
    return len(visible_text(markdown))
