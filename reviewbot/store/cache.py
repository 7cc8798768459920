"""The review cache of one tenant, in the same database: a ``models.cached.CacheStore``."""

from __future__ import annotations

import json
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from reviewbot.core.cache_entry import entry_from_json, entry_to_json
from reviewbot.core.chunk_keys import bands as bands_of
from reviewbot.store.reviews import now_ms
from reviewbot.store.tables import CACHE, CACHE_BANDS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from reviewbot.core.cache_entry import Entry
    from reviewbot.store.database import Database

TOUCH_MS: Final = 3600 * 1000
"""How exactly the time of an entry's last use is kept."""
KEPT_SHARE: Final = 0.9
"""How much of its room the cache keeps when it has outgrown it: not every write shall clear up."""
ROW_BYTES: Final = 200
"""What a row and its index entries take beside the text, about."""

log = logging.getLogger(__name__)


class DatabaseCache:
    """Keeps the entries of ``tenant``, at most ``limit`` bytes of them; the least used go first."""

    def __init__(self, database: Database, tenant: str, *, limit: int) -> None:
        self._database, self._tenant, self._limit = database, tenant, limit

    async def exact(self, keys: Collection[str]) -> Mapping[str, Entry]:
        """The entries by these keys. What is found was used."""
        wanted = list(keys)
        found = await self._database.read(partial(self._read, wanted=wanted))
        stale = [key for key, (_, used_at) in found.items() if used_at < now_ms() - TOUCH_MS]
        if stale:
            await self._database.write(partial(self._touch, keys=stale))
        return {key: entry for key, (text, _) in found.items() if (entry := _entry(text))}

    async def similar(self, bands: Collection[str], *, limit: int) -> Sequence[Entry]:
        """Entries under one of ``bands``, the newest first."""
        texts = await self._database.read(
            partial(self._read_similar, wanted=list(bands), limit=limit)
        )
        return [entry for text in texts if (entry := _entry(text))]

    async def put(self, entries: Sequence[Entry]) -> None:
        """Keep ``entries``; the least used of the tenant go if there is no room."""
        rows = [
            (entry.key.exact, json.dumps(entry_to_json(entry)), bands_of(entry.key))
            for entry in entries
        ]
        await self._database.write(partial(self._put, rows=rows))

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

    def _put(
        self, connection: sa.Connection, rows: Iterable[tuple[str, str, tuple[str, ...]]]
    ) -> None:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        now = now_ms()
        for key, text, bands in rows:
            values = {
                "entry": text,
                "size": len(text) + ROW_BYTES * (1 + len(bands)),
                "made_at": now,
                "used_at": now,
            }
            connection.execute(
                insert(CACHE)
                .values(tenant=self._tenant, key=key, **values)
                .on_conflict_do_update(index_elements=["tenant", "key"], set_=values)
            )
            if bands:
                connection.execute(
                    insert(CACHE_BANDS)
                    .values([{"tenant": self._tenant, "band": one, "key": key} for one in bands])
                    .on_conflict_do_nothing()
                )
        self._shrink(connection)

    def _shrink(self, connection: sa.Connection) -> None:
        """Drop what was used least lately, if all of it is more than there is room for."""
        mine = CACHE.c.tenant == self._tenant
        size = connection.scalar(sa.select(sa.func.sum(CACHE.c.size)).where(mine)) or 0
        if size <= self._limit:
            return
        room = self._limit * KEPT_SHARE
        doomed = []
        oldest = sa.select(CACHE.c.key, CACHE.c.size).where(mine).order_by(CACHE.c.used_at)
        for row in connection.execute(oldest):
            if size <= room:
                break
            doomed.append(row.key)
            size -= row.size
        for start in range(0, len(doomed), 500):
            some = doomed[start : start + 500]
            for table in (CACHE, CACHE_BANDS):
                connection.execute(
                    sa.delete(table).where(table.c.tenant == self._tenant, table.c.key.in_(some))
                )


def forget(connection: sa.Connection, tenant: str) -> None:
    """Delete all that is cached of a tenant."""
    for table in (CACHE, CACHE_BANDS):
        connection.execute(sa.delete(table).where(table.c.tenant == tenant))


def _entry(text: str) -> Entry | None:
    """The entry of a row; a damaged one is as if it were not there."""
    try:
        return entry_from_json(json.loads(text))
    except ValueError:
        log.warning("an entry of the cache cannot be read; it is passed over")
        return None
