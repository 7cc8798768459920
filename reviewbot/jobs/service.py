"""The review service of a node: create, find and stop reviews.

The HTTP API and the GitHub side use the service. The service owns the database, the queue, the hub
and the janitor.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import IntegrityError

from reviewbot.errors import ConfigError, ReviewbotError
from reviewbot.jobs.admission import (
    DuplicateRequestError,
    IdempotencyConflictError,
    admit,
    expect,
    store,
)
from reviewbot.jobs.background import in_background
from reviewbot.jobs.engine import Engine
from reviewbot.jobs.janitor import Janitor
from reviewbot.jobs.model_list import list_models
from reviewbot.jobs.run_dependencies import Hooks, ModelRetryPolicy, RunDependencies
from reviewbot.jobs.runner import Runner
from reviewbot.jobs.warm_up import warm_up
from reviewbot.models.cached import CacheUse
from reviewbot.models.linters.slots import LinterSlots
from reviewbot.models.offline.parser import ParserPool
from reviewbot.store import nodes, reviews, store_key, turns
from reviewbot.store.connect import connection_options, file_of, others_can_read
from reviewbot.store.database import PATIENCE_S, StoreError, open_database
from reviewbot.store.hub import Hub

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Self

    import sqlalchemy as sa

    from reviewbot.code.at_commit import CodeAtCommit
    from reviewbot.config.settings import Settings
    from reviewbot.core.events.events import Outcome
    from reviewbot.jobs.admission import Also, Expected, ReviewRequest
    from reviewbot.jobs.model_list import ModelList
    from reviewbot.jobs.run_dependencies import FindCode
    from reviewbot.models.offline.parser import Parser
    from reviewbot.store.encryption import StoreCipher
    from reviewbot.store.reviews import ReviewRow

PREPARED_AT_ONCE: Final = 2
"""Maximum number of diffs that are parsed and planned at once, since this uses the processor."""
PARSERS: Final = 2
"""Processes that parse source code: with two, one tenant does not block the others."""
LINTERS_AT_ONCE: Final = 2
"""Maximum number of processes of linters of one tenant at once."""
LISTEN_AGAIN_S: Final = 1.0

log = logging.getLogger(__name__)


class ClosingError(ReviewbotError):
    """The node is shutting down and refuses new reviews."""


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """Settings of a node.

    Args:
        database_url: URL of a SQLite or Postgres database.
        cipher: encryption of stored source; all nodes of a database need the same key.
        at_once: most concurrent reviews on the node.
        per_tenant: most concurrent reviews of one tenant, on all nodes.
        retention_days: days that finished reviews are kept; 0 keeps them forever.
        waits: backoff for models that are down.
        grace_s: seconds that reviews may continue when the node shuts down.
        cache_bytes: most bytes of cached reviews per tenant; 0 disables the cache.
    """

    database_url: str
    cipher: StoreCipher
    at_once: int = 16
    per_tenant: int = 8
    retention_days: int = 30
    waits: ModelRetryPolicy = field(default_factory=ModelRetryPolicy)
    grace_s: float = 10.0
    cache_bytes: int = 200_000_000


class ReviewService:
    """The review service of a node. Use as an async context manager.

    ``load`` returns the settings for the options of a request. ``hooks`` are called after events of
    a run; None calls nothing.
    """

    def __init__(
        self,
        config: ServiceConfig,
        load: Callable[[Mapping[str, object]], Settings],
        *,
        hooks: Hooks | None = None,
    ) -> None:
        self.config, self._load = config, load
        self.node = f"{socket.gethostname()[:20]}-{os.getpid()}-{secrets.token_hex(4)}"
        self.database = open_database(config.database_url, config.cipher)
        self.hub = Hub(self.database)
        self._parsers = ParserPool(PARSERS)
        self.find_code: FindCode | None = None
        """Function that returns the code at the commit of a review; the GitHub App sets it."""
        kit = RunDependencies(
            database=self.database,
            hub=self.hub,
            load=load,
            preparing=asyncio.Semaphore(PREPARED_AT_ONCE),
            parsers=self._parsers,
            lint_slots=LinterSlots(LINTERS_AT_ONCE),
            waits=config.waits,
            cache_bytes=config.cache_bytes,
            cache_use=CacheUse(),
            hooks=hooks or Hooks(),
            find_code=self._find_code,
        )
        self.runner = Runner(self.node, kit)
        self._engine = Engine(
            config.database_url,
            self.node,
            self.runner.run,
            at_once=config.at_once,
            per_tenant=config.per_tenant,
        )
        self._janitor = Janitor(
            self.database,
            self._engine,
            self.runner,
            self.hub,
            retention_days=config.retention_days,
        )
        self._ended = AsyncExitStack()
        self._unlock: Callable[[], object] | None = None
        self._is_locked = False
        self.ready = False

    async def __aenter__(self) -> Self:
        self.lock()
        await self.database.write(self._arrive)
        await self._engine.start()
        in_background(self._warm_up(), until=self._ended)
        in_background(self._janitor.work(), until=self._ended)
        in_background(self.hub.watch(), until=self._ended)
        if self.database.postgres:
            in_background(self._listen(), until=self._ended)
        self.ready = True
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.wind_down()
        await self._ended.aclose()
        self._parsers.close()
        with suppress(StoreError):
            await self.database.write(partial(nodes.leave, node=self.node))
        await self._engine.stop()
        await self.database.close()
        if self._unlock is not None:
            self._unlock()

    async def _find_code(self, row: ReviewRow) -> CodeAtCommit | None:
        return await self.find_code(row) if self.find_code else None

    def parser(self, tenant: str) -> Parser:
        """Return the parser of a tenant, which the reviews of this node use, too."""
        return self._parsers.for_tenant(tenant)

    async def wind_down(self, grace_s: float | None = None) -> None:
        """Refuse new reviews, wait for active reviews, then end all streams.

        A server of streams calls this before it waits for connections to end. Leaving the context
        calls it too.

        Reviews may continue for ``grace_s`` seconds; None uses the configuration of the node.
        """
        self.ready = False
        self._engine.take_no_more()
        await self.runner.leave(self.config.grace_s if grace_s is None else grace_s)
        with suppress(StoreError):  # then the reviews are found as interrupted
            await self._hand_over()
        self.hub.close()

    def lock(self) -> None:
        """Prevent conflicts with other nodes: lock a SQLite file, and compare the keys.

        Two nodes on one SQLite file would conflict. Nodes on one Postgres need the same key of
        stored source. Starting the service does this too. A call before the start reports a
        conflict early.

        Raises:
            ConfigError: another node has locked the file or uses another key, or the file cannot be
                locked.
        """
        if self._is_locked:
            return
        self._lock_file()
        with self.database.engine.begin() as connection:
            store_key.register(connection)
        self._is_locked = True

    def _lock_file(self) -> None:
        """Lock the SQLite file, if the database has a file."""
        path = file_of(self.database.engine.url)
        if path is None:
            return
        from filelock import FileLock, Timeout

        lock = FileLock(f"{path}.lock", mode=0o600)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise ConfigError(
                f"another reviewbot serve uses {path}; for several nodes, use a Postgres URL",
                source="--database",
            ) from None
        except OSError as error:
            raise ConfigError(
                f"{path}.lock cannot be locked: {error.strerror}", source="--database"
            ) from error
        self._unlock = lock.release
        if others_can_read(path):
            log.warning(
                "every user of this machine can read the database, which holds findings, titles and"
                " paths: chmod 600 %s",
                path,
            )

    def _arrive(self, connection: sa.Connection) -> None:
        if not self.database.postgres:
            nodes.leave_all(connection)  # the lock proves that no other node is alive
        nodes.heartbeat(connection, self.node)

    async def _hand_over(self) -> None:
        """Requeue unfinished reviews of this node, for another node or the next start."""
        for row in await self.database.read(turns.running):
            if row.node == self.node:
                await self._janitor.requeue(row)

    async def _warm_up(self) -> None:
        """Load libraries that the first review needs, in the background."""
        await self._parsers.warm()
        try:
            await asyncio.to_thread(lambda: warm_up(self._load({})))
        except Exception:  # the first review retries
            log.exception("could not load the libraries of the first review yet")

    async def _listen(self) -> None:
        """Listen for events that other nodes store, until cancelled."""
        import psycopg
        from psycopg.conninfo import make_conninfo

        url = self.database.engine.url.set(drivername="postgresql")
        where = make_conninfo(url.render_as_string(hide_password=False), **connection_options(url))
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(where, autocommit=True)
                async with connection:
                    await connection.execute("LISTEN rb_events")
                    async for notice in connection.notifies():
                        with suppress(StoreError):
                            await self.hub.notice(notice.payload)
            except psycopg.Error as error:
                log.warning("lost the connection that listens for events: %s", type(error).__name__)
            await asyncio.sleep(LISTEN_AGAIN_S)

    async def create(
        self, request: ReviewRequest, *, also: Also | None = None
    ) -> tuple[ReviewRow, bool]:
        """Plan, store and queue a review. ``also`` stores more in the transaction of the review.

        Returns:
            The review, and whether the same request had created it before.

        Raises:
            DiffError: the diff cannot be read.
            ConfigError: an option is invalid.
            IdempotencyConflictError: the idempotency key belongs to another request.
            TooManyTokensError: the review would use more tokens than one request may.
            OverLimitError: the tenant's budget is too small, or the tenant has too many open
                reviews.
            ClosingError: the node is shutting down.
            StoreError: the database is unavailable or does not respond. The review may still begin
                later, and the same idempotency key finds it.
        """
        if not self.ready:
            raise ClosingError("the server is shutting down; try again in a moment")
        if (known := await self._known(request)) is not None:
            return known, True
        async with self.runner.kit.preparing:
            admitted = await asyncio.to_thread(admit, request, self._load)
        new, save = admitted.new, partial(store, admitted=admitted, also=also)
        try:
            older = await self.database.write(save, tenant=new.tenant)
        except (DuplicateRequestError, IntegrityError):  # the same key at the same time
            if (known := await self._known(request)) is not None:
                return known, True
            raise
        except StoreError:  # the review may be stored even so: only the response was lost
            if await self.find(new.id) is None:
                raise
            older = []
        try:
            async with asyncio.timeout(PATIENCE_S):  # DBOS retries without a limit
                await self._engine.enqueue(new.id, 1, new.tenant)
        except Exception:
            # The review is stored; the janitor queues it once the database is available.
            log.exception("could not queue a review yet", extra={"review_id": new.id})
        for review_id in older:
            await self._end_soon(review_id, "superseded")
        row = await self.find(new.id)
        assert row is not None  # noqa: S101 - it was committed above
        return row, False

    async def expect(self, request: ReviewRequest) -> Expected:
        """Plan a review without storing it.

        Raises:
            DiffError: the diff cannot be read.
            ConfigError: an option is invalid.
            TooManyTokensError: the review would use more tokens than one request may.
        """
        async with self.runner.kit.preparing:
            return await asyncio.to_thread(expect, request, self._load)

    async def models(self) -> ModelList:
        """Return the models that a request can name."""
        return await asyncio.to_thread(list_models, self._load)

    async def _known(self, request: ReviewRequest) -> ReviewRow | None:
        if request.idempotency_key is None:
            return None
        row = await self.database.read(
            partial(reviews.by_idempotency_key, tenant=request.tenant, key=request.idempotency_key)
        )
        if row is not None and row.request_hash != request.digest:
            raise IdempotencyConflictError(
                "this Idempotency-Key was used for another request; use a new one for a new request"
            )
        return row

    async def find(self, review_id: str, tenant: str | None = None) -> ReviewRow | None:
        """Return a review of ``tenant``, or of any tenant if None; None if there is none."""
        return await self.database.read(partial(reviews.find, review_id=review_id, tenant=tenant))

    async def stop(self, review_id: str) -> None:
        """Request the stop of a review on any node; a finished review does not change."""
        ask = partial(turns.ask_to_stop, ids=[review_id], outcome="cancelled")
        if await self.database.write(ask):
            await self._end_soon(review_id, "cancelled")

    async def stop_subject(self, tenant: str, subject: str) -> int:
        """Stop the open reviews of a subject, and return their number."""
        ids = await self.database.read(partial(turns.open_of, tenant=tenant, subject=subject))
        for review_id in ids:
            await self.stop(review_id)
        return len(ids)

    async def _end_soon(self, review_id: str, outcome: Outcome) -> None:
        """Stop a review if it runs on this node or has not started."""
        if not self.runner.stop(review_id, outcome):
            try:
                await self.runner.end_unstarted(review_id)
            except StoreError:
                log.warning("could not end a review yet", extra={"review_id": review_id})


def default_url(folder: Path) -> str:
    """Return the URL of the SQLite database in a state folder; create the folder if missing."""
    from reviewbot.store.connect import sqlite_url

    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(
            f"the folder {folder} cannot be made: {error.strerror}", source="REVIEWBOT_STATE_DIR"
        ) from error
    return sqlite_url(folder / "reviewbot.db")
