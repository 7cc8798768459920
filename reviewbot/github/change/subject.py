"""Values for the pull request under review and for the options of its publication."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.config.settings import IfIncomplete, Rounds  # noqa: TC001 - decoders look it up
from reviewbot.core.events.report import Threshold  # noqa: TC001 - decoders look it up
from reviewbot.core.findings.levels import AS_SHIPPED, RuleLevels
from reviewbot.core.render import TOOL_NAME
from reviewbot.github.change.permalinks import Permalinks
from reviewbot.github.identity import PullName  # noqa: TC001 - decoders look it up

if TYPE_CHECKING:
    from reviewbot.config.settings import Settings

LINK_HOSTS: Final = ("github.com",)
"""Hosts that links of a model may lead to, unless the configuration names others."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Snapshot of a pull request under review.

    Attributes:
        pull: the pull request.
        head: the commit at its head.
        base: the commit where its diff begins, or GitHub's base commit.
        merge_base: the commit where the head left the base, if known.
        page: the repository's page, ``https://HOST/OWNER/REPO``.
        settings: a hash of the settings that affect findings.
        unshown: files without visible lines on GitHub; they accept no inline comments.
        full: whether to review the whole diff again.
        block: key of the review whose state this review continues.
        levels: the configured levels of rules.
        rules_commit: the commit of the team's rules; None if no guideline files were read.
        only: a gitignore pattern of the files to review; empty for no such limit.
        requested: whether a command asked to review everything or some files again.
    """

    pull: PullName
    head: str
    base: str
    merge_base: str | None
    page: str
    settings: str
    unshown: tuple[str, ...] = ()
    full: bool = True
    block: str | None = None
    levels: RuleLevels = AS_SHIPPED
    rules_commit: str | None = None
    only: str = ""
    requested: bool = False

    @property
    def links(self) -> Permalinks:
        """Addresses of its code."""
        return Permalinks(self.page, self.head, self.merge_base, self.rules_commit)


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """Options of a publication.

    Attributes:
        fail_on: lowest severity that fails the check.
        if_incomplete: conclusion of the check of an incomplete review.
        check: the name of the check run; None to create no check run.
        review: whether to post findings as inline comments.
        summary: whether to post a summary comment.
        by_app: whether an App publishes. It receives clicks on buttons of the check run, and
            retries failed requests later. Otherwise the next review updates the comments of prior
            findings.
        max_inline: maximum number of inline comments of a review.
        max_notes: maximum number of notes among them.
        rounds: when later rounds list findings instead of posting them.
        replies: whether replies to findings get an answer.
        link_hosts: hosts that links of a model may point to.
        details_url: page with the progress of the review.
    """

    fail_on: Threshold = "error"
    if_incomplete: IfIncomplete = "failure"
    check: str | None = TOOL_NAME
    review: bool = True
    summary: bool = True
    by_app: bool = False
    max_inline: int = 10
    max_notes: int = 0
    rounds: Rounds = "normal"
    replies: bool = True
    link_hosts: tuple[str, ...] = LINK_HOSTS
    details_url: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> PublishOptions:
        """Return the options that the settings of a review hold."""
        return cls(
            fail_on=settings.fail_on,
            if_incomplete=settings.if_incomplete,
            max_inline=settings.max_inline,
            max_notes=settings.max_notes,
            rounds=settings.rounds,
            replies=settings.replies,
            link_hosts=settings.link_hosts,
        )
