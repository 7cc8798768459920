"""Files to chunks and batches: what is reviewed, in which pieces, and who answers for which line. Pure.

A chunk is the unit of coverage, a batch the unit of request and payment. A :class:`Plan` holds
indices into the parsed diff, never its text, so that it is small and can be stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reviewbot.core.diff import FileStatus, Line


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of lines of one hunk: ``hunk.lines[start:stop]`` is this chunk's responsibility.

    ``show_start <= start`` and ``show_stop >= stop`` add the overlap, shown as context only.
    """

    hunk: int
    start: int
    stop: int
    show_start: int
    show_stop: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of one file that is reviewed in one go. ``file`` indexes the parsed diff.

    ``part`` counts from 1 to ``parts``. ``tokens`` is the estimate for what the prompt will show.
    ``cut`` is true where a line was too long to be shown whole: the file is then ``partly``.
    """

    id: str
    file: int
    path: str
    part: int
    parts: int
    segments: tuple[Segment, ...]
    tokens: int
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Chunks that share one model request."""

    id: str
    chunks: tuple[str, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class ShownHunk:
    """Lines of one hunk as a chunk shows them.

    ``lines`` are redacted and cut already. ``owned[i]`` is false for overlap lines, which are
    context whatever their kind. ``section`` is git's heading after the second ``@@``.
    """

    old_start: int
    new_start: int
    section: str
    lines: tuple[Line, ...]
    owned: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class ChunkView:
    """A chunk with the text that a reviewer gets to see of it."""

    id: str
    path: str
    old_path: str | None
    status: FileStatus
    part: int
    parts: int
    hunks: tuple[ShownHunk, ...]
    instructions: tuple[str, ...] = ()
    """Instructions of the repository for this path, from its configuration."""
