"""Connection to a database: its URL, its file, its engine."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from reviewbot.errors import ConfigError

BUSY_MS: Final = 30_000
"""Milliseconds that SQLite waits for another process's write."""
CONNECTION: Final = MappingProxyType(
    {
        "connect_timeout": 10,
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
    }
)
"""Options with which a connection notices that a Postgres server vanished (PostgreSQL's
documentation of libpq, "Parameter Key Words")."""
# In milliseconds; limits set by the server or the URL take precedence. Without the second limit, a
# node that vanishes inside a transaction keeps its locks until the server notices.
_SESSION_LIMITS: Final = """\
SELECT set_config(name, '30000', false) FROM pg_settings
WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout') AND setting = '0'
"""


def sqlite_url(path: Path) -> str:
    """Return the URL of a SQLite file."""
    return sa.URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def psycopg_url(url: str) -> sa.URL:
    """Return ``url`` with the installed driver.

    Raises:
        ConfigError: ``url`` is not a URL of SQLite or Postgres.
    """
    try:
        parsed = sa.make_url(url)
    except SQLAlchemyError as error:
        raise ConfigError("this is not a database URL", source="--database") from error
    if parsed.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername in ("sqlite", "sqlite+pysqlite") and parsed.database:
        return parsed.set(drivername="sqlite+pysqlite")
    raise ConfigError(
        "a database must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME",
        source="--database",
    )


def is_postgres(url: str) -> bool:
    """Return whether ``url`` names a Postgres database, which several nodes can share.

    Raises:
        ConfigError: ``url`` is not a URL of SQLite or Postgres.
    """
    return psycopg_url(url).drivername.startswith("postgresql")


def connection_options(url: sa.URL) -> dict[str, int]:
    """Return the options of a connection to Postgres that ``url`` does not set."""
    return {name: value for name, value in CONNECTION.items() if name not in url.query}


def engine_of(url: str, *, connections: int) -> sa.Engine:
    """Return an engine for ``url`` with a pool of ``connections``."""
    parsed = psycopg_url(url)
    if parsed.drivername.startswith("postgresql"):
        engine = sa.create_engine(
            parsed,
            pool_size=connections,
            pool_pre_ping=True,
            connect_args={"application_name": "reviewbot", **connection_options(parsed)},
        )

        @event.listens_for(engine, "connect")
        def _limit(connection: Any, _record: object) -> None:  # noqa: ANN401 - a driver's object
            connection.execute(_SESSION_LIMITS)
            connection.commit()

        return engine
    _create_for_its_user(parsed)
    engine = sa.create_engine(parsed, pool_size=connections)

    # SQLAlchemy's documentation, "Serializable isolation / Savepoints / Transactional DDL": the
    # driver begins transactions itself, and too late, unless configured otherwise.
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:  # noqa: ANN401 - a driver's object
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # IMMEDIATE for writers: a reader that becomes a writer cannot wait for another writer.
        immediate = connection.get_execution_options().get("rb_write", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def file_of(url: sa.URL) -> Path | None:
    """Return the file of a SQLite database; None for other databases."""
    name = url.database if url.drivername.startswith("sqlite") else None
    return None if name is None or name.startswith((":memory:", "file:")) else Path(name)


def queue_url(url: str) -> sa.URL:
    """Return the URL of the queue's tables, which have a separate file with SQLite.

    A file has one writer at a time, and events must not wait for the queue. The file is created if
    missing.

    Raises:
        ConfigError: ``url`` is not a URL of SQLite or Postgres.
    """
    parsed = psycopg_url(url)
    path = file_of(parsed)
    if path is None:
        return parsed
    queue = parsed.set(database=str(path.with_suffix(f".queue{path.suffix}")))
    _create_for_its_user(queue)
    # The file keeps this mode: DBOS would use the slow rollback journal.
    with closing(sqlite3.connect(str(queue.database))) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    return queue


def _create_for_its_user(url: sa.URL) -> None:
    """Create the file before SQLite does, which would let everyone read the file.

    Files that SQLite creates next to it get the same mode. An existing file keeps its mode.
    """
    path = file_of(url)
    if path is not None:
        with suppress(OSError):  # SQLite reports why the file cannot be opened
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def others_can_read(path: Path) -> bool:
    """Return whether everyone on this machine can read a file and enter its folders."""
    path = path.resolve()
    try:
        return bool(path.stat().st_mode & stat.S_IROTH) and all(
            folder.stat().st_mode & stat.S_IXOTH for folder in path.parents
        )
    except OSError:
        return False
