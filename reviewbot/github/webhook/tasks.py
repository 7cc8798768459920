"""Tasks of deliveries from GitHub: a small closed union. Pure.

The parser (:mod:`reviewbot.github.webhook.parse`) limits and checks all texts. The body of a
comment is limited, but not checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

ReviewAction = Literal["opened", "synchronize", "reopened", "ready_for_review", "edited"]
CancelAction = Literal["closed", "converted_to_draft"]
InstallationAction = Literal["created", "deleted", "suspend", "unsuspend"]


@dataclass(frozen=True, slots=True)
class RepositoryRef:
    """Repository of a task.

    ``installation`` is None only for the Action. ``full_name`` is ``OWNER/REPO``.
    """

    installation: int | None
    id: int
    full_name: str


@dataclass(frozen=True, slots=True)
class ReviewRequested:
    """A review of a pull request is requested.

    ``updated_at`` is the last change of the pull request before the event, in whole seconds, if
    GitHub stated it.
    """

    delivery: str
    repository: RepositoryRef
    action: ReviewAction
    number: int
    head_sha: str
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PullRequestInactive:
    """A pull request was closed, perhaps with a merge, or became a draft: its reviews stop."""

    delivery: str
    repository: RepositoryRef
    action: CancelAction
    number: int
    updated_at: datetime | None = None
    merged: bool = False


@dataclass(frozen=True, slots=True)
class ReplyContext:
    """The open pull request of a reply in a thread: the commits of its head and base.

    ``base_ref`` is the branch of the base, as ``refs/heads/NAME``. ``is_fork`` is True if the head
    is in another repository.
    """

    head: str
    base: str
    base_ref: str
    is_fork: bool = False


@dataclass(frozen=True, slots=True)
class Commented:
    """A person, whose login is ``sender``, commented on a pull request.

    ``author`` is the login of the author of the pull request; empty if unknown. ``thread`` is the
    first comment of the thread on a line, which takes the replies; None if the comment is below the
    pull request as a whole. ``reply`` is set for a comment that replies in a thread of an
    open pull request.
    """

    delivery: str
    repository: RepositoryRef
    sender: str
    number: int
    comment: int
    thread: int | None
    body: str
    author: str = ""
    reply: ReplyContext | None = None

    @property
    def is_by_author(self) -> bool:
        """True if the author of the pull request wrote the comment."""
        return self.sender.lower() == self.author.lower()


@dataclass(frozen=True, slots=True)
class RerunWanted:
    """Someone requested a rerun of our check run, or of all our check runs on a commit.

    ``external_id`` is None for a whole suite. ``button`` identifies our button that was clicked;
    None for GitHub's own "Re-run". ``numbers`` are the pull requests that GitHub names. GitHub
    names no pull requests from forks.
    """

    delivery: str
    repository: RepositoryRef
    head_sha: str
    external_id: str | None
    button: str | None
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MergeGroupRequested:
    """A merge queue requests the checks of a merge group.

    ``head_sha`` is the commit that the queue made for the group. ``branch`` is the branch that the
    group would be merged into.
    """

    delivery: str
    repository: RepositoryRef
    head_sha: str
    branch: str


@dataclass(frozen=True, slots=True)
class MergeGroupDestroyed:
    """A merge group was merged or taken out of its queue: nobody waits for its checks."""

    delivery: str
    repository: RepositoryRef
    head_sha: str


@dataclass(frozen=True, slots=True)
class InstallationChanged:
    """The App came to an account, left it, or is suspended there."""

    delivery: str
    action: InstallationAction
    installation: int


@dataclass(frozen=True, slots=True)
class RepositoriesChanged:
    """Repositories may now be visible to others than before, or to us no more.

    They left the installation, or were deleted, transferred, or made public or private.
    ``repositories`` are their ids.
    """

    delivery: str
    installation: int
    repositories: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ping:
    """A ping of GitHub, which needs no action."""

    delivery: str


@dataclass(frozen=True, slots=True)
class IgnoredDelivery:
    """A delivery that needs no action."""

    delivery: str
    reason: str


Task = (
    ReviewRequested
    | PullRequestInactive
    | Commented
    | RerunWanted
    | MergeGroupRequested
    | MergeGroupDestroyed
    | InstallationChanged
    | RepositoriesChanged
    | Ping
    | IgnoredDelivery
)
