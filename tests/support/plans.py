"""Plans of a review."""

from __future__ import annotations

from reviewbot.core.plan.chunks import Batch, Chunk, FilePlan, Plan


def plan_of(**files: tuple[str, ...] | str) -> Plan:
    """A plan from path to chunk ids, or to the reason for which it is skipped."""
    plans = tuple(
        FilePlan(
            path,
            "modified",
            3,
            1,
            chunks if isinstance(chunks, str) else None,
            () if isinstance(chunks, str) else chunks,
        )
        for path, chunks in files.items()
    )
    chunks = tuple(
        Chunk(name, at, file.path, 1, 1, (), 10)
        for at, file in enumerate(plans)
        for name in file.chunks
    )
    return Plan(plans, chunks, (Batch("b1", tuple(one.id for one in chunks), 10),))
