"""What people and bots write on a pull request: comments, threads, reviews, reactions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.fake_github import diffs

if TYPE_CHECKING:
    from tests.fake_github.people import App, User
    from tests.fake_github.pulls import Issue, PullRequest

REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")


@dataclass(eq=False, slots=True)
class Reaction:
    """An emoji under a comment."""

    id: int
    node_id: str
    user: User
    content: str
    created: float


@dataclass(eq=False)
class Comment:
    """What all comments have. ``app`` is the App whose token wrote it."""

    id: int
    node_id: str
    user: User
    body: str
    created: float
    updated: float
    app: App | None = None
    minimized: str | None = None
    reactions: list[Reaction] = field(default_factory=list)
    deleted: bool = False


@dataclass(eq=False, kw_only=True)
class IssueComment(Comment):
    """A comment in the conversation of an issue or a pull request."""

    issue: Issue


@dataclass(eq=False, kw_only=True)
class ReviewComment(Comment):
    """A comment in a thread on the diff, as part of a review."""

    thread: Thread
    review: Review
    in_reply_to: ReviewComment | None = None

    @property
    def pending(self) -> bool:
        return self.review.state == "PENDING"


@dataclass(eq=False, kw_only=True)
class Review:
    """A review: pending until it is submitted, and seen by its author alone until then."""

    id: int
    node_id: str
    pull: PullRequest
    user: User
    body: str
    commit: str
    state: str = "PENDING"
    submitted: float | None = None
    app: App | None = None
    comments: list[ReviewComment] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place in the diff of ``commit`` against ``base``. Without a line it is the whole file."""

    path: str
    commit: str
    base: str
    hunk: str
    side: str | None = None
    line: int | None = None
    position: int | None = None
    start_side: str | None = None
    start_line: int | None = None

    @property
    def subject(self) -> str:
        return "file" if self.line is None else "line"


@dataclass(eq=False, kw_only=True)
class Thread:
    """Comments on one place. ``now`` is that place in the newest diff, None once it is outdated."""

    id: int
    node_id: str
    pull: PullRequest
    anchor: Anchor
    now: Anchor | None = None
    comments: list[ReviewComment] = field(default_factory=list)
    resolved_by: User | None = None

    def __post_init__(self) -> None:
        self.now = self.anchor

    @property
    def visible(self) -> bool:
        return any(not comment.pending for comment in self.comments)

    def follow(self) -> None:
        """Finds the place in the diff of the newest head, always from where it first was."""
        pull, was = self.pull, self.anchor
        changed = {file.path: file for file in pull.diff()}.get(was.path)
        self.now = None
        if changed is None:
            return
        if was.line is None:
            self.now = Anchor(was.path, pull.head_sha, pull.merge_base, "")
            return
        line = self._moved(was.side, was.line)
        start = None if was.start_line is None else self._moved(was.start_side, was.start_line)
        found = None if line is None else changed.find(was.side or "RIGHT", line)
        if found is None or (was.start_line is not None and start is None):
            return
        self.now = Anchor(
            was.path,
            pull.head_sha,
            pull.merge_base,
            was.hunk,
            was.side,
            line,
            found.position,
            was.start_side,
            start,
        )

    def _moved(self, side: str | None, line: int) -> int | None:
        old, new = self.anchor.commit, self.pull.head_sha
        if side == "LEFT":
            old, new = self.anchor.base, self.pull.merge_base
        return diffs.LineMap(self.pull.repo.store, old, new, self.anchor.path).find(line)
