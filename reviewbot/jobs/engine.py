"""The durable queue: DBOS, and the only module that knows it.

DBOS hands each queued run of a review to one node, keeps the limits of how many run at once, and
survives restarts. What a run has reached is in our own tables (:mod:`reviewbot.store`), in the same
transactions as its events. So a run that broke off is not resumed inside DBOS: the
:class:`~reviewbot.jobs.janitor.Janitor` queues another one.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from reviewbot.errors import ConfigError
from reviewbot.store.connect import connection_options, queue_url

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import NoReturn

QUEUE: Final = "reviews"
WORKFLOW: Final = "review"
# Anything but a constant would strand what is queued at each deploy: DBOS hands a workflow only to
# nodes of the version that queued it.
APPLICATION_VERSION: Final = "reviewbot-reviews-1"
POLL_S: Final = 0.1
THREADS: Final = 48

UNFINISHED: Final = ("ENQUEUED", "DELAYED", "PENDING")
PICKLED_NONE: Final = "gAROLg=="

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Queued:
    """What the queue knows of a run. ``executor`` is the node that took it, if one did."""

    id: str
    status: str
    executor: str | None


def run_id(review_id: str, number: int) -> str:
    """Return the name that the queue has for a run of a review."""
    return f"{review_id}-{number}"


def refuse_pickles() -> None:
    """Take away from DBOS that it can load pickles, in this process, for good.

    A pickle runs code when it is loaded, and DBOS chooses the deserializer by a column of each row,
    whatever serializer is configured. So whoever can write to the queue's tables could run code
    here. reviewbot itself stores JSON only.

    Raises:
        ConfigError: this version of DBOS loads pickles in another way.
    """
    try:
        from dbos import _serialization as dbos

        dbos.DefaultSerializer.deserialize = _refuse_pickle  # type: ignore[assignment, method-assign]
        for load in (dbos.deserialize_value, dbos.deserialize_args, dbos.deserialize_exception):
            try:
                load(PICKLED_NONE, "py_pickle", dbos.DBOSPortableJSON)
            except TypeError:
                continue
            break
        else:
            return
    except (ImportError, AttributeError):
        pass
    raise ConfigError(
        "this version of dbos cannot be kept from loading pickles; install dbos>=3.4,<3.5"
    )


def _refuse_pickle(_serializer: object, _text: str) -> NoReturn:
    raise TypeError("pickles are not loaded")


class Engine:
    """The queue as seen by one node. There is one at a time in a process.

    Args:
        database_url: the store's; DBOS keeps its tables where :func:`queue_url` says.
        node: this node's id, of this process alone.
        run: runs a review; it must not raise.
        at_once: reviews that this node runs at the same time.
        per_tenant: reviews of one tenant at the same time, on all nodes together.
    """

    def __init__(
        self,
        database_url: str,
        node: str,
        run: Callable[[str, int], Coroutine[Any, Any, str]],
        *,
        at_once: int,
        per_tenant: int,
    ) -> None:
        self._url = queue_url(database_url)
        self._node, self._run = node, run
        self._at_once, self._per_tenant = at_once, per_tenant
        self._workflow: Any = None
        self._dbos: Any = None

    async def start(self) -> None:
        """Take part: queued reviews begin to run here, on this event loop."""
        from dbos import DBOS, DBOSPortableJSONSerializer

        refuse_pickles()
        logging.getLogger("dbos").setLevel(logging.WARNING)
        options: dict[str, Any] = {}  # besides DBOS's own; of those, it replaces connect_args whole
        if self._url.drivername.startswith("postgresql"):
            limits = connection_options(self._url)
            options = {"connect_args": {"application_name": "dbos_transact", **limits}}
        self._dbos = DBOS(
            config={
                "name": "reviewbot",
                "system_database_url": self._url.render_as_string(hide_password=False),
                "db_engine_kwargs": options,
                "application_version": APPLICATION_VERSION,
                "executor_id": self._node,
                "max_executor_threads": THREADS,
                "notification_listener_polling_interval_sec": 0.25,
                "serializer": DBOSPortableJSONSerializer(),
                "log_level": "WARNING",
            }
        )
        run = self._run

        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)
        async def review(review_id: str, number: int) -> str:
            return await run(review_id, number)

        self._workflow = review
        DBOS.launch()
        await DBOS.register_queue_async(
            QUEUE,
            worker_concurrency=self._at_once,
            partition_concurrency=self._per_tenant,
            polling_interval_sec=POLL_S,
            on_conflict="always_update",
        )

    async def enqueue(self, review_id: str, number: int, tenant: str) -> None:
        """Queue a run; once more does nothing."""
        from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

        with (
            SetWorkflowID(run_id(review_id, number)),
            SetEnqueueOptions(queue_partition_key=tenant),
        ):
            await DBOS.enqueue_workflow_async(QUEUE, self._workflow, review_id, number)

    def take_no_more(self) -> None:
        """Leave what is queued to other nodes, or to the next start."""
        if self._dbos is not None:
            for event in self._dbos.background_thread_stop_events:
                event.set()

    async def held(self) -> list[Queued]:
        """The runs that hold a place in the queue: a node has taken them, and not ended them."""
        from dbos import DBOS

        found = await DBOS.list_workflows_async(
            queue_name=QUEUE, status="PENDING", load_input=False, load_output=False
        )
        return [Queued(one.workflow_id, one.status, one.executor_id) for one in found]

    async def drop(self, ids: Sequence[str]) -> None:
        """Take runs out of the queue, so that they hold no place in it."""
        from dbos import DBOS

        if ids:
            await DBOS.cancel_workflows_async(list(ids))

    async def known(self, ids: Sequence[str]) -> dict[str, Queued]:
        """What the queue knows of these runs."""
        from dbos import DBOS

        found = await DBOS.list_workflows_async(
            workflow_ids=list(ids), load_input=False, load_output=False
        )
        return {
            one.workflow_id: Queued(one.workflow_id, one.status, one.executor_id) for one in found
        }

    async def forget(self, ids: Sequence[str]) -> None:
        """Delete what the queue keeps of these runs."""
        from dbos import DBOS

        if ids:
            await DBOS.delete_workflows_async(list(ids))

    async def stop(self) -> None:
        """Take part no longer. Runs must have ended before."""
        from dbos import DBOS

        loop = asyncio.get_running_loop()
        # DBOS made its own threads those of asyncio.to_thread, and ends them now.
        after = ThreadPoolExecutor(thread_name_prefix="after-dbos")
        await loop.run_in_executor(after, partial(DBOS.destroy, destroy_registry=True))
        loop.set_default_executor(after)
