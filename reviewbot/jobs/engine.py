"""The durable queue; the only module that uses DBOS.

DBOS assigns each queued run of a review to one node, limits the concurrent runs, and survives
restarts. The progress of a run is in our own tables (:mod:`reviewbot.store`), written in the same
transactions as its events. So an interrupted run is not resumed inside DBOS: the
:class:`~reviewbot.jobs.janitor.Janitor` queues another run.
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
# Must be constant: DBOS assigns a workflow only to nodes of the version that queued it. A changed
# version would strand queued runs at each deploy.
APPLICATION_VERSION: Final = "reviewbot-reviews-1"
POLL_S: Final = 0.1
THREADS: Final = 48

UNFINISHED: Final = ("ENQUEUED", "DELAYED", "PENDING")
PICKLED_NONE: Final = "gAROLg=="

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Queued:
    """State of a run in the queue. ``executor`` is the node that claimed the run, or None."""

    id: str
    status: str
    executor: str | None


def run_id(review_id: str, number: int) -> str:
    """Return the id in the queue of a run of a review."""
    return f"{review_id}-{number}"


def refuse_pickles() -> None:
    """Prevent DBOS from loading pickles, in this process, permanently.

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
    """The queue as seen by one node. A process has only one engine at a time.

    Args:
        database_url: URL of the store; :func:`queue_url` returns where DBOS keeps its tables.
        node: id of this node, unique to this process.
        run: function that runs a review; must not raise.
        at_once: most concurrent reviews on this node.
        per_tenant: most concurrent reviews of one tenant, on all nodes together.
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
        """Connect to the queue, and begin to run queued reviews on this event loop."""
        from dbos import DBOS, DBOSPortableJSONSerializer

        refuse_pickles()
        logging.getLogger("dbos").setLevel(logging.WARNING)
        options: dict[str, Any] = {}  # added to DBOS's own; connect_args replaces its own
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
        """Queue a run; queueing the same run again does nothing."""
        from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

        with (
            SetWorkflowID(run_id(review_id, number)),
            SetEnqueueOptions(queue_partition_key=tenant),
        ):
            await DBOS.enqueue_workflow_async(QUEUE, self._workflow, review_id, number)

    def take_no_more(self) -> None:
        """Stop claiming runs: leave queued runs to other nodes, or to the next start."""
        if self._dbos is not None:
            for event in self._dbos.background_thread_stop_events:
                event.set()

    async def held(self) -> list[Queued]:
        """Return the runs that occupy a slot: a node has claimed them, and they have not ended."""
        from dbos import DBOS

        found = await DBOS.list_workflows_async(
            queue_name=QUEUE, status="PENDING", load_input=False, load_output=False
        )
        return [Queued(one.workflow_id, one.status, one.executor_id) for one in found]

    async def drop(self, ids: Sequence[str]) -> None:
        """Remove runs from the queue, so that they occupy no slot."""
        from dbos import DBOS

        if ids:
            await DBOS.cancel_workflows_async(list(ids))

    async def known(self, ids: Sequence[str]) -> dict[str, Queued]:
        """Return the states of these runs in the queue, by id."""
        from dbos import DBOS

        found = await DBOS.list_workflows_async(
            workflow_ids=list(ids), load_input=False, load_output=False
        )
        return {
            one.workflow_id: Queued(one.workflow_id, one.status, one.executor_id) for one in found
        }

    async def forget(self, ids: Sequence[str]) -> None:
        """Delete the records of these runs from the queue."""
        from dbos import DBOS

        if ids:
            await DBOS.delete_workflows_async(list(ids))

    async def stop(self) -> None:
        """Disconnect from the queue. Runs must have ended before."""
        from dbos import DBOS

        loop = asyncio.get_running_loop()
        # DBOS made its own threads the default executor of asyncio, and ends these threads now.
        after = ThreadPoolExecutor(thread_name_prefix="after-dbos")
        await loop.run_in_executor(after, partial(DBOS.destroy, destroy_registry=True))
        loop.set_default_executor(after)
