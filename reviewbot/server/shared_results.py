"""Results that many requests share, so that a slow function runs once for all of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class SharedResults:
    """Results of functions that run in threads, by key.

    Callers of one key at the same time share a result. The last results are also kept for later
    callers, until a function for another key starts.
    """

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[bytes]] = {}

    async def get(self, key: Hashable, compute: Callable[[], bytes]) -> bytes:
        """Return the result of ``compute``, which must not depend on anything but ``key``.

        A caller that is cancelled does not stop the function. An error is raised for all callers
        that wait for it, and is not kept.
        """
        task = self._tasks.get(key)
        if task is None:
            self._tasks = {key: task for key, task in self._tasks.items() if not task.done()}
            task = self._tasks[key] = asyncio.create_task(asyncio.to_thread(compute))
        try:
            return await asyncio.shield(task)
        except Exception:
            if self._tasks.get(key) is task:
                del self._tasks[key]
            raise
