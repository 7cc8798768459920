"""The rows of reviews: made, claimed, stopped, listed, deleted; a query or change a function.

They take a connection, for :meth:`Database.read` and :meth:`Database.write`.
"""

from __future__ import annotations

import json
import time
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import sqlalchemy as sa

from reviewbot.store.database import rows_changed
from reviewbot.store.tables import BATCHES, EVENTS, REVIEWS, SPENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reviewbot.core.events import Outcome

State = Literal["queued", "running", "waiting", "finished"]

OPEN: Final = ("queued", "running", "waiting")
LIGHT: Final = tuple(
    column
    for column in REVIEWS.c
    if column.name not in ("diff", "plan", "description", "options", "attributes", "left_out")
)
"""The columns that are small."""


def now_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class NewReview:
    """A review as it is asked for: ``diff`` is :func:`packed`, ``plan`` and ``options`` JSON."""

    id: str
    tenant: str
    diff: bytes
    plan: str
    options: str
    request_hash: str
    title: str = ""
    description: str = ""
    attributes: str = ""
    subject: str | None = None
    idempotency_key: str | None = None
    left_out: tuple[str, ...] = ()
    held_tokens: int = 0
    held_usd: float = 0.0
    held_day: int = 0


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """What is known of a review without its diff and plan. Times are Unix milliseconds."""

    id: str
    tenant: str
    subject: str | None
    title: str
    idempotency_key: str | None
    request_hash: str
    state: State
    outcome: Outcome | None
    stop: Outcome | None
    epoch: int
    runs: int
    breaks: int
    waiting_since: int | None
    node: str | None
    last_seq: int
    writes: int
    queue_position: int | None
    created_at: int
    started_at: int | None
    finished_at: int | None
    next_try_at: int | None
    entry: str | None


@dataclass(frozen=True, slots=True)
class Work:
    """What a review is made of, for whoever runs it."""

    diff: bytes
    plan: Any
    options: dict[str, Any]
    left_out: frozenset[str]
    description: str
    attributes: str


def packed(diff: bytes) -> bytes:
    """A diff as it is stored. It takes time: not in a write, which holds up others."""
    return zlib.compress(diff, 1)


def insert(connection: sa.Connection, new: NewReview, at: int, *, last_seq: int) -> None:
    """Store a review, queued; ``last_seq`` events are stored with it.

    Raises:
        sqlalchemy.exc.IntegrityError: its idempotency key is taken.
    """
    connection.execute(
        sa.insert(REVIEWS).values(
            id=new.id,
            tenant=new.tenant,
            subject=new.subject,
            title=new.title,
            description=new.description,
            options=new.options,
            diff=new.diff,
            attributes=new.attributes,
            plan=new.plan,
            left_out=json.dumps(new.left_out),
            held_tokens=new.held_tokens,
            held_usd=new.held_usd,
            held_day=new.held_day,
            idempotency_key=new.idempotency_key,
            request_hash=new.request_hash,
            state="queued",
            created_at=at,
            runs=1,
            last_seq=last_seq,
        )
    )


def by_idempotency_key(connection: sa.Connection, tenant: str, key: str) -> ReviewRow | None:
    """The review that ``tenant`` has started with ``key``."""
    return _one(
        connection,
        sa.and_(REVIEWS.c.tenant == tenant, REVIEWS.c.idempotency_key == key),
    )


def find(connection: sa.Connection, review_id: str, tenant: str | None = None) -> ReviewRow | None:
    """The review, if there is one and it is the tenant's; None is everyone."""
    condition = REVIEWS.c.id == review_id
    if tenant is not None:
        condition = sa.and_(condition, REVIEWS.c.tenant == tenant)
    return _one(connection, condition)


def diff_of(connection: sa.Connection, review_id: str) -> bytes:
    """The diff as it was sent."""
    packed = connection.scalar(sa.select(REVIEWS.c.diff).where(REVIEWS.c.id == review_id))
    return zlib.decompress(packed or b"")


def recent(
    connection: sa.Connection, tenant: str | None, *, limit: int, before: str | None
) -> list[ReviewRow]:
    """The latest reviews, newest first; ``before`` is the id of the last one seen."""
    query = sa.select(*LIGHT).order_by(REVIEWS.c.created_at.desc(), REVIEWS.c.id.desc())
    if tenant is not None:
        query = query.where(REVIEWS.c.tenant == tenant)
    if before is not None:
        seen = REVIEWS.c.id == before
        if tenant is not None:
            seen = sa.and_(seen, REVIEWS.c.tenant == tenant)
        edge = sa.select(REVIEWS.c.created_at).where(seen).scalar_subquery()
        query = query.where(
            sa.or_(
                REVIEWS.c.created_at < edge,
                sa.and_(REVIEWS.c.created_at == edge, REVIEWS.c.id < before),
            )
        )
    return [_row(found) for found in connection.execute(query.limit(limit)).mappings()]


def claim(connection: sa.Connection, review_id: str, run: int, node: str) -> ReviewRow | None:
    """Take the review over for its ``run``-th run: whoever had it can no longer write to it.

    Returns:
        It, or None if it is finished or this run is no longer the one.
    """
    changed = rows_changed(
        connection.execute(
            sa.update(REVIEWS)
            .where(
                REVIEWS.c.id == review_id,
                REVIEWS.c.state != "finished",
                REVIEWS.c.runs == run,
            )
            .values(
                epoch=REVIEWS.c.epoch + 1,
                state="running",
                node=node,
                queue_position=None,
                next_try_at=None,
                started_at=sa.func.coalesce(REVIEWS.c.started_at, now_ms()),
            )
        )
    )
    return find(connection, review_id) if changed else None


def postpone(connection: sa.Connection, review_id: str, run: int, until: int) -> None:
    """Let a queued review wait until then instead of having its ``run``-th run."""
    connection.execute(
        sa.update(REVIEWS)
        .where(REVIEWS.c.id == review_id, REVIEWS.c.runs == run, REVIEWS.c.state == "queued")
        .values(state="waiting", next_try_at=until)
    )


def work_of(connection: sa.Connection, review_id: str) -> Work:
    """What a review is made of."""
    found = (
        connection.execute(
            sa.select(
                REVIEWS.c.diff,
                REVIEWS.c.plan,
                REVIEWS.c.options,
                REVIEWS.c.left_out,
                REVIEWS.c.description,
                REVIEWS.c.attributes,
            ).where(REVIEWS.c.id == review_id)
        )
        .mappings()
        .one()
    )
    return Work(
        diff=zlib.decompress(found["diff"]),
        plan=json.loads(found["plan"]),
        options=json.loads(found["options"]),
        left_out=frozenset(json.loads(found["left_out"])),
        description=found["description"],
        attributes=found["attributes"],
    )


def ask_to_stop(connection: sa.Connection, ids: Iterable[str], outcome: Outcome) -> list[str]:
    """Ask for the end of those of ``ids`` that are not finished; the first wish stands.

    Returns:
        The ids that are open.
    """
    wanted = list(ids)
    connection.execute(
        sa.update(REVIEWS)
        .where(REVIEWS.c.id.in_(wanted), REVIEWS.c.state.in_(OPEN), REVIEWS.c.stop.is_(None))
        .values(stop=outcome)
    )
    return list(
        connection.scalars(
            sa.select(REVIEWS.c.id).where(REVIEWS.c.id.in_(wanted), REVIEWS.c.state.in_(OPEN))
        )
    )


def open_of(connection: sa.Connection, tenant: str) -> list[str]:
    """The open reviews of a tenant."""
    return list(
        connection.scalars(
            sa.select(REVIEWS.c.id).where(REVIEWS.c.tenant == tenant, REVIEWS.c.state.in_(OPEN))
        )
    )


def others_of_subject(connection: sa.Connection, tenant: str, subject: str, than: str) -> list[str]:
    """The open reviews of the same subject."""
    return list(
        connection.scalars(
            sa.select(REVIEWS.c.id).where(
                REVIEWS.c.tenant == tenant,
                REVIEWS.c.subject == subject,
                REVIEWS.c.state.in_(OPEN),
                REVIEWS.c.id != than,
            )
        )
    )


def stops(connection: sa.Connection, ids: Sequence[str]) -> dict[str, Outcome]:
    """Which of ``ids`` shall end, and how."""
    rows = connection.execute(
        sa.select(REVIEWS.c.id, REVIEWS.c.stop).where(
            REVIEWS.c.id.in_(ids), REVIEWS.c.stop.is_not(None)
        )
    )
    return {row.id: row.stop for row in rows}


def last_seqs(connection: sa.Connection, ids: Sequence[str]) -> dict[str, int]:
    """How far the event logs of ``ids`` are."""
    rows = connection.execute(
        sa.select(REVIEWS.c.id, REVIEWS.c.last_seq).where(REVIEWS.c.id.in_(ids))
    )
    return {row.id: row.last_seq for row in rows}


def requeue(connection: sa.Connection, review_id: str, run: int, *, broke: bool) -> int | None:
    """Back into the queue for another run, if ``run`` is still the latest.

    Args:
        connection: of a write.
        review_id: the review.
        run: the run that ended.
        broke: whether it ended without having been meant to.

    Returns:
        The number of the new run; None if someone else was faster, or the review is finished.
    """
    changed = rows_changed(
        connection.execute(
            sa.update(REVIEWS)
            .where(REVIEWS.c.id == review_id, REVIEWS.c.runs == run, REVIEWS.c.state.in_(OPEN))
            .values(
                state="queued",
                runs=run + 1,
                breaks=REVIEWS.c.breaks + int(broke),
                node=None,
                next_try_at=None,
            )
        )
    )
    return run + 1 if changed else None


def got_on(connection: sa.Connection, review_id: str) -> None:
    """A batch was done: how often the review broke off before does not count any more."""
    connection.execute(sa.update(REVIEWS).where(REVIEWS.c.id == review_id).values(breaks=0))


def running(connection: sa.Connection) -> list[ReviewRow]:
    """The reviews that some node should be running."""
    return _rows(connection, REVIEWS.c.state == "running")


def due(connection: sa.Connection, at: int, longest_ms: int) -> list[ReviewRow]:
    """The waiting reviews whose next try has come, or which shall end.

    Args:
        connection: of a read.
        at: now.
        longest_ms: no review is made to wait for longer; one that has to, had its clock set back.
    """
    return _rows(
        connection,
        sa.and_(
            REVIEWS.c.state == "waiting",
            sa.or_(
                REVIEWS.c.next_try_at <= at,
                REVIEWS.c.next_try_at > at + longest_ms,
                REVIEWS.c.stop.is_not(None),
            ),
        ),
    )


def queued(connection: sa.Connection) -> list[ReviewRow]:
    """The reviews in the queue, in turn: of each tenant its oldest one, then its second, and so on.

    A free place goes to one of the tenants that wait, so this is the order to expect.
    """
    before: Counter[str] = Counter()
    turns = []
    for row in _rows(connection, REVIEWS.c.state == "queued"):
        turns.append((before[row.tenant], row))
        before[row.tenant] += 1
    return [row for _, row in sorted(turns, key=lambda turn: turn[0])]


def finished_before(connection: sa.Connection, at: int, limit: int = 200) -> dict[str, int]:
    """Up to ``limit`` reviews that were finished before that time, and the number of their runs."""
    rows = connection.execute(
        sa.select(REVIEWS.c.id, REVIEWS.c.runs)
        .where(REVIEWS.c.state == "finished", REVIEWS.c.finished_at < at)
        .limit(limit)
    )
    return {row.id: row.runs for row in rows}


def delete(connection: sa.Connection, ids: Sequence[str]) -> None:
    """Delete reviews and all that is theirs."""
    for table in (EVENTS, BATCHES, SPENT):
        connection.execute(sa.delete(table).where(table.c.review_id.in_(ids)))
    connection.execute(sa.delete(REVIEWS).where(REVIEWS.c.id.in_(ids)))


def _one(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> ReviewRow | None:
    found = connection.execute(sa.select(*LIGHT).where(condition)).mappings().first()
    return None if found is None else _row(found)


def _rows(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[ReviewRow]:
    query = sa.select(*LIGHT).where(condition).order_by(REVIEWS.c.created_at, REVIEWS.c.id)
    return [_row(found) for found in connection.execute(query).mappings()]


def _row(found: Mapping[Any, Any]) -> ReviewRow:
    return ReviewRow(**{name: found[name] for name in ReviewRow.__dataclass_fields__})
