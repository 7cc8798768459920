"""The text of chunks as a reviewer gets to see it: read from the diff, redacted, cut. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.core.chunks import view
from reviewbot.core.redact import redact_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from reviewbot.core.chunks import Chunk, ChunkView
    from reviewbot.core.diff import FileDiff
    from reviewbot.core.redact import FileRedaction


class Views:
    """Makes views of the chunks of one diff. Each file is searched for secrets once.

    Args:
        files: the diff.
        instructions: what the repository asks of reviews of a path.
    """

    def __init__(
        self, files: Sequence[FileDiff], instructions: Callable[[str], tuple[str, ...]]
    ) -> None:
        self._files, self._instructions = files, instructions
        self._redactions: dict[int, FileRedaction] = {}

    def redaction(self, chunk: Chunk) -> FileRedaction:
        """What is hidden in the file of ``chunk``. The first time it takes a while."""
        found = self._redactions.get(chunk.file)
        if found is None:
            found = self._redactions[chunk.file] = redact_file(self._files[chunk.file])
        return found

    def of(self, chunks: Iterable[Chunk]) -> list[ChunkView]:
        """The views of ``chunks``. CPU work: for a thread."""
        return [self._one(chunk) for chunk in chunks]

    def _one(self, chunk: Chunk) -> ChunkView:
        redaction = self.redaction(chunk)
        return view(
            self._files[chunk.file],
            chunk,
            replacements=redaction.replacements,
            sections=redaction.sections,
            instructions=self._instructions(chunk.path),
        )
