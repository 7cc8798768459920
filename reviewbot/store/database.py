"""One database, SQLite or Postgres: reads in threads, writes one by one, committed together.

A write is committed as soon as none is under way; those that come meanwhile are committed together
next. So a single write is as fast as the disk, and a thousand take a few commits.
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
from reviewbot.store.connect import engine_of, shown_url
from reviewbot.store.tables import META, METADATA, UPGRADES, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

T = TypeVar("T")

READERS: Final = 4
AT_ONCE: Final = 500
"""Writes that one commit takes at most: it should not keep others waiting for long."""

PATIENCE_S: Final = 60.0
"""How long anyone waits for an answer: longer than either database lets a statement wait."""


DEADLOCKS: Final = 5
"""How often a transaction is tried that others keep ending."""

log = logging.getLogger(__name__)


class StoreError(Exception):
    """The database did not take a write or answer a read, or not in time.

    A write may have been done all the same: its answer alone was lost, or comes too late.
    """


@dataclass(frozen=True, slots=True)
class StoreHooks:
    """Who is told how the database does; nobody by default. None of them may raise.

    Attributes:
        committed: writes that shared a transaction, those of them that failed, and its seconds.
        stored: seconds from when an event was put to when it was stored; of the oldest of a write.
    """

    committed: Callable[[int, int, float], object] = lambda _writes, _failed, _seconds: None
    stored: Callable[[float], object] = lambda _seconds: None


@dataclass(frozen=True, slots=True)
class _Write:
    tenant: str
    change: Callable[[sa.Connection], Any]


_LOCK_TENANT: Final = sa.text("SELECT pg_advisory_xact_lock(7282, hashtext(:tenant))")


class Database:
    """An open database. ``url`` is SQLAlchemy's; :func:`open_database` makes one."""

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
        """Whether other nodes can share it, and be notified."""
        return self.dialect == "postgresql"

    async def read(self, query: Callable[[sa.Connection], T]) -> T:
        """What ``query`` reads in a transaction of its own, in a thread.

        Raises:
            StoreError: the database cannot be reached, is at fault, or does not answer.
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

        Several changes may share a transaction; one that raises is undone alone. A transaction may
        be run again, so a change must do nothing but read and write here.

        Who has waited for too long is told so. A change that was not begun by then is never done;
        one that was begun may be yet, before any that is asked for later.

        Args:
            change: what to do.
            tenant: whose rows it changes, if more than one: those of two nodes then wait for each
                other, where they could have blocked each other.

        Raises:
            StoreError: the database did not take it, or does not answer.
            Exception: what ``change`` raised.
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
            with suppress(ValueError):  # it was begun
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
            except Exception as error:  # noqa: BLE001 - it is handed to whoever asked
                if left and _was_deadlocked(error):
                    continue
                failure = _store_error(error) if isinstance(error, SQLAlchemyError) else error
                return [(None, failure)] * len(writes)
        raise AssertionError("the last try returns")

    def _transact(self, writes: list[_Write]) -> list[tuple[Any, Exception | None]]:
        """First without a savepoint for each, which take as long as the writes do."""
        try:
            return self._run(writes, lambda connection, change: (change(connection), None))
        except OperationalError:
            raise
        except Exception as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise
        return self._run(writes, _alone)  # all were undone; whose error it is, shows now

    def _run(
        self,
        writes: list[_Write],
        run: Callable[
            [sa.Connection, Callable[[sa.Connection], Any]], tuple[Any, Exception | None]
        ],
    ) -> list[tuple[Any, Exception | None]]:
        results: list[tuple[Any, Exception | None]] = [(None, None)] * len(writes)
        # By tenant, so that all nodes lock them in the same order; those without one at the end.
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
        """Let what is under way end, and close. What waits is written first."""
        while self._draining is not None and not self._draining.done():
            with suppress(Exception):  # it went to whoever asked
                await self._draining
        await asyncio.to_thread(self._shutdown)

    def _shutdown(self) -> None:
        self._readers.shutdown()
        self._writer.shutdown()
        self.engine.dispose()


def _alone(
    connection: sa.Connection, change: Callable[[sa.Connection], Any]
) -> tuple[Any, Exception | None]:
    """Return the result or error of a change, which is undone alone if there is one.

    Raises:
        sqlalchemy.exc.OperationalError: the database is at fault, and the transaction with it.
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
    """Postgres ended the transaction so that another could go on (its appendix A, class 40)."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    return getattr(cause, "sqlstate", None) in ("40P01", "40001")


def _store_error(error: Exception) -> StoreError:
    """Without SQL and its values: they may hold what a diff holds."""
    cause = named(error)
    log.error("database: %s", cause)
    return StoreError(f"the database did not answer: {cause}")


def named(error: BaseException) -> str:
    """Return the kind of a database's error and its code, and nothing else of it."""
    cause = (error.orig or error) if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    return f"{type(cause).__name__} {code}" if isinstance(code, str) else type(cause).__name__


def open_database(url: str) -> Database:
    """Open ``url`` and bring its tables up to date.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST/NAME``.

    Raises:
        ConfigError: it is no such URL, cannot be opened, or belongs to a later reviewbot.
    """
    engine = engine_of(url, connections=READERS + 1)
    try:
        _prepare_tables(engine, url)
    except BaseException:
        engine.dispose()
        raise
    return Database(engine)


def _prepare_tables(engine: sa.Engine, url: str) -> None:
    try:
        with engine.begin() as connection:
            _lock_schema(connection)
            tables = sa.inspect(connection).get_table_names()
            version = connection.scalar(sa.select(META.c.version)) if META.name in tables else None
            if version is not None and version > VERSION:
                raise ConfigError(
                    f"the database {shown_url(url)} was created by a newer reviewbot; upgrade",
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
            f"the database {shown_url(url)} cannot be opened: {reason}", source="--database"
        ) from error


def _upgrade(connection: sa.Connection, version: int, tables: Collection[str]) -> None:
    """Bring the tables that a database of an earlier version has up to date."""
    for earlier in range(version, VERSION):
        for table, change in UPGRADES[earlier]:
            if table in tables:
                connection.execute(sa.text(f"ALTER TABLE {table} {change}"))
    connection.execute(sa.update(META).values(version=VERSION))


def _lock_schema(connection: sa.Connection) -> None:
    """Two nodes that start at once must not both create or upgrade the tables."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))  # it may take its time
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(7281)"))


def insert_into(dialect: str, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT that can say what to do about a row that is there (ON CONFLICT)."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table)


def rows_changed(result: object) -> int:
    """Return the number of rows that an UPDATE or DELETE touched."""
    return cast("sa.CursorResult[Any]", result).rowcount
