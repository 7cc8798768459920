"""A pull request that is reviewed after each push as a publication does it, without requests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.events.events import FileCoverage
from reviewbot.core.events.report import Report
from reviewbot.core.findings.levels import RuleLevels
from reviewbot.github.api.comments import Comment
from reviewbot.github.api.records import Author
from reviewbot.github.change.permalinks import Permalinks
from reviewbot.github.change.subject import Subject
from reviewbot.github.identity import PullName
from reviewbot.github.markers import Marker
from reviewbot.github.publish.review_comments import plan_comments
from reviewbot.github.state.block import StateBlock, pack, unpack
from reviewbot.github.state.prior import Prior
from reviewbot.github.state.reconcile import reconcile
from reviewbot.github.state.rounds import apply_round, round_of
from reviewbot.github.state.scope import reviewed_hunks, reviewed_now
from tests.support.github_pushes import code_of, files_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reviewbot.config.settings import Rounds
    from reviewbot.core.events.events import CoverageStatus
    from reviewbot.core.findings.finding import Finding
    from reviewbot.github.publish.review_comments import CommentPlan
    from reviewbot.github.state.block import Record
    from reviewbot.github.state.matching import Reread
    from reviewbot.github.state.reconcile import Reconciled
    from tests.support.github_pushes import Tree

LINKS: Final = Permalinks("https://github.com/o/r", "a" * 40, "b" * 40)
SUBJECT: Final = Subject(
    PullName("o/r", 1, 1), "0" * 40, "b" * 40, None, "https://github.com/o/r", "settings"
)


@dataclass
class ReviewedPull:
    """A pull request with the state of its reviews.

    Attributes:
        base: the files that it begins at.
        mode: the setting ``rounds``.
        prior: the state after the last review.
        reviews: number of reviews.
        max_notes: the setting ``max_notes``.
    """

    base: Tree
    mode: Rounds = "normal"
    prior: Prior = field(default_factory=Prior)
    reviews: int = 0
    max_notes: int = 10

    @property
    def records(self) -> dict[str, Record]:
        """The records of the state by id."""
        return (
            {record.id: record for record in self.prior.block.records} if self.prior.block else {}
        )

    @property
    def rounds(self) -> int:
        """Number of complete rounds by the state."""
        return self.prior.block.rounds if self.prior.block else 0

    def review(
        self,
        head: Tree,
        found: Callable[[Reread], Iterable[Finding]],
        *,
        status: CoverageStatus = "reviewed",
        key: str = "",
        full: bool = False,
        commit: str = "",
        **changes: object,
    ) -> tuple[Reconciled, CommentPlan]:
        """Review a push; return the result, and the plan of its comments.

        Args:
            head: the files of the push.
            found: returns the findings of a review that reads these lines.
            status: the coverage of each file.
            key: identifies the review.
            full: whether all is reviewed.
            commit: the commit of the push; empty for another one each time.
            changes: fields of the subject.
        """
        self.reviews += 1
        key = key or f"review-{self.reviews}"
        subject = replace(SUBJECT, head=commit or f"{self.reviews:040x}", **changes)  # type: ignore[arg-type]
        files = files_of(self.base, head)
        reread = reviewed_now(files, self.prior.block, full=full)
        findings = tuple(found(reread))
        coverage = tuple(FileCoverage(file.path, status) for file in files)
        outcome = "incomplete" if status == "failed" else "findings" if findings else "clean"
        report = Report(outcome, findings=findings, coverage=coverage)  # type: ignore[arg-type]
        records, code = self.records, code_of(files, head, head)
        done = reconcile(
            report, records, {}, code, reread, levels=RuleLevels(), is_first=self.prior.is_first
        )
        now = round_of(done.report, self.prior, subject, files, key=key)
        done = apply_round(done, now, records, files, code, mode=self.mode)
        plan = plan_comments(
            done.unposted,
            files,
            marker=lambda _: "",
            links=LINKS,
            most=10,
            max_notes=self.max_notes,
            listed=done.listed,
            contradicted={id_: record.title for id_, record in done.contradicted.items()},
            taken={
                (record.path, record.side, record.line): record.severity
                for record in sorted(done.records, key=lambda record: record.severity, reverse=True)
                if record.comment is not None and record.state == "open"
            },
        )
        posted = {inline.finding.id for inline in plan.inline}
        surplus = {unposted.finding.id for unposted in plan.rest if unposted.is_surplus}
        kept = tuple(
            replace(
                record,
                comment=record.comment or (self.reviews if record.id in posted else None),
                left_out=record.left_out or record.id in surplus,
            )
            for record in done.records
        )
        done = replace(done, records=kept)
        block = StateBlock("settings", records=kept, rounds=done.rounds, pause=self.prior.pause)
        state = pack(block, reviewed_hunks(files, done.report))
        marker = Marker("summary", subject.head, subject.base, key=key, state=state)
        comment = Comment(1, Author("bot", 1, is_bot=True), "", "")
        self.prior = Prior((comment, marker), unpack(state or ""), signed=True)
        return done, plan
