"""Styled lines of a terminal, laid out to a width in cells; plain text or rich's. Pure.

rich is imported only for colour or wide characters; piped ASCII needs neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from reviewbot.core.render.inert import neutralize_commands
from reviewbot.core.safety.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.text import Text

Span: TypeAlias = tuple[str, str]
"""Text and a rich style, empty for none. The text is safe to print."""
Line: TypeAlias = tuple[Span, ...]

TAB: Final = 4
_ELLIPSIS: Final = "..."


def shown(text: str) -> str:
    """Return one line of untrusted text, safe to print, without a carriage return at the end."""
    return neutralize_commands(show(text.removesuffix("\r")).expandtabs(TAB))


def cells(text: str) -> int:
    """Return the number of columns of ``text`` on a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def clip(text: str, width: int) -> str:
    """Return ``text`` truncated to ``width`` columns, with an ellipsis in place of omitted text."""
    # Bounds the work on a line of a megabyte. Combining characters take no column of their own,
    # so a few more characters than columns are kept.
    short = text[: 8 * width]
    if len(short) == len(text) and cells(text) <= width:
        return text
    from rich.cells import set_cell_size

    room = max(width - len(_ELLIPSIS), 0)
    return (set_cell_size(short, room).rstrip() if cells(short) > room else short) + _ELLIPSIS


def wrap(text: str, width: int) -> list[str]:
    """Return ``text`` on lines of at most ``width`` columns, broken at spaces, else inside a word.

    Continuation lines keep the indentation of the first.
    """
    body = text.lstrip(" ")
    indent = " " * min(len(text) - len(body), width // 2)
    room = max(width - len(indent), 1)
    lines: list[str] = []
    line, used = "", 0
    for word in body.split(" "):
        size = cells(word)
        if line and used + 1 + size > room:
            lines.append(line)
            line, used = "", 0
        if size > room:
            *whole, word = _chopped(word, room)  # noqa: PLW2901 - what is left of the word
            lines.extend(whole)
            size = cells(word)
        line, used = (f"{line} {word}", used + 1 + size) if line else (word, size)
    return [indent + each for each in (*lines, line)]


def _chopped(word: str, width: int) -> list[str]:
    if word.isascii():
        return [word[start : start + width] for start in range(0, len(word), width)]
    from rich.cells import chop_cells

    return chop_cells(word, width)


def paragraph(text: str, width: int, *, first: Span = ("", ""), style: str = "") -> list[Line]:
    """Return ``text`` wrapped after ``first``. The following lines have the same indentation.

    A CI runner ignores the indentation, so no line may continue with ``::`` (see ``inert``).
    """
    indent = cells(first[0])
    lines = wrap(shown(text), max(width - indent, 20))
    head, *rest = (f": {line[1:]}" if line.startswith("::") else line for line in lines)
    return [(first, (head, style)), *(((" " * indent, ""), (line, style)) for line in rest)]


def plain(lines: Iterable[Line]) -> str:
    """Return the lines without colour, each with its end."""
    return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in lines)


def rich_text(lines: Iterable[Line]) -> Text:
    """Return the lines with colour, each with its end, for ``Console.print(text, end="")``."""
    from rich.text import Text

    result = Text(no_wrap=True, overflow="ignore")
    for line in lines:
        for text, style in line:
            result.append(text, style)
        result.append("\n")
    return result
