"""What a review that has ended leaves on its pull request: comments on lines, the summary, fixes.

What is to be posted is decided from what is on GitHub at that moment: so a second try after a
crash, or after a write whose answer was lost, posts what is missing and nothing twice.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from reviewbot.core.report import gates
from reviewbot.core.wording import count
from reviewbot.github import markers, summary_comment
from reviewbot.github.decided import decide
from reviewbot.github.doubled import doubled
from reviewbot.github.errors import (
    ForbiddenError,
    GitHubError,
    InvalidError,
    NotFoundError,
)
from reviewbot.github.file_lines import FileLines
from reviewbot.github.fixed_comments import FixedComments
from reviewbot.github.markers import MAX_FINDINGS, Marker, Noted
from reviewbot.github.memory import read_memory
from reviewbot.github.new_comments import plan_new
from reviewbot.github.noted import all_noted
from reviewbot.github.posting import ReviewPoster, put_summary
from reviewbot.github.review_comments import (
    CommentPlan,
    Elsewhere,
    review_text,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from reviewbot.core.diff import FileDiff
    from reviewbot.core.events import Outcome
    from reviewbot.core.findings import Finding
    from reviewbot.core.report import Report
    from reviewbot.github.decided import Decided
    from reviewbot.github.doubled import Doubled
    from reviewbot.github.gateway import Api
    from reviewbot.github.memory import Memory
    from reviewbot.github.names import Us
    from reviewbot.github.settled import Settled
    from reviewbot.github.subject import PublishOptions, Subject

T = TypeVar("T")

MOST_REVIEWS: Final = 10
"""Of a push: whoever watches the pull request is told of each."""
_UNPOSTED: Final = "GitHub did not take the review that its comment was in."
_DRAFT: Final = (
    "The findings got no comments on their lines: the account of the token has a review that is not"
    " sent yet, and GitHub permits no second one. Send or discard it, and run this again."
)


class PullComments:
    """See the module.

    Args:
        api: GitHub.
        us: who we are.
        subject: what was reviewed.
        options: what is posted.
        key: names this review: letters and digits.

    Attributes:
        problems: what GitHub does not permit, in sentences.
        denied: whether that is for want of a permission.
        wrote: whether this has posted a review, or put the summary comment.
        review_url: the first review at this head, once there is one.
        summary_url: the summary comment, once this review is in it.
    """

    def __init__(
        self, api: Api, us: Us, subject: Subject, options: PublishOptions, *, key: str
    ) -> None:
        self._api, self._us, self._subject, self._options = api, us, subject, options
        self._key = key
        self.problems: list[str] = []
        self.denied = self.wrote = False
        self.review_url: str | None = None
        self.summary_url: str | None = None
        self._tried = False

    async def post(self, report: Report, files: Sequence[FileDiff]) -> Report:
        """Post all that ``report`` came to; the review with what stands from earlier ones.

        Again is as good as once.

        Args:
            report: the review, as far as it came.
            files: the whole diff of the pull request, as GitHub has it at its head.

        Raises:
            OvertakenError: another run has written the summary meanwhile: post again, if the head
                is what was reviewed.
            GitHubError: GitHub does not do it, for a reason that may pass.
        """
        self.problems.clear()
        subject = self._subject
        memory = await read_memory(self._api, subject.pull, self._us)
        lines = FileLines(self._api, subject.pull.repo, subject.head)
        decided = await decide(report, memory, files, lines, self._options.link_hosts)
        settled = decided.settled
        comments = FixedComments(self._api, self._us, subject, memory)
        for posted in settled.back:
            shown = comments.show_again(posted)
            await self._marked(shown, "A finding that is back could not be shown again")
        plan = await asyncio.to_thread(self._plan, decided, memory, files)
        rest = await self._review(settled.report, plan, memory, decided.noted)
        now = await read_memory(self._api, subject.pull, self._us) if self._tried else memory
        twice = await asyncio.to_thread(
            partial(doubled, now, self._us, subject.pull, before=memory, key=self._key)
        )
        await self._make_single(now, twice)
        self._point_to_review(now, twice)
        if self._options.summary:
            rest = [one for one in rest if one.finding.id not in {*now.posted, *now.told}]
            text = await asyncio.to_thread(self._summary, decided, memory, now, twice, rest)
            put = put_summary(self._api, subject.pull, self._us, memory, text)
            comment = await self._permitted(put, "The summary could not be posted")
            self.summary_url = comment.url if comment else None
            self.wrote |= comment is not None
        await self._mark(settled, comments, memory, twice)
        return settled.report

    def _plan(self, decided: Decided, memory: Memory, files: Sequence[FileDiff]) -> CommentPlan:
        """Where each new finding is told of."""
        settled = decided.settled
        back, fixed = ({one.id for one in those} for those in (settled.back, settled.fixed))
        return plan_new(
            settled.new,
            files,
            memory,
            held=decided.known.held,
            elsewhere=memory.marked - back | fixed | {*decided.moved},
            options=self._options,
            links=self._subject.links,
            unshown=self._subject.unshown,
            marker=self._marker_of,
        )

    def _summary(
        self,
        decided: Decided,
        memory: Memory,
        now: Memory,
        twice: Doubled,
        rest: Sequence[Elsewhere],
    ) -> str:
        """The text of the summary comment, after the reviews: ``rest`` is told of in it alone."""
        settled, known = decided.settled, decided.known
        urls = {id_: one.review.url for id_, one in now.told.items()}
        urls |= {id_: one.comment.url for id_, one in now.posted.items()}
        urls |= {id_: one.comment.url for id_, one in twice.older.items()}
        findings = all_noted(settled, now, decided.noted)
        known_by = now.told.keys() | memory.ignored.keys()
        fixed = [one for id_, one in sorted(known.fixed.items()) if id_ in known_by]
        # Of the others, the ids: what is told to ignore one of them now ignores none that comes.
        fixed += [
            Noted(id_, one.severity)
            for id_, one in sorted(known.fixed.items())
            if id_ not in known_by
        ]
        marker = self._marker("summary", findings=findings, outcome=settled.report.outcome)
        marker = replace(
            marker,
            fixed=tuple(fixed[: MAX_FINDINGS - len(findings)]),
            at=tuple(decided.at.items())[:MAX_FINDINGS],
        )
        return summary_comment.render(
            settled.report,
            marker=self._written(marker),
            rest=rest,
            ignored=known.ignored,
            urls=urls,
            changes=settled.changes,
            earlier=memory.signed_summary,
            links=self._subject.links,
            link_hosts=self._options.link_hosts,
        )

    async def _mark(
        self, settled: Settled, comments: FixedComments, memory: Memory, twice: Doubled
    ) -> None:
        """Mark comments whose code is gone; and what became worse, if no summary says it."""
        for posted in settled.lapsed:
            noted_as = comments.note_gone(posted)
            await self._marked(noted_as, "What was ignored is gone, which could not be noted")
        for posted in (one for one in settled.fixed if one.id not in twice.older):
            marked = comments.mark(posted)
            await self._marked(marked, "A finding that is fixed could not be marked")
        if self._options.summary:
            return
        for one in settled.report.findings:
            if one.id in memory.posted and memory.posted[one.id].severity != one.severity:
                raised = comments.raise_to(memory.posted[one.id], one.severity)
                await self._marked(raised, "That a finding is worse could not be noted")

    async def _review(
        self, report: Report, plan: CommentPlan, memory: Memory, noted: Callable[[Finding], Noted]
    ) -> Sequence[Elsewhere]:
        """Post what has no comment yet; what is left for the summary.

        What there is too much of is told in its text, and in further ones if that is too short.
        """
        pending = memory.pending
        if not self._must_post(plan):  # nor is there need to delete what others left
            pull = self._subject.pull
            for draft in (one for one in pending if markers.shape(one.body, pull.bound)):
                stale = self._api.reviews.delete_pending(pull.repo, pull.number, draft.id)
                await self._marked(stale, "A review that was never sent could not be deleted")
        if memory.drafts and self._must_post(plan):
            self.problems.append(_DRAFT)
            return _unposted(plan)
        for _ in range(MOST_REVIEWS):
            if not self._must_post(plan):
                break
            poster = ReviewPoster(
                self._api,
                self._subject.pull,
                self._us,
                commit_id=self._subject.head,
                marker=self._marker("review"),
                noted=noted,
            )
            self._tried = True
            below = self._below(plan)
            text = partial(
                review_text,
                report,
                below=below,
                elsewhere=sum(gates(one.finding) for one in plan.rest if one not in below),
                link_hosts=self._options.link_hosts,
            )
            posted = await self._permitted(
                poster.post(plan, text, pending), "The review could not be posted"
            )
            if posted is None:
                return _unposted(plan)
            if posted.review is not None:
                self.wrote = True
                self.review_url = self.review_url or posted.review.url
            pending = ()
            done = not plan.inline and len(posted.left) == len(plan.rest)
            plan = CommentPlan((), posted.left)
            if done:  # not even one has room
                break
        if not self._options.summary and self._must_post(plan):
            left = count(len(self._below(plan)), "finding")
            self.problems.append(f"{left} had no room in the texts of {MOST_REVIEWS} reviews.")
        return plan.rest

    def _below(self, plan: CommentPlan) -> tuple[Elsewhere, ...]:
        """What the text of the review tells of: what is too much; all, if there is no summary."""
        return tuple(one for one in plan.rest if not (self._options.summary and one.reason))

    def _must_post(self, plan: CommentPlan) -> bool:
        """Whether there is something to say; not for what is held back alone."""
        said = plan.inline or any(gates(one.finding) for one in self._below(plan))
        return self._options.review and bool(said)

    def _marker_of(self, finding: Finding) -> str:
        noted = (Noted(finding.id, finding.severity),)
        return self._written(self._marker("finding", findings=noted))

    def _marker(
        self,
        kind: markers.Kind,
        *,
        findings: tuple[Noted, ...] = (),
        outcome: Outcome | None = None,
    ) -> Marker:
        subject = self._subject
        settings = subject.settings if kind == "summary" else None
        return Marker(kind, subject.head, subject.base, outcome, findings, self._key, settings)

    def _written(self, marker: Marker) -> str:
        return markers.write(marker, self._subject.pull.bound, self._us.secrets)

    async def _make_single(self, memory: Memory, twice: Doubled) -> None:
        """Take out what two runs at once have posted twice."""
        api, pull = self._api, self._subject.pull
        what = "What two reviews say could not be taken out of one"
        waiting: set[int | None] = set()
        for review, text in twice.texts:  # first, for a comment that is deleted leads to no review
            update = api.reviews.update(pull.repo, pull.number, review.id, text)
            if not await self._marked(update, what):
                waiting.add(review.id)
        for double in twice.comments:
            if double.review not in waiting:
                await self._marked(api.reviews.delete_comment(pull.repo, double.id), what)
        for copy, text in twice.renamed:
            named = api.reviews.update_comment(pull.repo, copy.id, text)
            await self._marked(named, "A comment could not be told from one on a line like its own")
        for summary in memory.summaries:
            await self._marked(api.comments.delete(pull.repo, summary.id), what)

    def _point_to_review(self, memory: Memory, twice: Doubled) -> None:
        """Name the review of the head, whoever posted it; not one whose words another one has."""
        filled = {one.comment.review for one in memory.posted.values()}
        filled |= {one.review.id for one in memory.told.values()}
        filled -= {review.id for review, _ in twice.texts}
        at_head = [
            one.review
            for one in memory.reviews
            if one.review.commit == self._subject.head and one.review.id in filled
        ]
        if at_head and self.review_url not in {one.url for one in at_head}:
            self.review_url = at_head[-1].url

    async def _marked(self, work: Awaitable[object], what: str) -> bool:
        """Do what only marks; whether it is done. If nobody tries again, the next review does."""
        problems = len(self.problems)
        try:
            await self._permitted(work, what)
        except GitHubError as error:
            if self._options.tried_again:
                raise
            self.problems.append(f"{what}: {error}.")
        return len(self.problems) == problems

    async def _permitted(self, work: Awaitable[T], what: str) -> T | None:
        """The result of a write, or None if GitHub does not permit it: that is told, not raised."""
        try:
            return await work
        except (ForbiddenError, NotFoundError, InvalidError) as error:
            self.problems.append(f"{what}: {error}.")
            self.denied |= isinstance(error, ForbiddenError)
            return None


def _unposted(plan: CommentPlan) -> tuple[Elsewhere, ...]:
    lost = [Elsewhere(one.finding, _UNPOSTED, one.link) for one in plan.inline]
    return (*lost, *plan.rest)
