"""Run batches with the review cache: models get only code that was not reviewed before.

Errors of the cache never fail the review. An error or timeout of the store counts as a cache miss
and is reported to a callback.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, TypeVar

from reviewbot.core.cache.entry import make_entry
from reviewbot.core.cache.keys import Scope, bands, chunk_key, examples_of
from reviewbot.core.cache.seen_code import can_be_stored
from reviewbot.core.findings.anchors import AnchorIndex
from reviewbot.models.batch import BatchResult, BatchTask, ChunkOutcome
from reviewbot.models.cache_checks import SeenCodeChecks
from reviewbot.models.cache_drafts import (
    as_far_as_read,
    described,
    drafts_by_chunk,
    replayed,
    reuses_of,
    verified_drafts,
)

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Coroutine,
        Iterable,
        Mapping,
        Sequence,
    )
    from typing import Any

    from reviewbot.core.cache.entry import Entry
    from reviewbot.core.cache.keys import ChunkKey
    from reviewbot.core.cache.reuse import Reuse
    from reviewbot.core.findings.draft import Draft
    from reviewbot.core.findings.verdicts import Verdict
    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.models.batch import (
        BatchEvent,
        Drafted,
        Emit,
        RunBatch,
        Verify,
        VerifyTask,
    )
    from reviewbot.models.catalog import ModelInfo

T = TypeVar("T")

STORE_TIMEOUT_S: Final = 5.0
"""Time limit of the store in seconds. This time adds to that of the model request."""

SIMILAR_EACH: Final = 8
"""Maximum number of similar entries that are read for each chunk that was not found."""

Identities: TypeAlias = "Callable[[BatchTask], Mapping[str, str]]"
"""Function that returns the models that may answer a task, best first. A key is the model's name in
results, a value everything about the model that affects its output (:func:`identity`). Answers of
the first model are reused, answers of all models are stored. Other models are not cached."""


class CacheStore(Protocol):
    """Interface of a store of one tenant's entries, with a bounded size."""

    async def exact(self, keys: Collection[str]) -> Mapping[str, Entry]:
        """Return the entries with ``key.exact`` in ``keys``, by key. Record that they were used."""
        ...

    async def similar(self, bands: Collection[str], *, limit: int) -> Sequence[Entry]:
        """Return at most ``limit`` entries stored under one of ``bands``, newest first."""
        ...

    async def put(self, entries: Sequence[Entry]) -> None:
        """Keep ``entries``, each under its ``key.exact`` and ``bands`` of its key.

        An existing entry is replaced. No two of ``entries`` have the same ``key.exact``.
        """
        ...


@dataclass(slots=True)
class CacheUse:
    """Statistics of the cache.

    ``exact``, ``hunks``, ``lines`` and ``misses`` count chunks: reused from an equal chunk, reused
    by whole hunks of other chunks, reused with parts of hunks that differ in few lines, or not
    reused. ``findings`` counts reused draft findings, and ``failures`` failed operations of the
    store. ``tokens_saved`` are input tokens by the plan's estimate.
    """

    exact: int = 0
    hunks: int = 0
    lines: int = 0
    misses: int = 0
    findings: int = 0
    tokens_saved: int = 0
    failures: int = 0


def identity(info: ModelInfo, base_url: str | None = None) -> str:
    """Return everything about a model that affects its output: not its prices and limits."""
    facts = (info.provider, info.effort, info.thinking, info.forced_tools, info.structured_output)
    form = (info.strict_tools, info.sampling and info.temperature, info.prompt)
    return json.dumps([info.name, base_url, *facts, *form])


@dataclass(frozen=True, slots=True)
class _FoundInCache:
    """Look-up result of a task: hashes and reusable parts of each chunk."""

    keys: Mapping[str, ChunkKey]
    reuses: Mapping[str, Reuse]
    exact: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _KeptBatch:
    """A batch that may get verdicts."""

    task: BatchTask
    names: Mapping[str, str]
    found: _FoundInCache
    result: BatchResult


class CachedBatches:
    """Runner of batches with a cache in front of ``inner``; an instance is a ``RunBatch``.

    Args:
        inner: runs the remaining part of a batch.
        store: store of the entries.
        identities: returns the models that may review a task.
        prompt_version: version of the prompt.
        rules: the configured levels by rule or category.
        similarity: least share of equal lines of a hunk of which only the changed lines and their
            surroundings are reviewed again; 0 reuses whole hunks only.
        checks: comparison of the code outside of the diff that an answer saw.
        use: statistics; reviews may share them.
        on_failure: receives each failed operation of the store and its exception.
    """

    def __init__(
        self,
        inner: RunBatch,
        store: CacheStore,
        *,
        identities: Identities,
        prompt_version: str,
        rules: Mapping[str, str] | None = None,
        similarity: float = 0.0,
        checks: SeenCodeChecks | None = None,
        use: CacheUse | None = None,
        on_failure: Callable[[str, Exception], None] = lambda _what, _error: None,
    ) -> None:
        self._inner, self._store = inner, store
        self._identities, self._prompt_version = identities, prompt_version
        self._rules, self._similarity = dict(rules or {}), similarity
        self._checks = checks or SeenCodeChecks()
        self.use = use or CacheUse()
        self._on_failure = on_failure
        self._kept: dict[str, _KeptBatch] = {}

    async def __call__(self, task: BatchTask, emit: Emit) -> BatchResult:
        """Run one batch to its end, as ``inner`` does; it fails only as ``inner`` may."""
        names = {} if task.request.uses else self._identities(task)
        if not names:
            return await self._inner(task, emit)
        found = await self._look_up(task, names)
        drafts, outcomes = replayed(task.request.chunks, found.reuses)
        self._count(task, found, drafts)
        known: tuple[BatchEvent, ...] = (*drafts, *outcomes)
        for event in known:
            await emit(event)
        asked = await self._ask(task, found.reuses, emit)
        result = BatchResult(
            (*drafts, *asked.drafts),
            (*outcomes, *asked.outcomes),
            asked.spent,
            files=described(task, found.reuses, asked.files),
            lookups=asked.lookups,
            seen=asked.seen,
        )
        kept = _KeptBatch(task, names, found, result)
        if result.drafts:
            self._kept[task.id] = kept
        await self._safely("store", self._keep(kept, {}))
        return result

    def with_verdicts(self, verify: Verify) -> Verify:
        """Return ``verify``, with its verdicts stored beside the findings of their batch.

        Verdicts of a verifier that saw code beyond the request are not stored, because that code
        may change: the next review verifies the findings again.
        """

        async def verifying(task: VerifyTask, emit: Emit) -> BatchResult:
            result = await verify(task, emit)
            kept = self._kept.pop(task.batch, None)
            verdicts = {
                task.drafts[verdict.id]: verdict
                for verdict in (() if result.seen else result.verdicts)
                if verdict.verdict != "unverified" and verdict.id in task.drafts
            }
            if kept is not None and verdicts:
                await self._safely("store", self._keep(kept, verdicts))
            return result

        return verifying

    async def _safely(
        self, what: str, work: Coroutine[Any, Any, T], limit_s: float | None = STORE_TIMEOUT_S
    ) -> T | None:
        """Return the result of ``work``, or None if it failed or took too long."""
        try:
            async with asyncio.timeout(limit_s):
                return await work
        except Exception as error:  # noqa: BLE001 - after any error the review continues
            self.use.failures += 1
            self._on_failure(what, error)
            return None

    # --- Before the request

    async def _look_up(self, task: BatchTask, names: Mapping[str, str]) -> _FoundInCache:
        chunks = task.request.chunks
        stored = await self._safely("look up", self._read(task, names))
        if stored is None:
            return _FoundInCache({}, {})
        keys, candidates, exact = stored
        groups = [entry.seen for entries in candidates.values() for entry in entries]
        comparing = self._checks.unchanged(task, groups)  # within its own time limit
        unchanged = await self._safely("compare", comparing, None) or frozenset([()])
        reusable = {
            name: [entry for entry in entries if entry.seen in unchanged]
            for name, entries in candidates.items()
        }
        matching = asyncio.to_thread(reuses_of, chunks, keys, reusable, self._similarity)
        reuses = await self._safely("use", matching)
        return _FoundInCache(keys, reuses or {}, exact)

    async def _read(
        self, task: BatchTask, names: Mapping[str, str]
    ) -> tuple[dict[str, ChunkKey], dict[str, list[Entry]], frozenset[str]]:
        """Return the keys of the chunks, their stored entries, and the chunks with an equal one."""
        chunks = task.request.chunks
        keys = await asyncio.to_thread(self._keys, task, chunks, next(iter(names.values())))
        hits = await self._store.exact([key.exact for key in keys.values()])
        candidates = {name: [hits[key.exact]] for name, key in keys.items() if key.exact in hits}
        exact = frozenset(candidates)
        missing = {name: key for name, key in keys.items() if name not in exact}
        wanted = sorted({band for key in missing.values() for band in bands(key)})
        if wanted:
            near = await self._store.similar(wanted, limit=SIMILAR_EACH * len(missing))
            candidates |= {name: list(near) for name in missing}
        return keys, candidates, exact

    def _keys(
        self, task: BatchTask, chunks: Iterable[ChunkView], model: str
    ) -> dict[str, ChunkKey]:
        scope = Scope(
            model=model,
            prompt_version=self._prompt_version,
            instructions=task.request.instructions,
            guidelines=task.request.guidelines.text,
            rules=self._rules,
            examples=examples_of(task.request.manifest),
        )
        return {chunk.id: chunk_key(chunk, scope) for chunk in chunks}

    def _count(self, task: BatchTask, found: _FoundInCache, drafts: Sequence[Drafted]) -> None:
        use = self.use
        use.findings += len(drafts)
        for chunk in task.request.chunks:
            known = found.reuses.get(chunk.id)
            if known is None:
                use.misses += 1
                continue
            if chunk.id in found.exact:
                use.exact += 1
            elif known.narrowed:
                use.lines += 1
            else:
                use.hunks += 1
            use.tokens_saved += chunk.tokens - (known.rest.tokens if known.rest else 0)

    # --- The request

    async def _ask(self, task: BatchTask, reuses: Mapping[str, Reuse], emit: Emit) -> BatchResult:
        """Review the remaining chunks with ``inner``, if any."""
        request = task.request
        left = tuple(
            rest
            for chunk in request.chunks
            if (rest := reuses[chunk.id].rest if chunk.id in reuses else chunk) is not None
        )
        if not left:
            return BatchResult((), (), ())
        if not reuses:
            return await self._inner(task, emit)
        saved = sum(chunk.tokens for chunk in request.chunks) - sum(one.tokens for one in left)
        narrowed = replace(request, chunks=left, tokens=max(0, request.tokens - saved))

        async def pass_on(event: BatchEvent) -> None:
            await emit(as_far_as_read(event, reuses) if isinstance(event, ChunkOutcome) else event)

        result = await self._inner(BatchTask(task.id, narrowed), pass_on)
        return replace(
            result, outcomes=tuple(as_far_as_read(one, reuses) for one in result.outcomes)
        )

    # --- After the request

    async def _keep(self, kept: _KeptBatch, verdicts: Mapping[Draft, Verdict]) -> None:
        entries = await asyncio.to_thread(self._entries, kept, verdicts)
        if entries:
            await self._store.put(entries)

    def _entries(self, kept: _KeptBatch, verdicts: Mapping[Draft, Verdict]) -> list[Entry]:
        """Return entries for chunks that one model reviewed completely and for the first time.

        If several models of a chain wrote about a chunk, no single model reviewed all of it.
        """
        task, names, found, result = kept.task, kept.names, kept.found, kept.result
        views = {view.id: view for view in task.request.chunks}
        index = AnchorIndex(views.values())
        said, unclear = drafts_by_chunk(views, index, result.drafts)
        changes = {one.path: one.change for one in result.files}
        can_store = can_be_stored(result.seen)
        entries: dict[str, Entry] = {}
        for outcome in result.outcomes:
            name, model = outcome.chunk, outcome.model
            known = outcome.cached and name in found.exact and not verdicts
            if outcome.status != "reviewed" or known or name in unclear or model not in names:
                continue
            reused = found.reuses.get(name)
            before = [reused.model] if reused else []
            if any(one != model for one in [*before, *(drafted.model for drafted in said[name])]):
                continue
            if not (can_store or outcome.cached):
                continue
            seen = (*(reused.seen if reused else ()), *(() if outcome.cached else result.seen))
            view = views[name]
            key = found.keys.get(name)
            if key is None or names[model] != next(iter(names.values())):
                key = self._keys(task, [view], names[model])[name]
            entries[key.exact] = make_entry(
                view,
                key,
                verified_drafts(said[name], verdicts, view.path),
                index,
                model=model,
                prompt_version=self._prompt_version,
                change=changes.get(view.path, ""),
                seen=tuple(dict.fromkeys(seen)),
                salt=secrets.token_hex(8),
            )
        return list(entries.values())
