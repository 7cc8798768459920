"""Sections of a long comment: the least important are truncated first, visibly. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
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
        fold: label of the fold that shows the section after a click; empty for a visible section.
            Neighbours with the same label share a fold.
        share: maximum share of the remaining room that the section may take.
    """

    heading: str
    items: Sequence[str]
    importance: int
    noun: str = "line"
    gap: str = "\n"
    fold: str = ""
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
    room = limit - sum(
        size(folded(section.fold, _text(section, 0))) + len(_GAP) for section in shown
    )
    if room < 0:
        raise ValueError(f"a limit of {limit} characters is too small for the headings")
    kept = [0] * len(shown)
    for index in sorted(range(len(shown)), key=lambda index: -shown[index].importance):
        section = shown[index]
        kept[index], used = _fitting(section, int(room * section.share))
        room -= used
    blocks = groupby(zip(shown, kept, strict=True), key=lambda pair: pair[0].fold)
    return _GAP.join(
        folded(fold, _GAP.join(_text(section, number) for section, number in pairs))
        for fold, pairs in blocks
    )


def folded(label: str, text: str) -> str:
    """Return ``text``, which is shown only after a click on ``label`` unless that is empty."""
    if not label:
        return text
    return f"<details>\n<summary>{label}</summary>\n\n{text}\n\n</details>"


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
    return _GAP.join(filter(None, (section.heading, items, note)))
