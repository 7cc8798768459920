"""Merge queues, and the pull requests of a merge group. Only GraphQL has them.

A queue makes a commit for each entry, on the commit of the entry ahead of it. The first one is on
the tip of the branch (docs.github.com, "Merging a pull request with a merge queue" and the object
``MergeQueueEntry`` of GraphQL). So the pull requests of a merge group are the chain of entries from
its head to the branch, whether the queue merges, squashes or rebases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reviewbot.github.api.records import is_commit, repository
from reviewbot.github.client.errors import ForbiddenError

if TYPE_CHECKING:
    from reviewbot.github.client.caller import AccountClient

LISTED: Final = 100
"""Maximum number of entries to read. GitHub makes commits for at most as many at once."""

_QUEUE: Final = f"""\
query ($owner: String!, $name: String!, $branch: String!, $ref: String!) {{
  repository(owner: $owner, name: $name) {{
    ref(qualifiedName: $ref) {{ target {{ oid }} }}
    mergeQueue(branch: $branch) {{
      entries(first: {LISTED}) {{
        nodes {{
          position baseCommit {{ oid }} headCommit {{ oid }} pullRequest {{ number headRefOid }}
        }}
      }}
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A pull request in a merge queue.

    Attributes:
        number: number of the pull request.
        pull_head: head of the pull request. A push takes a pull request out of the queue, so this
            is the head that was added to it.
        base: the commit that the queue's commit for the entry is on.
        head: the queue's commit for the entry.
        position: place in the queue, from 1.
    """

    number: int
    pull_head: str
    base: str
    head: str
    position: int


@dataclass(frozen=True, slots=True)
class MergeQueue:
    """A merge queue: its entries, and the tip of its branch at the same moment."""

    entries: tuple[QueueEntry, ...]
    tip: str | None


class MergeQueues:
    """API calls for merge queues."""

    def __init__(self, caller: AccountClient) -> None:
        self._caller = caller

    async def get(self, repo: str, branch: str) -> MergeQueue:
        """Return the merge queue of a branch; without entries if the branch has none.

        Raises:
            ForbiddenError: an App needs the permission ``merge queues: read``.
        """
        repository(repo)
        owner, name = repo.split("/")
        given = {"owner": owner, "name": name, "branch": branch, "ref": f"refs/heads/{branch}"}
        data = await self._caller.graphql(_QUEUE, given)
        if data is None:
            raise ForbiddenError(
                f"GitHub does not show the merge queue of {repo}: it needs the permission"
                " merge queues: read",
                "merge queues: read",
            )
        home = data.get("repository") or {}
        nodes = ((home.get("mergeQueue") or {}).get("entries") or {}).get("nodes") or ()
        entries = (_entry(node) for node in nodes if isinstance(node, dict))
        tip = _oid((home.get("ref") or {}).get("target"))
        return MergeQueue(tuple(entry for entry in entries if entry is not None), tip)


def group_of(queue: MergeQueue, head: str) -> tuple[QueueEntry, ...] | None:
    """Return the pull requests of the merge group with this head, the first one first.

    The result is None if the queue does not list the group, or not all of it: the chain must have
    every entry ahead.
    """
    by_head = {entry.head: entry for entry in queue.entries}
    if len(by_head) < len(queue.entries):
        return None  # one commit for several entries: the chain would miss some of them
    group: list[QueueEntry] = []
    at = head
    while at != queue.tip or not group:
        entry = by_head.pop(at, None)
        if entry is None:
            return None
        group.append(entry)
        at = entry.base
    ahead = sum(entry.position <= group[0].position for entry in queue.entries)
    return tuple(reversed(group)) if len(group) == ahead else None


def _entry(node: dict[str, Any]) -> QueueEntry | None:
    """Return an entry; None while its commit is being made."""
    pull = node.get("pullRequest") or {}
    number, pull_head = pull.get("number"), pull.get("headRefOid")
    position = node.get("position")
    base, head = _oid(node.get("baseCommit")), _oid(node.get("headCommit"))
    if type(number) is not int or type(position) is not int or not is_commit(pull_head):
        return None
    if base is None or head is None:
        return None
    return QueueEntry(number, pull_head, base, head, position)


def _oid(found: object) -> str | None:
    oid = found.get("oid") if isinstance(found, dict) else None
    return oid if is_commit(oid) else None
