"""Compare the code that earlier answers saw with the code at the reviewed commit."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

from reviewbot.core.cache.seen_code import DOSSIER, SeenCode, seen_dossier, seen_lookup
from reviewbot.core.prompt.lookup_tools import LookupCall

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.core.prompt.lookup_tools import LookUp
    from reviewbot.models.batch import BatchTask

CHECKS_S: Final = 20.0
"""Seconds in which the code that cached answers saw is compared. The request waits for it."""

MOST_CHECKS: Final = 100
"""Most look-ups that one review repeats. Answers that used others are not reused."""

DossierOf: TypeAlias = "Callable[[BatchTask], Awaitable[tuple[ChunkView, ...]]]"
"""Function that returns the dossier that a task would get from its first model."""


class SeenCodeChecks:
    """Comparison of seen code, for one review.

    A look-up is repeated at most once, and does not count as one of a model, because no model reads
    its result.

    Args:
        look_up: function that answers look-ups at the reviewed commit; None if there is none.
        dossier_of: function that compiles dossiers; None if there is none.
    """

    def __init__(self, look_up: LookUp | None = None, dossier_of: DossierOf | None = None) -> None:
        self._look_up, self._dossier_of = look_up, dossier_of
        self._current: dict[tuple[str, str, str], SeenCode | None] = {}

    async def unchanged(
        self, task: BatchTask, groups: Iterable[tuple[SeenCode, ...]]
    ) -> frozenset[tuple[SeenCode, ...]]:
        """Return the groups of seen code of which all is unchanged, for an answer to ``task``.

        A group that was not compared in time is left out; an empty group is always unchanged.
        """
        unchanged: set[tuple[SeenCode, ...]] = {()}
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECKS_S):
                for seen in dict.fromkeys(groups):
                    if await self._is_unchanged(task, seen):
                        unchanged.add(seen)
        return frozenset(unchanged)

    async def _is_unchanged(self, task: BatchTask, seen: tuple[SeenCode, ...]) -> bool:
        for code in seen:
            key = (task.id if code.tool == DOSSIER else "", code.tool, code.input)
            if key not in self._current:
                self._current[key] = await self._current_code(task, code)
            if self._current[key] != code:
                return False
        return True

    async def _current_code(self, task: BatchTask, code: SeenCode) -> SeenCode | None:
        if code.tool == DOSSIER:
            return seen_dossier(await self._dossier_of(task)) if self._dossier_of else None
        if self._look_up is None or len(self._current) >= MOST_CHECKS:
            return None
        call = LookupCall(code.tool, json.loads(code.input))
        return seen_lookup(call, await self._look_up(call))
