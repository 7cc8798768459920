"""One request about a change as a whole: do the uses of changed definitions still fit?

The request shows the changed definitions with their surroundings, and uses of their names
elsewhere. It is sent after the last batch, and only if there are uses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from reviewbot.code.changed_definitions import NAMES, changed_definitions, tokens_of
from reviewbot.core.plan.chunk_view import ChunkView
from reviewbot.core.plan.chunks import Batch
from reviewbot.core.prompt.request import ModelRequest
from reviewbot.core.render.author import UNCHECKED_USES
from reviewbot.models.batch import AnswerRecalled, ChunkOutcome, Drafted, RequestSent, Retrying

if TYPE_CHECKING:
    from reviewbot.code.changed_definitions import ChangedDefinitions
    from reviewbot.core.prompt.request import ManifestEntry
    from reviewbot.models.batch import BatchEvent, Emit
    from reviewbot.pipeline.job import Job

CROSS_FILE: Final = "cross-file"
"""Name of the request, as the id of a batch."""

FindUses: TypeAlias = Callable[
    [Sequence[str], Sequence[ChunkView]], Awaitable[tuple[ChunkView, ...]]
]
"""Function from names, and the views that define them, to code elsewhere that uses the names."""


class CrossFile:
    """The request of one review.

    Args:
        job: the review.
        find_uses: function that finds uses; None sends no request.
    """

    def __init__(self, job: Job, find_uses: FindUses | None) -> None:
        self._job = job
        self._find_uses = None if job.question is not None else find_uses
        self._definitions: dict[str, ChangedDefinitions] = {}
        self.reasons: tuple[str, ...] = ()
        """A sentence if the request failed."""

    async def add(self, views: Sequence[ChunkView]) -> None:
        """Collect the changed definitions of a batch."""
        if self._find_uses is not None:
            found = await asyncio.to_thread(lambda: [changed_definitions(one) for one in views])
            self._definitions |= {one.view.id: one for one in found if one}

    async def request(
        self, manifest: tuple[ManifestEntry, ...]
    ) -> tuple[Batch, ModelRequest] | None:
        """Return the request, as that of a batch; None if no use of a changed name is known."""
        if self._find_uses is None or not self._definitions:
            return None
        order = (chunk.id for chunk in self._job.plan.chunks if chunk.id in self._definitions)
        found = [self._definitions[chunk] for chunk in order][:NAMES]
        names = tuple(dict.fromkeys(name for one in found for name in one.names))[:NAMES]
        views = tuple(one.view for one in found)
        uses = await self._find_uses(names, views)
        if not uses:
            return None
        batch = Batch(CROSS_FILE, tuple(one.id for one in views), tokens_of([*views, *uses]))
        request = ModelRequest(
            chunks=views,
            manifest=manifest,
            instructions=self._job.instructions,
            guidelines=self._job.guidelines,
            tokens=self._job.request_tokens(batch),
            verified=self._job.verified,
            examples=self._job.examples,
            shared_reads=0,
            uses=uses,
            lookups=self._job.lookups,
        )
        return batch, request

    def passing_on(self, emit: Emit) -> Emit:
        """Return a receiver of the events of the request, whose chunks have ended before."""

        async def pass_on(event: BatchEvent) -> None:
            match event:
                case RequestSent() | Retrying():
                    pass
                case ChunkOutcome(status="reviewed"):
                    pass
                case ChunkOutcome(reason=reason):
                    self.reasons = (f"{UNCHECKED_USES}: {reason}",)
                case Drafted(answer=answer) | AnswerRecalled(answer=answer):
                    await emit(replace(event, answer=f"{CROSS_FILE}/{answer}"))
                case _:
                    await emit(event)

        return pass_on
