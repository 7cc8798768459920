"""The interface to the code of one commit, whatever its source is.

Local git (:class:`reviewbot.code.git_files.GitFiles`), GitHub's contents API
(:class:`reviewbot.github.change.head_files.HeadFiles`) and files that a caller has
(:class:`reviewbot.code.given_files.GivenFiles`) implement it.
"""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Final,
    Literal,
    NamedTuple,
    Protocol,
    TypeAlias,
    runtime_checkable,
)

from reviewbot.core.diff.parse import SUBMODULE
from reviewbot.core.plan.chunk_view import SYMLINK
from reviewbot.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FILE_BYTES: Final = 500_000
"""Most bytes of a file that is read."""
SEARCH_S: Final = 2.0
"""Seconds of one search for a text."""
NO_FILES: Final = frozenset({SYMLINK, SUBMODULE})
"""Modes of changed paths that are no files."""


Unread: TypeAlias = Literal[
    "missing", "link", "submodule", "folder", "binary", "large", "unavailable"
]
"""Reason why a path has no content. ``large`` is more than :data:`FILE_BYTES`. ``unavailable`` is a
failure, or a content that the source does not have: it says nothing about the file."""


class SearchError(SourceError):
    """The code could not be searched. It says nothing about what the code contains."""


class FilesWith(NamedTuple):
    """Files that may contain a text.

    ``paths`` contains every file with the text unless ``stopped`` is True. ``absent`` counts files
    that were not searched because their contents are not in the clone.
    """

    paths: tuple[str, ...]
    stopped: bool = False
    absent: int = 0


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

    async def read(
        self, paths: Sequence[str], *, base: bool = False
    ) -> Mapping[str, bytes | Unread]:
        """Return the content of each path, or the reason why it has none.

        Links are not followed. A content has at most :data:`FILE_BYTES` bytes.

        Args:
            paths: paths from the root of the repository.
            base: whether to read the commit that the change starts from.
        """

    async def files_with(self, text: str, *, word: bool, under: str = "") -> FilesWith:
        """Return the files that may contain a text, within :data:`SEARCH_S` seconds.

        Args:
            text: a fixed text within one line.
            word: whether the text counts only as a whole word.
            under: the file or folder to search; empty for all.

        Raises:
            SearchError: the code could not be searched, or has no file or folder ``under``.
        """


@runtime_checkable
class ReportsProblem(Protocol):
    """Code at a commit that may report a problem."""

    @property
    def problem(self) -> str | None:
        """Sentence for readers of the review about code that is not available; None without one."""


def problem_of(code: object) -> str | None:
    """Return the problem that the code of a commit reports; None without one."""
    return code.problem if isinstance(code, ReportsProblem) else None
