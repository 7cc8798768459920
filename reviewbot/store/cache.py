"""The review cache of one tenant in the database, a ``models.cached.CacheStore``."""

from __future__ import annotations

import json
import logging
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import sqlalchemy as sa

from reviewbot.core.cache.entry import entry_from_json, entry_to_json
from reviewbot.core.cache.keys import bands as bands_of
from reviewbot.store.database import insert_into
from reviewbot.store.reviews import now_ms
from reviewbot.store.tables import CACHE, CACHE_BANDS, CACHE_SIZES, KEYS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any

    from reviewbot.core.cache.entry import Entry
    from reviewbot.store.database import Database

    Row = dict[str, Any]

T = TypeVar("T")

TOUCH_MS: Final = 3600 * 1000
"""Precision of the time of an entry's last use."""
STEP: Final = 64
"""Maximum number of entries that one write deletes, since reviews of all tenants wait for a
write."""
STEPS: Final = 16
"""Maximum number of additional writes with which a put frees space; the next put deletes the
rest."""
DAY_MS: Final = 24 * 3600 * 1000
ROW_BYTES: Final = 200
"""Approximate bytes of a row and its index entries besides the text."""

log = logging.getLogger(__name__)


class DatabaseCache:
    """Cache of ``tenant`` with at most ``limit`` bytes; least recently used entries go first."""

    def __init__(self, database: Database, tenant: str, *, limit: int) -> None:
        self._database, self._tenant, self._limit = database, tenant, limit

    async def exact(self, keys: Collection[str]) -> Mapping[str, Entry]:
        """Return the entries with these keys, and update the time of their last use."""
        wanted = list(keys)
        found = await self._database.read(partial(self._read, wanted=wanted))
        stale = [key for key, (_, used_at) in found.items() if used_at < now_ms() - TOUCH_MS]
        if stale:
            await self._write(partial(self._touch, keys=stale))
        return {key: entry for key, (text, _) in found.items() if (entry := _entry(text))}

    async def similar(self, bands: Collection[str], *, limit: int) -> Sequence[Entry]:
        """Return the entries in one of ``bands``, newest first."""
        texts = await self._database.read(
            partial(self._read_similar, wanted=list(bands), limit=limit)
        )
        return [entry for text in texts if (entry := _entry(text))]

    async def put(self, entries: Sequence[Entry]) -> None:
        """Store ``entries``, and delete the least recently used entries above the limit."""
        if not entries:
            return
        now = now_ms()
        rows, bands = [], []
        for entry in entries:
            of = {"tenant": self._tenant, "key": entry.key.exact}
            text, found = json.dumps(entry_to_json(entry)), bands_of(entry.key)
            size = len(text) + ROW_BYTES * (1 + len(found))
            rows.append({**of, "entry": text, "size": size, "made_at": now, "used_at": now})
            bands += [{**of, "band": band} for band in found]
        too_much = await self._write(partial(self._put, rows=rows, bands=bands))
        for _ in range(STEPS):
            if not too_much:
                break
            too_much = await self._write(self._shrink)

    async def _write(self, change: Callable[[sa.Connection], T]) -> T:
        return await self._database.write(change, tenant=self._tenant)

    def _read(self, connection: sa.Connection, wanted: list[str]) -> dict[str, tuple[str, int]]:
        rows = connection.execute(
            sa.select(CACHE.c.key, CACHE.c.entry, CACHE.c.used_at).where(
                CACHE.c.tenant == self._tenant, CACHE.c.key.in_(wanted)
            )
        )
        return {row.key: (row.entry, row.used_at) for row in rows}

    def _touch(self, connection: sa.Connection, keys: list[str]) -> None:
        connection.execute(
            sa.update(CACHE)
            .where(CACHE.c.tenant == self._tenant, CACHE.c.key.in_(keys))
            .values(used_at=now_ms())
        )

    def _read_similar(self, connection: sa.Connection, wanted: list[str], limit: int) -> list[str]:
        keys = (
            sa.select(CACHE_BANDS.c.key)
            .where(CACHE_BANDS.c.tenant == self._tenant, CACHE_BANDS.c.band.in_(wanted))
            .distinct()
        )
        return list(
            connection.scalars(
                sa.select(CACHE.c.entry)
                .where(CACHE.c.tenant == self._tenant, CACHE.c.key.in_(keys))
                .order_by(CACHE.c.made_at.desc(), CACHE.c.key)
                .limit(limit)
            )
        )

    def _put(self, connection: sa.Connection, rows: list[Row], bands: list[Row]) -> bool:
        """Store the rows; return whether the cache is still above its limit."""
        _lock(connection, self._tenant)
        _drop(connection, self._tenant, [row["key"] for row in rows])
        connection.execute(sa.insert(CACHE), rows)
        if bands:
            connection.execute(sa.insert(CACHE_BANDS), bands)
        _add(connection, self._tenant, sum(row["size"] for row in rows))
        return self._shrink(connection)

    def _shrink(self, connection: sa.Connection) -> bool:
        """Delete some of the least recently used entries if the cache is above its limit.

        Returns:
            Whether the cache is still above its limit.
        """
        surplus = _lock(connection, self._tenant) - self._limit
        if surplus <= 0:
            return False
        oldest = connection.execute(
            sa.select(CACHE.c.key, CACHE.c.size)
            .where(CACHE.c.tenant == self._tenant)
            .order_by(CACHE.c.used_at)
            .limit(STEP)
        ).all()
        if len(oldest) < STEP:  # all entries; manually deleted rows make the stored size wrong
            there = sum(row.size for row in oldest)
            _add(connection, self._tenant, there - self._limit - surplus)
            surplus = there - self._limit
        doomed = []
        for row in oldest:
            if surplus <= 0:
                break
            doomed.append(row.key)
            surplus -= row.size
        _drop(connection, self._tenant, doomed)
        return surplus > 0


async def clean_up(database: Database, *, days: int) -> None:
    """Delete entries not used for ``days``, unless 0, and all entries of revoked keys."""
    now = now_ms()
    for tenant, revoked in await database.read(_tenants):
        if revoked or days:
            drop = partial(
                _drop_unused, tenant=tenant, until=now if revoked else now - days * DAY_MS
            )
            while await database.write(drop, tenant=tenant):
                pass


def _tenants(connection: sa.Connection) -> list[tuple[str, bool]]:
    """Return the tenants with a cache, and whether their key was revoked."""
    rows = connection.execute(
        sa.select(CACHE_SIZES.c.tenant, KEYS.c.revoked_at).select_from(
            CACHE_SIZES.outerjoin(KEYS, KEYS.c.id == CACHE_SIZES.c.tenant)
        )
    )
    return [(row.tenant, row.revoked_at is not None) for row in rows]


def _drop_unused(connection: sa.Connection, tenant: str, until: int) -> bool:
    """Delete a batch of entries last used at ``until`` or before; return whether more may exist."""
    _lock(connection, tenant)
    keys = connection.scalars(
        sa.select(CACHE.c.key).where(CACHE.c.tenant == tenant, CACHE.c.used_at <= until).limit(STEP)
    ).all()
    _drop(connection, tenant, keys)
    return len(keys) == STEP


def _lock(connection: sa.Connection, tenant: str) -> int:
    """Return the bytes of a tenant, and lock them until this transaction ends."""
    connection.execute(
        insert_into(connection.dialect.name, CACHE_SIZES)
        .values(tenant=tenant, bytes=0)
        .on_conflict_do_update(index_elements=["tenant"], set_={"bytes": CACHE_SIZES.c.bytes})
    )
    found = connection.scalar(sa.select(CACHE_SIZES.c.bytes).where(CACHE_SIZES.c.tenant == tenant))
    return int(found or 0)


def _add(connection: sa.Connection, tenant: str, size: int) -> None:
    """Add ``size`` bytes to the size of the tenant's cache."""
    connection.execute(
        sa.update(CACHE_SIZES)
        .where(CACHE_SIZES.c.tenant == tenant)
        .values(bytes=CACHE_SIZES.c.bytes + size)
    )


def _drop(connection: sa.Connection, tenant: str, keys: Sequence[str]) -> None:
    """Delete the entries with these keys; missing entries are ignored."""
    mine = (CACHE.c.tenant == tenant, CACHE.c.key.in_(keys))
    size = connection.scalar(sa.select(sa.func.sum(CACHE.c.size)).where(*mine)) or 0
    for table in (CACHE, CACHE_BANDS):
        connection.execute(sa.delete(table).where(table.c.tenant == tenant, table.c.key.in_(keys)))
    _add(connection, tenant, -size)


def _entry(text: str) -> Entry | None:
    """Return the entry of a row; None if the row is damaged."""
    try:
        return entry_from_json(json.loads(text))
    except ValueError:
        log.warning("skipped an entry of the cache that cannot be read")
        return None
