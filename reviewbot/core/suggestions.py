"""Decide whether a suggested change can be offered: it applies, and the result parses. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from reviewbot.core.escape import is_plain
from reviewbot.core.languages import PARSED, language_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.anchors import Anchor
    from reviewbot.core.chunks import ChunkView
    from reviewbot.core.diff import Line

MAX_LINES: Final = 60


@dataclass(frozen=True, slots=True)
class Edit:
    """A suggestion as a parser judges it, in a language that ast-grep has a grammar for.

    ``before`` and ``after`` are the lines of the hunk's new side without and with it; ``old`` and
    ``new`` are the lines that it replaces and those that it puts there.
    """

    language: str
    before: list[str]
    after: list[str]
    old: list[str]
    new: list[str]


SyntaxCheck: TypeAlias = Callable[[Edit], Awaitable[bool]]
"""Returns whether an edit adds no syntax error; False if that could not be checked."""


async def applies(
    suggestion: str,
    anchor: Anchor,
    view: ChunkView,
    *,
    marks: Sequence[str],
    keeps_syntax: SyntaxCheck,
) -> bool:
    """Return whether ``suggestion`` may be offered as a replacement of the anchored lines.

    It must stand on whole lines of the new file, change them, touch no place that we redacted
    or cut, hold no hidden character, and leave the hunk with no more syntax errors than it had.
    In a language that ast-grep has no grammar for, the last test is passed.

    Args:
        suggestion: the new lines.
        anchor: where the finding stands.
        view: the chunk in which it stands.
        marks: what redacted and cut places start with, for example ``[REDACTED:``.
        keeps_syntax: has a parser judge the edit, outside this process.
    """
    old = [line.text for line in anchor.lines]
    new = suggestion.removesuffix("\n").replace("\r\n", "\n").split("\n")
    if (
        anchor.side != "RIGHT"
        or not anchor.whole
        or [text.rstrip("\r") for text in old] == new
        or len(new) > MAX_LINES
        or not all(is_plain(text) for text in new)
        or any(mark in text for mark in marks for text in (*old, *new))
    ):
        return False
    hunk = _new_side(anchor, view)
    start = next(index for index, line in enumerate(hunk) if line.new_no == anchor.line)
    before = [line.text for line in hunk]
    after = [*before[:start], *new, *before[start + len(old) :]]
    language = language_of(view.path)
    if language is None or language not in PARSED:
        return True
    return await keeps_syntax(Edit(language, before, after, old, new))


def _new_side(anchor: Anchor, view: ChunkView) -> list[Line]:
    """The new side of the hunk that holds the anchor."""
    return next(
        [line for line in hunk.lines if line.new_no is not None]
        for hunk in view.hunks
        if any(line.new_no == anchor.line for line in hunk.lines)
    )
