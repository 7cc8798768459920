"""The text of a chunk as a reviewer sees it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from reviewbot.core.diff.whole import shows_whole_file
from reviewbot.core.plan.weigh import SECTION_LIMIT, cut_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reviewbot.core.diff.parse import DiffLine, FileDiff, FileStatus
    from reviewbot.core.plan.chunks import Chunk
    from reviewbot.core.plan.split import Segment

EXECUTABLE = "100755"
SYMLINK = "120000"
"""git's mode of a symbolic link."""

_NO_REDACTIONS: Mapping[tuple[int, int], str] = MappingProxyType({})
_NO_SECTIONS: Mapping[int, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ShownHunk:
    """Lines of one hunk as a chunk shows them.

    ``lines`` are already redacted and truncated. ``owned[i]`` is False for overlap lines, which are
    context whatever their kind. ``section`` is git's heading after the second ``@@``.
    """

    old_start: int
    new_start: int
    section: str
    lines: tuple[DiffLine, ...]
    owned: tuple[bool, ...]

    def between(self, start: int, stop: int) -> ShownHunk:
        """Return the lines from index ``start`` to before ``stop`` as a hunk."""
        above = self.lines[:start]
        return ShownHunk(
            self.old_start + sum(line.old_no is not None for line in above),
            self.new_start + sum(line.new_no is not None for line in above),
            self.section,
            self.lines[start:stop],
            self.owned[start:stop],
        )


@dataclass(frozen=True, slots=True)
class ChunkView:
    """A chunk with its text as a reviewer sees it.

    ``status`` is ``unchanged`` for code beside the diff.
    """

    id: str
    path: str
    old_path: str | None
    status: FileStatus | Literal["unchanged"]
    part: int
    parts: int
    hunks: tuple[ShownHunk, ...]
    instructions: tuple[str, ...] = ()
    """Instructions of the repository for this path, from its configuration."""
    tokens: int = 0
    """Estimated tokens of the chunk, by the plan."""
    is_whole: bool = False
    """Whether it shows every line of the new file."""
    is_executable: bool = False
    """Whether the file may be executed."""
    is_link: bool = False
    """Whether the file is a symbolic link, whose text is only its target."""


def view(
    file: FileDiff,
    chunk: Chunk,
    *,
    replacements: Mapping[tuple[int, int], str] = _NO_REDACTIONS,
    sections: Mapping[int, str] = _NO_SECTIONS,
    instructions: tuple[str, ...] = (),
) -> ChunkView:
    """Return the text of ``chunk``: redacted, then truncated, with the overlap marked.

    Args:
        file: the file of the chunk.
        chunk: the planned chunk.
        replacements: redacted text by index of the hunk and index of the line in it.
        sections: redacted section by index of the hunk.
        instructions: the repository's instructions for this path.
    """
    return ChunkView(
        id=chunk.id,
        path=file.path,
        old_path=file.old_path,
        status=file.status,
        part=chunk.part,
        parts=chunk.parts,
        hunks=tuple(
            _shown(file, segment, chunk.line_limit, replacements, sections)
            for segment in chunk.segments
        ),
        instructions=instructions,
        tokens=chunk.tokens,
        is_whole=chunk.parts == 1 and not chunk.cut and shows_whole_file(file),
        is_executable=file.new_mode == EXECUTABLE,
        is_link=file.new_mode == SYMLINK,
    )


def whole_view(file: FileDiff, name: str) -> ChunkView:
    """Return all hunks of a file, whose text is redacted, as the chunk ``name``."""
    return ChunkView(
        id=name,
        path=file.path,
        old_path=file.old_path,
        status=file.status,
        part=1,
        parts=1,
        hunks=tuple(
            ShownHunk(
                hunk.old_start,
                hunk.new_start,
                hunk.section[:SECTION_LIMIT],
                lines := hunk.lines,
                (True,) * len(lines),
            )
            for hunk in file.hunks
        ),
    )


def _shown(
    file: FileDiff,
    segment: Segment,
    limit: int | None,
    replacements: Mapping[tuple[int, int], str],
    sections: Mapping[int, str],
) -> ShownHunk:
    hunk = file.hunks[segment.hunk]
    lines = []
    for index, line in enumerate(
        hunk.slice(segment.show_start, segment.show_stop), segment.show_start
    ):
        text = replacements.get((segment.hunk, index), line.text)
        if limit is not None:
            text = cut_line(text, limit)
        lines.append(line if text is line.text else line._replace(text=text))
    old_start, new_start = hunk.position(segment.show_start)
    section = sections.get(segment.hunk, hunk.section)[:SECTION_LIMIT]
    if (file.new_mode if hunk.new_count else file.old_mode) == SYMLINK:
        section = "symbolic link: the line is its target"
    return ShownHunk(
        old_start=old_start,
        new_start=new_start,
        section=section,
        lines=tuple(lines),
        owned=tuple(
            segment.start <= index < segment.stop
            for index in range(segment.show_start, segment.show_stop)
        ),
    )
