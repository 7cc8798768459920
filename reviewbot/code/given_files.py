"""Files that a caller has, as code at a commit."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from reviewbot.code.at_commit import FILE_BYTES, FilesWith, FoundLine, SearchError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.code.at_commit import Unread

_WORD: Final = re.compile(r"\w+")


class GivenFiles:
    """Files of the reviewed commit, by path from the root of the repository."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    async def contents(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of the files by path, without those that were not given."""
        return {path: self._files[path] for path in paths if path in self._files}

    async def search(self, name: str) -> list[FoundLine]:
        """Return the lines with an identifier."""
        return await asyncio.to_thread(self._search, name)

    async def read(self, paths: Sequence[str], *, base: bool = False) -> dict[str, bytes | Unread]:
        """Return the content of each path, or the reason why it has none."""
        return {path: "unavailable" if base else self._content(path) for path in paths}

    def _content(self, path: str) -> bytes | Unread:
        content = self._files.get(path)
        if content is None:
            folder = f"{path}/"
            return "folder" if any(path.startswith(folder) for path in self._files) else "missing"
        return content if len(content) <= FILE_BYTES else "large"

    async def files_with(self, text: str, *, word: bool, under: str = "") -> FilesWith:  # noqa: ARG002 - a candidate need not have it as a word
        """Return the files that contain a text.

        Raises:
            SearchError: there is no file or folder ``under``.
        """
        folder = f"{under}/" if under else ""
        paths = [path for path in self._files if path == under or path.startswith(folder)]
        if under and not paths:
            raise SearchError("the commit has no such file or folder")
        wanted = text.encode("utf-8", "surrogateescape")
        return await asyncio.to_thread(
            lambda: FilesWith(tuple(path for path in paths if wanted in self._files[path]))
        )

    def _search(self, name: str) -> list[FoundLine]:
        return [
            FoundLine(path, line)
            for path, content in self._files.items()
            for line in content.decode("utf-8", "replace").split("\n")
            if name in line and name in _WORD.findall(line)
        ]
