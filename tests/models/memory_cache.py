"""A cache store in memory, as strict as a table: entries go through JSON, bands are an index."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from reviewbot.core.cache.entry import entry_from_json, entry_to_json
from reviewbot.core.cache.keys import bands as bands_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reviewbot.core.cache.entry import Entry


class MemoryCache:
    """A ``CacheStore``. ``fault`` is raised instead of an answer; ``wait_s`` passes before one."""

    def __init__(self, *, fault: Exception | None = None, wait_s: float = 0) -> None:
        self.rows: dict[str, str] = {}
        self.bands: dict[str, list[str]] = {}
        self.calls: list[str] = []
        self.fault, self.wait_s = fault, wait_s

    @property
    def entries(self) -> list[Entry]:
        return [entry_from_json(json.loads(row)) for row in self.rows.values()]

    async def _answer(self, call: str) -> None:
        self.calls.append(call)
        await asyncio.sleep(self.wait_s)
        if self.fault:
            raise self.fault

    async def exact(self, keys: Collection[str]) -> Mapping[str, Entry]:
        await self._answer("exact")
        return {
            key: entry_from_json(json.loads(self.rows[key])) for key in keys if key in self.rows
        }

    async def similar(self, bands: Collection[str], *, limit: int) -> Sequence[Entry]:
        await self._answer("similar")
        found = dict.fromkeys(key for band in bands for key in self.bands.get(band, ()))
        newest = [key for key in reversed(self.rows) if key in found]
        return [entry_from_json(json.loads(self.rows[key])) for key in newest[:limit]]

    async def put(self, entries: Sequence[Entry]) -> None:
        await self._answer("put")
        for entry in entries:
            self.rows.pop(entry.key.exact, None)
            self.rows[entry.key.exact] = json.dumps(entry_to_json(entry))
            for band in bands_of(entry.key):
                self.bands.setdefault(band, []).append(entry.key.exact)
