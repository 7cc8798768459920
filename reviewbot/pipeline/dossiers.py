"""Requests to models that cannot look code up: they get code beside the change at once."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.code.dossier import Dossier
from reviewbot.core.plan.chunks import BATCH_BUDGET, LARGE_BATCH_BUDGET, LARGE_CONTEXT
from reviewbot.core.prompt.numbered import chunk_lines
from reviewbot.pipeline.batch_requests import LOOKUP_TOKENS
from reviewbot.pipeline.planner import LEAST_OUTPUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.code.dossier import Structure
    from reviewbot.code.quotable_code import QuotableCode
    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.models.catalog import ModelInfo

log = logging.getLogger(__name__)

DOSSIER_TOKENS: Final = 8_000
"""Most tokens of a dossier."""
COMPACT_TOKENS: Final = 2_000
"""Most tokens for a model with the compact prompt, which may read 20 tokens a second."""
CHARS_PER_TOKEN: Final = 2
"""Fewer characters of code than a token of any model has."""
COMPILE_S: Final = 10.0
"""Seconds after which a request is sent without a dossier."""
_LEAST_TOKENS: Final = 200


class Dossiers:
    """Function that returns a request without look-ups, with a dossier if there is room.

    Args:
        code: the files of the review.
        parser: the parser of the review.
        batch_tokens: most tokens of the code of a request; None for the usual limit of a model.
    """

    def __init__(
        self, code: QuotableCode, parser: Structure, batch_tokens: int | None = None
    ) -> None:
        self._dossier = Dossier(code, parser)
        self._batch_tokens = batch_tokens

    async def __call__(self, request: ModelRequest, info: ModelInfo) -> ModelRequest:
        """Return ``request`` for a model that cannot look code up."""
        tokens = max(0, request.tokens - LOOKUP_TOKENS)
        request = replace(request, lookups=0, tokens=tokens)
        room = 0 if info.offline or request.uses else self._room(request, info)
        if room < _LEAST_TOKENS:
            return request
        views = await self._views(request.chunks, room * CHARS_PER_TOKEN)
        chars = sum(len(line) + 1 for view in views for line in chunk_lines(view))
        return replace(request, dossier=views, tokens=tokens + chars // CHARS_PER_TOKEN)

    def _room(self, request: ModelRequest, info: ModelInfo) -> int:
        usual = LARGE_BATCH_BUDGET if info.context >= LARGE_CONTEXT else BATCH_BUDGET
        limit = min(self._batch_tokens or usual, info.context // 2)
        return min(
            COMPACT_TOKENS if info.prompt == "compact" else DOSSIER_TOKENS,
            limit - sum(chunk.tokens for chunk in request.chunks),
            info.context - request.tokens - LEAST_OUTPUT,
        )

    async def _views(self, chunks: Sequence[ChunkView], chars: int) -> tuple[ChunkView, ...]:
        try:
            async with asyncio.timeout(COMPILE_S):
                return await self._dossier.views(chunks, chars)
        except Exception as error:  # noqa: BLE001 - the review goes on without the dossier
            # Not the message, which may quote code.
            log.warning("a dossier could not be compiled: %s", type(error).__name__)
            return ()
