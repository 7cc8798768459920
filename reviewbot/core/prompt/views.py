"""Text of chunks as a reviewer sees it: read from the diff, redacted and truncated. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from reviewbot.core.plan.chunk_view import view
from reviewbot.core.safety.redact import redact_file
from reviewbot.errors import ReviewbotError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.core.plan.chunks import Chunk
    from reviewbot.core.safety.redact import FileRedaction


class Views:
    """Factory of views of the chunks of one diff. Each file is searched for secrets once.

    Args:
        files: the diff.
        instructions: returns the repository's instructions for a path.
        whole_files: files that are known in full, by path. The whole file is searched for secrets.
    """

    def __init__(
        self,
        files: Sequence[FileDiff],
        instructions: Callable[[str], tuple[str, ...]],
        whole_files: Mapping[str, FileDiff] = MappingProxyType({}),
    ) -> None:
        self._files, self._instructions = files, instructions
        self._whole_files = whole_files
        self._redactions: dict[int, FileRedaction | ReviewbotError] = {}

    def redaction(self, chunk: Chunk) -> FileRedaction:
        """Return the redaction of the file of ``chunk``. The first call for a file is slow.

        Raises:
            ReviewbotError: the file could not be searched for secrets.
        """
        if chunk.file not in self._redactions:
            try:
                whole = self._whole_files.get(chunk.path)
                self._redactions[chunk.file] = redact_file(self._files[chunk.file], whole)
            except ReviewbotError as error:  # the other chunks of the file fail alike
                self._redactions[chunk.file] = error
        found = self._redactions[chunk.file]
        if isinstance(found, ReviewbotError):
            raise ReviewbotError(str(found))
        return found

    def of(self, chunks: Iterable[Chunk]) -> tuple[list[ChunkView], dict[str, str]]:
        """Return the views of ``chunks``, and the reasons why others have none, by their ids.

        A chunk that could not be searched for secrets has no view: it is neither sent nor shown.
        Uses the CPU: call in a thread.
        """
        views, unread = [], {}
        for chunk in chunks:
            try:
                views.append(self._one(chunk))
            except ReviewbotError as error:
                unread[chunk.id] = str(error)
        return views, unread

    def _one(self, chunk: Chunk) -> ChunkView:
        redaction = self.redaction(chunk)
        return view(
            self._files[chunk.file],
            chunk,
            replacements=redaction.replacements,
            sections=redaction.sections,
            instructions=self._instructions(chunk.path),
        )
