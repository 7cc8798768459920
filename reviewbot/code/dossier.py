"""Code beside the diff that most reviews need, for models that cannot look it up.

It is the whole function around each change, the definitions of what changed lines call, and the
unchanged tests that name the changed functions. Files obey the policy of the review.
"""

from __future__ import annotations

import asyncio
import re
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Protocol

from reviewbot.code.definitions import defined_name, definition_lines, is_symbol, use_lines
from reviewbot.code.quotable_code import Piece
from reviewbot.core.plan.categories import kind_of
from reviewbot.core.plan.languages import is_source

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence

    from reviewbot.code.quotable_code import QuotableCode
    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.models.offline.messages import Enclosing

CALLED: Final = 10
"""Most names that changed lines call and whose definitions are shown."""
PLACES: Final = 3
"""Most definitions of a name; a name with more is left out."""
CANDIDATES: Final = 10
"""Most files in which a name is looked up."""
_LINES: Final = 12
"""Lines of a definition whose end is not known."""
TESTED: Final = 4
"""Most changed functions whose tests are shown."""
TESTS: Final = 2
"""Most tests of one function."""
SECONDS: Final = 5.0
"""Seconds in which definitions and tests are looked up; the others are left out."""
AT_ONCE: Final = 2
_TEST_FILES: Final = 5
_AROUND: Final = 5
"""Lines on both sides of a name outside of a test function."""
_LINE_CHARS: Final = 400
_CALL: Final = re.compile(r"\b([A-Za-z_][A-Za-z0-9_]{2,63})\(")
_NO_CALLS: Final = re.compile(
    "and|assert|await|case|catch|elif|for|foreach|func|function|if|in|match|new|not|or|print|return"
    "|sizeof|super|switch|throw|typeof|while|with|yield"
)


class Structure(Protocol):
    """Parser that knows which function encloses a line."""

    async def enclosing(
        self, path: str, text: str, lines: Sequence[int]
    ) -> tuple[Enclosing | None, ...]:
        """Return the innermost function, else class, around each line."""


class Dossier:
    """Code beside the chunks of one review.

    Args:
        code: the files of the review.
        parser: the parser of the review.
    """

    def __init__(self, code: QuotableCode, parser: Structure) -> None:
        self._code, self._parser = code, parser

    async def views(self, chunks: Sequence[ChunkView], chars: int) -> tuple[ChunkView, ...]:
        """Return the code beside the chunks of one request: one view of each file.

        Args:
            chunks: the chunks of the request.
            chars: most characters of all views.
        """
        shown = _shown_lines(chunks)
        functions = [piece for chunk in chunks for piece in await self._functions(chunk)]
        names = [
            name for function in functions if (name := defined_name(function.header)) is not None
        ]
        callers: dict[str, list[str]] = {}
        for chunk in chunks:
            for name in called_names(chunk):
                callers.setdefault(name, []).append(chunk.path)
        changed = {chunk.path for chunk in chunks}
        definitions = [
            self.definitions(name, paths) for name, paths in list(callers.items())[:CALLED]
        ]
        tests = [self._tests(name, changed) for name in list(dict.fromkeys(names))[:TESTED]]
        found = await _within(SECONDS, [*definitions, *tests])
        called = [piece for group in found[: len(definitions)] for piece in group]
        if not any(map(_is_test, changed)):  # a helper of the same name that only tests call
            called = [piece for piece in called if not _is_test(piece.path)]
        groups = (functions, called, chain.from_iterable(found[len(definitions) :]))
        return await self._code.shown(chars, *(_new(group, shown) for group in groups))

    async def _functions(self, chunk: ChunkView) -> list[Piece]:
        """Return the functions around the changed lines of a chunk."""
        numbers = _changed_numbers(chunk)
        lines = await self._code.lines(chunk.path) if is_source(chunk.path) else None
        if lines is None or not numbers:
            return []
        numbers = [number for number in numbers if number <= len(lines)]
        places = await self._parser.enclosing(chunk.path, "\n".join(lines), numbers)
        pieces: dict[tuple[int, int], Piece] = {}
        for number, place in zip(numbers, places, strict=True):
            if place is not None:
                new = Piece(chunk.path, place.first, place.last, place.header, (number, number))
                piece = pieces.setdefault((place.first, place.last), new)
                piece.center = piece.center[0], number
        return list(pieces.values())

    async def definitions(self, symbol: str, paths: Sequence[str]) -> list[Piece]:
        """Return the definitions of a name: those in files that use it, else all others.

        An arbitrary one of many definitions would mislead, so a name with many has none.

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

    async def _candidates(self, symbol: str) -> Sequence[str]:
        """Return the files that may define a name: of the diff, and of the rest of the commit."""
        paths = self._code.containing(symbol)
        matches = await self._code.search(symbol)
        if matches is None:
            paths += await self._code.imported(symbol)
        else:
            paths += [line.path for line in matches if definition_lines(symbol, [line.text])]
        return [path for path in dict.fromkeys(paths) if is_source(path)][:CANDIDATES]

    async def _defined_in(self, path: str, symbol: str) -> list[Piece]:
        """Return the definitions of a name in a file."""
        lines = await self._code.lines(path)
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

    async def _tests(self, name: str, changed: set[str]) -> list[Piece]:
        """Return the unchanged tests that name a function."""
        found = await self._code.search(name) or () if is_symbol(name) else ()
        paths = (line.path for line in found if _is_test(line.path))
        pieces: list[Piece] = []
        for path in [test for test in dict.fromkeys(paths) if test not in changed][:_TEST_FILES]:
            lines = await self._code.lines(path) or ()
            numbers = [index + 1 for index in use_lines(name, lines)]
            places = await self._parser.enclosing(path, "\n".join(lines), numbers)
            for number, place in zip(numbers, places, strict=True):
                first, last = max(1, number - _AROUND), min(number + _AROUND, len(lines))
                header = ""
                if place is not None:
                    first, last, header = place.first, place.last, place.header
                elif lines[number - 1].lstrip().startswith(("import ", "from ")):
                    continue
                pieces.append(Piece(path, first, last, header, (number, number)))
        return _new(pieces, set())[:TESTS]


async def _within(
    seconds: float, works: Sequence[Coroutine[Any, Any, list[Piece]]]
) -> list[list[Piece]]:
    """Return the results of works that end in time, and an empty list for each other one."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def in_slot(work: Coroutine[Any, Any, list[Piece]]) -> list[Piece]:
        async with slots:
            return await work

    tasks = [asyncio.ensure_future(in_slot(work)) for work in works]
    try:
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
    finally:
        late = [task for task in tasks if task.cancel()]
        if late:
            await asyncio.wait(late)
    return [[] if task.cancelled() else task.result() for task in tasks]


def _is_test(path: str) -> bool:
    return kind_of(path) == "tests"


def called_names(chunk: ChunkView) -> list[str]:
    """Return the names that the added lines of a chunk call, each once."""
    added = (
        line.text[:_LINE_CHARS]
        for hunk in chunk.hunks
        for line, owned in zip(hunk.lines, hunk.owned, strict=True)
        if owned and line.kind == "added"
    )
    names = (name for text in added for name in _CALL.findall(text))
    return [name for name in dict.fromkeys(names) if not _NO_CALLS.fullmatch(name)]


def _changed_numbers(chunk: ChunkView) -> list[int]:
    """Return the numbers of added lines, and of the new file's lines after removed ones."""
    numbers: dict[int, None] = {}
    for hunk in chunk.hunks:
        is_after_removed = False
        for line, owned in zip(hunk.lines, hunk.owned, strict=True):
            if line.new_no is not None and ((owned and line.kind == "added") or is_after_removed):
                numbers[line.new_no] = None
            is_after_removed = owned and line.kind == "removed"
    return list(numbers)


def _shown_lines(chunks: Iterable[ChunkView]) -> set[tuple[str, int | None]]:
    return {
        (chunk.path, line.new_no) for chunk in chunks for hunk in chunk.hunks for line in hunk.lines
    }


def _new(pieces: Iterable[Piece], shown: set[tuple[str, int | None]]) -> list[Piece]:
    """Return the pieces that have a line which is not shown, without those inside another."""
    kept: list[Piece] = []
    for piece in pieces:
        is_inside = any(
            outer.path == piece.path and outer.first <= piece.first and piece.last <= outer.last
            for outer in kept
        )
        numbers = range(piece.first, piece.last + 1)
        if not is_inside and any((piece.path, number) not in shown for number in numbers):
            kept.append(piece)
    return kept
