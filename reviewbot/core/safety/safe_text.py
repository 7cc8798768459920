"""Make text of a model safe for a terminal, for one line, or for Markdown on GitHub. Pure.

:func:`safe_markdown` does not filter. It parses the text, and writes only elements that are known
to be harmless (``inert_markdown``), until the result no longer changes. So the result contains only
harmless elements, and the function is idempotent.

Models write names of code without backticks. Such names keep their characters: an underscore, an
entity such as ``&amp;``, and an asterisk or a bracket inside a word are never markup. Other markup
acts, so ``*args and b*`` loses its asterisks. A title has no markup but code in backticks.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from reviewbot.core.safety.escape import show
from reviewbot.core.safety.markdown import (
    MarkdownWriter,
    code_block,
    is_ordinary,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline

MARKDOWN_LIMIT: Final = 10_000
LINE_LIMIT: Final = 300
_CUT: Final = "(cut)"
_ROUNDS: Final = 8
# Parsing takes 10 to 20 us per markup character and round. These limits keep it below some 50 ms.
_MAX_MARKS: Final = 1_000
_MAX_WRITTEN_MARKS: Final = 1_500
_MARK: Final = re.compile(r"""[^\w\s.,;'"()?]|[_\n]""")
_ASTERISKS: Final = re.compile(r"\*+")
_MARKS_EMPHASIS: Final = re.compile(
    r"""
      (?: (?<![!-~]) | (?<=[(\[{"']) ) \*+ (?! [\s./=,;:()\]}\-] | \Z )   # the start of a phrase
    | (?<![/=(\[{]) \*+ (?: (?![!-~]) | (?=[.,;:!?)\]}"'\\\-]) )                        # its end
    """,
    re.VERBOSE,
)
_INDEXED: Final = re.compile(r"(?<=[A-Za-z0-9_)\]])\[")
_LINE_END: Final = re.compile(r"\r\n?|\n")


def safe_markdown(
    text: str, *, link_hosts: Collection[str] = ("github.com",), limit: int = MARKDOWN_LIMIT
) -> str:
    """Return ``text`` as Markdown without mentions, images, HTML and links to other hosts.

    The content stays: addresses and mentions are shown as code, images by their description.
    Control, bidi and invisible characters become visible escapes. Text with too much markup is
    shown as a code block, because parsing would take too long. Idempotent.

    Args:
        text: Markdown from a model.
        link_hosts: hosts that http and https links may point to, without subdomains.
        limit: maximum number of characters; longer text is truncated with a note.
    """
    if len(text) <= limit and is_ordinary(text):
        return text
    from markdown_it.tree import SyntaxTreeNode

    writer = MarkdownWriter(link_hosts)

    def write(source: str) -> str:
        return writer.blocks(SyntaxTreeNode(_parser().parse(source)).children)

    shown = safe_terminal(text).strip("\n")
    if _marks(_start(shown, limit)) > _MAX_MARKS:
        return _as_block(shown, limit)
    safe = _within(shown, limit, "\n\n", lambda part: _settled(part, write, code_block))
    return _as_block(shown, limit) if _marks(safe) > _MAX_MARKS else safe


def safe_line(text: str, *, limit: int = LINE_LIMIT) -> str:
    """Return ``text`` on one line, safe in Markdown and in a terminal: for titles. Idempotent.

    Only code in backticks is markup; all other characters are shown.
    """
    if len(text) <= limit and is_ordinary(text):
        return text
    flat = " ".join(safe_terminal(text).split())
    return _within(flat, limit, " ", lambda part: MarkdownWriter(()).line(part.rstrip()))


def safe_terminal(text: str) -> str:
    r"""Return ``text`` without characters that move the cursor, colour, hide or reorder text.

    Line ends become ``\n``; tabs stay; other such characters become visible escapes.
    """
    return "\n".join(map(show, _LINE_END.split(text)))


@cache
def _parser() -> MarkdownIt:
    # 50 ms to import, and only texts of a model need it.
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).disable("entity")
    parser.inline.ruler.at("emphasis", _emphasis)
    parser.inline.ruler.at("link", _link)
    # The parser accepts every address. The writer decides, and shows refused ones as text.
    parser.validateLink = lambda url: True  # type: ignore[method-assign] # noqa: ARG005 - markdown-it's extension point
    return parser


def _emphasis(state: StateInline, silent: bool) -> bool:
    """Parse asterisks at the start or end of a phrase; those inside a word are text."""
    from markdown_it.rules_inline.emphasis import tokenize

    run = _ASTERISKS.match(state.src, state.pos)
    if silent or run is None:
        return False
    if _MARKS_EMPHASIS.match(state.src, state.pos):
        return tokenize(state, silent)
    state.pending += run[0]
    state.pos = run.end()
    return True


def _link(state: StateInline, silent: bool) -> bool:
    """Parse a link, unless its bracket is an index, as in ``handlers[name](event)``."""
    from markdown_it.rules_inline import link

    return not _INDEXED.match(state.src, state.pos) and link(state, silent)


def _settled(text: str, write: Callable[[str], str], as_code: Callable[[str], str]) -> str:
    """Return ``text`` rewritten until it no longer changes; as code if it keeps changing."""
    if not text.strip():
        return ""
    for _ in range(max(1, min(_ROUNDS, _MAX_WRITTEN_MARKS // (_marks(text) + 1)))):
        written = write(text)
        if written == text:
            return text
        if not written:
            break  # nothing but definitions or rules: show what they were
        text = written
    return as_code(text)


def _start(text: str, limit: int) -> str:
    """Return the text; only ``limit`` characters of a text of more than twice the limit."""
    return text if len(text) <= 2 * limit else text[:limit]


def _marks(text: str) -> int:
    return len(_MARK.findall(text))


def _as_block(text: str, limit: int) -> str:
    """Return as much of ``text`` as fits in a code block; ``text`` itself if it is a code block."""
    lines = text.split("\n")
    if len(text) <= limit and code_block("\n".join(lines[1:-1])) == text:
        return text
    kept, block = len(text), code_block(text)
    while len(block) > limit and kept:
        kept = max(0, kept - (len(block) - limit))
        block = code_block(f"{text[:kept]}\n{_CUT}")
    return block


def _within(text: str, limit: int, gap: str, make_safe: Callable[[str], str]) -> str:
    """Return the safe form of as much ``text`` as fits in ``limit`` characters with the mark."""
    kept = len(_start(text, limit))
    while True:
        written = make_safe(text[:kept])
        cut = written if kept == len(text) else f"{written}{gap}{_CUT}"
        if len(cut) <= limit or not kept:
            return cut
        kept = min(kept - 1, kept * limit // len(cut), limit)
