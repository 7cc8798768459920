"""Questions about a finding or a pull request: input for the model, and the reply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.core.prompt.explanation import MOST_REMARKS, FindingQuestion, ThreadComment
from reviewbot.core.prompt.question import PullQuestion
from reviewbot.core.render.author import without_details
from reviewbot.core.render.markdown_text import code_span, literal
from reviewbot.core.safety.safe_text import safe_markdown
from reviewbot.core.safety.shown_text import shown_line
from reviewbot.core.wording import NO_REASON
from reviewbot.github import markers
from reviewbot.github.change.fetch import get_change
from reviewbot.github.commands.answers import NO_FINDING, posted_in
from reviewbot.github.state.comment_hunk import comment_diff
from reviewbot.github.state.prior import side_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from reviewbot.core.events.report import Report
    from reviewbot.core.prompt.question import Inquiry
    from reviewbot.github.api.comments import Comment
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.api.reviews import ReviewComment
    from reviewbot.github.commands.answers import CommandComment
    from reviewbot.github.identity import BotIdentity
    from reviewbot.github.state.prior import Posted, Prior
    from reviewbot.github.webhook.commands import BotCommand

NO_CODE: Final = (
    "GitHub keeps no code with this comment that could be shown to a model, so the finding cannot"
    " be explained."
)


NO_QUESTION: Final = "Write a question after the command: `/ask Why is this lock needed?`"


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """A question for a model. ``diff`` has the lines to show, ``title`` is one line for people."""

    inquiry: Inquiry
    diff: bytes
    title: str


async def read_question(
    api: Api, prior: Prior, identity: BotIdentity, question: CommandComment, command: BotCommand
) -> AskedQuestion | str:
    """Return the question of ``/ask`` or ``/explain``, or a reply that says why there is none.

    In the thread of a finding, the question is about the finding.

    Comments after that of ``question`` are ignored.

    Raises:
        GitHubError: GitHub refuses a request.
        DiffError: the diff cannot be parsed.
    """
    name = question.pull
    on_lines = await api.reviews.comments(name.repo, name.number)
    posted = posted_in(prior, question)
    hunk = comment_diff(posted.comment) if posted else None
    if posted is not None and hunk is not None:
        replies = [one for one in on_lines if one.in_reply_to == posted.comment.id]
        thread = _thread(replies, identity, question)
        inquiry = _about_finding(posted, thread, command.text)
        return AskedQuestion(inquiry, hunk, f"Explain: {title_of(posted, prior)}")
    if command.name == "explain":
        return NO_FINDING if posted is None else NO_CODE
    if not command.text:
        return NO_QUESTION
    change = await get_change(api, name.repo, name.number)
    earlier: Iterable[Comment | ReviewComment]
    place = ""
    if question.thread is None:
        earlier = await api.comments.all(name.repo, name.number)
    else:
        earlier = [one for one in on_lines if question.thread in (one.id, one.in_reply_to)]
        first = next((one for one in on_lines if one.id == question.thread), None)
        place = f"{first.path}:{first.line or first.original_line}" if first else ""
    about = PullQuestion(
        title=change.pull.title,
        description=change.pull.body,
        thread=_thread(earlier, identity, question),
        place=place,
        question=command.text,
    )
    return AskedQuestion(about, change.diff, f"Question: {shown_line(change.pull.title)}")


def _thread(
    comments: Iterable[Comment | ReviewComment], identity: BotIdentity, question: CommandComment
) -> tuple[ThreadComment, ...]:
    """Return the latest comments up to the question, without our markers."""
    thread = [
        ThreadComment(_without_marker(one.body), identity.wrote(one.author))
        for one in comments
        if one.id <= question.comment
    ]
    return tuple(thread[-MOST_REMARKS:])


def _about_finding(posted: Posted, thread: tuple[ThreadComment, ...], text: str) -> FindingQuestion:
    first = posted.comment
    last = first.original_line
    return FindingQuestion(
        side=side_of(first),
        line=first.original_start_line or last,
        end_line=last,
        finding=_without_marker(first.body),
        thread=thread,
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

    Links of a model may point to ``link_hosts`` only.
    """
    answer = report.answer
    if answer is not None and answer.complete:
        words = safe_markdown(answer.text, link_hosts=link_hosts)
        return f"{words}\n\nAnswered by {code_span(answer.model)}."
    if report.outcome == "cancelled":
        return "Not answered: the question was cancelled."
    return f"Not answered: {literal(next(iter(without_details(report).reasons), NO_REASON))}"
