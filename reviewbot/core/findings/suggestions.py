"""Decide whether a suggested change can be offered: it applies, and the result parses. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from reviewbot.core.plan.languages import PARSED, language_of
from reviewbot.core.safety.escape import is_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.diff.parse import DiffLine
    from reviewbot.core.findings.anchors import Anchor
    from reviewbot.core.plan.chunk_view import ChunkView

MAX_LINES: Final = 60


@dataclass(frozen=True, slots=True)
class Edit:
    """A suggestion that can be offered if its syntax is valid.

    ``language`` is None if ast-grep has no grammar; then the syntax is not checked. ``before`` and
    ``after`` are the lines of the hunk's new side without and with the suggestion. ``old`` and
    ``new`` are the replaced lines and the new lines.
    """

    language: str | None
    before: list[str]
    after: list[str]
    old: list[str]
    new: list[str]


SyntaxCheck: TypeAlias = Callable[[Edit], Awaitable[bool]]
"""Function that returns whether an edit adds no syntax error; False if that could not be
checked."""


def edit_of(
    suggestion: str, anchor: Anchor, view: ChunkView, *, marks: Sequence[str]
) -> Edit | None:
    """Return ``suggestion`` as an edit of the anchored lines; None if it cannot be offered.

    A suggestion must change whole lines of the new file. It must not contain hidden characters, or
    touch redacted or truncated text.

    Args:
        suggestion: the new lines.
        anchor: location of the finding.
        view: the chunk of the finding.
        marks: prefixes of redacted and truncated text, for example ``[REDACTED:``.
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
        return None
    hunk = _new_side(anchor, view)
    start = next(index for index, line in enumerate(hunk) if line.new_no == anchor.line)
    before = [line.text for line in hunk]
    after = [*before[:start], *new, *before[start + len(old) :]]
    language = language_of(view.path)
    return Edit(language if language in PARSED else None, before, after, old, new)


async def can_be_offered(edit: Edit | None, keeps_syntax: SyntaxCheck) -> bool:
    """Return whether there is an edit that adds no syntax errors to the hunk.

    Args:
        edit: result of :func:`edit_of`.
        keeps_syntax: checks the syntax of an edit with a parser, in another process.
    """
    return edit is not None and (edit.language is None or await keeps_syntax(edit))


def _new_side(anchor: Anchor, view: ChunkView) -> list[DiffLine]:
    """Return the new side of the hunk that holds the anchor."""
    return next(
        [line for line in hunk.lines if line.new_no is not None]
        for hunk in view.hunks
        if any(line.new_no == anchor.line for line in hunk.lines)
    )
