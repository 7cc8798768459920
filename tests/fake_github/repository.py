"""Repositories: branches of commits, who may do what, pull requests and issues."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.fake_github import diffs
from tests.fake_github.git import Blob, as_blob
from tests.fake_github.pulls import Issue, PullRequest
from tests.fake_github.wire import Refused

if TYPE_CHECKING:
    from tests.fake_github.checks import CheckRun, CheckSuite
    from tests.fake_github.comments import IssueComment, ReviewComment
    from tests.fake_github.git import Files, GitStore
    from tests.fake_github.merge_queue import QueueEntry
    from tests.fake_github.people import User
    from tests.fake_github.workflow_runs import WorkflowRun
    from tests.fake_github.world import World

ROLES = {"read": "read", "triage": "read", "write": "write", "maintain": "write", "admin": "admin"}


@dataclass(eq=False)
class Repository:
    """A repository; forks share the object store of what they were forked from."""

    world: World
    id: int
    node_id: str
    owner: User
    name: str
    store: GitStore
    private: bool = True
    default_branch: str = "main"
    parent: Repository | None = None
    roles: dict[str, str] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    check_runs: dict[int, CheckRun] = field(default_factory=dict)
    check_suites: dict[int, CheckSuite] = field(default_factory=dict)
    issue_comments: dict[int, IssueComment] = field(default_factory=dict)
    review_comments: dict[int, ReviewComment] = field(default_factory=dict)
    queues: dict[str, list[QueueEntry]] = field(default_factory=dict)
    workflow_runs: list[WorkflowRun] = field(default_factory=list)

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

    # --- Who may

    def role(self, user: User) -> str:
        """``admin``, ``maintain``, ``write``, ``triage``, ``read`` or ``none``."""
        if user is self.owner:
            return "admin"
        return self.roles.get(user.login, "none" if self.private else "read")

    def permission(self, user: User) -> str:
        """The same in the four words of the API."""
        return ROLES.get(self.role(user), "none")

    def allow(self, login: str, role: str) -> User:
        """Makes someone a collaborator."""
        user = self.world.user(login)
        self.roles[login] = role
        return user

    # --- Commits

    @property
    def tip(self) -> str:
        """The newest commit of the default branch."""
        return self.branches[self.default_branch]

    def files(self, commit: str) -> dict[str, bytes]:
        """Path to content of a commit."""
        return {path: blob.data for path, blob in self.store.files(commit).items()}

    def make_commit(
        self,
        parents: tuple[str, ...],
        changes: Files,
        message: str,
        by: str,
        *,
        whole: bool = False,
    ) -> str:
        """A commit on no branch: ``changes`` to the first parent, or exactly these files."""
        kept = {} if whole or not parents else self.store.files(parents[0])
        files: dict[str, Blob] = dict(kept)
        for path, content in changes.items():
            if content is None:
                files.pop(path, None)
            else:
                files[path] = as_blob(content)
        return self.store.commit(files, parents, message, by, self.world.clock.now())

    def commit(
        self,
        branch: str | None = None,
        changes: Files | None = None,
        message: str = "Change",
        *,
        by: str = "octocat",
        whole: bool = False,
    ) -> str:
        """A commit on a branch, which is made from the default one where it is new.

        Pull requests from this branch are told (``synchronize``).
        """
        branch = branch or self.default_branch
        at = self.branches.get(branch, self.branches.get(self.default_branch))
        sha = self.make_commit((at,) if at else (), changes or {}, message, by, whole=whole)
        self.move(branch, sha, by=by)
        return sha

    def move(self, branch: str, sha: str, *, by: str = "octocat") -> None:
        """Points a branch anywhere, as a push or a force-push does."""
        self.branches[branch] = sha
        user = self.world.user(by)
        for repository in self.world.repositories.values():
            for pull in repository.pulls:
                if pull.state == "open" and pull.head_repo is self and pull.head_ref == branch:
                    pull.synchronize(sha, user)

    def resolve(self, ref: str | None) -> str:
        """A commit by branch, ``refs/…`` name or SHA (whole, or seven digits and more)."""
        if ref is None:
            return self.tip
        name = ref.removeprefix("refs/").removeprefix("heads/")
        if name in self.branches:
            return self.branches[name]
        if name.startswith("pull/") and name.endswith("/head"):
            return self.pull(int(name.split("/")[1])).head_sha
        if len(ref) >= 7:
            found = [sha for sha in self.store.commits if sha.startswith(ref.lower())]
            if len(found) == 1:
                return found[0]
        raise Refused(404, f"No commit found for the ref {ref}")

    def compare(self, old: str, new: str) -> list[diffs.FileDiff]:
        """What ``new`` changed since it left ``old`` (three dots)."""
        return diffs.read(self.store, self.store.merge_base(old, new) or old, new)

    # --- Issues and pull requests

    @property
    def pulls(self) -> list[PullRequest]:
        return [issue for issue in self.issues.values() if isinstance(issue, PullRequest)]

    def pull(self, number: int) -> PullRequest:
        found = self.issues.get(number)
        if not isinstance(found, PullRequest):
            raise Refused(404, "Not Found")
        return found

    def open_issue(self, title: str = "A problem", body: str = "", *, by: str = "octocat") -> Issue:
        number = len(self.issues) + 1
        user, identity = self.world.user(by), self.world.identity("I")
        issue = Issue(self, identity, number=number, title=title, body=body, user=user)
        self.issues[number] = self.world.add(issue)
        return issue

    def open_pull(
        self,
        changes: Files | None = None,
        *,
        title: str = "A change",
        body: str | None = "",
        by: str = "octocat",
        branch: str | None = None,
        base: str | None = None,
        draft: bool = False,
        fork: str | None = None,
        whole: bool = False,
        head: str | None = None,
    ) -> PullRequest:
        """A pull request, with its branch and one commit of ``changes`` on the base's tip.

        Args:
            changes: the files that it adds, changes or (None) deletes.
            title: its title.
            body: its description.
            by: who opens it.
            branch: its branch; ``topic-N`` without.
            base: the branch that it goes to.
            draft: whether it is a draft.
            fork: the account whose fork it comes from.
            whole: ``changes`` are all files there are, instead.
            head: a commit to use instead of making one.
        """
        number = len(self.issues) + 1
        branch, base = branch or f"topic-{number}", base or self.default_branch
        source = self if fork is None else self.world.fork(self, fork)
        parent = self.branches[base]
        sha = head or source.make_commit((parent,), changes or {}, title, by, whole=whole)
        source.branches[branch] = sha
        user, identity = self.world.user(by), self.world.identity("PR")
        pull = PullRequest(self, identity, number=number, title=title, body=body, user=user)
        pull.start(source, branch, sha, base, draft=draft)
        self.issues[number] = self.world.add(pull)
        self.world.happened("pull_request", "opened", repo=self, pull=pull, sender=pull.user)
        return pull
