"""Store plans as JSON, and check that a stored plan still matches the diff. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from reviewbot.core.decode import decoder
from reviewbot.core.plan.chunks import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.plan.chunks import Chunk

VERSION: Final = 2
Json: TypeAlias = dict[str, Any]


def plan_to_json(plan: Plan) -> Json:
    """Return ``plan`` as an object for JSON: its fields, with the version of this form."""
    return {"version": VERSION, **asdict(plan)}


def plan_from_json(data: object) -> Plan:
    """Return the plan that :func:`plan_to_json` wrote.

    Raises:
        ValueError: ``data`` is not such an object. Whether the plan is a good one for the diff at
            hand is :func:`check_fits`' question.
    """
    if not isinstance(data, dict) or data.get("version") != VERSION:
        raise ValueError(f"this is not a stored plan of version {VERSION}")
    try:
        return cast("Plan", decoder(Plan)(data, ""))
    except ValueError as error:
        raise ValueError(f"this stored plan is damaged: {error}") from error


def check_fits(plan: Plan, files: Sequence[FileDiff]) -> None:
    """Raise unless ``plan`` was made from ``files`` and covers all their lines.

    Raises:
        ValueError: the plan does not match; the message names the location.
    """
    if len(plan.files) != len(files):
        raise ValueError(f"the plan has {len(plan.files)} files, the diff {len(files)}")
    for planned, file in zip(plan.files, files, strict=True):
        facts = (planned.path, planned.status, planned.added, planned.removed)
        if facts != (file.path, file.status, file.added, file.removed):
            raise ValueError(f"the plan's {planned.path!r} is not the diff's {file.path!r}")
    by_id = plan.by_id
    if len(by_id) != len(plan.chunks):
        raise ValueError("two chunks of the plan have the same id")
    order = {name: index for index, name in enumerate(by_id)}
    batched = [name for batch in plan.batches for name in batch.chunks]
    if sorted(batched) != sorted(by_id) or any(
        list(batch.chunks) != sorted(batch.chunks, key=order.__getitem__) for batch in plan.batches
    ):
        raise ValueError("the plan's batches do not hold each of its chunks once and in order")
    if [name for planned in plan.files for name in planned.chunks] != list(by_id):
        raise ValueError("the plan's files do not hold each of its chunks once and in order")
    for index, (planned, file) in enumerate(zip(plan.files, files, strict=True)):
        if planned.reason is None or (planned.is_unread and planned.chunks):
            _check_lines(file, index, [by_id[name] for name in planned.chunks])
        elif planned.chunks:
            raise ValueError(f"the plan both skips and reviews {file.path!r}")


def _check_lines(file: FileDiff, index: int, chunks: Sequence[Chunk]) -> None:
    """Raise unless each line of each hunk is owned once, in order, and shown by its owner."""
    ends = [0] * len(file.hunks)
    counts = [hunk.line_count for hunk in file.hunks]
    last = 0
    for chunk in chunks:
        if (chunk.file, chunk.path) != (index, file.path):
            raise ValueError(f"the plan's chunk {chunk.id} is not one of {file.path!r}")
        for piece in chunk.segments:
            if not (
                last <= piece.hunk < len(counts)
                and 0 <= piece.show_start <= piece.start == ends[piece.hunk]
                and piece.start < piece.stop <= piece.show_stop <= counts[piece.hunk]
            ):
                raise ValueError(f"the plan's chunk {chunk.id} does not fit {file.path!r}: {piece}")
            ends[piece.hunk], last = piece.stop, piece.hunk
    if ends != counts:
        raise ValueError(f"the plan leaves out lines of {file.path!r}")
