"""Questions in the thread of a finding: input for the model, and the reply. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.prompt.explanation import MOST_REMARKS, FindingQuestion, ThreadComment
from reviewbot.core.render.author import without_details
from reviewbot.core.render.markdown_text import code_span, literal
from reviewbot.core.safety.safe_text import safe_markdown
from reviewbot.core.safety.shown_text import shown_line
from reviewbot.core.wording import NO_REASON
from reviewbot.github import markers
from reviewbot.github.state.prior import side_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from reviewbot.core.events.report import Report
    from reviewbot.github.api.reviews import ReviewComment
    from reviewbot.github.commands.answers import CommandComment
    from reviewbot.github.identity import BotIdentity
    from reviewbot.github.state.prior import Posted, Prior

NO_CODE: Final = (
    "GitHub keeps no code with this comment that could be shown to a model, so the finding cannot"
    " be explained."
)


def inquiry_of(
    posted: Posted,
    comments: tuple[ReviewComment, ...],
    identity: BotIdentity,
    question: CommandComment,
    text: str,
) -> FindingQuestion:
    """Return the question in the thread of a finding.

    Args:
        posted: the finding.
        comments: all inline comments of the pull request.
        identity: our identity.
        question: the comment that asks; later comments are ignored.
        text: text of the question; may be empty.
    """
    first = posted.comment
    thread = [
        ThreadComment(_without_marker(one.body), identity.wrote(one.author))
        for one in comments
        if one.in_reply_to == first.id and one.id <= question.comment
    ]
    last = first.original_line
    return FindingQuestion(
        side=side_of(first),
        line=first.original_start_line or last,
        end_line=last,
        finding=_without_marker(first.body),
        thread=tuple(thread[-MOST_REMARKS:]),
        question=text,
    )


def _without_marker(body: str) -> str:
    text, _, last = body.rstrip().rpartition("\n")
    return text.rstrip() if markers.has_marker(last) else body


def title_of(posted: Posted, prior: Prior) -> str:
    """Return the title of a finding; its location if the title is unknown."""
    records = prior.block.records if prior.block else ()
    titles = (one.title for one in records if one.id == posted.id)
    return shown_line(next(titles, "")) or f"{posted.comment.path}:{posted.record.line}"


def reply_text(report: Report, link_hosts: Collection[str]) -> str:
    """Return the reply to a question that has ended, as Markdown.

    Args:
        report: result of the question.
        link_hosts: hosts that links may point to.
    """
    answer = report.answer
    if answer is not None and answer.complete:
        words = safe_markdown(answer.text, link_hosts=link_hosts)
        return f"{words}\n\nAnswered by {code_span(answer.model)}."
    if report.outcome == "cancelled":
        return "Not explained: the question was cancelled."
    return f"Not explained: {literal(next(iter(without_details(report).reasons), NO_REASON))}"
