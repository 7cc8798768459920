"""Plan the chunks and batches of a review: files, pieces, and the owner of each line. Pure.

A chunk is the unit of coverage, a batch the unit of request and payment. A :class:`Plan` holds
indices into the parsed diff, never its text, so that it is small and can be stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reviewbot.core.diff.parse import FileStatus  # noqa: TC001 - stored_plan resolves it at run time
from reviewbot.core.events.events import FileCoverage  # noqa: TC001 - stored_plan uses it
from reviewbot.core.plan.routing import NOBODY, SECRETS_ONLY, UNREAD, Chain, Routed
from reviewbot.core.plan.split import Segment, split_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.plan.policy import Exclusion
    from reviewbot.core.plan.weigh import TokenCount

CHUNK_BUDGET = 12_000
"""Tokens of a chunk: about 16 kB or 430 lines of diff. The largest file of nine pull requests in
ten is smaller (p90 15 kB, p95 29 kB of 1,500 measured). More at once is slower to answer and finds
less: SWE-PRBench (2603.26130) saw every model get worse with more context."""

BATCH_BUDGET = 12_000
"""Tokens of the chunks in a batch, for a model with a small context window."""

LARGE_CONTEXT = 200_000
"""Tokens of a context window from which a batch may have :data:`LARGE_BATCH_BUDGET` tokens."""
LARGE_BATCH_BUDGET = 40_000
"""Tokens of the chunks in a batch of a model with a large context window. A pull request at p90
(41 kB, about 20,000 tokens) is one request, so that the model sees caller and callee together."""

MAX_BATCH_CHUNKS = 10
"""Maximum number of chunks in a batch of a model with a small context window."""
LARGE_BATCH_CHUNKS = 200
"""Maximum number of chunks in a batch of a model with a large context window: even if each file
has a finding, they fit into an answer."""

MAX_CHECKED_FILES = 50
MAX_CHECKED_BYTES = 500_000
"""Maximum number and bytes of the unread files that rules and linters read, in the order of the
diff. The others are only searched for secrets, so that a vendored library with thousands of files
does not slow down a review."""

SECRETS_ALONE = "There are many such files, so it was only searched for secrets."

MIN_BUDGET = 2_000
"""Below this, headers and overlap would crowd out the code."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of one file that is reviewed at once. ``file`` is the index in the parsed diff.

    ``part`` counts from 1 to ``parts``. ``tokens`` is the estimate for the text in the prompt.
    ``line_limit`` is the maximum size of a line in bytes, or None. Longer lines are truncated.
    """

    id: str
    file: int
    path: str
    part: int
    parts: int
    segments: tuple[Segment, ...]
    tokens: int
    line_limit: int | None = None

    @property
    def cut(self) -> bool:
        """True if a line is too long to be shown whole: the file is then ``partly``."""
        return self.line_limit is not None


@dataclass(frozen=True, slots=True)
class Batch:
    """Chunks that share one model request, and the models for it, in order."""

    id: str
    chunks: tuple[str, ...]
    tokens: int
    chain: Chain = NOBODY


@dataclass(frozen=True, slots=True)
class FilePlan:
    """A file of the diff, in its order, with the ids of its chunks.

    ``reason`` is the sentence why no model reviews the file; None for a reviewed file. A skipped
    file has no chunks. An unread file (``is_unread``) has chunks for the search for secrets, the
    rules and the linters, unless it has no lines. ``routed_by`` is the setting that chose the
    models, such as ``routes[0]``.
    """

    path: str
    status: FileStatus
    added: int
    removed: int
    reason: str | None
    chunks: tuple[str, ...]
    routed_by: str | None = None
    is_unread: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan of a review, decided before its first request.

    ``beside`` is the status of changed files that are not in the diff, because they could not be
    fetched or were reviewed before.
    """

    files: tuple[FilePlan, ...]
    chunks: tuple[Chunk, ...]
    batches: tuple[Batch, ...]
    beside: tuple[FileCoverage, ...] = ()

    @property
    def skipped(self) -> tuple[FilePlan, ...]:
        """Files that policy skips."""
        return tuple(file for file in self.files if file.reason is not None and not file.is_unread)

    @property
    def reviewed_batches(self) -> tuple[Batch, ...]:
        """Batches without those of unread files."""
        return tuple(batch for batch in self.batches if batch.chain not in (UNREAD, SECRETS_ONLY))

    @property
    def tokens(self) -> int:
        """Estimated tokens of all chunks, without the instructions and examples of requests."""
        return sum(batch.tokens for batch in self.batches)

    @property
    def by_id(self) -> dict[str, Chunk]:
        """Chunks by id. Each access builds a new dictionary."""
        return {chunk.id: chunk for chunk in self.chunks}


@dataclass(frozen=True, slots=True)
class SplitLimits:
    """Size limits of chunks and batches for one model.

    Args:
        count: estimates tokens.
        budget: maximum tokens of a chunk, headers and overlap included.
        batch_budget: maximum tokens of the chunks in one batch; a single chunk may be larger.
        batch_chunks: maximum number of chunks in one batch.

    Raises:
        ValueError: ``budget`` is below ``MIN_BUDGET``, or ``batch_chunks`` below 1.
    """

    count: TokenCount
    budget: int = CHUNK_BUDGET
    batch_budget: int = BATCH_BUDGET
    batch_chunks: int = MAX_BATCH_CHUNKS

    def __post_init__(self) -> None:
        if self.budget < MIN_BUDGET:
            raise ValueError(f"a chunk budget of {self.budget} tokens is below {MIN_BUDGET}")
        if self.batch_chunks < 1:
            raise ValueError("a batch holds at least one chunk")


def budget_for(context: int) -> int:
    """Return the token budget of a chunk for a model with a window of ``context`` tokens.

    The budget is at most a quarter of the window. An estimate by bytes can be too low by half (a
    token is at least a byte). A chunk of half the window still leaves room for instructions and the
    response.
    """
    return max(MIN_BUDGET, min(CHUNK_BUDGET, context // 4))


def plan_routed(
    files: Sequence[FileDiff],
    *,
    exclusions: Sequence[Exclusion | None],
    route: Callable[[Sequence[FileDiff]], Sequence[Routed]],
    sizes: Callable[[Chain], SplitLimits],
    group: Callable[[Sequence[FileDiff]], Sequence[tuple[int, int]]] | None = None,
) -> Plan:
    """Return the plan: reviewed files, their chunks, and models. Equal arguments give equal plans.

    Args:
        files: the parsed diff.
        exclusions: why no model reviews each file, or None (:mod:`reviewbot.core.plan.policy`). A
            file without hunks must have an exclusion.
        route: returns the models for each reviewed file.
        sizes: returns the size limits for the first model of a chain.
        group: returns two numbers for each file of ``files``. Files with the same first number
            share a batch if they fit, else those with the same second number. None groups nothing.
            It is called only if a chain needs several batches.
    """
    pairs = list(zip(files, exclusions, strict=True))
    decided = iter(route([file for file, why in pairs if why is None]))
    unread = iter(
        _unread_routes(file for file, why in pairs if why and why.is_unread and file.hunks)
    )
    planned: list[FilePlan] = []
    by_chain: dict[Chain, list[Chunk]] = {}
    chunks: list[Chunk] = []
    for index, (file, why) in enumerate(pairs):
        routed, reason = next(decided) if why is None else None, why and why.reason
        if why and why.is_unread and file.hunks:
            routed = next(unread)
            if routed.chain == SECRETS_ONLY:
                reason = f"{reason} {SECRETS_ALONE}"
        mine = []
        if routed:
            mine = _chunks_of(file, index, len(chunks), sizes(routed.chain))
            by_chain.setdefault(routed.chain, []).extend(mine)
        chunks += mine
        planned.append(
            FilePlan(
                path=file.path,
                status=file.status,
                added=file.added,
                removed=file.removed,
                reason=reason,
                chunks=tuple(chunk.id for chunk in mine),
                routed_by=routed.by if routed and why is None else None,
                is_unread=why is not None and why.is_unread,
            )
        )
    batches: list[Batch] = []
    # Unread files come last, so that they delay no reviewed file.
    numbers: Sequence[tuple[int, int]] | None = None
    for chain, some in sorted(by_chain.items(), key=lambda item: item[0] in (UNREAD, SECRETS_ONLY)):
        limits = sizes(chain)
        packed = _packed([some], limits)
        if group and len(packed) > 1 and chain not in (UNREAD, SECRETS_ONLY):
            numbers = group(files) if numbers is None else numbers
            packed = _packed(_grouped(some, numbers, limits), limits)
        batches += [
            Batch(f"b{number}", tuple(c.id for c in members), sum(c.tokens for c in members), chain)
            for number, members in enumerate(packed, start=len(batches) + 1)
        ]
    return Plan(tuple(planned), tuple(chunks), tuple(batches))


def _unread_routes(files: Iterable[FileDiff]) -> list[Routed]:
    """Return the chain of each unread file: the first ones are read by rules and linters."""
    routes: list[Routed] = []
    count = size = 0
    for file in files:
        is_checked = count < MAX_CHECKED_FILES and size + file.size <= MAX_CHECKED_BYTES
        if is_checked:
            count, size = count + 1, size + file.size
        routes.append(Routed(UNREAD if is_checked else SECRETS_ONLY))
    return routes


def _chunks_of(file: FileDiff, index: int, before: int, sizes: SplitLimits) -> list[Chunk]:
    parts = split_file(file, count=sizes.count, budget=sizes.budget)
    return [
        Chunk(
            id=f"c{before + number}",
            file=index,
            path=file.path,
            part=number,
            parts=len(parts),
            segments=part.segments,
            tokens=part.tokens,
            line_limit=part.line_limit,
        )
        for number, part in enumerate(parts, start=1)
    ]


def _grouped(
    chunks: Sequence[Chunk], numbers: Sequence[tuple[int, int]], limits: SplitLimits
) -> Iterator[list[Chunk]]:
    """Yield the chunks by the numbers of their files, in the order of the first file of each."""
    groups: dict[int, dict[int, list[Chunk]]] = {}
    for chunk in chunks:
        group, source = numbers[chunk.file]
        groups.setdefault(group, {}).setdefault(source, []).append(chunk)
    for parts in groups.values():
        whole = [chunk for part in parts.values() for chunk in part]
        yield from [whole] if _fits(whole, limits) else parts.values()


def _packed(groups: Iterable[Sequence[Chunk]], limits: SplitLimits) -> list[list[Chunk]]:
    """Return the chunks of each batch.

    A group that does not fit into the rest of a batch begins a new one, if it fits there.
    """
    packed: list[list[Chunk]] = []
    room = 0
    for group in groups:
        total = sum(chunk.tokens for chunk in group)
        is_tight = total > room or _is_full(packed, len(group), limits)
        if is_tight and _fits(group, limits):
            room = 0
        for chunk in group:
            if chunk.tokens > room or _is_full(packed, 1, limits):
                packed.append([])
                room = limits.batch_budget
            packed[-1].append(chunk)
            room -= chunk.tokens
    return packed


def _fits(group: Sequence[Chunk], limits: SplitLimits) -> bool:
    """Return whether one batch can have the whole group."""
    total = sum(chunk.tokens for chunk in group)
    return total <= limits.batch_budget and len(group) <= limits.batch_chunks


def _is_full(packed: Sequence[Sequence[Chunk]], more: int, limits: SplitLimits) -> bool:
    return bool(packed) and len(packed[-1]) + more > limits.batch_chunks
