"""Lines of a model on what changed in each file of its request. Pure.

The walkthrough of a review is made of these lines. They are a by-product: a line that is missing or
invalid is dropped, and never fails a review.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.core.safety.escape import show
from reviewbot.core.safety.safe_text import safe_line
from reviewbot.core.safety.shown_text import shown_line

if TYPE_CHECKING:
    from collections.abc import Iterable

CHANGE_LIMIT: Final = 120
"""Maximum characters of a line. Models are asked for at most twelve words."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A line on what changed in the file ``path``, safe to show."""

    path: str
    change: str


def checked_changes(
    written: Iterable[tuple[str, str]], paths: Iterable[str]
) -> tuple[FileChange, ...]:
    """Return the lines of a model's report, made safe to show: at most one for each path.

    Uses the CPU: call in a thread.

    Args:
        written: pairs of a path and a line, as the model wrote them.
        paths: files of the request; lines about others are dropped.

    Raises:
        ReviewbotError: the search for secrets failed.
    """
    known = {show(path): path for path in paths}
    found: dict[str, FileChange] = {}
    for claimed, change in written:
        path = known.get(show(claimed))
        if path is None or path in found:
            continue
        if line := safe_line(shown_line(change), limit=CHANGE_LIMIT):
            found[path] = FileChange(path, line)
    return tuple(found.values())


def joined_changes(parts: Iterable[FileChange]) -> dict[str, str]:
    """Return one line for each path: the lines about its parts, up to the limit."""
    lines: dict[str, dict[str, None]] = {}
    for part in parts:
        lines.setdefault(part.path, {})[part.change] = None
    return {path: safe_line("; ".join(each), limit=CHANGE_LIMIT) for path, each in lines.items()}
