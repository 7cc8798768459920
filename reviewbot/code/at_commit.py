"""The interface to the code of one commit, whatever its source is.

Local git (:class:`reviewbot.code.git_files.GitFiles`), GitHub's contents API
(:class:`reviewbot.github.change.head_files.HeadFiles`) and files that a caller has
(:class:`reviewbot.code.given_files.GivenFiles`) implement it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from reviewbot.core.diff.parse import SUBMODULE
from reviewbot.core.plan.chunk_view import SYMLINK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FILE_BYTES: Final = 200_000
"""Most bytes of a file that is read."""
NO_FILES: Final = frozenset({SYMLINK, SUBMODULE})
"""Modes of changed paths that are no files."""


class FoundLine(NamedTuple):
    """A line of a search, with the path of its file from the root of the repository."""

    path: str
    text: str


class CodeAtCommit(Protocol):
    """Files of the commit, or of the working tree, that is reviewed."""

    async def contents(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        """Return the contents of regular files by path, without those that are not available."""

    async def search(self, name: str) -> Sequence[FoundLine] | None:
        """Return the first lines with an identifier; None if the code cannot be searched.

        ``name`` is matched as a whole word (:func:`reviewbot.code.definitions.is_symbol`).
        """
