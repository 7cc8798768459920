"""Files of a local repository, as code at a commit."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from reviewbot.code.at_commit import FILE_BYTES, NO_FILES, FilesWith, SearchError
from reviewbot.code.definitions import is_symbol
from reviewbot.code.git_contents import read_files, search_files
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.diff.widen import new_content
from reviewbot.core.plan.chunk_view import SYMLINK
from reviewbot.errors import ReviewbotError, SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.code.at_commit import FoundLine, Unread
    from reviewbot.code.git_repository import GitRepository
    from reviewbot.core.diff.parse import FileDiff

SEARCHED_CHANGES: Final = 200
"""Most changed files of a working tree that are searched for a text."""

_NO_PLACE: Final = {
    "missing": "the commit has no such file or folder",
    "link": "the path is a symbolic link",
    "submodule": "the path is a submodule",
    "binary": "the file is binary",
    "large": f"the file has more than {FILE_BYTES:,} bytes",
    "unavailable": "the content of the file is not available",
}


class GitFiles:
    """Files of the commit or the working tree under review.

    A changed file is read from the reviewed side of the diff, another one from the last commit.

    Args:
        repository: the repository of the diff.
        staged: whether the diff has staged changes only.
    """

    def __init__(self, repository: GitRepository, *, staged: bool = False) -> None:
        self._repository, self._staged = repository, staged

    async def contents(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of regular files by path, without those that are not available."""
        return await asyncio.to_thread(self._contents, paths) if paths else {}

    async def search(self, name: str) -> list[FoundLine] | None:
        """Return the first lines of the last commit with an identifier, in the order of git."""
        return await asyncio.to_thread(self._search, name) if is_symbol(name) else []

    async def read(self, paths: Sequence[str], *, base: bool = False) -> dict[str, bytes | Unread]:
        """Return the content of each path, or the reason why it has none."""
        return await asyncio.to_thread(self._read_base if base else self._read, paths)

    async def files_with(self, text: str, *, word: bool, under: str = "") -> FilesWith:
        """Return the files that may contain a text.

        Raises:
            SearchError: git could not search, or there is no file or folder ``under``.
        """
        return await asyncio.to_thread(self._files_with, text, word=word, under=under)

    def _read_base(self, paths: Sequence[str]) -> dict[str, bytes | Unread]:
        repository = self._repository
        if repository.start != repository.end:  # they are equal if the base is not known
            with suppress(SourceError):
                return read_files(repository, repository.start, paths)
        return dict.fromkeys(paths, "unavailable")

    def _read(self, paths: Sequence[str]) -> dict[str, bytes | Unread]:
        """Return the files of the last commit of the range, else those of the working tree.

        A file of the working tree that does not differ from the first commit is read from it.
        """
        repository = self._repository
        try:
            if repository.end is not None:
                return read_files(repository, repository.end, paths)
            changed = parse_diff(repository.whole(paths, staged=self._staged)) if paths else ()
            # Without a hunk, only the mode of a file differs.
            read = {
                file.path: _content_or_reason(file)
                for file in changed
                if file.hunks or file.status != "modified"
            }
            others = [path for path in paths if path not in read]
            read |= read_files(repository, repository.start, others)
        except ReviewbotError:
            return dict.fromkeys(paths, "unavailable")
        return {path: read[path] for path in paths}

    def _files_with(self, text: str, *, word: bool, under: str) -> FilesWith:
        repository = self._repository
        commit = repository.end or repository.start
        found = search_files(repository, commit, text, word=word, under=under)
        try:
            changed = () if repository.end else repository.changed(staged=self._staged)
            folder = f"{under}/" if under else ""
            inside = [path for path in changed if path == under or path.startswith(folder)]
            kind = None
            if under and not inside:  # whatever was found, as a secret must not be confirmed
                kind = read_files(repository, commit, [under])[under]
        except SourceError as error:  # its message may name a folder of this machine
            raise SearchError("git could not search the code") from error
        if isinstance(kind, str) and kind != "folder":
            raise SearchError(_NO_PLACE[kind])
        read = self._read(inside[:SEARCHED_CHANGES])
        known = text.encode("utf-8", "surrogateescape")
        new = [
            path
            for path, content in read.items()
            if isinstance(content, bytes) and known in content
        ]
        stopped = found.stopped or "unavailable" in read.values() or len(inside) > len(read)
        unchanged = (path for path in found.paths if path not in set(changed))
        return FilesWith((*new, *unchanged), stopped, found.absent)

    def _contents(self, paths: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes | None] = {}
        with suppress(ReviewbotError):  # git fails, for example since the file is not in the clone
            changed = parse_diff(self._repository.whole(paths, staged=self._staged))
            found = {file.path: _new_content(file) for file in changed}
            head = self._repository.reviewed()
            for path in paths if head else ():
                if head and path not in found:
                    with suppress(SourceError):
                        found[path] = head.file(path)
        return {path: content for path in paths if (content := found.get(path)) is not None}

    def _search(self, name: str) -> list[FoundLine] | None:
        with suppress(SourceError):
            head = self._repository.reviewed()
            return head.search(name) if head else []
        return None


def _new_content(file: FileDiff) -> bytes | None:
    """Return the new file of a diff with all its lines; None if it has not all or is not text."""
    whole = len(file.hunks) == 1 and file.hunks[0].new_start == 1
    return new_content(file) if whole and file.new_mode not in NO_FILES else None


def _content_or_reason(file: FileDiff) -> bytes | Unread:
    """Return the new file of a diff with all its lines, or the reason why it has none."""
    if file.status == "deleted":
        return "missing"
    if file.new_mode in NO_FILES:
        return "link" if file.new_mode == SYMLINK else "submodule"
    if file.binary:
        return "binary"
    content = _new_content(file) if file.hunks else b""
    if content is None:
        return "unavailable"
    return content if len(content) <= FILE_BYTES else "large"
