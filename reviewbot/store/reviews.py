"""Queries and changes that insert, find, list and delete reviews.

Each function takes a connection, for :meth:`Database.read` and :meth:`Database.write`.
"""

from __future__ import annotations

import json
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import sqlalchemy as sa

from reviewbot.core.prompt import question
from reviewbot.store.encryption import cipher_of, place_of
from reviewbot.store.tables import (
    BATCHES,
    EVENTS,
    PUBLICATIONS,
    QUESTIONS,
    REVIEWS,
    SPENT,
    WHOLE_FILES,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.core.events.events import Outcome
    from reviewbot.core.prompt.question import Inquiry

State = Literal["queued", "running", "waiting", "finished"]

OPEN: Final = ("queued", "running", "waiting")
_TEXTS: Final = (REVIEWS.c.description, REVIEWS.c.options, REVIEWS.c.attributes)
"""The encrypted columns of text."""
LIGHT: Final = (
    *(
        column
        for column in REVIEWS.c
        if column.name not in ("diff", "plan", "description", "options", "attributes", "left_out")
    ),
    sa.exists().where(QUESTIONS.c.review_id == REVIEWS.c.id).label("asks"),
)
"""The small columns, and whether the review answers a question."""


def now_ms() -> int:
    """Return the Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class NewReview:
    """A review to store: ``diff`` is :func:`packed`, ``plan`` and ``options`` are JSON.

    ``title`` is redacted. :func:`insert` encrypts the other texts and the diffs.

    ``inquiry`` is a question that is answered instead of a review. ``whole_files`` is a packed
    diff that shows some files in full; None if no file is known in full.
    """

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
    inquiry: Inquiry | None = None
    whole_files: bytes | None = None
    held_tokens: int = 0
    held_usd: float = 0.0
    held_day: int = 0


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A stored review without its diff and plan. Times are Unix milliseconds.

    ``asks`` is true if the review answers a question instead of reviewing.
    """

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
    asks: bool


@dataclass(frozen=True, slots=True)
class ReviewInput:
    """Input of a run: the diff, the plan and the options of a review."""

    diff: bytes
    plan: Any
    options: dict[str, Any]
    left_out: frozenset[str]
    description: str
    attributes: str
    inquiry: Inquiry | None = None
    whole_files: bytes = b""


def packed(diff: bytes) -> bytes:
    """Return a diff compressed for storage. Call it outside of writes, as it is slow."""
    return zlib.compress(diff, 1)


def insert(connection: sa.Connection, new: NewReview, at: int, *, last_seq: int) -> None:
    """Store a review, queued; ``last_seq`` events are stored with it.

    Raises:
        sqlalchemy.exc.IntegrityError: the idempotency key is already in use.
    """
    cipher = cipher_of(connection)
    columns = {name: getattr(new, name) for name in new.__dataclass_fields__ if name in REVIEWS.c}
    columns["diff"] = cipher.encrypt(new.diff, place_of(REVIEWS.c.diff, new.id))
    for column in _TEXTS:
        place = place_of(column, new.id)
        columns[column.name] = cipher.encrypt_text(columns[column.name], place)
    columns |= {
        "left_out": json.dumps(new.left_out),
        "state": "queued",
        "created_at": at,
        "runs": 1,
        "last_seq": last_seq,
    }
    connection.execute(sa.insert(REVIEWS).values(columns))
    if new.inquiry is not None:
        place = place_of(QUESTIONS.c.inquiry, new.id)
        inquiry = cipher.encrypt_text(json.dumps(question.to_json(new.inquiry)), place)
        connection.execute(sa.insert(QUESTIONS).values(review_id=new.id, inquiry=inquiry))
    if new.whole_files is not None:
        files = cipher.encrypt(new.whole_files, place_of(WHOLE_FILES.c.diff, new.id))
        connection.execute(sa.insert(WHOLE_FILES).values(review_id=new.id, diff=files))


def by_idempotency_key(connection: sa.Connection, tenant: str, key: str) -> ReviewRow | None:
    """Return the review that ``tenant`` created with ``key``; None if there is none."""
    return row_where(
        connection,
        sa.and_(REVIEWS.c.tenant == tenant, REVIEWS.c.idempotency_key == key),
    )


def find(connection: sa.Connection, review_id: str, tenant: str | None = None) -> ReviewRow | None:
    """Return a review of ``tenant``, or of any tenant if None; None if there is none."""
    condition = REVIEWS.c.id == review_id
    if tenant is not None:
        condition = sa.and_(condition, REVIEWS.c.tenant == tenant)
    return row_where(connection, condition)


def diff_of(connection: sa.Connection, review_id: str) -> bytes:
    """Return the diff as it was sent.

    Raises:
        UnreadableError: the key of the diff is missing, or the diff is damaged.
    """
    stored = connection.scalar(sa.select(REVIEWS.c.diff).where(REVIEWS.c.id == review_id)) or b""
    place = place_of(REVIEWS.c.diff, review_id)
    return zlib.decompress(cipher_of(connection).decrypt(stored, place))


def recent(
    connection: sa.Connection, tenant: str | None, *, limit: int, before: str | None
) -> list[ReviewRow]:
    """Return the latest reviews, newest first; ``before`` is the id of the last one seen."""
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


def work_of(connection: sa.Connection, review_id: str) -> ReviewInput:
    """Return the input for a run of a review.

    Raises:
        UnreadableError: the key of the review is missing, or a value is damaged.
    """
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
    inquiry = connection.scalar(
        sa.select(QUESTIONS.c.inquiry).where(QUESTIONS.c.review_id == review_id)
    )
    whole_files = connection.scalar(
        sa.select(WHOLE_FILES.c.diff).where(WHOLE_FILES.c.review_id == review_id)
    )
    cipher = cipher_of(connection)

    def text(column: sa.Column[str], stored: str) -> str:
        return cipher.decrypt_text(stored, place_of(column, review_id))

    def diff(column: sa.Column[bytes], stored: bytes) -> bytes:
        return zlib.decompress(cipher.decrypt(stored, place_of(column, review_id)))

    texts = {column.name: text(column, found[column.name]) for column in _TEXTS}
    return ReviewInput(
        diff=diff(REVIEWS.c.diff, found["diff"]),
        plan=json.loads(found["plan"]),
        options=json.loads(texts["options"]),
        left_out=frozenset(json.loads(found["left_out"])),
        description=texts["description"],
        attributes=texts["attributes"],
        inquiry=None
        if inquiry is None
        else question.from_json(json.loads(text(QUESTIONS.c.inquiry, inquiry))),
        whole_files=b"" if whole_files is None else diff(WHOLE_FILES.c.diff, whole_files),
    )


def last_seqs(connection: sa.Connection, ids: Sequence[str]) -> dict[str, int]:
    """Return the last event number of each review in ``ids``."""
    rows = connection.execute(
        sa.select(REVIEWS.c.id, REVIEWS.c.last_seq).where(REVIEWS.c.id.in_(ids))
    )
    return {row.id: row.last_seq for row in rows}


def finished_before(connection: sa.Connection, at: int) -> dict[str, int]:
    """Return up to 200 reviews finished before ``at``, with the number of their runs."""
    rows = connection.execute(
        sa.select(REVIEWS.c.id, REVIEWS.c.runs)
        .where(REVIEWS.c.state == "finished", REVIEWS.c.finished_at < at)
        .limit(200)
    )
    return {row.id: row.runs for row in rows}


def delete(connection: sa.Connection, ids: Sequence[str]) -> None:
    """Delete reviews and all rows that belong to them."""
    for table in (EVENTS, BATCHES, SPENT, QUESTIONS, WHOLE_FILES):
        connection.execute(sa.delete(table).where(table.c.review_id.in_(ids)))
    connection.execute(sa.delete(PUBLICATIONS).where(PUBLICATIONS.c.id.in_(ids)))
    connection.execute(sa.delete(REVIEWS).where(REVIEWS.c.id.in_(ids)))


def row_where(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> ReviewRow | None:
    """Return a review that meets a condition; None if there is none."""
    found = connection.execute(sa.select(*LIGHT).where(condition)).mappings().first()
    return None if found is None else _row(found)


def rows_where(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[ReviewRow]:
    """Return the reviews that meet a condition, oldest first."""
    query = sa.select(*LIGHT).where(condition).order_by(REVIEWS.c.created_at, REVIEWS.c.id)
    return [_row(found) for found in connection.execute(query).mappings()]


def _row(found: Mapping[Any, Any]) -> ReviewRow:
    return ReviewRow(**{name: found[name] for name in ReviewRow.__dataclass_fields__})
