"""Background tasks that end with an exit stack."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextlib import AsyncExitStack


def in_background(work: Coroutine[Any, Any, None], *, until: AsyncExitStack) -> None:
    """Start ``work``; cancel it and wait for its end when the stack is closed."""
    task = asyncio.create_task(work)

    async def end() -> None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    until.push_async_callback(end)
