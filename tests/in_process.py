"""A parser in the process of the test: for tests that are not about worker processes."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from reviewbot.models.offline.parser import Parser, ParserPool
from reviewbot.models.offline.worker import answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from typing import TypeVar

    from reviewbot.models.offline.parser import Allowance

    T = TypeVar("T")


class InProcess(ParserPool):
    """A pool without processes. Requests and replies are JSON all the same."""

    async def ask(
        self,
        tenant: str,  # noqa: ARG002 - the pool's
        request: dict[str, Any],
        allowance: Allowance,  # noqa: ARG002 - likewise
    ) -> dict[str, Any]:
        reply: dict[str, Any] = json.loads(json.dumps(answer(json.loads(json.dumps(request)))))
        return reply


@asynccontextmanager
async def no_process(*, early: bool = True) -> AsyncIterator[InProcess]:  # noqa: ARG001 - as own_pool
    """Yield a pool without processes, in place of ``workers.own_pool``."""
    yield InProcess()


def parser() -> Parser:
    """Return a parser without a process."""
    return InProcess().for_tenant("test")


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that waits for nothing; for tests that are not async."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        work.close()
    raise RuntimeError("it waits for something; run it in an event loop")
