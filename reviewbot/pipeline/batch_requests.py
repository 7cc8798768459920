"""The request of each batch: the views of its chunks, and the secrets in them."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from reviewbot.core.findings.secrets import secret_findings
from reviewbot.core.prompt.request import ModelRequest
from reviewbot.core.prompt.views import Views
from reviewbot.pipeline.job import manifest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.core.plan.chunks import Batch, Chunk
    from reviewbot.pipeline.job import Job


LOOKUP_TOKENS: Final = 1_200
"""Tokens that look-ups add to the tools and rules of a request (docs/prompt.md)."""


class BatchRequests:
    """The requests of one review."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._views = Views(job.files, job.path_instructions, job.whole_files)
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._chunks = job.plan.by_id
        self._by_model = Counter(job.model_of(batch) for batch in job.plan.batches)
        self.manifest = manifest_of(job.plan)
        """The files of the review, as every request lists them."""

    async def request(self, batch: Batch) -> tuple[ModelRequest, dict[str, str]]:
        """Return the request of a batch, and the reason for each chunk that cannot be shown."""
        chunks = [self._chunks[chunk] for chunk in batch.chunks]
        views, unread = await self._views_of(chunks)
        request = ModelRequest(
            chunks=tuple(views),
            manifest=self.manifest,
            instructions=self._job.instructions,
            guidelines=self._job.guidelines,
            tokens=self._job.request_tokens(batch)
            + _instruction_tokens(views)
            + (LOOKUP_TOKENS if self._job.lookups else 0),
            verified=self._job.verified,
            examples=self._job.examples,
            lookups=self._job.lookups,
            shared_reads=self._by_model[self._job.model_of(batch)] - 1,
        )
        return request, unread

    async def _views_of(self, chunks: Sequence[Chunk]) -> tuple[list[ChunkView], dict[str, str]]:
        """Return the views of the chunks; parts of a file wait, so that one search serves all."""
        async with AsyncExitStack() as locks:
            for file in sorted({chunk.file for chunk in chunks if chunk.parts > 1}):
                await locks.enter_async_context(self._locks[file])
            return await asyncio.to_thread(self._views.of, chunks)

    def secrets(self, view: ChunkView) -> Iterator[Finding]:
        """Yield findings for the secrets that are replaced in the view of a chunk."""
        chunk, gates = self._chunks[view.id], self._job.gates
        redaction = self._views.redaction(chunk)
        rules = gates.levels.at(chunk.path)
        return iter(
            secret_findings(chunk, view, redaction, rules=rules, threshold=gates.rule_confidence)
        )


def _instruction_tokens(views: Iterable[ChunkView]) -> int:
    """Return the tokens of path instructions, at two characters per token."""
    return sum(len(text) for one in views for text in one.instructions) // 2
