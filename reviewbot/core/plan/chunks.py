"""Plan the chunks and batches of a review: files, pieces, and the owner of each line. Pure.

A chunk is the unit of coverage, a batch the unit of request and payment. A :class:`Plan` holds
indices into the parsed diff, never its text, so that it is small and can be stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from reviewbot.core.diff.parse import FileStatus  # noqa: TC001 - stored_plan resolves it at run time
from reviewbot.core.diff.whole import shows_whole_file
from reviewbot.core.events.events import FileCoverage  # noqa: TC001 - stored_plan uses it
from reviewbot.core.plan.routing import NOBODY, Chain, Routed
from reviewbot.core.plan.split import Segment, split_file
from reviewbot.core.plan.weigh import SECTION_LIMIT, cut_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reviewbot.core.diff.parse import DiffLine, FileDiff
    from reviewbot.core.plan.weigh import TokenCount

CHUNK_BUDGET = 12_000
"""Tokens of a chunk: about 16 kB or 430 lines of diff. The largest file of nine pull requests in
ten is smaller (p90 15 kB, p95 29 kB of 1,500 measured). More at once is slower to answer and finds
less: SWE-PRBench (2603.26130) saw every model get worse with more context."""

BATCH_BUDGET = 12_000
"""Tokens of the chunks in a batch. A median pull request (3.7 kB) is one request, and so is one
at p75 (13 kB); one at p90 (41 kB) is three or four that run side by side."""

MAX_BATCH_CHUNKS = 10
"""Maximum number of chunks in a batch, so that a change all over a repository does not become one
long answer."""

MIN_BUDGET = 2_000
"""Below this, headers and overlap would crowd out the code."""

EXECUTABLE = "100755"
SYMLINK = "120000"
"""git's mode of a symbolic link."""

_NO_REDACTIONS: Mapping[tuple[int, int], str] = MappingProxyType({})
_NO_SECTIONS: Mapping[int, str] = MappingProxyType({})


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
    """A file of the diff, in its order: either ``chunks`` (ids) or the ``reason`` to skip it.

    ``routed_by`` is the setting that chose its models, such as ``routes[0]``.
    """

    path: str
    status: FileStatus
    added: int
    removed: int
    reason: str | None
    chunks: tuple[str, ...]
    routed_by: str | None = None


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
        return tuple(file for file in self.files if file.reason is not None)

    @property
    def tokens(self) -> int:
        """Estimated tokens of all chunks, without the instructions and examples of requests."""
        return sum(batch.tokens for batch in self.batches)

    @property
    def by_id(self) -> dict[str, Chunk]:
        """Chunks by id. Each access builds a new dictionary."""
        return {chunk.id: chunk for chunk in self.chunks}


@dataclass(frozen=True, slots=True)
class ShownHunk:
    """Lines of one hunk as a chunk shows them.

    ``lines`` are already redacted and truncated. ``owned[i]`` is False for overlap lines, which are
    context whatever their kind. ``section`` is git's heading after the second ``@@``.
    """

    old_start: int
    new_start: int
    section: str
    lines: tuple[DiffLine, ...]
    owned: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class ChunkView:
    """A chunk with its text as a reviewer sees it."""

    id: str
    path: str
    old_path: str | None
    status: FileStatus
    part: int
    parts: int
    hunks: tuple[ShownHunk, ...]
    instructions: tuple[str, ...] = ()
    """Instructions of the repository for this path, from its configuration."""
    tokens: int = 0
    """Estimated tokens of the chunk, by the plan."""
    is_whole: bool = False
    """Whether it shows every line of the new file."""
    is_executable: bool = False
    """Whether the file may be executed."""
    is_link: bool = False
    """Whether the file is a symbolic link, whose text is only its target."""


@dataclass(frozen=True, slots=True)
class SplitLimits:
    """Size limits of chunks and batches for one model.

    Args:
        count: estimates tokens.
        budget: maximum tokens of a chunk, headers and overlap included.
        batch_budget: maximum tokens of the chunks in one batch; a single chunk may be larger.

    Raises:
        ValueError: ``budget`` is below ``MIN_BUDGET``.
    """

    count: TokenCount
    budget: int = CHUNK_BUDGET
    batch_budget: int = BATCH_BUDGET

    def __post_init__(self) -> None:
        if self.budget < MIN_BUDGET:
            raise ValueError(f"a chunk budget of {self.budget} tokens is below {MIN_BUDGET}")


def budget_for(context: int) -> int:
    """Return the token budget of a chunk for a model with a window of ``context`` tokens.

    The budget is at most a quarter of the window. An estimate by bytes can be too low by half (a
    token is at least a byte). A chunk of half the window still leaves room for instructions and the
    response.
    """
    return max(MIN_BUDGET, min(CHUNK_BUDGET, context // 4))


def plan(
    files: Sequence[FileDiff],
    *,
    skip: Callable[[FileDiff], str | None],
    count: TokenCount,
    budget: int = CHUNK_BUDGET,
    batch_budget: int = BATCH_BUDGET,
    max_batch_chunks: int = MAX_BATCH_CHUNKS,
) -> Plan:
    """Plan with one chain for all files; ``count`` and budgets as in :class:`SplitLimits`."""
    sizes, everyone = SplitLimits(count, budget, batch_budget), Routed(NOBODY)
    return plan_routed(
        files,
        reasons=[skip(file) for file in files],
        route=lambda some: [everyone] * len(some),
        sizes=lambda _: sizes,
        max_batch_chunks=max_batch_chunks,
    )


def plan_routed(
    files: Sequence[FileDiff],
    *,
    reasons: Sequence[str | None],
    route: Callable[[Sequence[FileDiff]], Sequence[Routed]],
    sizes: Callable[[Chain], SplitLimits],
    max_batch_chunks: int = MAX_BATCH_CHUNKS,
) -> Plan:
    """Return the plan: reviewed files, their chunks, and models. Equal arguments give equal plans.

    Args:
        files: the parsed diff.
        reasons: the reason why each file is skipped, or None (:mod:`reviewbot.core.plan.policy`). A
            file without hunks must have a reason.
        route: returns the models for each reviewed file.
        sizes: returns the size limits for the first model of a chain.
        max_batch_chunks: maximum number of chunks in one batch.

    Raises:
        ValueError: ``max_batch_chunks`` is below 1.
    """
    if max_batch_chunks < 1:
        raise ValueError("a batch holds at least one chunk")
    decided = iter(route([file for file, why in zip(files, reasons, strict=True) if why is None]))
    planned: list[FilePlan] = []
    by_chain: dict[Chain, list[Chunk]] = {}
    chunks: list[Chunk] = []
    for index, (file, reason) in enumerate(zip(files, reasons, strict=True)):
        routed = next(decided) if reason is None else None
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
                routed_by=routed.by if routed else None,
            )
        )
    batches: list[Batch] = []
    for chain, some in by_chain.items():
        room = sizes(chain).batch_budget
        batches += _batches(some, chain, len(batches), budget=room, limit=max_batch_chunks)
    return Plan(tuple(planned), tuple(chunks), tuple(batches))


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


def _batches(
    chunks: list[Chunk], chain: Chain, before: int, *, budget: int, limit: int
) -> list[Batch]:
    """Return batches of adjacent chunks: a diff lists files of one directory together."""
    groups: list[list[Chunk]] = []
    room = 0
    for chunk in chunks:
        if not groups or chunk.tokens > room or len(groups[-1]) == limit:
            groups.append([])
            room = budget
        groups[-1].append(chunk)
        room -= chunk.tokens
    return [
        Batch(f"b{number}", tuple(c.id for c in group), sum(c.tokens for c in group), chain)
        for number, group in enumerate(groups, start=before + 1)
    ]


def view(
    file: FileDiff,
    chunk: Chunk,
    *,
    replacements: Mapping[tuple[int, int], str] = _NO_REDACTIONS,
    sections: Mapping[int, str] = _NO_SECTIONS,
    instructions: tuple[str, ...] = (),
) -> ChunkView:
    """Return the text of ``chunk``: redacted, then truncated, with the overlap marked.

    Args:
        file: the file of the chunk.
        chunk: the planned chunk.
        replacements: redacted text by index of the hunk and index of the line in it.
        sections: redacted section by index of the hunk.
        instructions: the repository's instructions for this path.
    """
    return ChunkView(
        id=chunk.id,
        path=file.path,
        old_path=file.old_path,
        status=file.status,
        part=chunk.part,
        parts=chunk.parts,
        hunks=tuple(
            _shown(file, segment, chunk.line_limit, replacements, sections)
            for segment in chunk.segments
        ),
        instructions=instructions,
        tokens=chunk.tokens,
        is_whole=chunk.parts == 1 and not chunk.cut and shows_whole_file(file),
        is_executable=file.new_mode == EXECUTABLE,
        is_link=file.new_mode == SYMLINK,
    )


def _shown(
    file: FileDiff,
    segment: Segment,
    limit: int | None,
    replacements: Mapping[tuple[int, int], str],
    sections: Mapping[int, str],
) -> ShownHunk:
    hunk = file.hunks[segment.hunk]
    lines = []
    for index, line in enumerate(
        hunk.slice(segment.show_start, segment.show_stop), segment.show_start
    ):
        text = replacements.get((segment.hunk, index), line.text)
        if limit is not None:
            text = cut_line(text, limit)
        lines.append(line if text is line.text else line._replace(text=text))
    old_start, new_start = hunk.position(segment.show_start)
    section = sections.get(segment.hunk, hunk.section)[:SECTION_LIMIT]
    if (file.new_mode if hunk.new_count else file.old_mode) == SYMLINK:
        section = "symbolic link: the line is its target"
    return ShownHunk(
        old_start=old_start,
        new_start=new_start,
        section=section,
        lines=tuple(lines),
        owned=tuple(
            segment.start <= index < segment.stop
            for index in range(segment.show_start, segment.show_stop)
        ),
    )
