"""The tables, for SQLite and Postgres alike."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

VERSION: Final = 3
"""Of these tables. A database of a later version is refused, an earlier one is upgraded."""
UPGRADES: Final[dict[int, tuple[tuple[str, str], ...]]] = {
    1: (("rb_keys", "ADD COLUMN scope VARCHAR(16) NOT NULL DEFAULT 'reviews'"),),
    2: (
        ("rb_deliveries", "RENAME COLUMN received_at TO created_at"),
        ("rb_publications", "RENAME COLUMN review_id TO id"),
        ("rb_publications", "RENAME COLUMN diff TO body"),
    ),
}
"""Tables and how they are altered from a version to the next one. New tables need no entry."""

METADATA: Final = MetaData()

META: Final = Table("rb_meta", METADATA, Column("version", Integer, primary_key=True))

REVIEWS: Final = Table(
    "rb_reviews",
    METADATA,
    Column("id", String(32), primary_key=True),
    # Whose it is: the id of a key, or "local".
    Column("tenant", String(64), nullable=False),
    Column("subject", Text),
    Column("title", Text, nullable=False),
    # What is set aside for it of its tenant's day, and of which day.
    Column("held_tokens", BigInteger, nullable=False),
    Column("held_usd", Float, nullable=False),
    Column("held_day", Integer, nullable=False),
    Column("idempotency_key", String(255)),
    Column("request_hash", String(64), nullable=False),
    Column("state", String(16), nullable=False),  # queued, running, waiting, finished
    Column("outcome", String(16)),
    Column("stop", String(16)),  # the outcome that someone asked to end it with
    # Who writes its events. Every taking over counts it up, and the one before is fenced off.
    Column("epoch", Integer, nullable=False, server_default=text("0")),
    Column("runs", Integer, nullable=False, server_default=text("0")),  # times it was queued
    Column("breaks", Integer, nullable=False, server_default=text("0")),  # times it broke off
    Column("waiting_since", BigInteger),  # for its models; None once something got on
    Column("node", String(64)),  # who runs it
    Column("last_seq", Integer, nullable=False, server_default=text("0")),
    # Writes to its event log: tells whether one was done whose answer never came.
    Column("writes", Integer, nullable=False, server_default=text("0")),
    Column("queue_position", Integer),
    Column("created_at", BigInteger, nullable=False),  # all times: Unix, milliseconds
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("next_try_at", BigInteger),
    Column("entry", Text),  # JSON, store.checkpoints.entry_of: once it is finished
    # Last: to read what comes after something long, SQLite reads all of that.
    Column("description", Text, nullable=False),
    Column("options", Text, nullable=False),  # JSON, as the request had them
    Column("diff", LargeBinary, nullable=False),  # compressed
    Column("attributes", Text, nullable=False),  # .gitattributes of the base
    Column("plan", Text, nullable=False),  # JSON, core.stored_plan
    Column("left_out", Text, nullable=False),  # JSON: the batches that are not sent
    Index("rb_reviews_recent", "tenant", "created_at", "id"),
    Index("rb_reviews_state", "state", "next_try_at"),
    Index("rb_reviews_subject", "tenant", "subject"),
    Index("rb_reviews_age", "created_at"),
    Index(
        "rb_reviews_idempotency",
        "tenant",
        "idempotency_key",
        unique=True,
    ),
)

# Of reviews that answer a question about a finding, and review nothing.
QUESTIONS: Final = Table(
    "rb_questions",
    METADATA,
    Column("review_id", String(32), primary_key=True),
    Column("inquiry", Text, nullable=False),  # JSON, core.explanation
)

EVENTS: Final = Table(
    "rb_events",
    METADATA,
    Column("review_id", String(32), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("type", String(32), nullable=False),
    Column("data", Text, nullable=False),  # the record, as one line of JSON
)

BATCHES: Final = Table(
    "rb_batches",
    METADATA,
    Column("review_id", String(32), primary_key=True),
    Column("batch", String(32), primary_key=True),
    Column("result", Text, nullable=False),  # JSON, models.batch
)

SPENT: Final = Table(
    "rb_spent",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("review_id", String(32), nullable=False),
    Column("batch", String(32)),  # None: the summary
    Column("spent", Text, nullable=False),  # JSON, models.batch.Spent
    Index("rb_spent_review", "review_id"),
)

NODES: Final = Table(
    "rb_nodes",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("beat", BigInteger, nullable=False),
)

KEYS: Final = Table(
    "rb_keys",
    METADATA,
    Column("id", String(16), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256, hexadecimal
    Column("limits", Text, nullable=False),  # JSON
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("scope", String(16), nullable=False, server_default=text("'reviews'")),  # or metrics
)

USAGE: Final = Table(
    "rb_usage",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),  # days since 1970-01-01, UTC
    Column("tokens", BigInteger, nullable=False, server_default=text("0")),
    Column("usd", Float, nullable=False, server_default=text("0")),
    # What reviews at work may still take.
    Column("held_tokens", BigInteger, nullable=False, server_default=text("0")),
    Column("held_usd", Float, nullable=False, server_default=text("0")),
)

RATES: Final = Table(
    "rb_rates",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("minute", Integer, primary_key=True, autoincrement=False),  # minutes since 1970, UTC
    Column("requests", Integer, nullable=False, server_default=text("0")),
)

CACHE: Final = Table(
    "rb_cache",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("size", Integer, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    # Last, too.
    Column("entry", Text, nullable=False),  # JSON, core.cache_entry
    Index("rb_cache_used", "tenant", "used_at"),
)

CACHE_SIZES: Final = Table(
    "rb_cache_sizes",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("bytes", BigInteger, nullable=False),  # the sum of its sizes in rb_cache
)

CACHE_BANDS: Final = Table(
    "rb_cache_bands",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("band", String(32), primary_key=True),
    Column("key", String(64), primary_key=True),
    Index("rb_cache_bands_key", "tenant", "key"),
)


def queue_table(name: str, *own: Column[Any] | Index) -> Table:
    """Return a table for :class:`reviewbot.store.queue.Queue` with columns of its own."""
    return Table(
        name,
        METADATA,
        Column("id", String(64), primary_key=True),
        Column("installation", BigInteger),  # None: work for nobody
        Column("state", String(16), nullable=False),  # waiting, working, done, failed
        # Times it was claimed. Who claimed it settles it by this number, and no other one then can.
        Column("tries", Integer, nullable=False, server_default=text("0")),
        Column("node", String(64)),  # who works on it, or did the last time
        Column("created_at", BigInteger, nullable=False),
        Column("next_try_at", BigInteger),
        Column("finished_at", BigInteger),  # when the last try ended
        Column("reason", Text),  # why there was nothing to do, or why it failed, the last time
        *own,
        # Last, too.
        Column("body", LargeBinary, nullable=False),  # compressed; empty once it is finished
        Index(f"{name}_state", "state", "next_try_at"),
        Index(f"{name}_finished", "finished_at"),
    )


# Of GitHub, with its ids: the same each time one is sent. No two of a subject have the same time.
DELIVERIES: Final = queue_table(
    "rb_deliveries",
    Column("event", String(64), nullable=False),
    # What it is about, such as octo/repo#7: those of one subject are worked off in turn.
    Column("subject", Text),
    Index("rb_deliveries_subject", "subject", "state"),
)

# Of reviews, with their ids; the body is the diff of the whole pull request.
PUBLICATIONS: Final = queue_table(
    "rb_publications",
    Column("target", Text, nullable=False),  # JSON, github.app.targets
)
