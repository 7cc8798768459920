"""Find the uses of changed definitions in the other files of a review."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.code.definitions import use_lines
from reviewbot.code.quotable_code import CHARS_PER_TOKEN, Piece
from reviewbot.core.plan.categories import kind_of
from reviewbot.core.plan.languages import is_source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from reviewbot.code.quotable_code import QuotableCode
    from reviewbot.core.plan.chunk_view import ChunkView

USES: Final = 20
"""Most uses of all names."""
BUDGET_TOKENS: Final = 4_000
"""Most tokens of all uses, estimated."""
FILES: Final = 10
"""Most files in which the uses of a name are looked up."""
_AROUND: Final = 3
"""Lines on both sides of a use."""


class UseFinder:
    """Finder of the uses of names in the files of a review.

    An instance is a :data:`reviewbot.pipeline.cross_file.FindUses`.
    """

    def __init__(self, code: QuotableCode) -> None:
        self._code = code

    async def __call__(
        self, names: Sequence[str], views: Sequence[ChunkView]
    ) -> tuple[ChunkView, ...]:
        """Return the lines around uses of names, those in tests last."""
        shown = {
            (view.path, line.new_no) for view in views for hunk in view.hunks for line in hunk.lines
        }
        pieces: list[Piece] = []
        for name in names:
            found = [piece async for piece in self._uses(name, shown)]
            pieces += found[: max(2, USES // len(names))]
        return await self._code.shown(BUDGET_TOKENS * CHARS_PER_TOKEN, pieces[:USES])

    async def _uses(self, name: str, shown: set[tuple[str, int | None]]) -> AsyncIterator[Piece]:
        paths = self._code.containing(name)
        paths += [line.path for line in await self._code.search(name) or ()]
        sources = sorted(filter(is_source, dict.fromkeys(paths)), key=_is_test)
        for path in sources[:FILES]:
            lines = await self._code.lines(path) or ()
            last = 0
            for index in use_lines(name, lines):
                number = index + 1
                if number > last and (path, number) not in shown:
                    first = max(1, number - _AROUND)
                    last = min(number + _AROUND, len(lines))
                    yield Piece(path, first, last, "", (number, number))


def _is_test(path: str) -> bool:
    return kind_of(path) == "tests"
