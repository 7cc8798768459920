"""Drafts on their way into cache entries and out of them. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.cache.entry import AttributedDraft
from reviewbot.core.cache.reuse import reuse
from reviewbot.core.findings.anchors import AnchorIndex
from reviewbot.core.findings.file_changes import FileChange
from reviewbot.models.batch import ChunkOutcome, Drafted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reviewbot.core.cache.entry import Entry
    from reviewbot.core.cache.keys import ChunkKey
    from reviewbot.core.cache.reuse import Reuse
    from reviewbot.core.findings.draft import Draft
    from reviewbot.core.findings.verdicts import Verdict
    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.models.batch import BatchTask

EARLIER: Final = "An earlier review verified it."


def verified_drafts(
    drafts: Iterable[Drafted], verdicts: Mapping[Draft, Verdict], path: str
) -> Iterator[AttributedDraft]:
    """Yield the drafts of a chunk with the verdicts that the next review may reuse.

    Code outside the chunk may change while the chunk stays equal. So a verdict is kept only if its
    evidence is in the file of the chunk. A verdict that withdraws or rewrites a finding is never
    kept: the next review verifies such a finding again. Line numbers may change, so a verdict is
    kept without its evidence.

    Args:
        drafts: the drafts of the chunk.
        verdicts: new verdicts. A draft without one keeps the verdict of an earlier review.
        path: the path of the chunk.
    """
    for one in drafts:
        verdict = verdicts.get(one.draft)
        kept = one.verdict if verdict is None else _reusable(verdict, path)
        yield AttributedDraft(one.draft, one.attempt, one.answer, kept)


def _reusable(verdict: Verdict, path: str) -> Verdict | None:
    """Return the verdict as it is stored; None if other code may change it."""
    evidence = verdict.evidence
    if verdict.verdict not in ("supported", "cannot_tell"):
        return None
    if evidence is None or evidence.path != path:
        return None
    return replace(verdict, reason=EARLIER, evidence=None)


def reuses_of(
    chunks: Sequence[ChunkView],
    keys: Mapping[str, ChunkKey],
    candidates: Mapping[str, Sequence[Entry]],
    least: float,
) -> dict[str, Reuse]:
    """Return the reusable part of each chunk that has one."""
    index = AnchorIndex(chunks)
    found = {
        chunk.id: reuse(chunk, keys[chunk.id], candidates.get(chunk.id, ()), index, least=least)
        for chunk in chunks
    }
    return {name: known for name, known in found.items() if known is not None}


def replayed(
    chunks: Iterable[ChunkView], reuses: Mapping[str, Reuse]
) -> tuple[list[Drafted], list[ChunkOutcome]]:
    """Return cached drafts as events, and outcomes of chunks that are completely cached."""
    drafts: list[Drafted] = []
    outcomes: list[ChunkOutcome] = []
    for name, known in ((one.id, reuses[one.id]) for one in chunks if one.id in reuses):
        for heard in known.drafts:
            answer = f"cache/{name}/{heard.answer}"
            drafted = Drafted(heard.draft, known.model, heard.attempt, answer, (name,), cached=True)
            drafts.append(replace(drafted, verdict=heard.verdict))
        if known.rest is None:
            outcomes.append(ChunkOutcome(name, "reviewed", known.model, 0, cached=True))
    return drafts, outcomes


def described(
    task: BatchTask, reuses: Mapping[str, Reuse], asked: Iterable[FileChange]
) -> tuple[FileChange, ...]:
    """Return the lines on what changed: of the answer, else of the cache.

    An answer about some lines of a hunk does not describe the file, so that the cache comes first.
    """
    cached: dict[str, FileChange] = {}
    narrowed: dict[str, FileChange] = {}
    for chunk in task.request.chunks:
        known = reuses.get(chunk.id)
        if known is not None and known.change:
            some = narrowed if known.narrowed else cached
            some[chunk.path] = FileChange(chunk.path, known.change)
    return tuple((cached | {one.path: one for one in asked} | narrowed).values())


def as_far_as_read(outcome: ChunkOutcome, reuses: Mapping[str, Reuse]) -> ChunkOutcome:
    """Return the outcome, as ``partly`` for a failed chunk with a cached part."""
    if outcome.status == "failed" and outcome.chunk in reuses:
        return replace(outcome, status="partly")
    return outcome


def drafts_by_chunk(
    views: Mapping[str, ChunkView], index: AnchorIndex, drafts: Iterable[Drafted]
) -> tuple[Mapping[str, list[Drafted]], set[str]]:
    """Return the drafts by chunk, and the chunks that may lack a draft.

    The location of the quote decides. A draft whose quote is not found belongs to the chunk of its
    file, if the request had only one. Any other draft could be about each chunk of its request, so
    all of these may lack it.
    """
    said: defaultdict[str, list[Drafted]] = defaultdict(list)
    unclear: set[str] = set()
    for drafted in drafts:
        draft = drafted.draft
        path = index.path_of(draft.path)
        anchor = index.find(path, draft.quote, draft.side, draft.line) if path else None
        asked = [name for name in drafted.chunks if name in views]
        of_file = [name for name in asked if views[name].path == path]
        if anchor is not None:
            of_file = [name for name in of_file if name == anchor.chunk]
        if len(of_file) == 1:
            said[of_file[0]].append(drafted)
        else:
            unclear.update(asked)
    return said, unclear
