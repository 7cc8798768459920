"""Files that a caller has, as code at a commit."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from reviewbot.code.at_commit import FoundLine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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

    def _search(self, name: str) -> list[FoundLine]:
        return [
            FoundLine(path, line)
            for path, content in self._files.items()
            for line in content.decode("utf-8", "replace").split("\n")
            if name in line and name in _WORD.findall(line)
        ]
