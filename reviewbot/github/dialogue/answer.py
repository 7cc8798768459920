"""Post the answer to a reply, once, and resolve the thread of a finding that it withdraws."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from reviewbot.core.render.author import without_details
from reviewbot.core.render.markdown_text import code_span, fence, linked, literal
from reviewbot.core.safety.safe_text import safe_markdown
from reviewbot.core.wording import NO_REASON
from reviewbot.github import markers
from reviewbot.github.client.errors import ForbiddenError, InvalidError, NotFoundError
from reviewbot.github.markers import Marker
from reviewbot.github.publish.comment_text import unmarked, with_marker
from reviewbot.github.publish.post import create_once

if TYPE_CHECKING:
    from collections.abc import Collection

    from reviewbot.core.events.report import Report
    from reviewbot.core.findings.finding import Evidence
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.dialogue.look import AnswerPlace
    from reviewbot.github.identity import BotIdentity, PullName

NOT_LOOKED: Final = "I could not look at the code: {} The finding stays open."
WITHDRAWN_TEXT: Final = "Withdrawn."
RERUN: Final = (
    "If the job of the review is a required check, run it again: this run cannot change its result."
)
_QUOTE_LINES: Final = 6


def withdrawn_by(report: Report) -> str | None:
    """Return the file with the line that withdraws the finding; None if the finding stands."""
    reply = report.answer.reply if report.answer and report.answer.complete else None
    if reply is None or reply.decision != "withdrawn" or reply.evidence is None:
        return None
    return reply.evidence.path


def answer_text(
    report: Report, place: AnswerPlace, link_hosts: Collection[str], *, rerun: bool = False
) -> str:
    """Return the answer to a reply, as Markdown.

    ``rerun`` says whether a withdrawal needs another run of a job. Links of a model may point to
    ``link_hosts`` only.
    """
    answer = report.answer
    if answer is None or not answer.complete or answer.reply is None:
        reasons = without_details(report).reasons
        reason = "it was cancelled." if report.outcome == "cancelled" else next(iter(reasons), "")
        return NOT_LOOKED.format(literal(reason or NO_REASON))
    words = safe_markdown(answer.text, link_hosts=link_hosts)
    blocks = [words]
    if answer.reply.decision == "withdrawn":
        blocks = [f"{WITHDRAWN_TEXT} {words}"]
    if (evidence := answer.reply.evidence) is not None:
        blocks += [_place(evidence, place), fence(evidence.quote, lines=_QUOTE_LINES)]
    if answer.reply.decision == "withdrawn" and rerun:
        blocks.append(RERUN)
    return "\n\n".join((*blocks, f"Answered by {code_span(answer.model)}."))


def _place(evidence: Evidence, place: AnswerPlace) -> str:
    """Return path and line of the code that decides, with a link to it at the head."""
    last = evidence.line + evidence.quote.count("\n")
    links = place.subject.links
    lines = (evidence.line, last)
    address = None if evidence.base else links.blob(links.head, evidence.path, lines)
    old = " of the old version" if evidence.base else ""
    return f"{linked(f'{evidence.path}:{evidence.line}', address)}{old}:"


async def post_answer(
    api: Api,
    identity: BotIdentity,
    place: AnswerPlace,
    text: str,
    *,
    withdrawn_by: str | None,
    again: bool,
) -> None:
    """Post an answer, unless it was posted before; resolve the thread if the finding is withdrawn.

    ``withdrawn_by`` is the file with the line that withdraws it, if any. ``again`` says whether an
    earlier attempt may have posted the answer.

    Raises:
        GitHubError: GitHub rejects the answer.
    """
    key = place.answer_key(withdrawn_by)
    where = (place.pull, place.thread)
    await post_reply(api, identity, *where, key=key, text=text, again=again)
    if withdrawn_by is not None and place.node:
        # Few installations may resolve threads. The answer says that the finding is withdrawn.
        with suppress(ForbiddenError, InvalidError, NotFoundError):
            await api.threads.resolve(place.node)


async def post_reply(
    api: Api,
    identity: BotIdentity,
    pull: PullName,
    thread: int,
    *,
    key: str,
    text: str,
    again: bool = False,
) -> None:
    """Reply in a thread, unless the reply of this key was posted before.

    ``again`` says whether an earlier attempt may have posted it.

    Raises:
        GitHubError: GitHub rejects the reply.
    """

    async def find() -> bool | None:
        comments = await api.reviews.comments(pull.repo, pull.number)
        ours = (comment for comment in comments if identity.wrote(comment.author))
        found = (markers.shape(comment.body, pull.bound) for comment in ours)
        return any(marker and marker.key == key for marker in found) or None

    if again and await find():
        return
    marker = markers.write(Marker("reply", key=key), pull.bound, identity.secrets)
    body = with_marker(unmarked(text), marker)

    async def post() -> bool:
        await api.reviews.reply(pull.repo, pull.number, thread, body)
        return True

    await create_once(post, find)
