"""The tables, for SQLite and Postgres alike.

Columns with source of a pull request, or other text as it was sent, are encrypted
(:mod:`reviewbot.store.encryption`). All other columns hold redacted text or no text of a change.
"""

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

VERSION: Final = 4
"""Version of these tables. A newer database is refused, an older database is upgraded."""
UPGRADES: Final[dict[int, tuple[tuple[str, str], ...]]] = {
    1: (("rb_keys", "ADD COLUMN scope VARCHAR(16) NOT NULL DEFAULT 'reviews'"),),
    2: (
        ("rb_deliveries", "RENAME COLUMN received_at TO created_at"),
        ("rb_publications", "RENAME COLUMN review_id TO id"),
        ("rb_publications", "RENAME COLUMN diff TO body"),
    ),
    3: (),  # older nodes cannot read encrypted values
}
"""Alterations of tables from a version to the next version. New tables need no entry."""

METADATA: Final = MetaData()

META: Final = Table("rb_meta", METADATA, Column("version", Integer, primary_key=True))

# The key of the latest node (store.store_key), in one row.
STORE_KEYS: Final = Table(
    "rb_store_keys",
    METADATA,
    Column("key", String(8), primary_key=True),  # id of the key
    Column("at", BigInteger, nullable=False),
)

REVIEWS: Final = Table(
    "rb_reviews",
    METADATA,
    Column("id", String(32), primary_key=True),
    # The owner: the id of a key, or "local".
    Column("tenant", String(64), nullable=False),
    Column("subject", Text),
    Column("title", Text, nullable=False),  # redacted
    # The reservation in the daily budget of the tenant, and its day.
    Column("held_tokens", BigInteger, nullable=False),
    Column("held_usd", Float, nullable=False),
    Column("held_day", Integer, nullable=False),
    Column("idempotency_key", String(255)),
    Column("request_hash", String(64), nullable=False),
    Column("state", String(16), nullable=False),  # queued, running, waiting, finished
    Column("outcome", String(16)),
    Column("stop", String(16)),  # the outcome of a requested stop
    # Fencing token of the event writer: each claim increments it and rejects earlier writers.
    Column("epoch", Integer, nullable=False, server_default=text("0")),
    Column("runs", Integer, nullable=False, server_default=text("0")),  # times it was queued
    Column("breaks", Integer, nullable=False, server_default=text("0")),  # interruptions in a row
    Column("waiting_since", BigInteger),  # start of the wait for models
    Column("node", String(64)),  # the node that runs it
    Column("last_seq", Integer, nullable=False, server_default=text("0")),
    # Writes to its event log: reveals a committed write whose response was lost.
    Column("writes", Integer, nullable=False, server_default=text("0")),
    Column("queue_position", Integer),
    Column("created_at", BigInteger, nullable=False),  # all times: Unix, milliseconds
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("next_try_at", BigInteger),
    Column("entry", Text),  # JSON, store.checkpoints.entry_of, if finished
    # Last: to read a column after a long column, SQLite reads the long column too.
    Column("description", Text, nullable=False),  # encrypted
    Column("options", Text, nullable=False),  # encrypted JSON, the options of the request
    Column("diff", LargeBinary, nullable=False),  # compressed, encrypted
    Column("attributes", Text, nullable=False),  # encrypted, .gitattributes of the base
    Column("plan", Text, nullable=False),  # JSON, core.plan.stored
    Column("left_out", Text, nullable=False),  # JSON: ids of batches that are not sent
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

# Questions, of reviews that answer instead of reviewing.
QUESTIONS: Final = Table(
    "rb_questions",
    METADATA,
    Column("review_id", String(32), primary_key=True),
    Column("inquiry", Text, nullable=False),  # encrypted JSON, core.prompt.question
)

# Files of a diff that are known in full, for linters: reviews of pull requests alone have them.
WHOLE_FILES: Final = Table(
    "rb_whole_files",
    METADATA,
    Column("review_id", String(32), primary_key=True),
    Column("diff", LargeBinary, nullable=False),  # compressed, encrypted
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
    Column("result", Text, nullable=False),  # encrypted JSON, models.batch: drafts may quote
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
    # Reserved for open reviews.
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
    # Last, for the same reason.
    Column("entry", Text, nullable=False),  # JSON, core.cache.entry
    Index("rb_cache_used", "tenant", "used_at"),
)

CACHE_SIZES: Final = Table(
    "rb_cache_sizes",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("bytes", BigInteger, nullable=False),  # the sum of the sizes in rb_cache
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
    """Return a table for :class:`reviewbot.store.queue.Queue` with additional columns."""
    return Table(
        name,
        METADATA,
        Column("id", String(64), primary_key=True),
        Column("installation", BigInteger),  # None: no installation
        Column("state", String(16), nullable=False),  # waiting, working, done, failed
        # Number of claims, a fencing token: only the latest claimer can complete the work.
        Column("tries", Integer, nullable=False, server_default=text("0")),
        Column("node", String(64)),  # the node of the latest claim
        Column("created_at", BigInteger, nullable=False),
        Column("next_try_at", BigInteger),
        Column("finished_at", BigInteger),  # end of the last attempt
        Column("reason", Text),  # why no work was needed, or the last failure
        *own,
        # Last, for the same reason.
        Column("body", LargeBinary, nullable=False),  # compressed, encrypted; empty once finished
        Index(f"{name}_state", "state", "next_try_at"),
        Index(f"{name}_finished", "finished_at"),
    )


# Deliveries, with the ids of GitHub, which redeliveries keep. Times are unique per ordering key.
DELIVERIES: Final = queue_table(
    "rb_deliveries",
    Column("event", String(64), nullable=False),
    # The ordering key, such as octo/repo#7: its deliveries are processed sequentially.
    Column("subject", Text),
    Index("rb_deliveries_subject", "subject", "state"),
)

# Publications, with the ids of reviews; the body is the diff of the whole pull request.
PUBLICATIONS: Final = queue_table(
    "rb_publications",
    Column("target", Text, nullable=False),  # JSON, github.app.targets
)
