"""Notes of the summary about the comments on lines. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reviewbot.github.state.block import Record
    from reviewbot.github.state.prior import Posted

_FENCE: Final = "```"


@dataclass(frozen=True, slots=True)
class ThreadNotes:
    """Facts about the comments of findings.

    Attributes:
        suggestions: number of comments of open findings with a suggestion that GitHub can apply.
        unresolved: addresses of the threads of closed findings that only a person can resolve.
    """

    suggestions: int = 0
    unresolved: tuple[str, ...] = ()


def thread_notes(records: Iterable[Record], posted: Mapping[str, Posted]) -> ThreadNotes:
    """Return what is to be said about the comments of ``records``.

    ``posted`` has the findings with a comment by their ids. A thread can be resolved by us unless
    GitHub says otherwise (``viewerCanResolve``).
    """
    suggestions, unresolved = 0, []
    for record in records:
        own = posted.get(record.id)
        if own is None or not own.ours:
            continue
        if record.state == "open":
            suggestions += own.comment.line is not None and _has_suggestion(own.comment.body)
        elif own.thread is not None and not own.thread.resolved and not own.thread.can_resolve:
            unresolved.append(own.comment.url)
    return ThreadNotes(suggestions, tuple(unresolved))


def _has_suggestion(body: str) -> bool:
    return any(
        line.startswith(_FENCE) and line.strip().lstrip("`") == "suggestion"
        for line in body.split("\n")
    )
