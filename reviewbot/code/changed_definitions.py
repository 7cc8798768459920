"""Changed definitions of a diff. Pure.

A changed definition is a line that the change removes or replaces, and that defines a function, a
type, a value at the left margin, or a key of a configuration. It is recognised by the form of its
line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from reviewbot.code.definitions import defined_name
from reviewbot.code.quotable_code import CHARS_PER_TOKEN
from reviewbot.core.late_pattern import late_pattern
from reviewbot.core.plan.languages import is_source
from reviewbot.core.prompt.numbered import chunk_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reviewbot.core.plan.chunk_view import ChunkView

NAMES: Final = 10
"""Most changed names of a view, and of a request."""
_AROUND: Final = 5
"""Lines on both sides of a changed definition."""
_LINE_CHARS: Final = 400
_KEY: Final = late_pattern(
    r"""\s{0,80}(?:- )?["']?([A-Za-z_][A-Za-z0-9_]{2,63})["']?\s{0,20}[:=]"""
)
_KEYED: Final = (".json", ".toml", ".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class ChangedDefinitions:
    """Names whose definitions a view changes, and the view reduced to these definitions."""

    names: tuple[str, ...]
    view: ChunkView


def tokens_of(views: Iterable[ChunkView]) -> int:
    """Return the estimated tokens of views."""
    lines = chain.from_iterable(map(chunk_lines, views))
    return sum(len(line) + 1 for line in lines) // CHARS_PER_TOKEN


def changed_definitions(view: ChunkView) -> ChangedDefinitions | None:
    """Return the changed definitions of a view; None if it has none.

    A line that the change only moves within the view is not changed.
    """
    added = [line.text for hunk in view.hunks for line in hunk.lines if line.kind == "added"]
    kept = {text.strip() for text in added} | set(map(_key_of, added))
    names: dict[str, None] = {}
    hunks = []
    for hunk in view.hunks:
        places = []
        for index, line in enumerate(hunk.lines):
            if line.kind == "removed" and hunk.owned[index] and line.text.strip() not in kept:
                name = _name_in(view.path, line.text)
                if name is not None and name not in kept and len(names | {name: None}) <= NAMES:
                    names[name] = None
                    places.append(index)
        if places:
            start = max(0, places[0] - _AROUND)
            hunks.append(hunk.between(start, places[-1] + _AROUND + 1))
    if not names:
        return None
    reduced = replace(view, hunks=tuple(hunks), is_whole=False)
    return ChangedDefinitions(tuple(names), replace(reduced, tokens=tokens_of([reduced])))


def _name_in(path: str, text: str) -> str | None:
    """Return the name that a line defines, unless the name is local."""
    if path.endswith(_KEYED):
        return _key_of(text)
    name = defined_name(text) if is_source(path) else None
    if name is None or not text[:1].isspace():
        return name
    # An indented value is local; an indented function is a method.
    return name if re.search(rf"\b{name}\s*(?:<[^<>]{{0,80}}>)?\(", text[:_LINE_CHARS]) else None


def _key_of(text: str) -> str | None:
    found = _KEY.match(text)
    return found[1] if found else None
