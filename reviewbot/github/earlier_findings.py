"""Findings of earlier reviews, as far as what we posted tells of them. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.findings import Finding, Placement
from reviewbot.core.shown_text import shown_line
from reviewbot.github.comment_text import read_back
from reviewbot.github.markers import Noted

if TYPE_CHECKING:
    from reviewbot.core.findings import Side
    from reviewbot.github.memory import Posted

UNTITLED: Final = "A finding of an earlier review"
"""What is told of a comment that has another form by now."""
NO_LINES: Final = Placement("file", "Its lines are not in the diff of the pull request any more.")


def carried(posted: Posted) -> Finding:
    """A finding of an earlier review, as far as its comment tells of it.

    It quotes no code: what GitHub keeps of it may hold a secret. Its title may be somebody else's
    by now, for maintainers can edit our comments.
    """
    comment = posted.comment
    title, category = read_back(comment.body)
    last = comment.line or comment.original_line or 1
    first = (comment.start_line if comment.line else comment.original_start_line) or last
    return replace(
        of_earlier(
            Noted(posted.id, posted.severity), "LEFT" if comment.side == "LEFT" else "RIGHT"
        ),
        path=comment.path,
        line=first,
        end_line=last,
        category=category,
        rule=category,
        title=shown_line(title) or UNTITLED,
        placement=Placement("inline") if comment.line else NO_LINES,
    )


def of_earlier(noted: Noted, side: Side) -> Finding:
    """A finding of an earlier review of which no more is known than that it stands."""
    return Finding(
        id=noted.id,
        path="",
        quote="",
        side=side,
        line=0,
        end_line=0,
        scenario="",
        category="bug",
        severity=noted.severity,
        confidence=1.0,
        title=UNTITLED,
        message="Found by an earlier review, and its code is still there.",
        suggestion=None,
        rule="bug",
        model="an earlier review",
        chunk="",
        attempt=1,
        placement=NO_LINES,
    )
