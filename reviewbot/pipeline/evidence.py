"""Evidence for the verification of findings: code that the request of a batch does not show.

It is the function around a finding, and the definitions of the names that the finding mentions.
A name counts only if few places define it: an arbitrary one of many would mislead.

Evidence obeys the policy of the review, and is redacted and escaped as the diff is. What cannot be
read, or is not known, is left out.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from reviewbot.core.diff.hunks import DiffLine
from reviewbot.core.diff.numbered_line import format_line
from reviewbot.core.diff.parse import SUBMODULE
from reviewbot.core.diff.whole import added_file, shows_whole_file
from reviewbot.core.diff.widen import new_content
from reviewbot.core.plan.chunk_view import SYMLINK
from reviewbot.core.plan.languages import is_source
from reviewbot.core.plan.policy import skip_reason
from reviewbot.core.safety.redact import redact_text
from reviewbot.errors import ReviewbotError
from reviewbot.pipeline.definitions import definition_lines, symbols_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reviewbot.core.diff.parse import FileDiff
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
_LINES: Final = 12
"""Lines of a definition whose end is not known."""
_AROUND: Final = "enclosing function"
_NO_FILES: Final = frozenset({SYMLINK, SUBMODULE})


@dataclass(frozen=True, slots=True)
class Snippet:
    """Some lines of a file.

    Attributes:
        path: path of the file. It holds no secrets, but is not escaped.
        first_line: number of the first line.
        text: the lines in the form of :mod:`reviewbot.core.prompt.numbered`, such as
            ``R  41   | code``.
        what: ``enclosing function`` or ``definition of NAME``.
    """

    path: str
    first_line: int
    text: str
    what: str


class CodeFiles(Protocol):
    """Reader of the files of the commit, or of the working tree, that is reviewed."""

    async def content(self, path: str) -> bytes | None:
        """Return the content of a regular file; None if it is not available."""

    async def candidates(self, symbol: str) -> Sequence[str]:
        """Return paths of files that may define a name, likeliest first."""


class Structure(Protocol):
    """Parser that knows which function encloses a line."""

    async def enclosing(
        self, path: str, text: str, lines: Sequence[int]
    ) -> tuple[Enclosing | None, ...]:
        """Return the innermost function, else class, around each line."""


@dataclass(slots=True)
class _Piece:
    """Lines of a file that may become a snippet.

    ``center`` are the lines to keep if there is no room for all; ``findings`` are ids.
    """

    path: str
    first: int
    last: int
    what: str
    center: tuple[int, int]
    findings: list[str]


class Evidence:
    """Evidence from the files of one review.

    Args:
        files: the parsed diff.
        policy: decides which files are never quoted.
        parser: the parser of the review.
        source: reader of more files; None if only the diff is known.
        budget_tokens: most tokens for the findings of one batch, estimated.
    """

    def __init__(
        self,
        files: Sequence[FileDiff],
        policy: Policy,
        parser: Structure,
        source: CodeFiles | None = None,
        *,
        budget_tokens: int = BUDGET_TOKENS,
    ) -> None:
        self._files = {file.path: file for file in files}
        self._policy, self._parser, self._source = policy, parser, source
        self._budget = budget_tokens * CHARS_PER_TOKEN
        self._read: dict[str, asyncio.Future[tuple[str, ...] | None]] = {}

    async def snippets(self, findings: Sequence[Finding]) -> Mapping[str, tuple[Snippet, ...]]:
        """Return the evidence for the findings of one batch, by id of the finding.

        Findings share equal snippets. A finding without evidence is left out.
        """
        pieces: dict[tuple[str, int, int], _Piece] = {}
        for piece in await self._around(findings):
            known = pieces.setdefault((piece.path, piece.first, piece.last), piece)
            if known is not piece:
                start, end = zip(known.center, piece.center, strict=True)
                known.center = min(start), max(end)
                known.findings += piece.findings
        asked: dict[str, list[Finding]] = {}
        for finding in findings:
            for symbol in symbols_of(finding):
                asked.setdefault(symbol, []).append(finding)
        for symbol in list(asked)[:BATCH_SYMBOLS]:
            for piece in await self._definitions(symbol, asked[symbol]):
                known = pieces.setdefault((piece.path, piece.first, piece.last), piece)
                known.findings = list(dict.fromkeys(known.findings + piece.findings))
        return await self._fit(list(pieces.values()))

    async def _fit(self, pieces: Sequence[_Piece]) -> dict[str, tuple[Snippet, ...]]:
        """Return the snippets of the pieces, each with an equal share of the budget."""
        room = self._budget
        found: dict[str, tuple[Snippet, ...]] = {}
        for index, piece in enumerate(pieces):
            share = room // (len(pieces) - index)
            snippet = _snippet(piece, await self._lines(piece.path) or (), share)
            if snippet is None:
                continue
            room -= _cost(snippet)
            for name in piece.findings:
                found[name] = (*found.get(name, ()), snippet)
        return found

    async def _around(self, findings: Sequence[Finding]) -> list[_Piece]:
        """Return the functions around findings, without those that a hunk shows completely."""
        by_path: dict[str, list[Finding]] = {}
        for finding in findings:
            if finding.side == "RIGHT" and finding.is_placed:
                by_path.setdefault(finding.path, []).append(finding)
        pieces = []
        for path, ones in by_path.items():
            lines = await self._lines(path) or ()
            numbers = [one.line for one in ones]
            places = await self._parser.enclosing(path, "\n".join(lines), numbers)
            for one, place in zip(ones, places, strict=True):
                if place is not None and not self._shows(one, place.first, place.last):
                    center = one.line, min(one.end_line, place.last)
                    pieces.append(_Piece(path, place.first, place.last, _AROUND, center, [one.id]))
        return pieces

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
        return [
            _Piece(path, first, last, f"definition of {symbol}", (first, first), ids)
            for path, first, last in places
            if (ids := [one.id for one in findings if not self._is_shown(one, path, first, last)])
        ]

    def _is_shown(self, finding: Finding, path: str, first: int, last: int) -> bool:
        return path == finding.path and self._shows(finding, first, last)

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

    async def _defined_in(self, path: str, symbol: str) -> list[tuple[str, int, int]]:
        """Return path, first and last line of each definition of a name in a file."""
        lines = await self._lines(path)
        if lines is None:
            return []
        numbers = [index + 1 for index in definition_lines(symbol, lines)]
        if not numbers or len(numbers) > PLACES:
            return [(path, number, number) for number in numbers]
        around = await self._parser.enclosing(path, "\n".join(lines), numbers)
        return [
            (path, place.first, place.last)
            if place is not None and symbol in place.header
            else (path, number, min(number + _LINES - 1, len(lines)))
            for number, place in zip(numbers, around, strict=True)
        ]

    async def _lines(self, path: str) -> tuple[str, ...] | None:
        """Return the redacted lines of a file; None if it may not be quoted or is not known."""
        if path not in self._read:
            self._read[path] = asyncio.ensure_future(self._load(path))
        return await self._read[path]

    async def _load(self, path: str) -> tuple[str, ...] | None:
        file = self._files.get(path)
        if file is not None and (file.new_mode in _NO_FILES or file.binary):
            return None
        if file is not None and await asyncio.to_thread(shows_whole_file, file):
            content: bytes | None = await asyncio.to_thread(new_content, file)
        else:
            content = await self._source.content(path) if self._source else None
        if content is None or len(content) > FILE_BYTES or b"\0" in content:
            return None
        return await asyncio.to_thread(_quotable, path, content, self._policy)


def _quotable(path: str, content: bytes, policy: Policy) -> tuple[str, ...] | None:
    """Return the redacted lines of a file; None if the policy or a secret in it forbids them."""
    with suppress(ReviewbotError):  # the file, or its path, cannot be redacted for certain
        if redact_text(path) == path and skip_reason(added_file(path, content), policy) is None:
            text = redact_text(content.decode("utf-8", "surrogateescape"))
            return tuple(text.removesuffix("\n").split("\n"))
    return None


def _snippet(piece: _Piece, lines: Sequence[str], share: int) -> Snippet | None:
    """Return the lines of a piece that fit, those in its center first; None if none fits."""
    start, end = piece.center
    first, last = start, start - 1
    shown: dict[int, str] = {}
    room = share - len(piece.path) - len(piece.what)
    for number in _order(piece.first, piece.last, start, end):
        line = format_line(DiffLine("context", None, number, lines[number - 1]))
        room -= len(line) + 1
        if room < 0:
            break
        shown[number] = line
        first, last = min(first, number), max(last, number)
    if not shown:
        return None
    text = "\n".join(shown[number] for number in range(first, last + 1))
    return Snippet(piece.path, first, text, piece.what)


def _order(first: int, last: int, start: int, end: int) -> Iterator[int]:
    """Yield ``start`` to ``end``, then the line above, the line below, and so on."""
    yield from range(start, end + 1)
    for step in range(1, last - first + 1):
        if start - step >= first:
            yield start - step
        if end + step <= last:
            yield end + step


def _cost(snippet: Snippet) -> int:
    return len(snippet.path) + len(snippet.what) + len(snippet.text) + 1
