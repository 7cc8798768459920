"""Backfill: find failed deliveries, and request their redelivery.

GitHub does not repeat a delivery by itself. GitHub's list of attempts shows how often each delivery
was tried, so nothing is stored here.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from reviewbot.core.wording import count
from reviewbot.github.api.app import MOST
from reviewbot.github.client.errors import (
    GitHubError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    UnavailableError,
)
from reviewbot.store import deliveries, nodes
from reviewbot.store.database import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reviewbot.github.api.app import AppApi, Delivery
    from reviewbot.store.database import Database

FIRST_S: Final = 60.0
EVERY_S: Final = 300.0
WHOLE_LOOK_BACK: Final = timedelta(hours=70)
"""Look-back of the first backfill and of later whole backfills. GitHub keeps three days."""
LOOK_BACK: Final = timedelta(hours=12)
"""Look-back of the other backfills. Each page of a hundred deliveries is one request."""
LONG_AGO: Final = timedelta(hours=1)
"""Gap without a backfill that requires a whole one, and margin of the short look-back."""
MOST_AGAIN: Final = 10
"""Maximum number of redelivery requests for one delivery."""
FIRST_DISTANCE: Final = timedelta(minutes=1)
"""First pause between attempts. Each pause is four times the last, up to the longest."""
LONGEST_DISTANCE: Final = timedelta(hours=12)
"""Longest pause between attempts. The last attempt is then 66 hours after the first."""
MOST_FAILURES: Final = 3
"""Failed requests that end a backfill: GitHub is then unavailable."""
MOST_AT_ONCE: Final = 200
"""Maximum number of redelivery requests of one backfill. One request is sent per second."""

log = logging.getLogger(__name__)


class Backfill:
    """Backfill that requests redelivery of failed deliveries, on one node at a time.

    The node with the lowest name among the live nodes runs the backfill. If two nodes run the
    backfill, a delivery comes twice. Processing is idempotent.
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
        self._last_run_at: datetime | None = None
        self._full_run_at: datetime | None = None
        self._rejected: set[int] = set()
        self._unavailable: set[int] = set()

    async def work(self) -> None:
        """Run a backfill every few minutes until cancelled."""
        await asyncio.sleep(FIRST_S)
        while True:
            try:
                await self.run_once()
            except StoreError:
                pass  # the store logged the error; the next backfill retries
            except RateLimitedError as error:
                log.warning("rate limited: no backfill of deliveries for %.0f s", error.seconds)
                await asyncio.sleep(error.seconds)
            except GitHubError as error:
                log.warning("could not list failed deliveries: %s", type(error).__name__)
            except Exception:
                log.exception("the backfill of failed deliveries failed; retrying")
            await asyncio.sleep(EVERY_S)

    async def run_once(self) -> int:
        """Run one backfill.

        Returns:
            The number of deliveries that will come again.

        Raises:
            GitHubError: GitHub refused, or did not answer.
            StoreError: the stored deliveries could not be read.
        """
        alive = await self._database.read(nodes.alive)
        if self._node != min(alive, default=self._node):
            return 0
        due = await self._due()
        asked = failures = 0
        for one in sorted(due, key=lambda one: one.id in self._unavailable)[:MOST_AT_ONCE]:
            try:
                asked += await self._redeliver(one)
            except UnavailableError:  # other requests may succeed
                self._unavailable.add(one.id)
                failures += 1
                if failures == MOST_FAILURES:
                    raise
        if asked:
            log.info("requested redelivery of %s", count(asked, "delivery", "deliveries"))
        return asked

    async def _due(self) -> list[Delivery]:
        """Return the latest attempts of deliveries that are due, oldest delivery first."""
        now = self._now()
        is_full = (
            self._last_run_at is None
            or now - self._last_run_at > LONG_AGO
            or (self._full_run_at is not None and self._full_run_at <= now)
        )
        listed = await self._app.deliveries(now - (WHOLE_LOOK_BACK if is_full else LOOK_BACK))
        if len(listed) >= MOST:
            log.warning(
                "GitHub has more deliveries than can be listed; older ones were not checked"
            )
        missing = [one for one in failed_deliveries(listed) if one.latest.id not in self._rejected]
        known = await self._database.read(
            partial(deliveries.states, ids=[one.latest.guid for one in missing])
        )
        missing = [one for one in missing if known.get(one.latest.guid, "failed") == "failed"]
        # The short look-back will miss these when they are due, so a whole backfill must run then.
        old = [one.due for one in missing if max(one.due, now) - one.first > LOOK_BACK - LONG_AGO]
        if self._full_run_at is not None and not is_full:
            old.append(self._full_run_at)
        self._last_run_at, self._full_run_at = now, min(old, default=None)
        if is_full:
            self._rejected &= {one.id for one in listed}
            self._unavailable &= {one.id for one in listed}
        return [one.latest for one in missing if one.due <= now]

    async def _redeliver(self, one: Delivery) -> bool:
        try:
            await self._app.redeliver(one.id)
        except (NotFoundError, InvalidError) as error:  # too old, or of another webhook
            kind = type(error).__name__
            log.warning("could not redeliver: %s", kind, extra={"delivery_id": one.guid})
            self._rejected.add(one.id)
            return False
        return True


class FailedDelivery(NamedTuple):
    """A failed delivery: its first and latest attempt, and the time of the next one."""

    first: datetime
    latest: Delivery
    due: datetime


def failed_deliveries(tries: Iterable[Delivery]) -> list[FailedDelivery]:
    """Return the failed deliveries that may be requested again, oldest first.

    If ``tries`` lacks the first attempt of a delivery, the number of its attempts is unknown. Such
    a delivery is left out.
    """
    by_guid: defaultdict[str, list[Delivery]] = defaultdict(list)
    for one in sorted(tries, key=lambda one: (one.delivered_at, one.id)):
        by_guid[one.guid].append(one)
    return [
        FailedDelivery(same[0].delivered_at, same[-1], same[-1].delivered_at + _distance(len(same)))
        for same in by_guid.values()
        if not any(one.succeeded for one in same)
        and not same[0].redelivery
        and len(same) <= MOST_AGAIN
    ]


def _distance(tries: int) -> timedelta:
    """Return the pause between the latest of some attempts and the next attempt."""
    times: int = 4 ** (tries - 1)
    return min(FIRST_DISTANCE * times, LONGEST_DISTANCE)
