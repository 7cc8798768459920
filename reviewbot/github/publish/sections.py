"""A long comment of sections that may be cut: the least important first, and visibly. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.core.wording import count

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP: Final = "\n\n"


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a comment.

    Args:
        heading: stands above, and stays whatever is cut; ours, of a few words. May be empty.
        items: each stands for itself, the most important first; those at the end are cut first.
        importance: sections of lower importance are cut first.
        noun: what an item is called, to count those that are left out.
        gap: what stands between two items.
        folded: whether it is shown only on a click on the heading.
        share: the part of the room left that it may take, while there are less important ones.
    """

    heading: str
    items: Sequence[str]
    importance: int
    noun: str = "line"
    gap: str = "\n"
    folded: bool = False
    share: float = 1.0


def size(text: str) -> int:
    """Characters of ``text``, those beyond the first 65,536 counted twice, as JavaScript does.

    GitHub's pages do not say how it counts; nobody counts more.
    """
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def fitted(sections: Sequence[Section], limit: int) -> str:
    """Return the sections in their order, within a :func:`size`. Those without items are left out.

    Items are cut whole, never in their middle, so that no fence or table stays open.

    Raises:
        ValueError: not even the headings fit.
    """
    kept = zip(sections, kept_items(sections, limit), strict=True)
    return _GAP.join(_text(section, number) for section, number in kept if section.items)


def kept_items(sections: Sequence[Section], limit: int) -> list[int]:
    """How many items of each section there is room for, from the first.

    Raises:
        ValueError: not even the headings fit.
    """
    shown = [index for index, section in enumerate(sections) if section.items]
    room = limit - sum(size(_text(sections[index], 0)) + len(_GAP) for index in shown)
    if room < 0:
        raise ValueError(f"a limit of {limit} characters is too small for the headings")
    kept = [0] * len(sections)
    for index in sorted(shown, key=lambda index: -sections[index].importance):
        section = sections[index]
        kept[index], used = _fitting(section, int(room * section.share))
        room -= used
    return kept


def _fitting(section: Section, room: int) -> tuple[int, int]:
    """How many of the items fit, from the first, and the characters that they take."""
    used = len(_GAP)  # below the heading
    for index, item in enumerate(section.items):
        needed = size(item) + len(section.gap)
        if used + needed > room:
            return (index, used) if index else (0, 0)
        used += needed
    return len(section.items), used


def _text(section: Section, kept: int) -> str:
    """Return the section with as many of its items; how many are left out stands below."""
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
