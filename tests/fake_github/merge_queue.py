"""Merge queues: each entry has a commit on that of the entry ahead of it, and a branch for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from tests.fake_github.pulls import PullRequest
    from tests.fake_github.repository import Repository

Method = Literal["merge", "squash", "rebase"]
PREFIX: Final = "gh-readonly-queue"


@dataclass(eq=False, kw_only=True)
class QueueEntry:
    """A pull request in a queue. ``head`` is None while its commit is still made."""

    node_id: str
    pull: PullRequest
    base: str
    head: str | None
    position: int

    @property
    def repo(self) -> Repository:
        return self.pull.repo

    @property
    def branch(self) -> str:
        """Name of the branch with the merge group of this entry."""
        return f"{PREFIX}/{self.pull.base_ref}/pr-{self.pull.number}-{self.base}"


def enqueue(pull: PullRequest, method: Method = "merge") -> QueueEntry:
    """Adds a pull request at the end of its base's queue; its checks are requested."""
    repo, queue = pull.repo, pull.repo.queues.setdefault(pull.base_ref, [])
    ahead = queue[-1].head if queue else None
    base = ahead or repo.branches[pull.base_ref]
    head = base
    changes = {**repo.store.files(pull.head_sha)}
    made = [f"{pull.title} (#{pull.number})"]  # else a squash could be the head itself
    if method == "rebase":
        made = ["One of its commits", *made]
    for message in made:
        parents = (head, pull.head_sha) if method == "merge" else (head,)
        head = repo.make_commit(parents, changes, message, pull.user.login)
    entry = QueueEntry(
        node_id=repo.world.identity("MQE")[1],
        pull=pull,
        base=base,
        head=head,
        position=len(queue) + 1,
    )
    queue.append(entry)
    repo.branches[entry.branch] = head
    repo.world.happened("merge_group", "checks_requested", repo=repo, entry=entry, sender=pull.user)
    return entry


def leave(entry: QueueEntry, reason: str = "dequeued") -> None:
    """Takes a pull request out of the queue, and so those behind it out of their groups."""
    queue = entry.repo.queues[entry.pull.base_ref]
    behind = queue[queue.index(entry) :]
    for one in behind:
        queue.remove(one)
        entry.repo.branches.pop(one.branch, None)
        why = reason if one is entry else "invalidated"
        about = {"repo": one.repo, "entry": one, "sender": one.pull.user, "reason": why}
        entry.repo.world.happened("merge_group", "destroyed", **about)


def merge_first(repo: Repository, branch: str = "main") -> QueueEntry:
    """Merges the first entry: its commit becomes the tip of the branch."""
    entry = repo.queues[branch].pop(0)
    assert entry.head is not None
    repo.branches.pop(entry.branch, None)
    repo.branches[branch] = entry.head
    for place, one in enumerate(repo.queues[branch], 1):
        one.position = place
    return entry
