"""What is reviewed on GitHub, and what shall be posted of it, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reviewbot.core.render import TOOL_NAME
from reviewbot.github.change.permalinks import Permalinks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reviewbot.config.settings import IfIncomplete
    from reviewbot.core.events.report import Threshold
    from reviewbot.github.identity import PullName

LINK_HOSTS: Final = ("github.com",)
"""Hosts that links of a model may lead to, unless the configuration names others."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is reviewed.

    Attributes:
        pull: the pull request.
        head: the commit at its head.
        base: the commit that its diff begins at, or the one that GitHub calls its base.
        merge_base: where the head left the base, if that is known.
        page: the repository's page, ``https://HOST/OWNER/REPO``.
        settings: a hash of the settings that decide what is found.
        unshown: its files that GitHub shows no lines of, so that no comment can stand there.
        full: whether all of it is reviewed, whatever was reviewed before.
        block: the key of the review whose state tells what was reviewed before, unless ``full``.
        rules: ``off`` or a severity, by rule or category.
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
    rules: Mapping[str, str] = field(default_factory=dict)

    @property
    def links(self) -> Permalinks:
        """Makes addresses of its code."""
        return Permalinks(self.page, self.head, self.merge_base)


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """What is posted, and what the check run makes of it.

    Attributes:
        fail_on: findings as bad as this, or worse, fail the check.
        if_incomplete: how the check of an incomplete review ends.
        check: the name of the check run; None for none.
        review: whether findings are posted on their lines.
        summary: whether there is a summary comment.
        buttons: whether the check run has some; for an App that hears of them.
        max_inline: how many comments on lines a review may have.
        link_hosts: the hosts that links of a model may lead to.
        tried_again: whether what GitHub does not do now is tried again; else the next review does
            what is only to be marked.
        details_url: where the review can be followed.
    """

    fail_on: Threshold = "error"
    if_incomplete: IfIncomplete = "failure"
    check: str | None = TOOL_NAME
    review: bool = True
    summary: bool = True
    buttons: bool = False
    max_inline: int = 10
    link_hosts: tuple[str, ...] = LINK_HOSTS
    tried_again: bool = False
    details_url: str | None = None
