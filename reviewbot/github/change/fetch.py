"""What a pull request changes, as the bytes of a diff, and what of it could not be had.

GitHub gives a diff of up to 300 files and 20,000 lines in one piece. Above that it lists the files,
up to 3,000, with the hunks of those that are not too large; the others are compared here. A diff
that is put together so has no modes (but of submodules), the lines of each file in UTF-8, a file
that became another kind as one that was modified, and a binary file that was renamed as unchanged.

Whoever pushes can have the branch go elsewhere and back while this is fetched. So what is taken is
of two commits by their ids; the one list that is of the branch says which commit it is of.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.diff.write import file_diff_text
from reviewbot.core.events.events import FileCoverage
from reviewbot.core.wording import count
from reviewbot.errors import DiffError, SourceError
from reviewbot.github.change.compare import (
    ChangeLimits,
    ContentSource,
    FileWithoutDiff,
    compare_all,
)
from reviewbot.github.change.listed import is_code, may_be_hidden, read_listed, sets_attributes
from reviewbot.github.client.errors import (
    DiffTooLargeError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TooLargeError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.api.pulls import ChangedFiles, Comparison, PullRequest, Side

__all__ = ["Change", "ChangeLimits", "get_change"]

LIMITS: Final = ChangeLimits()
TRIES: Final = 3
"""How often the diff is taken while somebody pushes."""
_NOT_IN_ONE_PIECE: Final = (DiffTooLargeError, TooLargeError, InvalidError, UnavailableError)
"""How GitHub refuses a diff that takes it too much: 406, or 422 and 5xx if it takes too long."""
_NOT_TOLD: Final = (NotFoundError, ForbiddenError, *_NOT_IN_ONE_PIECE)
_PUT_TOGETHER: Final = (
    "GitHub does not give this diff in one piece: it was put together from its list of the changed"
    " files."
)


@dataclass(frozen=True, slots=True)
class Change:
    """What a pull request changes.

    Attributes:
        pull: as it was when the diff was taken.
        merge_base: the commit that the diff begins at; None if GitHub does not tell.
        diff: all of it that could be had.
        missing: the files that are not in it, and why.
        notices: what a reader has to know, in sentences.
        unshown: the files that GitHub shows no lines of, as far as it tells.
    """

    pull: PullRequest
    merge_base: str | None
    diff: bytes
    missing: tuple[FileCoverage, ...] = ()
    notices: tuple[str, ...] = ()
    unshown: frozenset[str] = frozenset()


class _PullDiff(NamedTuple):
    """A diff, and of how many files it is; one whose type changed is there twice."""

    data: bytes
    files: int


def _nobody(_: str) -> None:
    """Nobody is told."""


async def get_change(
    api: Api,
    repo: str,
    number: int,
    *,
    limits: ChangeLimits = LIMITS,
    tell: Callable[[str], None] = _nobody,
) -> Change:
    """Return the change of a pull request: its diff and its head belong together.

    Args:
        api: the way to GitHub.
        repo: the repository, as ``OWNER/REPO``.
        number: of the pull request.
        limits: how much is fetched.
        tell: is told what is being fetched.

    Raises:
        GitHubError: GitHub refuses, or does not answer.
        SourceError: somebody pushes again and again.
    """
    pull, compared, taken = await _taken(api, repo, number, limits, tell)
    merge_base = None if compared is None else compared.merge_base
    place = ContentSource(api, repo, merge_base, pull.head.sha)
    if isinstance(taken, bytes):
        unshown = _unshown(await _listed_beside(api, repo, pull, compared))
        files = _distrusted(parse_diff(taken))
        if not any(isinstance(file, FileWithoutDiff) for file in files):
            return Change(pull, merge_base, taken, unshown=unshown)
        diff, missing, notices = await _completed(place, files, limits, tell)
        return Change(pull, merge_base, diff, missing, notices, unshown)
    attributes = sets_attributes(file.path for file in taken.files)
    files = [read_listed(file, attributes=attributes) for file in taken.files]
    diff, missing, notices = await _completed(place, files, limits, tell)
    missing = (*missing, *_unlisted(pull, taken))
    return Change(pull, merge_base, diff, missing, (_PUT_TOGETHER, *notices), _unshown(taken))


async def _taken(
    api: Api, repo: str, number: int, limits: ChangeLimits, tell: Callable[[str], None]
) -> tuple[PullRequest, Comparison | None, bytes | ChangedFiles]:
    """Return the pull request, how it stands to its base, and its diff or the list of its files."""
    tell("the pull request")
    pull = await api.pulls.get(repo, number)
    for _ in range(TRIES):
        tell("where its branch left the base")
        compared = await _comparison(api, repo, pull)
        tell("the diff")
        since = pull.base.sha if compared is None else compared.merge_base
        diff = await _diff(api, repo, pull, since, limits)
        taken: bytes | ChangedFiles | None = diff.data if diff else None
        if diff is None or diff.files > pull.changed_files:
            tell(f"the list of {count(pull.changed_files, 'file')}")
            listed = await _list(api, repo, pull, compared)
            # That has fewer files if some of the diff came with a merge of the base.
            if diff is None or (listed and len(listed.files) < diff.files):
                taken = listed
        before, pull = pull, await api.pulls.get(repo, number)
        still = (pull.head.sha, pull.base.ref) == (before.head.sha, before.base.ref)
        if still and taken is not None:
            return before, compared, taken
    raise SourceError(
        f"{repo}#{number} changed {TRIES} times while its diff was fetched; try again once nobody"
        " pushes to it"
    )


async def _diff(
    api: Api, repo: str, pull: PullRequest, since: str, limits: ChangeLimits
) -> _PullDiff | None:
    """Return the diff, if GitHub gives it, it can be read, and it has every file."""
    try:
        data = await api.pulls.compare_diff(repo, since, pull.head.sha, max_bytes=limits.diff_bytes)
        files = await asyncio.to_thread(parse_diff, data)
    except (*_NOT_TOLD, DiffError):
        return None
    diff = _PullDiff(data, len({file.path for file in files}))
    return diff if diff.files >= pull.changed_files else None


async def _comparison(api: Api, repo: str, pull: PullRequest) -> Comparison | None:
    """How the head stands to the base as it is now; or, once it is merged, as it was.

    Else not to the commit that GitHub names as the base: that stays behind when the base is merged
    into the head, and all that came with it would be part of the change.
    """
    try:
        compared = await api.pulls.compare(repo, await _tip(api, repo, pull.base), pull.head.sha)
        if not _fits(compared, pull):
            then = await api.pulls.compare(repo, pull.base.sha, pull.head.sha)
            return then if _fits(then, pull) else compared
    except _NOT_TOLD:
        return None
    return compared


def _fits(compared: Comparison, pull: PullRequest) -> bool:
    """Return whether it may have the files of the pull request; of very many it has a part."""
    files = compared.files
    return not files.complete or len(files.files) == pull.changed_files


async def _tip(api: Api, repo: str, base: Side) -> str:
    try:
        return await api.contents.tip(repo, base.ref)
    except NotFoundError:  # the branch is gone, as it may be after a merge
        return base.sha


async def _list(
    api: Api, repo: str, pull: PullRequest, compared: Comparison | None
) -> ChangedFiles | None:
    """Return the list of files; None if it is of another commit than the head."""
    if compared is not None:
        files = compared.files
        if files.complete and _fits(compared, pull):
            return files
    listed = await api.pulls.files(repo, pull)
    fits = all(file.ref == pull.head.sha or file.status == "removed" for file in listed.files)
    return listed if fits else None


async def _listed_beside(
    api: Api, repo: str, pull: PullRequest, compared: Comparison | None
) -> ChangedFiles | None:
    """The list of the files of a diff that is had in one piece; None if GitHub does not tell."""
    if compared is not None:
        return compared.files  # a diff has no more files than a comparison lists
    try:
        return await _list(api, repo, pull, None)
    except _NOT_TOLD:
        return None


def _unshown(listed: ChangedFiles | None) -> frozenset[str]:
    """The files that are listed without a hunk: GitHub takes no comment on a line of them."""
    files = listed.files if listed else ()
    return frozenset(file.path for file in files if not file.patch)


def _distrusted(files: Sequence[FileDiff]) -> list[FileDiff | FileWithoutDiff]:
    """Return the files; those that only seem to be binary, or may, without lines."""
    attributes = sets_attributes(file.path for file in files)
    return [
        FileWithoutDiff(file)
        if file.binary and (is_code(file) or (attributes and may_be_hidden(file)))
        else file
        for file in files
    ]


async def _completed(
    place: ContentSource,
    files: Sequence[FileDiff | FileWithoutDiff],
    limits: ChangeLimits,
    tell: Callable[[str], None],
) -> tuple[bytes, tuple[FileCoverage, ...], tuple[str, ...]]:
    """Return the diff of all files, those of which it cannot be had, and what is to be said."""
    undiffed = [file for file in files if isinstance(file, FileWithoutDiff)]
    compared = await compare_all(place, undiffed, limits, tell)
    rest = iter(compared)
    texts: list[bytes] = []
    missing: list[FileCoverage] = []
    for file in files:
        found = next(rest) if isinstance(file, FileWithoutDiff) else file
        text = found if isinstance(found, str) else _text(found)
        if isinstance(text, str):
            path = (file.file if isinstance(file, FileWithoutDiff) else file).path
            missing.append(FileCoverage(path, "failed", text))
        else:
            texts.append(text)
    return b"".join(texts), tuple(missing), tuple(_notices(undiffed, compared))


def _text(file: FileDiff) -> bytes | str:
    """Return the file as it stands in a diff, or why it cannot."""
    try:
        text = file_diff_text(file)
        parse_diff(text)
    except (DiffError, ValueError):
        return "What GitHub tells of it cannot be read as a diff."
    return text


def _notices(
    undiffed: Sequence[FileWithoutDiff], compared: Sequence[FileDiff | str]
) -> Iterator[str]:
    hidden = [
        one.file.path
        for one, found in zip(undiffed, compared, strict=True)
        if not (one.added or one.removed or isinstance(found, str)) and found.hunks
    ]
    if hidden:
        more = f" and {count(len(hidden) - 1, 'more file')}" if hidden[1:] else ""
        yield (
            f"GitHub shows no lines of {hidden[0]}{more}, as .gitattributes of this change or a"
            " zero byte in it may have it; they were compared here."
        )


def _unlisted(pull: PullRequest, listed: ChangedFiles) -> Iterator[FileCoverage]:
    """Yield the files that GitHub does not name, or of which it does not say whose they are."""
    if listed.files and not any(file.ref == pull.head.sha for file in listed.files):
        yield FileCoverage(
            "(the list of files)",
            "failed",
            "GitHub lists deleted files alone, and not of which commit. Somebody may have pushed"
            " meanwhile.",
        )
    left = pull.changed_files - len(listed.files)
    if not listed.complete:
        yield FileCoverage(
            f"({count(left, 'more file')})",
            "failed",
            f"GitHub lists {len(listed.files):,} of the {pull.changed_files:,} files that this pull"
            " request changes.",
        )
