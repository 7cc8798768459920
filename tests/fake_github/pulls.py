"""Issues and pull requests, and what people do to them: push, rebase, close, comment, resolve."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fake_github import reviewing
from tests.fake_github.git import Blob

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.fake_github.comments import IssueComment, Review, ReviewComment, Thread
    from tests.fake_github.diffs import FileDiff
    from tests.fake_github.git import Files
    from tests.fake_github.people import User
    from tests.fake_github.repository import Repository
    from tests.fake_github.wire import JSON


class Issue:
    """An issue. Persons are named by login; ``octocat`` acts where nobody is named."""

    def __init__(
        self,
        repo: Repository,
        identity: tuple[int, str],
        *,
        number: int,
        title: str,
        body: str | None,
        user: User,
    ) -> None:
        (self.id, self.node_id), self.repo, self.number = identity, repo, number
        self.title, self.body, self.user = title, body, user
        self.state, self.locked = "open", False
        self.created = self.updated = repo.world.clock.now()
        self.closed: float | None = None
        self.comments: list[IssueComment] = []

    def comment(self, body: str, *, by: str = "octocat") -> IssueComment:
        """Somebody writes a comment."""
        return reviewing.comment_on_issue(self, self.repo.world.user(by), body)


class PullRequest(Issue):
    """A pull request. Its diff is what the head has changed since it left the base.

    ``base_sha`` is the base as the API names it, which no push to either branch moves; ``base_tip``
    is that of the diff. ``closes`` are the issues that it closes, in any repository.
    """

    head_repo: Repository | None
    head_ref: str
    head_sha: str
    base_ref: str
    base_sha: str
    base_tip: str
    draft: bool

    def start(self, source: Repository, branch: str, sha: str, base: str, *, draft: bool) -> None:
        self.head_repo, self.head_ref, self.head_sha = source, branch, sha
        self.base_ref, self.draft = base, draft
        self.base_sha = self.base_tip = self.repo.branches[base]
        self.merged: float | None = None
        self.merged_by: User | None = None
        self.reviews: list[Review] = []
        self.threads: list[Thread] = []
        self.closes: list[Issue] = []

    # --- The change

    @property
    def from_fork(self) -> bool:
        return self.head_repo is not self.repo

    @property
    def merge_base(self) -> str:
        return self.repo.store.merge_base(self.base_tip, self.head_sha) or self.base_tip

    @property
    def commits(self) -> list[str]:
        """The commits of the pull request, the oldest first."""
        known = set(self.repo.store.ancestors(self.base_tip))
        return [sha for sha in self.repo.store.ancestors(self.head_sha) if sha not in known][::-1]

    def diff(self, head: str | None = None) -> list[FileDiff]:
        return self.repo.compare(self.base_tip, head or self.head_sha)

    @property
    def diff_text(self) -> bytes:
        """The whole unified diff."""
        return self.repo.store.diff(self.merge_base, self.head_sha)

    def synchronize(self, sha: str, by: User) -> None:
        """The head has moved: threads follow, or are outdated."""
        before, self.head_sha = self.head_sha, sha
        self.base_tip = self.repo.branches[self.base_ref]
        for thread in self.threads:
            thread.follow()
        self._tell("synchronize", by, before=before, after=sha)

    def _source(self) -> Repository:
        assert self.head_repo is not None, "the fork is gone"
        return self.head_repo

    def push(self, changes: Files, message: str = "More", *, by: str | None = None) -> str:
        """One more commit."""
        return self._source().commit(self.head_ref, changes, message, by=by or self.user.login)

    def force_push(self, changes: Files, *, by: str | None = None, whole: bool = False) -> str:
        """Another commit in place of all there were."""
        by = by or self.user.login
        sha = self.repo.make_commit((self.merge_base,), changes, self.title, by, whole=whole)
        self._source().move(self.head_ref, sha, by=by)
        return sha

    def rebase(self, base_changes: Files | None = None, *, by: str | None = None) -> str:
        """The same commits on the base's tip, after ``base_changes`` went there."""
        by, store = by or self.user.login, self.repo.store
        replayed = self.commits
        if base_changes is not None:
            self.repo.commit(self.base_ref, base_changes, "Meanwhile on the base")
        onto = self.repo.branches[self.base_ref]
        for sha in replayed:
            commit = store.commits[sha]
            files = _replay(store.files(onto), store.files(commit.parents[0]), store.files(sha))
            onto = self.repo.make_commit((onto,), files, commit.message, by, whole=True)
        self._source().move(self.head_ref, onto, by=by)
        return onto

    def update_branch(self, *, by: str | None = None) -> str:
        """The base is merged into the head."""
        by, store = by or self.user.login, self.repo.store
        onto = self.repo.branches[self.base_ref]
        left = store.merge_base(onto, self.head_sha)
        assert left is not None
        files = _replay(store.files(self.head_sha), store.files(left), store.files(onto))
        parents = (self.head_sha, onto)
        sha = self.repo.make_commit(parents, files, "Merge the base", by, whole=True)
        self._source().move(self.head_ref, sha, by=by)
        return sha

    def retarget(self, ref: str) -> None:
        """Another branch becomes the base; nothing is told of it."""
        self.base_ref, self.base_sha = ref, self.repo.branches[ref]
        self.base_tip = self.base_sha

    # --- Its life

    def _tell(self, action: str, by: User, **more: object) -> None:
        self.updated = self.repo.world.clock.now()
        self.repo.world.happened(
            "pull_request", action, repo=self.repo, pull=self, sender=by, **more
        )

    def close(self, *, by: str = "octocat") -> None:
        self.state, self.closed = "closed", self.repo.world.clock.now()
        self._tell("closed", self.repo.world.user(by))

    def reopen(self, *, by: str = "octocat") -> None:
        self.state, self.closed = "open", None
        self._tell("reopened", self.repo.world.user(by))

    def merge(self, *, by: str = "octocat") -> str:
        """Merges with a merge commit, and closes."""
        repo, user = self.repo, self.repo.world.user(by)
        onto = repo.branches[self.base_ref]
        old, new = repo.store.files(self.merge_base), repo.store.files(self.head_sha)
        files = _replay(repo.store.files(onto), old, new)
        message = f"Merge pull request #{self.number}"
        sha = repo.make_commit((onto, self.head_sha), files, message, by, whole=True)
        self.state, self.merged_by = "closed", user
        self.closed = self.merged = repo.world.clock.now()
        repo.branches[self.base_ref] = sha
        self._tell("closed", user)
        return sha

    def to_draft(self, *, by: str = "octocat") -> None:
        self.draft = True
        self._tell("converted_to_draft", self.repo.world.user(by))

    def ready(self, *, by: str = "octocat") -> None:
        self.draft = False
        self._tell("ready_for_review", self.repo.world.user(by))

    def delete_fork(self) -> None:
        """The fork goes away; the pull request stays."""
        self.head_repo = None

    # --- What people write

    def review(
        self,
        event: str | None = "COMMENT",
        body: str = "",
        comments: list[JSON] | None = None,
        *,
        by: str = "octocat",
    ) -> Review:
        """Somebody reviews; without an event the review stays pending."""
        user = self.repo.world.user(by)
        return reviewing.create_review(self, user, body, event, comments or [], commit=None)

    def review_comment(
        self, path: str, line: int, body: str, *, side: str = "RIGHT", by: str = "octocat"
    ) -> ReviewComment:
        """Somebody starts a thread on a line."""
        comment = {"path": path, "line": line, "side": side, "body": body}
        return self.review(comments=[comment], by=by).comments[0]

    def reply(self, to: ReviewComment, body: str, *, by: str = "octocat") -> ReviewComment:
        """Somebody answers in a thread."""
        return reviewing.reply(self, self.repo.world.user(by), to, body)

    def resolve(self, thread: Thread, *, by: str = "octocat") -> None:
        """Somebody resolves a thread."""
        thread.resolved_by = self.repo.world.user(by)

    @property
    def review_comments(self) -> list[ReviewComment]:
        """All that are to be seen, in the order they came."""
        found = [one for thread in self.threads for one in thread.comments if not one.pending]
        return sorted(found, key=lambda comment: comment.id)


def _replay(
    onto: Mapping[str, Blob], old: Mapping[str, Blob], new: Mapping[str, Blob]
) -> dict[str, Blob]:
    """The change from ``old`` to ``new``, applied to ``onto``; merged where both changed a file."""
    result = dict(onto)
    for path in old.keys() | new.keys():
        was, becomes, there = old.get(path), new.get(path), onto.get(path)
        if was == becomes:
            continue
        if becomes is None:
            result.pop(path, None)
        elif there == was or there is None or was is None:
            result[path] = becomes
        else:
            result[path] = Blob(_merged(there.data, was.data, becomes.data), becomes.mode)
    return result


def _merged(ours: bytes, base: bytes, theirs: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        names = [Path(folder, name) for name in ("ours", "base", "theirs")]
        for name, data in zip(names, (ours, base, theirs), strict=True):
            name.write_bytes(data)
        command = ["git", "merge-file", "--stdout", "--quiet", *map(str, names)]
        done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, "the rebase has conflicts: choose other changes for the base"
    return done.stdout
