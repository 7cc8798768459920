"""A request becomes a review: planned, weighed against its limits, stored with its first events."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from reviewbot.core.stored_plan import plan_to_json
from reviewbot.errors import ReviewbotError
from reviewbot.job import opening
from reviewbot.jobs.options import ReviewOptions, settings_for
from reviewbot.jobs.truncation import middle_to_leave_out
from reviewbot.prepare import OUTPUT_PER_REQUEST, prepare
from reviewbot.settings import OFFLINE
from reviewbot.store import budgets, reviews
from reviewbot.store.eventlog import insert_events, stored
from reviewbot.store.keys import Limits
from reviewbot.store.reviews import NewReview

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import sqlalchemy as sa

    from reviewbot.core.chunks import Batch
    from reviewbot.core.events import Event
    from reviewbot.job import Job
    from reviewbot.settings import Settings


class UsedKeyError(ReviewbotError):
    """An idempotency key that was used for another request."""


class TooManyTokensError(ReviewbotError):
    """The diff takes more tokens than one request may.

    Args:
        message: a sentence.
        tokens: what it would take.
        limit: what it may.
    """

    def __init__(self, message: str, *, tokens: int, limit: int) -> None:
        self.tokens, self.limit = tokens, limit
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """What someone wants reviewed. ``tenant`` is whose it is."""

    tenant: str
    diff: bytes
    options: ReviewOptions = field(default_factory=lambda: ReviewOptions({}))
    title: str = ""
    description: str = ""
    subject: str | None = None
    idempotency_key: str | None = None
    attributes: str = ""
    notices: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)

    @property
    def digest(self) -> str:
        """Of all that decides what the review is."""
        parts = (
            json.dumps(dict(self.options.settings), sort_keys=True),
            self.options.truncate,
            str(self.options.cache),
            self.title,
            self.description,
            self.subject or "",
            self.attributes,
        )
        found = hashlib.sha256(self.diff)
        for part in parts:
            found.update(b"\0" + part.encode("utf-8", "surrogatepass"))
        return found.hexdigest()


@dataclass(frozen=True, slots=True)
class Admitted:
    """A review that can be stored. ``opening`` are its first events."""

    new: NewReview
    limits: Limits
    opening: tuple[Event, ...]


def admit(request: ReviewRequest, load: Callable[[Mapping[str, object]], Settings]) -> Admitted:
    """Plan what is asked for. CPU work: for a thread.

    Args:
        request: it.
        load: makes settings of its options.

    Raises:
        DiffError: the diff cannot be read.
        ConfigError: an option is wrong.
        TooManyTokensError: it is above what one request may take.
    """
    settings = settings_for(load, request.options.settings)
    job = prepare(
        request.diff, settings, attributes=request.attributes, notices=request.notices
    ).job
    left_out = _left_out(request, job)
    tokens, usd = _expected(job, left_out)
    new = NewReview(
        id=_new_id(),
        tenant=request.tenant,
        diff=reviews.packed(request.diff),
        plan=json.dumps(plan_to_json(job.plan)),
        options=json.dumps({**request.options.settings, "cache": request.options.cache}),
        request_hash=request.digest,
        title=request.title,
        description=request.description,
        attributes=request.attributes,
        subject=request.subject,
        idempotency_key=request.idempotency_key,
        left_out=left_out,
        held_tokens=tokens,
        held_usd=usd,
    )
    return Admitted(new, request.limits, tuple(opening(job)))


def store(connection: sa.Connection, admitted: Admitted) -> list[str]:
    """Store a review and its first events; the older ones of its subject shall end.

    Returns:
        The ids of those.

    Raises:
        OverLimitError: the tenant's budget has no room for it, or it has too many at work.
    """
    new, limits = admitted.new, admitted.limits
    day = budgets.hold(connection, new.tenant, limits, tokens=new.held_tokens, usd=new.held_usd)
    at = reviews.now_ms()
    events = [
        stored(event, seq=seq, review_id=new.id, at=at)
        for seq, event in enumerate(admitted.opening, start=1)
    ]
    reviews.insert(connection, replace(new, held_day=day), at, last_seq=len(events))
    insert_events(connection, new.id, events)
    if new.subject is None:
        return []
    # All of them are older: a tenant's reviews are stored one after the other.
    older = reviews.others_of_subject(connection, new.tenant, new.subject, new.id)
    return reviews.ask_to_stop(connection, older, "superseded")


def _left_out(request: ReviewRequest, job: Job) -> tuple[str, ...]:
    """The batches that are not sent, if the diff is above what one request may take.

    Raises:
        TooManyTokensError: it is, and was not to be cut; or nothing of it would be left.
    """
    limit = request.limits.tokens_per_request
    tokens, _ = _expected(job, ())
    if limit is None or tokens <= limit:
        return ()
    if request.options.truncate == "middle":
        found = middle_to_leave_out(job.plan, room=limit, cost=partial(_cost, job))
        if found is not None:
            return found
    raise TooManyTokensError(
        f"this diff takes about {tokens:,} tokens, and one request may take {limit:,};"
        " send it in parts, or leave files out with exclude",
        tokens=tokens,
        limit=limit,
    )


def _cost(job: Job, batch: Batch) -> int:
    """Tokens that a batch is expected to take, an answer included."""
    if job.model_of(batch) == OFFLINE:
        return 0
    return job.request_tokens(batch) + OUTPUT_PER_REQUEST


def _expected(job: Job, left_out: tuple[str, ...]) -> tuple[int, float]:
    """Tokens and dollars that a review is expected to take; the rules on this machine take none."""
    if all(job.model_of(batch) == OFFLINE for batch in job.plan.batches):
        return 0, 0.0
    asked = [one for one in job.estimate.by_model if one.model != OFFLINE]
    tokens = sum(one.input_tokens + one.output_tokens for one in asked)
    usd = sum(one.cost_usd or 0.0 for one in asked)
    saved = sum(_cost(job, batch) for batch in job.plan.batches if batch.id in left_out)
    left = max(0, tokens - saved)
    return left, usd * left / tokens if tokens else 0.0


def _new_id() -> str:
    """A UUID of version 7 without dashes: ids sort by time (RFC 9562, section 5.7)."""
    number = (reviews.now_ms() << 80) | secrets.randbits(80)
    number = number & ~(0xF << 76) | (7 << 76)
    number = number & ~(0x3 << 62) | (2 << 62)
    return f"{number:032x}"
