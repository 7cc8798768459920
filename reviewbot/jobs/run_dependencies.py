"""Objects that the runs of a node share, and the ends of a run."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractContextManager

    from reviewbot.code.at_commit import CodeAtCommit
    from reviewbot.config.settings import Settings
    from reviewbot.core.events.events import Event
    from reviewbot.models.batch import BatchEvent, BatchTask, Spent
    from reviewbot.models.cached import CacheUse
    from reviewbot.models.linters.slots import LinterSlots
    from reviewbot.models.offline.parser import ParserPool
    from reviewbot.store.database import Database
    from reviewbot.store.hub import Hub
    from reviewbot.store.reviews import ReviewRow

RunEnd = Literal["finished", "waiting", "left", "gone"]
"""End of a run: review finished; postponed; left to the next run; taken over."""
ToldEnd = RunEnd | Literal["broke"]
"""End of a run for hooks: ``broke`` is a run that ended with an error."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Functions to call after events of a run. By default they do nothing. They must not raise.

    Attributes:
        event: called with each event of a review.
        spent: called with the usage of each model request.
        run: returns a context that is entered for the duration of a run, in its task.
        ended: called with the end of a run, inside the context of the run.
        batch: returns a context that is entered for the duration of a batch; its value is called
            with each event of the batch.
        fate: called with the fate, rule, model and prompt version of each finding of a merged pull
            request; model and version may be empty.
    """

    event: Callable[[ReviewRow, Event], object] = lambda _row, _event: None
    spent: Callable[[Spent], object] = lambda _spent: None
    run: Callable[[ReviewRow], AbstractContextManager[object]] = lambda _row: nullcontext()
    ended: Callable[[ReviewRow, ToldEnd], object] = lambda _row, _end: None
    batch: Callable[
        [ReviewRow, BatchTask], AbstractContextManager[Callable[[BatchEvent], object]]
    ] = lambda _row, _task: nullcontext(lambda _event: None)
    fate: Callable[[str, str, str, str], object] = lambda *_: None


@dataclass(frozen=True, slots=True)
class ModelRetryPolicy:
    """Backoff for models that are down, in seconds.

    The backoff starts at ``first_s`` and doubles with each attempt. After ``limit_s`` in total, the
    remaining chunks fail.
    """

    first_s: float = 30.0
    limit_s: float = 3600.0


FindCode: TypeAlias = "Callable[[ReviewRow], Awaitable[CodeAtCommit | None]]"
"""Function that returns the code at the commit of a review; None if there is none."""


@dataclass(frozen=True, slots=True)
class RunDependencies:
    """Objects that a node shares among its runs.

    Args:
        database: the store.
        hub: the hub of this node.
        load: function that returns the settings for the options of a request.
        preparing: semaphore that bounds the diffs that are parsed and planned at once.
        parsers: pool of parsers of source code.
        lint_slots: limits the processes of linters on this node.
        waits: backoff for models that are down.
        cache_bytes: most bytes of the cache per tenant; 0 disables the cache.
        cache_use: counters of hits and misses of the cache.
        hooks: functions to call after events of a run.
        find_code: function that returns the code at the commit of a review.
    """

    database: Database
    hub: Hub
    load: Callable[[Mapping[str, object]], Settings]
    preparing: asyncio.Semaphore
    parsers: ParserPool
    lint_slots: LinterSlots
    waits: ModelRetryPolicy
    cache_bytes: int
    cache_use: CacheUse
    hooks: Hooks
    find_code: FindCode
