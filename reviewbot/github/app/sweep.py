"""Deliveries that never came: GitHub is asked which failed, and has them delivered again.

GitHub does not repeat a delivery by itself. What it keeps of each try says how often one was tried,
so that nothing has to be remembered here.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from reviewbot.core.wording import count
from reviewbot.github.errors import (
    GitHubError,
    IncompleteListError,
    InvalidError,
    NotFoundError,
)
from reviewbot.store import deliveries, nodes
from reviewbot.store.database import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reviewbot.github.api.app import AppApi, Delivery
    from reviewbot.store.database import Database

FIRST_S: Final = 60.0
EVERY_S: Final = 300.0
FIRST_LOOK_BACK: Final = timedelta(hours=70)
"""How far back the first sweep looks: what came while no server ran. GitHub keeps three days."""
LOOK_BACK: Final = timedelta(hours=12)
"""How far back the others look: longer than all tries of a delivery take."""
MOST_AGAIN: Final = 5
"""How often a delivery is asked for again."""
FIRST_DISTANCE: Final = timedelta(minutes=1)
"""From a try to the next; then four times as long each time. Five times take nearly six hours."""
MOST_AT_ONCE: Final = 200
"""What one sweep asks for: a request each, and these go one a second."""

log = logging.getLogger(__name__)


class Sweep:
    """Has failed deliveries delivered again, on one node at a time.

    That is the node with the lowest name of those that are alive. Should two take themselves for
    it, a delivery comes twice, and the second time nothing happens.

    Args:
        database: knows what was taken.
        app: what GitHub does for the App.
        node: this node's name.
        now: what time it is.
    """

    def __init__(
        self,
        database: Database,
        app: AppApi,
        *,
        node: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database, self._app, self._node, self._now = database, app, node, now
        self._look_back = FIRST_LOOK_BACK

    async def work(self) -> None:
        """Sweep every few minutes until cancelled."""
        await asyncio.sleep(FIRST_S)
        while True:
            try:
                await self.sweep()
            except StoreError:
                pass  # it was logged; the next sweep tries again
            except GitHubError as error:
                log.warning("could not ask for failed deliveries: %s", type(error).__name__)
            except Exception:
                log.exception("the sweep for failed deliveries failed; it goes on")
            await asyncio.sleep(EVERY_S)

    async def sweep(self) -> int:
        """Ask once.

        Returns:
            The number of deliveries that will come again.

        Raises:
            GitHubError: GitHub refused, or did not answer.
            StoreError: the database did not say what was taken.
        """
        alive = await self._database.read(nodes.alive)
        if self._node != min(alive, default=self._node):
            return 0
        missing = to_redeliver(await self._tries(), self._now())
        known = await self._database.read(
            partial(deliveries.states, ids=[one.guid for one in missing])
        )
        again = [one for one in missing if known.get(one.guid, "failed") == "failed"]
        asked = 0
        for one in again[:MOST_AT_ONCE]:
            asked += await self._redeliver(one)
        if asked:
            log.info("asked GitHub for %s again", count(asked, "delivery", "deliveries"))
        return asked

    async def _tries(self) -> tuple[Delivery, ...]:
        """The tries of the last hours; of fewer hours if there are more than can be listed."""
        while True:
            try:
                found = await self._app.deliveries(self._now() - self._look_back)
            except IncompleteListError:
                self._look_back /= 2
                log.warning("too many deliveries to list; looking back for %s", self._look_back)
            else:
                self._look_back = min(2 * self._look_back, LOOK_BACK)
                return found

    async def _redeliver(self, one: Delivery) -> bool:
        try:
            await self._app.redeliver(one.id)
        except (NotFoundError, InvalidError) as error:  # it is too old, or its webhook is another
            told = type(error).__name__
            log.warning("a delivery cannot be had: %s", told, extra={"delivery_id": one.guid})
            return False
        return True


def to_redeliver(tries: Iterable[Delivery], now: datetime) -> list[Delivery]:
    """The deliveries whose next try is due, oldest first, each as its latest try.

    Of one whose first try is not among ``tries``, it is not known how many there were.
    """
    by_guid: defaultdict[str, list[Delivery]] = defaultdict(list)
    for one in sorted(tries, key=lambda one: (one.delivered_at, one.id)):
        by_guid[one.guid].append(one)
    return [
        same[-1]
        for same in by_guid.values()
        if not any(one.succeeded for one in same)
        and not same[0].redelivery
        and len(same) <= MOST_AGAIN
        and now - same[-1].delivered_at >= FIRST_DISTANCE * 4 ** (len(same) - 1)
    ]
