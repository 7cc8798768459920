"""Publication targets of the App's reviews and answers, stored with them. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from reviewbot.config.settings import IfIncomplete  # noqa: TC001 - the decoder uses it
from reviewbot.core.decode import decoder
from reviewbot.core.events.report import Threshold  # noqa: TC001 - the decoder resolves it at run time
from reviewbot.core.findings.levels import PathRules, RuleLevels
from reviewbot.github.change.subject import PublishOptions, Subject
from reviewbot.github.commands.answers import CommandComment
from reviewbot.github.identity import PullName

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class PublishTarget:
    """A pull request at a commit, and the content to post on it. Fields as in :class:`Subject`."""

    repo: str
    repository_id: int
    number: int
    head: str
    base: str
    merge_base: str | None
    page: str
    settings: str
    fail_on: Threshold
    if_incomplete: IfIncomplete
    link_hosts: tuple[str, ...]
    unshown: tuple[str, ...] = ()
    full: bool = True
    block: str | None = None
    rules: dict[str, str] = field(default_factory=dict)
    path_rules: tuple[PathRules, ...] = ()
    max_inline: int = 10
    rules_commit: str | None = None
    only: str = ""

    @property
    def subject(self) -> Subject:
        """Pull request snapshot under review."""
        return Subject(
            pull=PullName(self.repo, self.number, self.repository_id),
            head=self.head,
            base=self.base,
            merge_base=self.merge_base,
            page=self.page,
            settings=self.settings,
            unshown=self.unshown,
            full=self.full,
            block=self.block,
            levels=RuleLevels(self.rules, self.path_rules),
            rules_commit=self.rules_commit,
            only=self.only,
        )

    def options(self, *, details_url: str | None) -> PublishOptions:
        """Return the options of the publication."""
        return PublishOptions(
            fail_on=self.fail_on,
            if_incomplete=self.if_incomplete,
            by_app=True,
            max_inline=self.max_inline,
            link_hosts=self.link_hosts,
            details_url=details_url,
        )


@dataclass(frozen=True, slots=True)
class ReplyTarget:
    """A comment that is answered. Fields as in :class:`CommandComment`."""

    repo: str
    repository_id: int | None
    number: int
    comment: int
    thread: int | None
    link_hosts: tuple[str, ...]

    @property
    def question(self) -> CommandComment:
        """The comment."""
        pull = PullName(self.repo, self.number, self.repository_id)
        return CommandComment(pull, self.comment, self.thread)


_REPLY: Final = "reply"


def to_json(target: PublishTarget | ReplyTarget) -> dict[str, Any]:
    """Return ``target`` as an object for JSON."""
    kind = {"kind": _REPLY} if isinstance(target, ReplyTarget) else {}
    return kind | asdict(target)


def from_json(data: Mapping[str, Any]) -> PublishTarget | ReplyTarget:
    """Return the target that :func:`to_json` wrote.

    Raises:
        ValueError: the data is not a target.
    """
    kind = ReplyTarget if data.get("kind") == _REPLY else PublishTarget
    return cast("PublishTarget | ReplyTarget", decoder(kind)(data, "target"))
