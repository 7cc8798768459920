"""Evidence for the verification of findings: code that the request of a batch does not show.

It is the function around a finding, the looked-up code that it rests on, the definitions of the
names that it mentions, and, if wanted, callers of the function. A name counts only if few places
define it: an arbitrary one of many would mislead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from reviewbot.code.definitions import (
    call_lines,
    defined_name,
    definition_lines,
    symbols_of,
)
from reviewbot.code.quotable_code import CHARS_PER_TOKEN, Piece
from reviewbot.core.plan.categories import kind_of
from reviewbot.core.plan.languages import is_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reviewbot.code.quotable_code import QuotableCode
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.models.offline.messages import Enclosing

BUDGET_TOKENS: Final = 2_000
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


class Structure(Protocol):
    """Parser that knows which function encloses a line."""

    async def enclosing(
        self, path: str, text: str, lines: Sequence[int]
    ) -> tuple[Enclosing | None, ...]:
        """Return the innermost function, else class, around each line."""


class Evidence:
    """Evidence from the files of one review.

    Args:
        code: the files of the review.
        parser: the parser of the review.
        callers: whether callers of the functions around findings are evidence.
        budget_tokens: most tokens for the findings of one batch, estimated.
    """

    def __init__(
        self,
        code: QuotableCode,
        parser: Structure,
        *,
        callers: bool = False,
        budget_tokens: int = BUDGET_TOKENS,
    ) -> None:
        self._files = {file.path: file for file in code.files}
        self.code, self._parser = code, parser
        self._wants_callers = callers
        self._budget = budget_tokens * CHARS_PER_TOKEN

    async def views(self, findings: Sequence[Finding]) -> tuple[ChunkView, ...]:
        """Return the evidence for the findings of one batch: one view of each file."""
        pieces: dict[tuple[str, int, int], Piece] = {}
        functions = await self._functions(findings)
        for piece in self._around(functions):
            known = pieces.setdefault((piece.path, piece.first, piece.last), piece)
            start, end = zip(known.center, piece.center, strict=True)
            known.center = min(start), max(end)
        for place in (place for finding in findings for place in finding.rests_on):
            if not place.base and not place.is_shown:
                key = (place.path, place.line, place.end_line)
                pieces.setdefault(key, Piece(*key, "", (place.line, place.end_line)))
        asked: dict[str, list[Finding]] = {}
        for finding in findings:
            for symbol in symbols_of(finding):
                asked.setdefault(symbol, []).append(finding)
        for symbol in list(asked)[:BATCH_SYMBOLS]:
            for piece in await self._definitions(symbol, asked[symbol]):
                pieces.setdefault((piece.path, piece.first, piece.last), piece)
        callers = await self._callers(functions) if self._wants_callers else ()
        new = [one for one in callers if (one.path, one.first, one.last) not in pieces]
        return await self.code.shown(self._budget, list(pieces.values()), new)

    async def _functions(self, findings: Sequence[Finding]) -> list[tuple[Finding, Enclosing]]:
        """Return the function around each finding that is in one."""
        by_path: dict[str, list[Finding]] = {}
        for finding in findings:
            if finding.side == "RIGHT" and finding.is_placed:
                by_path.setdefault(finding.path, []).append(finding)
        found = []
        for path, ones in by_path.items():
            lines = await self.code.lines(path) or ()
            numbers = [one.line for one in ones]
            places = await self._parser.enclosing(path, "\n".join(lines), numbers)
            found += [(one, place) for one, place in zip(ones, places, strict=True) if place]
        return found

    def _around(self, functions: Sequence[tuple[Finding, Enclosing]]) -> Iterator[Piece]:
        """Yield the functions around findings, without those that a hunk shows completely."""
        for one, place in functions:
            if not self._shows(one, place.first, place.last):
                center = one.line, min(one.end_line, place.last)
                yield Piece(one.path, place.first, place.last, place.header, center)

    def _shows(self, finding: Finding, first: int, last: int) -> bool:
        """Return whether the hunk of a finding shows these lines of its file."""
        file = self._files.get(finding.path)
        return file is not None and any(
            hunk.new_start <= first and last < hunk.new_start + hunk.new_count
            for hunk in file.hunks
            if hunk.new_start <= finding.line < hunk.new_start + hunk.new_count
        )

    async def _definitions(self, symbol: str, findings: Sequence[Finding]) -> list[Piece]:
        places = await self.definitions(symbol, [finding.path for finding in findings])
        return [place for place in places if not self._are_shown(place, findings)]

    async def definitions(self, symbol: str, paths: Sequence[str]) -> list[Piece]:
        """Return the definitions of a name: those in files that use it, else all others.

        Args:
            symbol: the name.
            paths: the files that use it.

        Returns:
            At most :data:`PLACES` definitions; none if there are more.
        """
        own = dict.fromkeys(paths)
        places = [place for path in own for place in await self._defined_in(path, symbol)]
        if not places:
            others = (path for path in await self._candidates(symbol) if path not in own)
            places = [place for path in others for place in await self._defined_in(path, symbol)]
        return places if len(places) <= PLACES else []

    async def _callers(self, functions: Sequence[tuple[Finding, Enclosing]]) -> list[Piece]:
        """Return the callers of the functions around findings that a hunk does not show."""
        around: dict[tuple[str, str], list[tuple[Finding, Enclosing]]] = {}
        for finding, place in functions:
            name = defined_name(place.header)
            if name is not None:
                around.setdefault((finding.path, name), []).append((finding, place))
        pieces: list[Piece] = []
        for (path, name), ones in list(around.items())[:BATCH_SYMBOLS]:
            own = [Piece(path, one.first, one.last, one.header, (0, 0)) for _, one in ones]
            calls = await self._calls_of(name, [*own, *pieces])
            pieces += [one for one in calls if not self._are_shown(one, [of for of, _ in ones])]
        return pieces

    async def _calls_of(self, name: str, known: Sequence[Piece]) -> list[Piece]:
        """Return the code around calls of a name, tests last, without calls in ``known``."""
        paths = self.code.containing(name)
        matches = await self.code.search(name) or ()
        if sum(bool(definition_lines(name, [line.text])) for line in matches) <= PLACES:
            paths += [line.path for line in matches if call_lines(name, [line.text])]
        sources = sorted(filter(is_source, dict.fromkeys(paths)), key=_is_test)
        seen, defined = list(known), 0
        for path in sources[:CANDIDATES]:
            lines = await self.code.lines(path) or ()
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
                seen.append(Piece(path, first, last, header, (number, number)))
        return seen[len(known) :][:CALLERS] if defined <= PLACES else []

    def _are_shown(self, piece: Piece, findings: Sequence[Finding]) -> bool:
        """Return whether the hunks of the findings show the piece to the model anyway."""
        return all(
            one.path == piece.path and self._shows(one, piece.first, piece.last) for one in findings
        )

    async def _candidates(self, symbol: str) -> Sequence[str]:
        """Return the files that may define a name: of the diff, and of the rest of the commit."""
        paths = self.code.containing(symbol)
        matches = await self.code.search(symbol)
        if matches is None:
            paths += await self.code.imported(symbol)
        else:
            paths += [line.path for line in matches if definition_lines(symbol, [line.text])]
        return [path for path in dict.fromkeys(paths) if is_source(path)][:CANDIDATES]

    async def _defined_in(self, path: str, symbol: str) -> list[Piece]:
        """Return the definitions of a name in a file."""
        lines = await self.code.lines(path)
        if lines is None:
            return []
        numbers = [index + 1 for index in definition_lines(symbol, lines)]
        if len(numbers) > PLACES:
            return [Piece(path, number, number, "", (number, number)) for number in numbers]
        around = await self._parser.enclosing(path, "\n".join(lines), numbers)
        pieces = []
        for number, place in zip(numbers, around, strict=True):
            if place is not None and symbol in place.header:
                center = place.first, place.first
                pieces.append(Piece(path, place.first, place.last, place.header, center))
            else:
                last = min(number + _LINES - 1, len(lines))
                pieces.append(Piece(path, number, last, "", (number, number)))
        return pieces


def _is_test(path: str) -> bool:
    return kind_of(path) == "tests"
