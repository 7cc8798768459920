"""A conversation with a model that looks up code: its finished turns, as plain data. Pure.

The history is only appended to. A server may refuse a conversation whose earlier part has changed,
and would have to read it without its cache. A retry, a smaller request, the rest of a truncated
answer and another model begin a new conversation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from reviewbot.core.findings.draft import Draft  # noqa: TC001 - the decoder looks these up
from reviewbot.core.findings.file_changes import FileChange  # noqa: TC001 - the decoder uses it


@dataclass(frozen=True, slots=True)
class ToolResult:
    """Answer to the call ``id``; ``failed`` marks a look-up that was refused or not possible."""

    id: str
    text: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """A finished turn: what the model wrote, and what it gets for it.

    ``content`` is the JSON array of the blocks of the model, in the form of its provider and
    unchanged. ``note`` is text after the results, or empty. ``drafts`` and ``files`` are what its
    reports said, and ``done`` has the paths with which they are done. ``lookups`` describes each
    look-up that was answered.
    """

    content: str
    results: tuple[ToolResult, ...] = ()
    note: str = ""
    drafts: tuple[Draft, ...] = ()
    files: tuple[FileChange, ...] = ()
    done: tuple[str, ...] = ()
    lookups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """The turns so far.

    ``opening`` is text at the end of the first message, or empty. ``form`` names the features of
    the first request, which all further requests repeat.
    """

    opening: str = ""
    form: tuple[str, ...] = ()
    turns: tuple[Turn, ...] = ()

    @property
    def text(self) -> str:
        """All text of the turns, for an estimate of its tokens."""
        parts = [self.opening]
        for turn in self.turns:
            parts += [turn.content, *(result.text for result in turn.results), turn.note]
        return "".join(parts)

    @property
    def results(self) -> tuple[str, ...]:
        """The results of look-ups that the model was sent, without refusals."""
        every = (result for turn in self.turns for result in turn.results)
        return tuple(result.text for result in every if not result.failed)

    def with_turn(self, turn: Turn, form: tuple[str, ...]) -> Conversation:
        """Return the conversation with one more turn; ``form`` is that of its request."""
        return replace(self, form=form, turns=(*self.turns, turn))
