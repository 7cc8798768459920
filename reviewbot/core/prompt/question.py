"""Questions to a model: about a pull request, or about a finding of a review. Pure.

Strangers wrote the title, the description and the comments, so they are data like the code: each
text is one JSON string on one line, and nothing in it can close its block or imitate ours.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from reviewbot.core.decode import decoder
from reviewbot.core.prompt.explanation import (
    FINDING_LIMIT,
    QUESTION_LIMIT,
    REMARK_LIMIT,
    FindingQuestion,
    ThreadComment,
    latest_comments,
    redacted_thread,
    trimmed,
)
from reviewbot.core.prompt.numbered import INSTRUCTIONS_LIMIT, chunk_lines
from reviewbot.core.prompt.reply import FindingReply, redacted_reply, render_reply
from reviewbot.core.prompt.request import (
    LISTED_PATH_LIMIT,
    MANIFEST_LIMIT,
    TITLE_LIMIT,
    manifest_within,
)
from reviewbot.core.prompt.summary import DESCRIPTION_LIMIT
from reviewbot.core.prompt.templates import render_template
from reviewbot.core.safety.redact import redact_text
from reviewbot.core.safety.shown_text import shown_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.core.prompt.request import ManifestEntry


@dataclass(frozen=True, slots=True)
class PullQuestion:
    """Question about a pull request.

    Attributes:
        title: title of the pull request.
        description: its description.
        thread: comments below the pull request or in the thread, oldest first.
        place: the location of the thread; empty below the pull request.
        question: text of the question.
    """

    title: str
    description: str
    thread: tuple[ThreadComment, ...] = ()
    place: str = ""
    question: str = ""

    @property
    def shown_question(self) -> str:
        """Question as a line that is safe to show.

        Raises:
            ReviewbotError: the search for secrets failed.
        """
        return shown_line(self.question)


Inquiry: TypeAlias = FindingQuestion | PullQuestion | FindingReply


def to_json(inquiry: Inquiry) -> dict[str, Any]:
    """Return ``inquiry`` as an object for JSON."""
    return asdict(inquiry)


def from_json(data: Mapping[str, Any]) -> Inquiry:
    """Return the question that :func:`to_json` wrote.

    Raises:
        ValueError: the data is not a question.
    """
    if "id" in data:
        return cast("Inquiry", decoder(FindingReply)(data, "inquiry"))
    kind = PullQuestion if "title" in data else FindingQuestion
    return cast("Inquiry", decoder(kind)(data, "inquiry"))


def redacted(inquiry: Inquiry) -> Inquiry:
    """Return ``inquiry`` without secrets, personal data, and comments that are not shown.

    Raises:
        ReviewbotError: the search for secrets failed.
    """
    if isinstance(inquiry, FindingReply):
        return redacted_reply(inquiry)
    thread = redacted_thread(inquiry.thread)
    inquiry = replace(inquiry, thread=thread, question=redact_text(inquiry.question))
    if isinstance(inquiry, FindingQuestion):
        return replace(inquiry, finding=redact_text(inquiry.finding))
    return replace(
        inquiry,
        title=redact_text(inquiry.title),
        description=redact_text(inquiry.description),
        place=redact_text(inquiry.place),
    )


def render_question(
    inquiry: Inquiry,
    *,
    chunks: Sequence[ChunkView],
    manifest: Sequence[ManifestEntry],
    instructions: str = "",
) -> tuple[str, str]:
    """Return the system prompt and the user message that ask for the answer.

    Args:
        inquiry: the :func:`redacted` question.
        chunks: the hunks to show.
        manifest: the changed files, of which a question about a finding shows none.
        instructions: the repository's instructions, from its base.
    """
    if isinstance(inquiry, FindingReply):
        return render_reply(inquiry, chunks)
    thread = latest_comments(inquiry.thread)
    values: dict[str, Any]
    if isinstance(inquiry, FindingQuestion):
        name = "explanation"
        values = {"finding": trimmed(inquiry.finding), "finding_limit": FINDING_LIMIT}
    else:
        name = "question"
        values = {
            "title": inquiry.title,
            "title_limit": TITLE_LIMIT,
            "description": trimmed(inquiry.description),
            "description_limit": DESCRIPTION_LIMIT,
            "manifest": manifest_within(manifest, MANIFEST_LIMIT),
            "path_limit": LISTED_PATH_LIMIT,
        }
    user = render_template(
        name,
        **values,
        instructions=trimmed(instructions),
        instructions_limit=INSTRUCTIONS_LIMIT,
        changes="\n".join(line for chunk in chunks for line in chunk_lines(chunk)),
        thread=thread,
        left_out=len(inquiry.thread) - len(thread),
        remark_limit=REMARK_LIMIT,
        place=inquiry.place,
        question=trimmed(inquiry.question),
        question_limit=QUESTION_LIMIT,
    )
    return render_template(f"{name}-system").strip("\n"), user.strip("\n")
