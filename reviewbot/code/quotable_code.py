"""Code of one review beyond its requests: lines of files, and pieces of them within a budget.

Code obeys the policy of the review, and is redacted and escaped as the diff is. What cannot be
read, or is not known, is left out.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from reviewbot.code.at_commit import FILE_BYTES, NO_FILES
from reviewbot.code.imports import imports_of
from reviewbot.core.diff.hunks import DiffLine
from reviewbot.core.diff.numbered_line import format_line
from reviewbot.core.diff.whole import added_file, shows_whole_file
from reviewbot.core.diff.widen import new_content
from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk
from reviewbot.core.plan.policy import exclusion
from reviewbot.core.prompt.numbered import hunk_lines
from reviewbot.core.safety.redact import redact_text
from reviewbot.errors import ReviewbotError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reviewbot.code.at_commit import CodeAtCommit, FoundLine
    from reviewbot.core.diff.parse import FileDiff, FileStatus
    from reviewbot.core.plan.policy import Policy

CHARS_PER_TOKEN: Final = 3
_HEADING_CHARS: Final = 45
"""Characters of the headings of a file and a hunk, without path and header."""


@dataclass(slots=True)
class Piece:
    """A function, a class or some lines that define or call a name.

    ``header`` is the header of the function, empty for lines. ``center`` are the lines to keep if
    there is no room for all.
    """

    path: str
    first: int
    last: int
    header: str
    center: tuple[int, int]


class QuotableCode:
    """Files of one review whose lines may be quoted to a model.

    Args:
        files: the parsed diff.
        policy: decides which files are never quoted; a reviewed file of the diff may be.
        whole_files: diffs of files that are known in full, by path.
        source: more files of the reviewed commit; None if there are none.
    """

    def __init__(
        self,
        files: Sequence[FileDiff],
        policy: Policy,
        whole_files: Mapping[str, FileDiff] = MappingProxyType({}),
        *,
        source: CodeAtCommit | None = None,
    ) -> None:
        self.files, self._source = files, source
        self._files = {file.path: file for file in files}
        self._policy, self._whole_files = policy, whole_files
        self._read: dict[str, asyncio.Future[tuple[str, ...] | None]] = {}

    def containing(self, name: str) -> list[str]:
        """Return the paths of the changed files that contain a name, as far as they are known."""
        known = {**self._files, **self._whole_files}.items()
        word = name.encode()
        return [path for path, file in known if any(word in hunk.raw for hunk in file.hunks)]

    async def search(self, name: str) -> Sequence[FoundLine] | None:
        """Return lines of the commit with a name; None if the commit cannot be searched."""
        return None if self._source is None else await self._source.search(name)

    async def imported(self, name: str) -> list[str]:
        """Return paths that the whole files with a name import, in place of a search."""
        return [] if self._source is None else await asyncio.to_thread(self._imported, name)

    def _imported(self, name: str) -> list[str]:
        added = {file.path: file for file in self.files if file.status == "added"}
        whole = added | {**self._whole_files}
        found: dict[str, None] = {}
        for path, file in whole.items():
            text = new_content(file).decode("utf-8", "replace")
            if name in text:
                found |= dict.fromkeys(imports_of(path, text))
        return [path for path in found if path not in whole]

    async def lines(self, path: str) -> tuple[str, ...] | None:
        """Return the redacted lines of a file; None if it may not be quoted or is not known."""
        if path not in self._read:
            self._read[path] = asyncio.ensure_future(self._load(path))
        return await self._read[path]

    async def _load(self, path: str) -> tuple[str, ...] | None:
        file = self._files.get(path)
        if file is not None and (file.new_mode in NO_FILES or file.binary):
            return None
        whole = self._whole_files.get(path)
        if whole is None and file is not None and await asyncio.to_thread(shows_whole_file, file):
            whole = file
        if whole is not None:
            content: bytes | None = await asyncio.to_thread(new_content, whole)
        else:
            content = (await self._source.contents([path])).get(path) if self._source else None
        if content is None or len(content) > FILE_BYTES or b"\0" in content:
            return None
        return await asyncio.to_thread(self._quotable, path, content)

    def _quotable(self, path: str, content: bytes) -> tuple[str, ...] | None:
        """Return the redacted lines of a file; None if the policy or a secret forbids them."""
        file = self._files.get(path) or added_file(path, content)
        with suppress(ReviewbotError):  # the file, or its path, cannot be redacted for certain
            if redact_text(path) == path and exclusion(file, self._policy) is None:
                text = redact_text(content.decode("utf-8", "surrogateescape"), path)
                return tuple(text.removesuffix("\n").split("\n"))
        return None

    async def shown(self, room: int, *groups: Sequence[Piece]) -> tuple[ChunkView, ...]:
        """Return pieces as views of their files.

        Args:
            room: most characters of all pieces.
            groups: the pieces. Each has an equal share of the room that earlier groups left.
        """
        hunks: dict[str, list[ShownHunk]] = {}
        for pieces in groups:
            for index, piece in enumerate(pieces):
                share = room // (len(pieces) - index)
                hunk = _shown(piece, await self.lines(piece.path) or (), share)
                if hunk is not None:
                    lines = sum(len(line) + 1 for line in hunk_lines(hunk))
                    room -= len(piece.path) + _HEADING_CHARS + lines
                    hunks.setdefault(piece.path, []).append(hunk)
        return tuple(
            ChunkView(f"evidence-{number}", path, None, self._status(path), 1, 1, tuple(each))
            for number, (path, each) in enumerate(hunks.items(), 1)
        )

    def _status(self, path: str) -> FileStatus | Literal["unchanged"]:
        file = self._files.get(path)
        return "unchanged" if file is None else file.status


def _shown(piece: Piece, lines: Sequence[str], share: int) -> ShownHunk | None:
    """Return the lines of a piece that fit, those in its center first; None if none fits."""
    start, end = piece.center
    first, last = start, start - 1
    room = share - len(piece.path) - len(piece.header) - _HEADING_CHARS
    for number in _order(piece.first, piece.last, start, end):
        room -= len(format_line(_line(number, lines))) + 1
        if room < 0:
            break
        first, last = min(first, number), max(last, number)
    shown = tuple(_line(number, lines) for number in range(first, last + 1))
    section = piece.header if first > piece.first else ""
    return ShownHunk(0, first, section, shown, (False,) * len(shown)) if shown else None


def _line(number: int, lines: Sequence[str]) -> DiffLine:
    return DiffLine("context", None, number, lines[number - 1])


def _order(first: int, last: int, start: int, end: int) -> Iterator[int]:
    """Yield ``start`` to ``end``, then the line above, the line below, and so on."""
    yield from range(start, end + 1)
    for step in range(1, last - first + 1):
        if start - step >= first:
            yield start - step
        if end + step <= last:
            yield end + step
