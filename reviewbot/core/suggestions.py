"""Whether a suggested change can be offered: it applies, and what it makes still parses. Pure."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING, Final

from reviewbot.core.escape import is_plain
from reviewbot.core.languages import PARSED, language_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.anchors import Anchor
    from reviewbot.core.chunks import ChunkView
    from reviewbot.core.diff import Line

MAX_LINES: Final = 60


def applies(suggestion: str, anchor: Anchor, view: ChunkView, *, marks: Sequence[str]) -> bool:
    """Whether ``suggestion`` may be offered as a replacement of the anchored lines.

    It must stand on whole lines of the new file, change them, touch no place that we redacted
    or cut, hold no hidden character, and leave the hunk with no more syntax errors than it had.
    In a language that ast-grep has no grammar for, the last test is passed.

    Args:
        suggestion: the new lines.
        anchor: where the finding stands.
        view: the chunk in which it stands.
        marks: what redacted and cut places start with, for example ``[REDACTED:``.
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
    faults = _errors(view.path, before)
    if _errors(view.path, after) > faults:
        return False
    # One error can swallow a whole fragment, so the lines are then compared by themselves, too.
    return not faults or _errors(view.path, new) <= _errors(view.path, old)


def _new_side(anchor: Anchor, view: ChunkView) -> list[Line]:
    """The new side of the hunk that holds the anchor."""
    return next(
        [line for line in hunk.lines if line.new_no is not None]
        for hunk in view.hunks
        if any(line.new_no == anchor.line for line in hunk.lines)
    )


def _errors(path: str, lines: Sequence[str]) -> int:
    """How many syntax errors the grammar of ``path`` sees in ``lines``; 0 without a grammar.

    tree-sitter marks what it could not parse as ERROR and what it had to invent as empty nodes.
    """
    language = language_of(path)
    if language not in PARSED:
        return 0
    from ast_grep_py import SgRoot

    source = dedent("\n".join(lines)).encode("utf-8", "replace").decode()
    root = SgRoot(source, language).root()
    return len(root.find_all(kind="ERROR")) + len(root.find_all(regex="^$"))
