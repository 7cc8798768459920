"""Split a guideline file into units of text with their lines and headings. Pure.

A unit is a list item, a paragraph or the row of a table. Code blocks, HTML blocks and comments,
front matter and the first heading of level one, the title, are left out. A text that introduces a
list with a colon is repeated in front of each item, since an item such as "print" means nothing
without "Never use:".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it import MarkdownIt
    from markdown_it.token import Token

LONGEST: Final = 8_000
"""Maximum characters of a unit; a longer one fits into no prompt."""
MOST_LINES: Final = 2_000
"""Maximum number of lines that are read; the parser takes 0.1 ms for each."""
FRONT_MATTER: Final = 8_192
"""Maximum characters of a front matter; a longer one is read as text."""
_FENCE: Final = "---"
_KEY: Final = re.compile(r"([A-Za-z][A-Za-z_-]*)\s*:\s*(.*)")
_ITEM: Final = re.compile(r"\s*-\s+(.*)")


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of a file.

    Attributes:
        line: number of its first line, from 1.
        headings: the headings above it, the nearest first, without the title.
        text: its text on one line, in Markdown.
    """

    line: int
    headings: tuple[str, ...]
    text: str


@dataclass(slots=True)
class _Item:
    """A list item or the row of a table that is being read."""

    line: int
    lead: str = ""
    parts: list[str] = field(default_factory=list)


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # takes 50 ms

    return MarkdownIt("commonmark").enable("table").disable("inline")


def front_matter(text: str) -> dict[str, tuple[str, ...]]:
    """Return the values of each key of the front matter, by key in lower case.

    The lines are read one by one, since an unquoted ``*`` at the start of a glob is no valid YAML.
    A value is a text with commas, a list in brackets, or a list of lines with dashes.
    """
    found: dict[str, list[str]] = {}
    key = ""
    for line in _front_matter_lines(text):
        if match := _KEY.match(line):
            key = match[1].lower()
            found[key] = [*_values(match[2])]
        elif key and (match := _ITEM.match(line)):
            found[key].extend(_values(match[1]))
    return {key: tuple(values) for key, values in found.items()}


def _front_matter_lines(text: str) -> Sequence[str]:
    lines = text.removeprefix("\ufeff")[:FRONT_MATTER].split("\n")
    if lines[0].rstrip() != _FENCE:
        return ()
    ends = (number for number, line in enumerate(lines) if number and line.rstrip() == _FENCE)
    return lines[1 : next(ends, 0)]


def _values(text: str) -> Iterator[str]:
    """Yield the parts of a value between its commas, except commas within braces."""
    depth, part = 0, ""
    for character in text.strip().removeprefix("[").removesuffix("]") + ",":
        depth += (character == "{") - (character == "}")
        if character == "," and depth <= 0:
            if value := part.strip().strip("'\"").strip():
                yield value
            depth, part = 0, ""
        else:
            part += character


def units_of(text: str) -> list[Unit]:
    """Return the units of the first :data:`MOST_LINES` lines of a Markdown text in their order."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # the line ends of Markdown
    lines = text.removeprefix("\ufeff").split("\n")[:MOST_LINES]
    matter = _front_matter_lines(text)
    if matter:  # the numbers of the other lines stay
        lines[: len(matter) + 2] = [""] * (len(matter) + 2)
    reader = _UnitReader()
    before = ""
    for token in _parser().parse("\n".join(lines)):
        reader.take(token, before)
        before = token.type
    return sorted(reader.units, key=lambda unit: unit.line)


class _UnitReader:
    """Reader of the tokens of a file."""

    def __init__(self) -> None:
        self.units: list[Unit] = []
        self._headings: list[tuple[int, str]] = []
        self._titled = False
        self._level = 0
        self._leads: list[str] = []
        self._items: list[_Item] = []
        self._row = _Item(0)

    def take(self, token: Token, before: str) -> None:
        """Read the next token; ``before`` is the type of the previous one."""
        line = (token.map or [0])[0] + 1
        match token.type:
            case "heading_open":
                self._level = int(token.tag.removeprefix("h"))
            case "inline":
                self._text(_plain(token.content), line, before)
            case "bullet_list_open" | "ordered_list_open":
                self._leads.append(self._lead() if before == "paragraph_close" else "")
            case "bullet_list_close" | "ordered_list_close":
                self._leads.pop()
            case "list_item_open":
                self._items.append(_Item(line, self._leads[-1]))
            case "list_item_close":
                item = self._items.pop()
                if item.parts:
                    self._add(item.line, " ".join(filter(None, (item.lead, *item.parts))))
            case "tr_open":
                self._row = _Item(line)
            case "tr_close" if self._row.parts:
                self._add(line=self._row.line, text=" | ".join(self._row.parts))
            case _:
                pass

    def _text(self, text: str, line: int, before: str) -> None:
        match before:
            case "heading_open":
                self._heading(text)
            case "th_open":  # a head alone is no rule
                pass
            case "td_open":
                self._row.parts += [text] if text else []
            case _ if self._items:
                self._items[-1].parts.append(text)
            case _:
                self._add(line, text)

    def _heading(self, text: str) -> None:
        while self._headings and self._headings[-1][0] >= self._level:
            self._headings.pop()
        is_title = self._level == 1 and not self._titled
        self._titled = True
        self._headings.append((self._level, "" if is_title else text))

    def _lead(self) -> str:
        """Return the paragraph that has just ended if it introduces a list; it is used up."""
        item = self._items[-1] if self._items else None
        if item is not None:
            if not item.parts[-1].endswith(":"):
                return ""
            return " ".join(filter(None, (item.lead, item.parts.pop())))
        if not self.units or not self.units[-1].text.endswith(":"):
            return ""
        return self.units.pop().text

    def _add(self, line: int, text: str) -> None:
        if text and len(text) <= LONGEST:
            headings = tuple(text for _, text in reversed(self._headings) if text)
            self.units.append(Unit(line, headings, text))


def _plain(text: str) -> str:
    """Return a text on one line, without comments."""
    first, *others = text.split("<!--")
    for other in others:
        inside, end, after = other.partition("-->")
        first += after if end else f"<!--{inside}"
    return " ".join(first.split())
