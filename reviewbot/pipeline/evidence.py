"""Evidence for the verification of findings: code that the request of a batch does not show.

It is the function around a finding, the definitions of the names that the finding mentions, and, if
wanted, callers of the function. A name counts only if few places define it: an arbitrary one of
many would mislead.

Evidence obeys the policy of the review, and is redacted and escaped as the diff is. What cannot be
read, or is not known, is left out.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, Protocol

from reviewbot.core.diff.hunks import DiffLine
from reviewbot.core.diff.numbered_line import format_line
from reviewbot.core.diff.parse import SUBMODULE
from reviewbot.core.diff.whole import added_file, shows_whole_file
from reviewbot.core.diff.widen import new_content
from reviewbot.core.plan.categories import kind_of
from reviewbot.core.plan.chunk_view import SYMLINK, ChunkView, ShownHunk
from reviewbot.core.plan.languages import is_source
from reviewbot.core.plan.policy import skip_reason
from reviewbot.core.prompt.numbered import hunk_lines
from reviewbot.core.safety.redact import redact_text
from reviewbot.errors import ReviewbotError
from reviewbot.pipeline.definitions import (
    call_lines,
    defined_name,
    definition_lines,
    symbols_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reviewbot.core.diff.parse import FileDiff, FileStatus
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.plan.policy import Policy
    from reviewbot.models.offline.structure import Enclosing

BUDGET_TOKENS: Final = 2_000
CHARS_PER_TOKEN: Final = 3
FILE_BYTES: Final = 200_000
"""Most bytes of a file that is read."""
BATCH_SYMBOLS: Final = 10
"""Most names that are looked up for the findings of one batch."""
PLACES: Final = 3
"""Most definitions of a name; a name with more is left out."""
CANDIDATES: Final = 10
"""Most files in which a name is looked up."""
CALLERS: Final = 3
"""Most callers of a function."""
_AROUND: Final = 3
"""Lines on both sides of a call outside of a function."""
_LINES: Final = 12
"""Lines of a definition whose end is not known."""
_HEADING_CHARS: Final = 45
"""Characters of the headings of a file and a hunk, without path and header."""
_NO_FILES: Final = frozenset({SYMLINK, SUBMODULE})


class CodeFiles(Protocol):
    """Reader of the files of the commit, or of the working tree, that is reviewed."""

    async def content(self, path: str) -> bytes | None:
        """Return the content of a regular file; None if it is not available."""

    async def candidates(self, symbol: str) -> Sequence[str]:
        """Return paths of files that may define a name, likeliest first."""

    async def callers(self, symbol: str) -> Sequence[str]:
        """Return paths of files that may call a name; none if many places define it."""


class Structure(Protocol):
    """Parser that knows which function encloses a line."""

    async def enclosing(
        self, path: str, text: str, lines: Sequence[int]
    ) -> tuple[Enclosing | None, ...]:
        """Return the innermost function, else class, around each line."""


@dataclass(slots=True)
class _Piece:
    """A function, a class or some lines that define or call a name.

    ``header`` is the header of the function, empty for lines. ``center`` are the lines to keep if
    there is no room for all.
    """

    path: str
    first: int
    last: int
    header: str
    center: tuple[int, int]


class Evidence:
    """Evidence from the files of one review.

    Args:
        files: the parsed diff.
        policy: decides which files are never quoted.
        parser: the parser of the review.
        whole_files: diffs of files that are known in full, by path.
        source: reader of more files; None if there is none.
        callers: whether callers of the functions around findings are evidence.
        budget_tokens: most tokens for the findings of one batch, estimated.
    """

    def __init__(
        self,
        files: Sequence[FileDiff],
        policy: Policy,
        parser: Structure,
        whole_files: Mapping[str, FileDiff] = MappingProxyType({}),
        *,
        source: CodeFiles | None = None,
        callers: bool = False,
        budget_tokens: int = BUDGET_TOKENS,
    ) -> None:
        self._files = {file.path: file for file in files}
        self._whole_files = whole_files
        self._policy, self._parser, self._source = policy, parser, source
        self._wants_callers = callers
        self._budget = budget_tokens * CHARS_PER_TOKEN
        self._read: dict[str, asyncio.Future[tuple[str, ...] | None]] = {}

    async def views(self, findings: Sequence[Finding]) -> tuple[ChunkView, ...]:
        """Return the evidence for the findings of one batch: one view of each file."""
        pieces: dict[tuple[str, int, int], _Piece] = {}
        functions = await self._functions(findings)
        for piece in self._around(functions):
            known = pieces.setdefault((piece.path, piece.first, piece.last), piece)
            start, end = zip(known.center, piece.center, strict=True)
            known.center = min(start), max(end)
        asked: dict[str, list[Finding]] = {}
        for finding in findings:
            for symbol in symbols_of(finding):
                asked.setdefault(symbol, []).append(finding)
        for symbol in list(asked)[:BATCH_SYMBOLS]:
            for piece in await self._definitions(symbol, asked[symbol]):
                pieces.setdefault((piece.path, piece.first, piece.last), piece)
        callers = await self._callers(functions) if self._wants_callers else ()
        new = [one for one in callers if (one.path, one.first, one.last) not in pieces]
        return await self._fit(list(pieces.values()), new)

    async def _fit(self, *groups: Sequence[_Piece]) -> tuple[ChunkView, ...]:
        """Return the pieces with an equal share of the budget that earlier groups left."""
        room = self._budget
        hunks: dict[str, list[ShownHunk]] = {}
        for pieces in groups:
            for index, piece in enumerate(pieces):
                share = room // (len(pieces) - index)
                hunk = _shown(piece, await self._lines(piece.path) or (), share)
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

    async def _functions(self, findings: Sequence[Finding]) -> list[tuple[Finding, Enclosing]]:
        """Return the function around each finding that is in one."""
        by_path: dict[str, list[Finding]] = {}
        for finding in findings:
            if finding.side == "RIGHT" and finding.is_placed:
                by_path.setdefault(finding.path, []).append(finding)
        found = []
        for path, ones in by_path.items():
            lines = await self._lines(path) or ()
            numbers = [one.line for one in ones]
            places = await self._parser.enclosing(path, "\n".join(lines), numbers)
            found += [(one, place) for one, place in zip(ones, places, strict=True) if place]
        return found

    def _around(self, functions: Sequence[tuple[Finding, Enclosing]]) -> Iterator[_Piece]:
        """Yield the functions around findings, without those that a hunk shows completely."""
        for one, place in functions:
            if not self._shows(one, place.first, place.last):
                center = one.line, min(one.end_line, place.last)
                yield _Piece(one.path, place.first, place.last, place.header, center)

    def _shows(self, finding: Finding, first: int, last: int) -> bool:
        """Return whether the hunk of a finding shows these lines of its file."""
        file = self._files.get(finding.path)
        return file is not None and any(
            hunk.new_start <= first and last < hunk.new_start + hunk.new_count
            for hunk in file.hunks
            if hunk.new_start <= finding.line < hunk.new_start + hunk.new_count
        )

    async def _definitions(self, symbol: str, findings: Sequence[Finding]) -> list[_Piece]:
        """Return the definitions of a name: those in a file of its findings, else all others."""
        own = dict.fromkeys(finding.path for finding in findings)
        places = [place for path in own for place in await self._defined_in(path, symbol)]
        if not places:
            others = (path for path in await self._candidates(symbol) if path not in own)
            places = [place for path in others for place in await self._defined_in(path, symbol)]
        if len(places) > PLACES:
            return []
        return [one for one in places if not self._are_shown(one, findings)]

    async def _callers(self, functions: Sequence[tuple[Finding, Enclosing]]) -> list[_Piece]:
        """Return the callers of the functions around findings that a hunk does not show."""
        around: dict[tuple[str, str], list[tuple[Finding, Enclosing]]] = {}
        for finding, place in functions:
            name = defined_name(place.header)
            if name is not None:
                around.setdefault((finding.path, name), []).append((finding, place))
        pieces: list[_Piece] = []
        for (path, name), ones in list(around.items())[:BATCH_SYMBOLS]:
            own = [_Piece(path, one.first, one.last, one.header, (0, 0)) for _, one in ones]
            calls = await self._calls_of(name, [*own, *pieces])
            pieces += [one for one in calls if not self._are_shown(one, [of for of, _ in ones])]
        return pieces

    async def _calls_of(self, name: str, known: Sequence[_Piece]) -> list[_Piece]:
        """Return the code around calls of a name, tests last, without calls in ``known``."""
        own = {**self._files, **self._whole_files}.items()
        paths = [path for path, file in own if any(name.encode() in one.raw for one in file.hunks)]
        if self._source is not None:
            paths += await self._source.callers(name)
        sources = sorted(filter(is_source, dict.fromkeys(paths)), key=_is_test)
        seen, defined = list(known), 0
        for path in sources[:CANDIDATES]:
            lines = await self._lines(path) or ()
            defined += len(definition_lines(name, lines))
            numbers = [index + 1 for index in call_lines(name, lines)]
            around = await self._parser.enclosing(path, "\n".join(lines), numbers)
            for number, place in zip(numbers, around, strict=True):
                if any(one.path == path and one.first <= number <= one.last for one in seen):
                    continue
                first, last = max(1, number - _AROUND), min(number + _AROUND, len(lines))
                if place is not None:
                    first, last = place.first, place.last
                header = place.header if place else ""
                seen.append(_Piece(path, first, last, header, (number, number)))
        return seen[len(known) :][:CALLERS] if defined <= PLACES else []

    def _are_shown(self, piece: _Piece, findings: Sequence[Finding]) -> bool:
        """Return whether the hunks of the findings show the piece to the model anyway."""
        return all(
            one.path == piece.path and self._shows(one, piece.first, piece.last) for one in findings
        )

    async def _candidates(self, symbol: str) -> Sequence[str]:
        """Return the files that may define a name: of the diff, and of the source."""
        name = symbol.encode()
        found = [
            path
            for path, file in self._files.items()
            if any(name in hunk.raw for hunk in file.hunks)
        ]
        if self._source is not None:
            found += await self._source.candidates(symbol)
        return [path for path in dict.fromkeys(found) if is_source(path)][:CANDIDATES]

    async def _defined_in(self, path: str, symbol: str) -> list[_Piece]:
        """Return the definitions of a name in a file."""
        lines = await self._lines(path)
        if lines is None:
            return []
        numbers = [index + 1 for index in definition_lines(symbol, lines)]
        if len(numbers) > PLACES:
            return [_Piece(path, number, number, "", (number, number)) for number in numbers]
        around = await self._parser.enclosing(path, "\n".join(lines), numbers)
        pieces = []
        for number, place in zip(numbers, around, strict=True):
            if place is not None and symbol in place.header:
                center = place.first, place.first
                pieces.append(_Piece(path, place.first, place.last, place.header, center))
            else:
                last = min(number + _LINES - 1, len(lines))
                pieces.append(_Piece(path, number, last, "", (number, number)))
        return pieces

    async def known_lines(self, path: str) -> tuple[str, ...] | None:
        """Return the redacted lines of a file that is known in full; None if it is not.

        Nothing is read for it.
        """
        read = self._read.get(path)
        if path in self._whole_files or (read and read.done() and read.exception() is None):
            return await self._lines(path)
        return None

    async def _lines(self, path: str) -> tuple[str, ...] | None:
        """Return the redacted lines of a file; None if it may not be quoted or is not known."""
        if path not in self._read:
            self._read[path] = asyncio.ensure_future(self._load(path))
        return await self._read[path]

    async def _load(self, path: str) -> tuple[str, ...] | None:
        file = self._files.get(path)
        if file is not None and (file.new_mode in _NO_FILES or file.binary):
            return None
        whole = self._whole_files.get(path)
        if whole is None and file is not None and await asyncio.to_thread(shows_whole_file, file):
            whole = file
        if whole is not None:
            content: bytes | None = await asyncio.to_thread(new_content, whole)
        else:
            content = await self._source.content(path) if self._source else None
        if content is None or len(content) > FILE_BYTES or b"\0" in content:
            return None
        return await asyncio.to_thread(_quotable, path, content, self._policy)


def _is_test(path: str) -> bool:
    return kind_of(path) == "tests"


def _quotable(path: str, content: bytes, policy: Policy) -> tuple[str, ...] | None:
    """Return the redacted lines of a file; None if the policy or a secret in it forbids them."""
    with suppress(ReviewbotError):  # the file, or its path, cannot be redacted for certain
        if redact_text(path) == path and skip_reason(added_file(path, content), policy) is None:
            text = redact_text(content.decode("utf-8", "surrogateescape"))
            return tuple(text.removesuffix("\n").split("\n"))
    return None


def _shown(piece: _Piece, lines: Sequence[str], share: int) -> ShownHunk | None:
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
