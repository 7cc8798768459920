"""Pull requests, their files, and comparisons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import parse_qs, urlsplit

from reviewbot.github.api.records import Author, author, body, commit, repository, segment
from reviewbot.github.client.caller import PER_PAGE
from reviewbot.github.client.errors import NotFoundError
from reviewbot.github.client.exchange import DIFF, read

if TYPE_CHECKING:
    from reviewbot.github.client.caller import AccountClient, Record
    from reviewbot.github.client.exchange import Parameters

LISTED: Final = 3_000
"""Maximum number of files of a pull request that GitHub lists."""
COMPARED: Final = 300
"""Maximum number of files of a comparison that GitHub lists."""


@dataclass(frozen=True, slots=True)
class Side:
    """Base or head of a pull request. ``repository`` is None if the repository was deleted."""

    sha: str
    ref: str
    repository: str | None
    repository_id: int | None


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request.

    ``is_fork`` is True if the head is, or was, in another repository. ``updated_at`` is the time of
    the last change, in whole seconds.
    """

    number: int
    state: Literal["open", "closed"]
    draft: bool
    title: str
    body: str
    author: Author
    head: Side
    base: Side
    is_fork: bool
    changed_files: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ListedPull:
    """A pull request in a list. ``repository_id`` is the id of the repository it belongs to."""

    number: int
    state: Literal["open", "closed"]
    merged: bool
    created_on: date
    repository_id: int | None


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file of a pull request or a comparison.

    ``patch`` has only hunks, and some files lack it. ``ref`` is the commit of the listing; for a
    removed file it may be the commit before.
    """

    path: str
    old_path: str | None
    status: str
    additions: int
    deletions: int
    patch: str | None
    blob_sha: str | None
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class ChangedFiles:
    """Files that GitHub lists. ``complete`` is True if these are all files."""

    files: tuple[ChangedFile, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Comparison of ``head`` with ``merge_base``, the commit where ``head`` left ``base``."""

    merge_base: str
    files: ChangedFiles


Permission = Literal["admin", "write", "read", "none"]


class Pulls:
    """API calls for pull requests."""

    def __init__(self, caller: AccountClient) -> None:
        self._caller = caller

    async def get(self, repo: str, number: int) -> PullRequest:
        """Return the pull request as it is now."""
        return await self._caller.one(read(f"{repository(repo)}/pulls/{number}"), _pull)

    async def newest(
        self, repo: str, *, most: int, since: date | None = None
    ) -> tuple[ListedPull, ...]:
        """Return the newest pull requests, whatever their state is, the newest first.

        ``since`` is the first day (UTC) on which they were created.
        """
        following: str | None = f"{repository(repo)}/pulls"
        order = {"state": "all", "sort": "created", "direction": "desc"}
        asked: Parameters = {**order, "per_page": min(most, PER_PAGE)}
        found: list[ListedPull] = []
        while following is not None and len(found) < most:
            entries, following = await self._caller.page(read(following, asked), _listed)
            kept = [one for one in entries if since is None or one.created_on >= since]
            found += kept
            if not kept or len(kept) < len(entries):
                break
            asked = {}
        return tuple(found[:most])

    async def files(self, repo: str, pull: PullRequest) -> ChangedFiles:
        """Return the changed files. GitHub lists at most 3,000."""
        path = f"{repository(repo)}/pulls/{pull.number}/files"
        found = await self._caller.every(path, _file, most=LISTED)
        return ChangedFiles(found, len(found) >= pull.changed_files)

    async def compare(self, repo: str, base: str, head: str) -> Comparison:
        """Return the changes of ``head`` since it left ``base``. GitHub lists at most 300 files."""
        # The first page of commits lists the files, whatever the page size is.
        request = read(_comparison(repo, base, head), {"per_page": 1, "page": 1})
        return await self._caller.one(request, _compared)

    async def compare_diff(self, repo: str, base: str, head: str, *, max_bytes: int) -> bytes:
        """Return the diff of the same comparison, as bytes.

        Raises:
            DiffTooLargeError: above 300 files or 20,000 lines.
            TooLargeError: above ``max_bytes``.
        """
        request = read(_comparison(repo, base, head), accept=DIFF, max_bytes=max_bytes)
        return (await self._caller.answer(request)).body

    async def permission(self, repo: str, login: str) -> Permission:
        """Return the permission of a user in a repository; ``none`` for unknown users."""
        name = segment(login)
        if name is None:
            return "none"
        path = f"{repository(repo)}/collaborators/{name}/permission"
        try:
            level = await self._caller.one(read(path), lambda found: found["permission"])
        except NotFoundError:
            return "none"
        return level if level in ("admin", "write", "read") else "none"


def _comparison(repo: str, base: str, head: str) -> str:
    return f"{repository(repo)}/compare/{commit(base)}...{commit(head)}"


def _pull(found: Record) -> PullRequest:
    head, base = _side(found["head"]), _side(found["base"])
    return PullRequest(
        number=found["number"],
        state=found["state"],
        draft=bool(found.get("draft")),
        title=found["title"],
        body=body(found),
        author=author(found.get("user")),
        head=head,
        base=base,
        is_fork=head.repository_id is None or head.repository_id != base.repository_id,
        changed_files=found["changed_files"],
        updated_at=datetime.fromisoformat(found["updated_at"]),
    )


def _listed(found: Record) -> ListedPull:
    return ListedPull(
        number=found["number"],
        state=found["state"],
        merged=found["merged_at"] is not None,
        created_on=datetime.fromisoformat(found["created_at"]).date(),
        repository_id=_side(found["base"]).repository_id,
    )


def _compared(found: Record) -> Comparison:
    files = tuple(map(_file, found["files"]))
    return Comparison(found["merge_base_commit"]["sha"], ChangedFiles(files, len(files) < COMPARED))


def _side(found: Record) -> Side:
    repo = found.get("repo") or {}
    return Side(found["sha"], found["ref"], repo.get("full_name"), repo.get("id"))


def _file(found: Record) -> ChangedFile:
    return ChangedFile(
        path=found["filename"],
        old_path=found.get("previous_filename"),
        status=found["status"],
        additions=found["additions"],
        deletions=found["deletions"],
        patch=found.get("patch"),
        blob_sha=found.get("sha"),
        ref=next(
            iter(parse_qs(urlsplit(found.get("contents_url") or "").query).get("ref", ())), None
        ),
    )
