"""Sections of a long comment: the least important are truncated first, visibly. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.core.wording import count

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP: Final = "\n\n"


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a comment.

    Args:
        heading: short heading of ours, never cut; may be empty.
        items: independent items, most important first; the last items are cut first.
        importance: sections of lower importance are cut first.
        noun: noun for an item, to count omitted items.
        gap: text between two items.
        folded: whether the section is shown only after a click on the heading.
        share: maximum share of the remaining room that the section may take.
    """

    heading: str
    items: Sequence[str]
    importance: int
    noun: str = "line"
    gap: str = "\n"
    folded: bool = False
    share: float = 1.0


def size(text: str) -> int:
    """Return the length of ``text`` in UTF-16 code units, as in JavaScript.

    GitHub does not document how it counts characters. No other way of counting gives more.
    """
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def fitted(sections: Sequence[Section], limit: int) -> str:
    """Return the sections in their order, within a :func:`size`. Those without items are left out.

    Items are cut whole, never in their middle, so that no fence or table stays open.

    Raises:
        ValueError: not even the headings fit.
    """
    shown = [section for section in sections if section.items]
    room = limit - sum(size(_text(section, 0)) + len(_GAP) for section in shown)
    if room < 0:
        raise ValueError(f"a limit of {limit} characters is too small for the headings")
    kept = [0] * len(shown)
    for index in sorted(range(len(shown)), key=lambda index: -shown[index].importance):
        section = shown[index]
        kept[index], used = _fitting(section, int(room * section.share))
        room -= used
    return _GAP.join(map(_text, shown, kept))


def _fitting(section: Section, room: int) -> tuple[int, int]:
    """Return how many items fit, from the first, and the number of their characters."""
    used = len(_GAP)  # below the heading
    for index, item in enumerate(section.items):
        needed = size(item) + len(section.gap)
        if used + needed > room:
            return (index, used) if index else (0, 0)
        used += needed
    return len(section.items), used


def _text(section: Section, kept: int) -> str:
    """Return the section with its first ``kept`` items, and a count of the omitted items."""
    items = section.gap.join(section.items[:kept])
    left = len(section.items) - kept
    note = f"{count(left, f'more {section.noun}')}: no room here." if left else ""
    if section.heading.endswith("|") and items:  # the rows of a table follow its head
        body, heading = [f"{section.heading}\n{items}"], ""
    else:
        body, heading = [items], section.heading
    if section.folded:
        inside = _GAP.join(filter(None, (*body, note)))
        return f"<details>\n<summary>{heading}</summary>\n\n{inside}\n\n</details>"
    return _GAP.join(filter(None, (heading, *body, note)))
