"""The request that looks at the code again after a reply to a finding, and its answer. Pure.

Strangers wrote the thread, so it is data like the code: each text is one JSON string on one line.
The answer is a call of :data:`~reviewbot.core.findings.answer_tool.ANSWER_TOOL`. A model wrote it,
so its word alone changes nothing: its quote is checked (:mod:`reviewbot.core.findings.verdicts`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.findings.answer_tool import ANSWER_TOOL
from reviewbot.core.findings.finding import (
    Category,
    Finding,
    Placement,
    Severity,
    Side,
)
from reviewbot.core.prompt.explanation import (
    REMARK_LIMIT,
    ThreadComment,
    latest_comments,
    place_in_prompt,
    redacted_thread,
    trimmed,
)
from reviewbot.core.prompt.numbered import PATH_LIMIT, chunk_lines
from reviewbot.core.prompt.templates import render_template
from reviewbot.core.prompt.verification import TEXT_LIMIT
from reviewbot.core.safety.redact import redact_text
from reviewbot.core.safety.shown_text import shown_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reviewbot.core.plan.chunk_view import ChunkView

REPLY_LOOKUPS: Final = 6
"""Most look-ups of the answer to a reply, and most of the check of a withdrawal."""


@dataclass(frozen=True, slots=True)
class FindingReply:
    """A reply to a finding, which asks for another look at the code.

    Attributes:
        id: id of the finding.
        side: side of the commented lines.
        line: first commented line at the head; None if the lines changed since the finding.
        end_line: last commented line; None like ``line``.
        category: category of the finding.
        severity: severity of the finding, which the prompt does not have.
        title: its title.
        finding: the rest of its text.
        thread: comments below the finding before the reply, oldest first.
        question: text of the reply.
    """

    id: str
    side: Side
    line: int | None
    end_line: int | None
    category: Category
    severity: Severity
    title: str
    finding: str
    thread: tuple[ThreadComment, ...] = ()
    question: str = ""

    @property
    def place(self) -> str:
        """Lines of the finding, numbered as in the prompt."""
        if self.line is None or self.end_line is None:
            return "lines that were changed or removed since"
        return place_in_prompt(self.side, self.line, self.end_line)

    @property
    def shown_question(self) -> str:
        """The reply as a line that is safe to show.

        Raises:
            ReviewbotError: the search for secrets failed.
        """
        return shown_line(self.question) or "A reply without words."

    def as_finding(self, *, path: str, chunk: str, model: str) -> Finding:
        """Return the finding in the form in which it is verified.

        ``model`` is the name of the model that answers the reply.
        """
        return Finding(
            id=self.id,
            path=path,
            quote="",
            side=self.side,
            line=self.line or 0,
            end_line=self.end_line or 0,
            scenario="",
            category=self.category,
            severity=self.severity,
            confidence=1.0,
            title=self.title,
            message=self.finding,
            suggestion=None,
            rule=self.category,
            model=model,
            chunk=chunk,
            attempt=1,
            placement=Placement("inline"),
        )


def redacted_reply(reply: FindingReply) -> FindingReply:
    """Return ``reply`` without secrets, personal data, and comments that are not shown.

    Raises:
        ReviewbotError: the search for secrets failed.
    """
    return replace(
        reply,
        title=redact_text(reply.title),
        finding=redact_text(reply.finding),
        thread=redacted_thread(reply.thread),
        question=redact_text(reply.question),
    )


def render_reply(
    reply: FindingReply,
    chunks: Iterable[ChunkView],
    surroundings: Iterable[ChunkView] = (),
    *,
    lookups: int = 0,
    as_text: bool = False,
) -> tuple[str, str]:
    """Return the system prompt and the user message that ask for the answer to a reply.

    Args:
        reply: the redacted reply.
        chunks: the hunks to show.
        surroundings: more code of the commit, already redacted.
        lookups: the maximum number of look-ups; 0 if nothing can be looked up.
        as_text: whether to request the answer as JSON text instead of a call of the tool.
    """
    tool = ANSWER_TOOL["name"]
    views = tuple(chunks)
    thread = latest_comments(reply.thread)
    user = render_template(
        "reply",
        answer_tool=tool,
        changes=_shown(views),
        surroundings=_shown(surroundings),
        path=views[0].path if views else "",
        path_limit=PATH_LIMIT,
        place=reply.place,
        category=reply.category,
        title=trimmed(reply.title),
        finding=trimmed(reply.finding),
        text_limit=TEXT_LIMIT,
        thread=thread,
        left_out=len(reply.thread) - len(thread),
        remark_limit=REMARK_LIMIT,
        question=trimmed(reply.question),
        lookups=lookups,
        as_text=as_text,
    )
    system = render_template("reply-system", answer_tool=tool, lookups=lookups)
    return system.strip("\n"), user.strip("\n")


def _shown(views: Iterable[ChunkView]) -> str:
    return "\n".join(line for view in views for line in chunk_lines(view))
