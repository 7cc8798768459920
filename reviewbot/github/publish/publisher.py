"""Post the inline comments and the summary of a finished review.

The current state on GitHub decides what to post. So a retry after a crash or a lost response posts
only what is missing.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from reviewbot.core.events.report import counts_for_fail_on
from reviewbot.github import markers
from reviewbot.github.client.errors import (
    ForbiddenError,
    GitHubError,
    InvalidError,
    NotFoundError,
)
from reviewbot.github.markers import Marker, Noted
from reviewbot.github.publish import summary as summary_comment
from reviewbot.github.publish.choose_comments import choose_comments, without_comments
from reviewbot.github.publish.listed_findings import review_text
from reviewbot.github.publish.next_state import state_after, walkthrough_of
from reviewbot.github.publish.post import ReviewPoster, put_summary
from reviewbot.github.publish.reconciling import reconcile_with_prior
from reviewbot.github.publish.resolve import CommentResolver
from reviewbot.github.publish.review_comments import CommentPlan
from reviewbot.github.publish.thread_notes import thread_notes
from reviewbot.github.state.block import pack
from reviewbot.github.state.proposals import read_proposals
from reviewbot.github.state.read_prior import read_prior
from reviewbot.github.state.reconcile import SECRETS
from reviewbot.github.state.scope import reviewed_hunks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.events.events import Outcome
    from reviewbot.core.events.report import Report
    from reviewbot.core.findings.finding import Evidence, Finding
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.change.subject import PublishOptions, Subject
    from reviewbot.github.identity import BotIdentity
    from reviewbot.github.publish.review_comments import FindingWithoutComment
    from reviewbot.github.state.block import Record
    from reviewbot.github.state.prior import Prior
    from reviewbot.github.state.proposals import Proposal
    from reviewbot.github.state.reconcile import Reconciled

log = logging.getLogger(__name__)

T = TypeVar("T")

_UNPOSTED: Final = "GitHub rejected the review that contained this comment."
_NO_ROOM: Final = "The state is too large for the summary. The next review reads everything."
_DRAFT: Final = (
    "The findings got no inline comments: the account of the token has a pending review, and GitHub"
    " permits only one. Submit or discard it, then run the review again."
)


class CommentPublisher:
    """Publisher of one review.

    ``key`` identifies the review in our markers. It has letters, digits and hyphens. The
    attributes are explained in ``publication.Published``.
    """

    def __init__(
        self,
        api: Api,
        identity: BotIdentity,
        subject: Subject,
        options: PublishOptions,
        *,
        key: str,
    ) -> None:
        self._api, self._identity, self._subject, self._options = api, identity, subject, options
        self._key = key
        self.problems: list[str] = []
        self.denied = self.wrote = False
        self.review_url: str | None = None
        self.summary_url: str | None = None
        self.comments: Mapping[str, str] = {}
        self.listed: frozenset[str] = frozenset()
        self.by_rules = False
        self._tried = False
        self._hidden: set[str] = set()

    async def post(self, report: Report, files: Sequence[FileDiff]) -> Report:
        """Post the review. A second call posts only what is missing.

        ``files`` is the whole diff of the pull request, as GitHub has it at its head.

        Returns:
            The review with the findings of earlier ones that are open.

        Raises:
            OvertakenError: another run has written the summary in the meantime: post again, if the
                head is still the reviewed one.
            GitHubError: the request failed for a temporary reason.
        """
        self.problems.clear()
        subject = self._subject
        prior = await read_prior(self._api, subject.pull, self._identity)
        done = await reconcile_with_prior(
            report,
            prior,
            files,
            api=self._api,
            subject=subject,
            options=self._options,
            identity=self._identity,
            key=self._key,
        )
        comments = CommentResolver(self._api, self._identity, subject, prior)
        choose = partial(choose_comments, done, prior, files, subject, self._options)
        plan = await asyncio.to_thread(choose, marker=self._marker_of)
        rest = await self._review(done.report, plan, prior)
        now = await read_prior(self._api, subject.pull, self._identity) if self._tried else prior
        self.comments = {id_: one.comment.url for id_, one in now.posted.items()}
        await self._delete_duplicates(now)
        self._point_to_review(now)
        surplus = {one.finding.id for one in rest if one.is_surplus}
        records = [
            replace(
                await self._threaded(record, now, comments, done.fixed.get(record.id)),
                left_out=record.left_out or record.id in surplus,
            )
            for record in done.records
        ]
        done = replace(done, records=tuple(records))
        self.listed = frozenset(done.listed)
        if report.is_list_only and self._options.summary:
            self.listed |= {
                unposted.finding.id
                for unposted in rest
                if not unposted.finding.rule.startswith(SECRETS)
            }
        self.by_rules = bool(prior.block and prior.block.by_rules and not subject.full)
        if self._options.summary:
            proposed = (
                await read_proposals(self._api, subject.pull, self._identity, subject.levels)
                if done.is_first
                else ()
            )
            render = partial(self._summary, done, prior, now, rest, files, proposed=proposed)
            text = await asyncio.to_thread(render)
            put = put_summary(self._api, subject.pull, self._identity, prior, text)
            comment = await self._permitted(put, "The summary could not be posted")
            self.summary_url = comment.url if comment else None
            self.wrote |= comment is not None
        return done.report

    async def _threaded(
        self, record: Record, now: Prior, comments: CommentResolver, fix: Evidence | None
    ) -> Record:
        """Update the thread of a finding; return the record with its comment.

        ``fix`` is the code that fixes the finding, if it is known.
        """
        posted, hidden = now.posted.get(record.id), record.hidden
        if posted is None:
            return record
        if record.state == "resolved":
            what = "The thread of a resolved finding could not be resolved"
            if await self._marked(comments.resolve(posted, fix), what):
                self._hidden.add(record.id)
            hidden |= record.id in self._hidden
        elif record.state == "open":
            what = "The thread of an open finding could not be reopened"
            done = await self._marked(comments.reopen(posted, hidden=hidden), what)
            hidden &= not done
        return replace(record, comment=posted.comment.id, hidden=hidden)

    def _summary(
        self,
        done: Reconciled,
        prior: Prior,
        now: Prior,
        rest: Sequence[FindingWithoutComment],
        files: Sequence[FileDiff],
        *,
        proposed: Sequence[Proposal],
    ) -> str:
        """Return the text of the summary comment, with the state for the next review."""
        # A later review finds them again, and posts their comments.
        again = {one.finding.path for one in rest if one.reason == _UNPOSTED}
        walkthrough = walkthrough_of(done.report, prior, files)
        overview = prior.block.overview if prior.block and not self._subject.full else ""
        state = state_after(
            done,
            prior,
            self._subject.settings,
            walkthrough,
            overview=overview,
            by_rules=self.by_rules,
        )
        hunks = None if done.report.is_list_only else reviewed_hunks(files, done.report, again)
        packed = pack(state, hunks)
        if packed is None:
            self.problems.append(_NO_ROOM)
        marker = replace(self._marker("summary", outcome=done.report.outcome), state=packed)
        return summary_comment.render(
            done,
            marker=self._written(marker),
            rest=[one for one in rest if one.finding.id not in now.posted],
            urls=self.comments,
            overview=overview,
            walkthrough=walkthrough,
            links=self._subject.links,
            link_hosts=self._options.link_hosts,
            files={file.path: file for file in files},
            fail_on=self._options.fail_on,
            by_rules=self.by_rules,
            set_aside=prior.set_aside,
            proposed=proposed,
            threads=thread_notes(done.records, now.posted),
        )

    async def _review(
        self, report: Report, plan: CommentPlan, prior: Prior
    ) -> Sequence[FindingWithoutComment]:
        """Post findings without a comment; return the findings left for the summary."""
        pull, pending = self._subject.pull, prior.pending
        if not self._must_post(plan, is_list_only=report.is_list_only):
            for draft in (one for one in pending if markers.shape(one.body, pull.bound)):
                stale = self._api.reviews.delete_pending(pull.repo, pull.number, draft.id)
                await self._marked(stale, "A pending review could not be deleted")
            return plan.rest
        if prior.drafts:
            self.problems.append(_DRAFT)
            return without_comments(plan, _UNPOSTED)
        poster = ReviewPoster(
            self._api,
            pull,
            self._identity,
            commit_id=self._subject.head,
            marker=self._marker("review"),
        )
        self._tried = True
        # With a summary, the text of the review only counts what has no comment.
        below = () if self._options.summary else plan.rest
        text = partial(
            review_text,
            report,
            below=below,
            elsewhere=() if below else plan.rest,
            link_hosts=self._options.link_hosts,
        )
        posted = await self._permitted(
            poster.post(plan, text, pending), "The review could not be posted"
        )
        if posted is None:
            return without_comments(plan, _UNPOSTED)
        if posted.review is not None:
            self.wrote = True
            self.review_url = self.review_url or posted.review.url
        left = {one.finding.id for one in posted.left}
        if not self._options.summary and plan.inline and left:  # GitHub refused their comments
            return await self._review(
                report, CommentPlan((), posted.left), replace(prior, pending=[])
            )
        return (*posted.left, *(one for one in plan.rest if one.finding.id not in left))

    def _must_post(self, plan: CommentPlan, *, is_list_only: bool) -> bool:
        """Return whether there is something to post. Held-back findings alone are not enough."""
        below = () if self._options.summary or is_list_only else plan.rest
        said = plan.inline or any(counts_for_fail_on(one.finding) for one in below)
        return self._options.review and bool(said)

    def _marker_of(self, finding: Finding) -> str:
        noted = (Noted(finding.id, finding.severity),)
        rule = markers.rule_field(finding.rule)
        return self._written(replace(self._marker("finding", findings=noted), rule=rule))

    def _marker(
        self,
        kind: markers.Kind,
        *,
        findings: tuple[Noted, ...] = (),
        outcome: Outcome | None = None,
    ) -> Marker:
        subject = self._subject
        return Marker(kind, subject.head, subject.base, outcome, findings, self._key)

    def _written(self, marker: Marker) -> str:
        return markers.write(marker, self._subject.pull.bound, self._identity.secrets)

    async def _delete_duplicates(self, prior: Prior) -> None:
        """Delete duplicates of concurrent runs; the older comment stays."""
        api, pull = self._api, self._subject.pull
        what = "A duplicate comment could not be deleted"
        for comment in prior.duplicates:
            await self._marked(api.reviews.delete_comment(pull.repo, comment.id), what)
        for summary in prior.summaries:
            await self._marked(api.comments.delete(pull.repo, summary.id), what)

    def _point_to_review(self, prior: Prior) -> None:
        """Set ``review_url`` to a review of the head by any run. Prefer a review with comments."""
        at_head = [one for one in prior.reviews if one.commit == self._subject.head]
        filled = {one.comment.review for one in prior.posted.values()}
        at_head = [one for one in at_head if one.id in filled] or at_head
        if at_head and self.review_url not in {one.url for one in at_head}:
            self.review_url = at_head[-1].url

    async def _marked(self, work: Awaitable[T], what: str) -> T | None:
        """Run an optional write. Without a retry, the next review repeats it."""
        try:
            return await self._permitted(work, what)
        except GitHubError as error:
            if self._options.by_app:
                raise
            self._note(what, error)
            return None

    async def _permitted(self, work: Awaitable[T], what: str) -> T | None:
        """Return the result of a write; record a refusal of GitHub as a problem and return None."""
        try:
            return await work
        except (ForbiddenError, NotFoundError, InvalidError) as error:
            self._note(what, error)
            self.denied |= isinstance(error, ForbiddenError)
            return None

    def _note(self, what: str, error: GitHubError) -> None:
        log.warning("%s: %s", what, error)
        self.problems.append(f"{what}: {error.for_author}.")
