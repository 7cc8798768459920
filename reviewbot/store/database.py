"""One database, SQLite or Postgres: reads in threads, sequential writes, grouped commits.

A write is committed at once unless another commit is in progress. Writes that arrive meanwhile
share the next commit. So a single write is as fast as the disk, and a thousand writes take a few
commits.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError

from reviewbot.errors import ConfigError
from reviewbot.store.connect import engine_of
from reviewbot.store.encryption import CIPHER_OPTION, StoreCipher
from reviewbot.store.tables import META, METADATA, UPGRADES, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

T = TypeVar("T")

READERS: Final = 4
AT_ONCE: Final = 500
"""Maximum number of writes in one commit, so that other writes do not wait for long."""

PATIENCE_S: Final = 60.0
"""Seconds to wait for a response: longer than the statement limit of either database."""


DEADLOCKS: Final = 5
"""Maximum number of attempts of a transaction that ends in deadlocks."""

log = logging.getLogger(__name__)


class StoreError(Exception):
    """The database failed a read or write, or did not respond in time.

    A write may have been committed even so: only its response was lost or late.
    """


@dataclass(frozen=True, slots=True)
class StoreHooks:
    """Functions to call after writes. By default they do nothing. They must not raise.

    Attributes:
        committed: called with the number of writes of a transaction, the failed writes, and its
            seconds.
        stored: called with the seconds from put to stored of the oldest event of a write.
    """

    committed: Callable[[int, int, float], object] = lambda _writes, _failed, _seconds: None
    stored: Callable[[float], object] = lambda _seconds: None


@dataclass(frozen=True, slots=True)
class _Write:
    tenant: str
    change: Callable[[sa.Connection], Any]


_LOCK_TENANT: Final = sa.text("SELECT pg_advisory_xact_lock(7282, hashtext(:tenant))")


class Database:
    """An open database, as :func:`open_database` returns it."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-read")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-write")
        self._waiting: deque[tuple[_Write, asyncio.Future[Any]]] = deque()
        self._draining: asyncio.Task[None] | None = None
        self.hooks = StoreHooks()

    @property
    def postgres(self) -> bool:
        """True for Postgres, which other nodes can share and get notifications from."""
        return self.dialect == "postgresql"

    async def read(self, query: Callable[[sa.Connection], T]) -> T:
        """Return the result of ``query``, run in a separate transaction in a thread.

        Raises:
            StoreError: the database is unavailable, fails, or does not respond.
        """

        def work() -> T:
            with self.engine.connect().execution_options(rb_write=False) as connection:
                return query(connection)

        try:
            async with asyncio.timeout(PATIENCE_S):
                return await asyncio.get_running_loop().run_in_executor(self._readers, work)
        except (SQLAlchemyError, TimeoutError) as error:
            raise _store_error(error) from error

    async def write(self, change: Callable[[sa.Connection], T], *, tenant: str = "") -> T:
        """Return the result of ``change``, once it is committed.

        Several changes may share a transaction; a change that raises is rolled back alone. A
        transaction may be repeated, so a change must only read and write this database.

        After a timeout, a change that was not started is never applied. A started change may still
        be committed, before any later change.

        A change that touches several rows names their ``tenant``. Changes of a tenant on two nodes
        then wait for each other instead of a deadlock.

        Raises:
            StoreError: the database failed the write, or does not respond.
            Exception: the exception that ``change`` raised.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        waiting = (_Write(tenant, change), done)
        self._waiting.append(waiting)
        if self._draining is None or self._draining.done():
            self._draining = loop.create_task(self._drain())
        limit = asyncio.timeout(PATIENCE_S)
        try:
            async with limit:
                return await done
        except TimeoutError as error:
            if not limit.expired():
                raise
            with suppress(ValueError):  # the write was started
                self._waiting.remove(waiting)
            raise _store_error(error) from error

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group = [self._waiting.popleft() for _ in range(min(len(self._waiting), AT_ONCE))]
            begun = time.monotonic()
            results = await loop.run_in_executor(
                self._writer, self._commit, [write for write, _ in group]
            )
            failed = sum(isinstance(error, StoreError) for _, error in results)
            self.hooks.committed(len(group), failed, time.monotonic() - begun)
            for (_, done), (result, error) in zip(group, results, strict=True):
                if done.cancelled():
                    continue
                if error is None:
                    done.set_result(result)
                else:
                    done.set_exception(error)

    def _commit(self, writes: list[_Write]) -> list[tuple[Any, Exception | None]]:
        """Return each write's result or error, in their order."""
        for left in reversed(range(DEADLOCKS)):
            try:
                return self._transact(writes)
            except Exception as error:  # noqa: BLE001 - returned to the callers
                if left and _was_deadlocked(error):
                    continue
                failure = _store_error(error) if isinstance(error, SQLAlchemyError) else error
                return [(None, failure)] * len(writes)
        raise AssertionError("the last try returns")

    def _transact(self, writes: list[_Write]) -> list[tuple[Any, Exception | None]]:
        """Run the writes, at first without savepoints, which take as long as the writes."""
        try:
            return self._run(writes, lambda connection, change: (change(connection), None))
        except OperationalError:
            raise
        except Exception as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise
        return self._run(writes, _alone)  # all were rolled back; find the failing write

    def _run(
        self,
        writes: list[_Write],
        run: Callable[
            [sa.Connection, Callable[[sa.Connection], Any]], tuple[Any, Exception | None]
        ],
    ) -> list[tuple[Any, Exception | None]]:
        results: list[tuple[Any, Exception | None]] = [(None, None)] * len(writes)
        # By tenant, so that all nodes lock tenants in the same order; writes without a tenant last.
        order = sorted(range(len(writes)), key=lambda at: writes[at].tenant or "\U0010ffff")
        locked = ""
        with self.engine.begin() as connection:
            for at in order:
                if self.postgres and (tenant := writes[at].tenant) not in ("", locked):
                    connection.execute(_LOCK_TENANT, {"tenant": tenant})
                    locked = tenant
                results[at] = run(connection, writes[at].change)
        return results

    async def close(self) -> None:
        """Commit the waiting writes, wait for reads, and close."""
        while self._draining is not None and not self._draining.done():
            with suppress(Exception):  # the caller has received it
                await self._draining
        await asyncio.to_thread(self._shutdown)

    def _shutdown(self) -> None:
        self._readers.shutdown()
        self._writer.shutdown()
        self.engine.dispose()


def _alone(
    connection: sa.Connection, change: Callable[[sa.Connection], Any]
) -> tuple[Any, Exception | None]:
    """Return the result or error of a change; after an error, roll back only this change.

    Raises:
        sqlalchemy.exc.OperationalError: the database failed, and so did the transaction.
    """
    savepoint = connection.begin_nested()
    try:
        result = change(connection)
        savepoint.commit()
    except OperationalError:
        raise
    except Exception as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise
        savepoint.rollback()
        expected = isinstance(error, IntegrityError) or not isinstance(error, SQLAlchemyError)
        return None, error if expected else _store_error(error)
    return result, None


def _was_deadlocked(error: Exception) -> bool:
    """Return whether Postgres aborted the transaction for another (appendix A, class 40)."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    return getattr(cause, "sqlstate", None) in ("40P01", "40001")


def _store_error(error: Exception) -> StoreError:
    """Log and return an error without SQL and values, which may contain reviewed code."""
    cause = named(error)
    log.error("database: %s", cause)
    return StoreError(f"the database did not answer: {cause}")


def named(error: BaseException) -> str:
    """Return only the kind and the code of a database error."""
    cause = (error.orig or error) if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    return f"{type(cause).__name__} {code}" if isinstance(code, str) else type(cause).__name__


def open_database(url: str, cipher: StoreCipher | None = None) -> Database:
    """Open ``url`` and bring its tables up to date.

    The URL is ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST/NAME``. ``cipher`` is needed
    to store and read source.

    Raises:
        ConfigError: ``url`` is invalid, cannot be opened, or was created by a newer reviewbot.
    """
    engine = engine_of(url, connections=READERS + 1)
    engine.update_execution_options(**{CIPHER_OPTION: cipher or StoreCipher()})
    try:
        _prepare_tables(engine, url)
    except BaseException:
        engine.dispose()
        raise
    return Database(engine)


def _prepare_tables(engine: sa.Engine, url: str) -> None:
    shown = sa.make_url(url).render_as_string(hide_password=True)
    try:
        with engine.begin() as connection:
            _lock_schema(connection)
            tables = sa.inspect(connection).get_table_names()
            version = connection.scalar(sa.select(META.c.version)) if META.name in tables else None
            if version is not None and version > VERSION:
                raise ConfigError(
                    f"the database {shown} was created by a newer reviewbot; upgrade",
                    source="--database",
                )
            if version is not None and version < VERSION:
                _upgrade(connection, version, tables)
            METADATA.create_all(connection)
            if version is None:
                connection.execute(sa.insert(META).values(version=VERSION))
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        reason = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
        raise ConfigError(
            f"the database {shown} cannot be opened: {reason}", source="--database"
        ) from error


def _upgrade(connection: sa.Connection, version: int, tables: Collection[str]) -> None:
    """Upgrade the tables of a database of an earlier version."""
    for earlier in range(version, VERSION):
        for table, change in UPGRADES[earlier]:
            if table in tables:
                connection.execute(sa.text(f"ALTER TABLE {table} {change}"))
    connection.execute(sa.update(META).values(version=VERSION))


def _lock_schema(connection: sa.Connection) -> None:
    """Lock the schema: two nodes that start at once must not both create or upgrade tables."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))  # an upgrade may be slow
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(7281)"))


def insert_into(dialect: str, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT that supports ON CONFLICT."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table)


def rows_changed(result: object) -> int:
    """Return the number of rows that an UPDATE or DELETE touched."""
    return cast("sa.CursorResult[Any]", result).rowcount
