"""Compare files without a diff from GitHub: fetch both contents, and compare them here."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.write import PLAIN_MODE
from reviewbot.core.plan.languages import language_of
from reviewbot.errors import SourceError
from reviewbot.github.change.local_diff import LocalDiffError, find_git, local_diff
from reviewbot.github.client.errors import (
    BadCredentialsError,
    GitHubError,
    RateLimitedError,
    TooLargeError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.github.api.gateway import Api

log = logging.getLogger(__name__)

AT_ONCE: Final = 4
"""Concurrent files. An installation sends no more requests at once."""
MAX_FILE: Final = 1_000_000
"""Maximum bytes of one version of a file."""
MAX_ALL: Final = 20_000_000
"""Maximum bytes of all contents. Requests in progress may exceed this limit."""
MAX_FILES: Final = 100
"""Maximum number of files whose contents are fetched."""
EXECUTABLE_MODE: Final = "100755"
"""git's mode of a file that can be run."""


@dataclass(frozen=True, slots=True)
class ContentSource:
    """Source of contents: old files at ``merge_base``, if known, new files at ``head``."""

    api: Api
    repo: str
    merge_base: str | None
    head: str


@dataclass(frozen=True, slots=True)
class FileWithoutDiff:
    """A file whose changed lines are unknown.

    Attributes:
        file: the file without hunks.
        blob_sha: blob id of the new content, if GitHub states it.
        added: number of added lines, as GitHub counts them.
        removed: number of removed lines, as GitHub counts them.
        otherwise: fallback if the file cannot be compared; None to report the file as missing.
    """

    file: FileDiff
    blob_sha: str | None = None
    added: int = 0
    removed: int = 0
    otherwise: FileDiff | None = None


async def compare_all(
    place: ContentSource,
    undiffed: Sequence[FileWithoutDiff],
    report: Callable[[str], None],
) -> list[FileDiff | str]:
    """Return each file with its lines, or a sentence with the reason why the file is missing.

    Files without a fallback are fetched first, so that the limits affect them last.
    ``report`` receives progress messages.

    Raises:
        RateLimitedError: the rate limit is exhausted.
        BadCredentialsError: GitHub rejects the token.
    """
    try:
        find_git()
    except LocalDiffError as error:
        return [one.otherwise or _sentence(error) for one in undiffed]
    order = sorted(range(len(undiffed)), key=lambda at: undiffed[at].otherwise is not None)
    found = await _compare_some(place, undiffed, order[:MAX_FILES], report)
    beyond = _sentence(
        f"for one change at most {MAX_FILES:,} files and {MAX_ALL:,} bytes are fetched"
    )
    return [_settled(one, found.get(at, beyond)) for at, one in enumerate(undiffed)]


async def _compare_some(
    place: ContentSource,
    undiffed: Sequence[FileWithoutDiff],
    order: Sequence[int],
    report: Callable[[str], None],
) -> dict[int, FileDiff | str]:
    """Return results of :func:`compare_all` by index, until the byte limit is reached."""
    found: dict[int, FileDiff | str] = {}
    spent = 0
    for start in range(0, len(order), AT_ONCE):
        if spent >= MAX_ALL:
            break
        report(f"the contents of file {start + 1:,} of {len(order):,}")
        wave = order[start : start + AT_ONCE]
        works = (_compared(place, undiffed[at]) for at in wave)
        # All requests of a wave end before an error is raised; none continues in the background.
        results = await asyncio.gather(*works, return_exceptions=True)
        for at, result in zip(wave, results, strict=True):
            if isinstance(result, BaseException):
                raise result
            found[at], size = result
            spent += size
    return found


def _settled(one: FileWithoutDiff, found: FileDiff | str) -> FileDiff | str:
    return one.otherwise or found if isinstance(found, str) else found


def _sentence(why: object) -> str:
    return f"GitHub does not provide its diff, and {why}."


async def _compared(place: ContentSource, one: FileWithoutDiff) -> tuple[FileDiff | str, int]:
    """Return the file with its lines, or a reason; and the number of fetched bytes."""
    size = 0
    try:
        old = await _old_content(place, one.file)
        size = len(old)
        new = await _new_content(place, one)
        size += len(new)
        return await _with_lines(one, old, new), size
    except TooLargeError:
        why = f"its content has more than {MAX_FILE:,} bytes"
    except (BadCredentialsError, RateLimitedError):
        raise
    except ValueError:  # a path with lone surrogates, or an invalid id
        why = "GitHub gives an address of its content that cannot be requested"
    except (_NoContentError, LocalDiffError) as error:
        why = str(error)
    except GitHubError as error:
        # Not the message: it names the request, and so the path.
        kind = type(error).__name__
        log.warning("the content of a file could not be fetched: %s %s", kind, error.status or "")
        why = f"its content could not be fetched: {error.for_author}"
    return _sentence(why), size


class _NoContentError(SourceError):
    """A content for the comparison is missing; the message has the reason."""


async def _old_content(place: ContentSource, file: FileDiff) -> bytes:
    if file.old_path is None:
        return b""
    if place.merge_base is None:
        raise _NoContentError("GitHub did not return its merge base")
    return await _file(place, file.old_path, place.merge_base, "old")


async def _new_content(place: ContentSource, one: FileWithoutDiff) -> bytes:
    if one.file.new_path is None:
        return b""
    if one.blob_sha is not None:
        return await place.api.contents.blob(place.repo, one.blob_sha, max_bytes=MAX_FILE)
    return await _file(place, one.file.new_path, place.head, "new")


async def _file(place: ContentSource, path: str, ref: str, side: str) -> bytes:
    content = await place.api.contents.file(place.repo, path, ref, max_bytes=MAX_FILE)
    if content is None:
        raise _NoContentError(f"its {side} content is missing")
    return content


async def _with_lines(one: FileWithoutDiff, old: bytes, new: bytes) -> FileDiff:
    """Return the file with a local diff that matches GitHub's line counts.

    Raises:
        LocalDiffError: there is no matching diff.
    """
    counted = one.added or one.removed
    is_code = language_of(one.file.path) is not None
    # A file is text if GitHub counts its lines, or if its name is that of code.
    diff = await local_diff(old, new, as_text=bool(counted) or is_code)
    grown = diff.added - diff.removed if diff else 0
    # Diff algorithms may choose different lines, but the difference of the counts is the same. The
    # contents API follows symbolic links, so it can return the content of another file.
    if counted and (diff is None or grown != one.added - one.removed):
        raise LocalDiffError("its contents do not match the numbers of lines that GitHub reports")
    if diff is not None:
        return replace(one.file, hunks=diff.hunks, binary=diff.binary)
    if one.file.status == "modified" and one.file.new_mode is None:
        # Only the mode differs. GitHub does not state it; most often the file became executable.
        return replace(one.file, old_mode=PLAIN_MODE, new_mode=EXECUTABLE_MODE)
    return one.file
