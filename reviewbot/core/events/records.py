"""The JSON form of events, with number and time, and the way back. Pure.

``seq`` (from 1, without a gap) and ``at`` (RFC 3339, UTC) are added at the edge that stores or
writes an event. The JSON form has a JSON Schema, ``reviewbot/schemas/events.schema.json``.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast, get_args

from reviewbot.core.decode import decoder
from reviewbot.core.events.events import (
    ChunkFinished,
    ChunkStatus,
    CoverageStatus,
    Event,
    Outcome,
    ReviewFinished,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

Json: TypeAlias = dict[str, Any]


def record(event: Event, *, seq: int, review_id: str, at: str) -> Json:
    """Return the JSON object of ``event``, as used in NDJSON lines, SSE ``data:`` and the store.

    ``seq`` is the number of the event within the review, from 1. ``at`` is an RFC 3339 time.
    """
    return {"type": event.type, "seq": seq, "review_id": review_id, "at": at, **asdict(event)}


_TYPES: Final = {cls.type: cls for cls in get_args(Event)}


def from_record(obj: Mapping[str, Any]) -> Event:
    """Return the event of a record: replay files and other servers' streams are read with it.

    Fields that are not known are ignored; fields with a default may be missing. An unknown outcome
    of a newer version is read as ``incomplete``, and an unknown status as ``failed``.

    Raises:
        ValueError: the type is unknown, or a field is missing or not of its type. Names it.
    """
    kind = obj.get("type")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise ValueError(f"unknown type of event: {kind!r:.60}")
    try:
        return cast("Event", decoder(_TYPES[kind])(_known(obj), ""))
    except ValueError as error:
        raise ValueError(f"{kind}: {error}") from None


def _known(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a record without the outcomes and statuses of newer versions."""
    match obj.get("type"):
        case ReviewFinished.type:
            outcome, coverage = obj.get("outcome"), obj.get("coverage")
            if isinstance(outcome, str) and outcome not in get_args(Outcome):
                reason = f"The outcome {outcome!r:.40} is unknown to this version of reviewbot."
                obj = {**obj, "outcome": "incomplete", "reasons": [reason]}
            if isinstance(coverage, list):
                obj = {**obj, "coverage": [_known_status(one, CoverageStatus) for one in coverage]}
        case ChunkFinished.type:
            obj = _known_status(obj, ChunkStatus)
        case _:
            pass
    return obj


def _known_status(obj: Any, statuses: object) -> Any:  # noqa: ANN401 - decoded JSON of any kind
    known = not isinstance(obj, dict) or not isinstance(obj.get("status"), str)
    return obj if known or obj["status"] in get_args(statuses) else {**obj, "status": "failed"}
