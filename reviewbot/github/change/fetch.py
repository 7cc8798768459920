"""Fetch the diff of a pull request as bytes, and report files that are missing from it.

GitHub returns a diff of up to 300 files and 20,000 lines in one piece. Above that, GitHub lists up
to 3,000 files, with the hunks of files that are not too large. The other files are compared here.
An assembled diff has no modes, except for submodules. Its lines are UTF-8. A file that changed its
type counts as modified, and a renamed binary file as unchanged.

A branch can be moved and restored during the fetch. So the diff is requested by two commit ids. The
only list that is requested by branch states its commit.
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
from reviewbot.github.change.base_files import base_tip
from reviewbot.github.change.compare import ContentSource, FileWithoutDiff, compare_all
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
    from reviewbot.github.api.pulls import ChangedFiles, Comparison, PullRequest

MAX_DIFF: Final = 16 << 20
"""Maximum bytes of a diff that GitHub returns in one piece."""
TRIES: Final = 3
"""Maximum number of attempts to fetch the diff while somebody pushes."""
_NOT_IN_ONE_PIECE: Final = (DiffTooLargeError, TooLargeError, InvalidError, UnavailableError)
"""Errors that mean a diff is too large: 406, or 422 and 5xx for a timeout at GitHub."""
NOT_TOLD: Final = (NotFoundError, ForbiddenError, *_NOT_IN_ONE_PIECE)
_PUT_TOGETHER: Final = (
    "GitHub does not provide this diff in one piece: it was put together from the list of changed"
    " files."
)


@dataclass(frozen=True, slots=True)
class Change:
    """The diff of a pull request.

    Attributes:
        pull: the pull request at the time of the diff.
        merge_base: commit where the diff begins; None if GitHub does not state it.
        diff: the diff, without missing files.
        missing: files that are not in the diff, with reasons.
        notices: sentences for the report.
        unshown: files without visible lines on GitHub, as far as GitHub states them.
    """

    pull: PullRequest
    merge_base: str | None
    diff: bytes
    missing: tuple[FileCoverage, ...] = ()
    notices: tuple[str, ...] = ()
    unshown: frozenset[str] = frozenset()


class _PullDiff(NamedTuple):
    """A diff, and its number of files."""

    data: bytes
    files: int


async def get_change(
    api: Api,
    repo: str,
    number: int,
    *,
    report: Callable[[str], None] = lambda _: None,
) -> Change:
    """Return the diff of a pull request. The diff is that of the returned head.

    ``repo`` is ``OWNER/REPO``. ``report`` receives progress messages.

    Raises:
        GitHubError: GitHub refuses, or does not respond.
        SourceError: the pull request changed during every attempt.
    """
    pull, compared, taken = await _taken(api, repo, number, report)
    merge_base = None if compared is None else compared.merge_base
    place = ContentSource(api, repo, merge_base, pull.head.sha)
    if isinstance(taken, bytes):
        unshown = _unshown(await _listed_beside(api, repo, pull, compared))
        files = _distrusted(parse_diff(taken))
        if not any(isinstance(file, FileWithoutDiff) for file in files):
            return Change(pull, merge_base, taken, unshown=unshown)
        diff, missing, notices = await _completed(place, files, report)
        return Change(pull, merge_base, diff, missing, notices, unshown)
    attributes = sets_attributes(file.path for file in taken.files)
    files = [read_listed(file, attributes=attributes) for file in taken.files]
    diff, missing, notices = await _completed(place, files, report)
    missing = (*missing, *_unlisted(pull, taken))
    return Change(pull, merge_base, diff, missing, (_PUT_TOGETHER, *notices), _unshown(taken))


async def _taken(
    api: Api, repo: str, number: int, report: Callable[[str], None]
) -> tuple[PullRequest, Comparison | None, bytes | ChangedFiles]:
    """Return the pull request, its comparison with the base, and its diff or file list."""
    report("the pull request")
    pull = await api.pulls.get(repo, number)
    for _ in range(TRIES):
        report("its merge base")
        compared = await _comparison(api, repo, pull)
        report("the diff")
        since = pull.base.sha if compared is None else compared.merge_base
        diff = await _diff(api, repo, pull, since)
        taken: bytes | ChangedFiles | None = diff.data if diff else None
        if diff is None or diff.files > pull.changed_files:
            report(f"the list of {count(pull.changed_files, 'file')}")
            listed = await _list(api, repo, pull, compared)
            # The list has fewer files if a merge of the base added files to the diff.
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


async def _diff(api: Api, repo: str, pull: PullRequest, since: str) -> _PullDiff | None:
    """Return the diff if GitHub returns it whole and it can be parsed; None otherwise."""
    try:
        data = await api.pulls.compare_diff(repo, since, pull.head.sha, max_bytes=MAX_DIFF)
        files = await asyncio.to_thread(parse_diff, data)
    except (*NOT_TOLD, DiffError):
        return None
    diff = _PullDiff(data, len({file.path for file in files}))
    return diff if diff.files >= pull.changed_files else None


async def _comparison(api: Api, repo: str, pull: PullRequest) -> Comparison | None:
    """Return the comparison of the head with the current base; once merged, with the old base.

    GitHub's base commit is used only if the current base does not fit, as after a merge. It can be
    outdated: if the base was merged into the head, the diff would contain the base's changes.
    """
    try:
        compared = await api.pulls.compare(
            repo, await base_tip(api, repo, pull.base), pull.head.sha
        )
        if not _fits(compared, pull):
            then = await api.pulls.compare(repo, pull.base.sha, pull.head.sha)
            return then if _fits(then, pull) else compared
    except NOT_TOLD:
        return None
    return compared


def _fits(compared: Comparison, pull: PullRequest) -> bool:
    """Return whether a comparison may have the files of the pull request.

    An incomplete comparison has only a part of the files.
    """
    files = compared.files
    return not files.complete or len(files.files) == pull.changed_files


async def _list(
    api: Api, repo: str, pull: PullRequest, compared: Comparison | None
) -> ChangedFiles | None:
    """Return the list of files; None if it belongs to another commit than the head."""
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
    """Return the file list for a diff that came in one piece; None if GitHub returns no list."""
    if compared is not None:
        return compared.files  # a diff has no more files than a comparison lists
    try:
        return await _list(api, repo, pull, None)
    except NOT_TOLD:
        return None


def _unshown(listed: ChangedFiles | None) -> frozenset[str]:
    """Return the files that are listed without a hunk. GitHub rejects inline comments there."""
    files = listed.files if listed else ()
    return frozenset(file.path for file in files if not file.patch)


def _distrusted(files: Sequence[FileDiff]) -> list[FileDiff | FileWithoutDiff]:
    """Return the files. Those that only seem to be binary, or may be so, have no lines."""
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
    report: Callable[[str], None],
) -> tuple[bytes, tuple[FileCoverage, ...], tuple[str, ...]]:
    """Return the diff of all files, the coverage of missing files, and the notices."""
    undiffed = [file for file in files if isinstance(file, FileWithoutDiff)]
    compared = await compare_all(place, undiffed, report)
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
    """Return the file as diff text, or a sentence with the reason why this is impossible."""
    try:
        text = file_diff_text(file)
        parse_diff(text)
    except (DiffError, ValueError):
        return "The patch that GitHub returns for it is not a valid diff."
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
            f"GitHub shows no lines of {hidden[0]}{more}, perhaps because of .gitattributes or a"
            " zero byte; the lines were compared here."
        )


def _unlisted(pull: PullRequest, listed: ChangedFiles) -> Iterator[FileCoverage]:
    """Yield files that GitHub does not list, and a list whose commit is unknown."""
    if listed.files and not any(file.ref == pull.head.sha for file in listed.files):
        yield FileCoverage(
            "(the list of files)",
            "failed",
            "GitHub lists only deleted files and does not name their commit. Somebody may have"
            " pushed meanwhile.",
        )
    left = pull.changed_files - len(listed.files)
    if not listed.complete:
        yield FileCoverage(
            f"({count(left, 'more file')})",
            "failed",
            f"GitHub lists {len(listed.files):,} of the {pull.changed_files:,} files that this pull"
            " request changes.",
        )
