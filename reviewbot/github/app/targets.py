"""Where a review of the App is published, as it is stored with the review. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from reviewbot.core.decode import decoder
from reviewbot.core.report import Threshold  # noqa: TC001 - the decoder resolves it at run time
from reviewbot.github.check_run import IfIncomplete  # noqa: TC001 - likewise
from reviewbot.github.memory import PullName
from reviewbot.github.subject import PublishOptions, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Target:
    """A pull request at a commit, and what is posted on it. Fields as in :class:`Subject`."""

    repo: str
    number: int
    head: str
    base: str
    merge_base: str | None
    page: str
    fail_on: Threshold
    if_incomplete: IfIncomplete
    link_hosts: tuple[str, ...]

    @property
    def subject(self) -> Subject:
        """What is reviewed."""
        return Subject(
            pull=PullName(self.repo, self.number),
            head=self.head,
            base=self.base,
            merge_base=self.merge_base,
            page=self.page,
        )

    def options(self, *, details_url: str | None) -> PublishOptions:
        """What is posted."""
        return PublishOptions(
            fail_on=self.fail_on,
            if_incomplete=self.if_incomplete,
            buttons=True,
            link_hosts=self.link_hosts,
            details_url=details_url,
        )


def to_json(target: Target) -> dict[str, Any]:
    """``target`` as an object for JSON."""
    return asdict(target)


def from_json(data: Mapping[str, Any]) -> Target:
    """The target that :func:`to_json` wrote.

    Raises:
        ValueError: it is none.
    """
    return cast("Target", decoder(Target)(data, "target"))
