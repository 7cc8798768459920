"""The runs of a node: claimed, kept track of, stopped, and left when the node shuts down."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from reviewbot.jobs.run import Run
from reviewbot.store import reviews
from reviewbot.store.database import StoreError
from reviewbot.store.eventlog import FencedError

if TYPE_CHECKING:
    from reviewbot.core.events import Outcome
    from reviewbot.jobs.run import Kit, RunEnd, ToldEnd
    from reviewbot.store.reviews import ReviewRow, Work

log = logging.getLogger(__name__)


class Runner:
    """Runs the reviews of a node.

    Args:
        node: its id.
        kit: what each run gets.
    """

    def __init__(self, node: str, kit: Kit) -> None:
        self.node, self.kit = node, kit
        self._database, self._hooks = kit.database, kit.hooks
        self._active: dict[str, Run] = {}
        self._leaving = False

    @property
    def active(self) -> frozenset[str]:
        """The reviews that run here."""
        return frozenset(self._active)

    def stop(self, review_id: str, outcome: Outcome) -> bool:
        """End a review that runs here, properly but at once; False if none does."""
        run = self._active.get(review_id)
        if run is not None:
            run.signal.stop(outcome)
        return run is not None

    async def leave(self, grace_s: float) -> None:
        """Let the reviews come to their end for ``grace_s``; what is left is put back."""
        if self._active and grace_s > 0 and not self._leaving:
            ends = [run.ended.wait() for run in self._active.values()]
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await asyncio.gather(*ends)
        self._leaving = True
        left = list(self._active.values())
        for run in left:
            run.interrupt.set()
        await asyncio.gather(*(run.ended.wait() for run in left))

    async def run(self, review_id: str, number: int) -> RunEnd:
        """The ``number``-th run of a review. Nothing that goes wrong in it is raised."""
        if self._leaving:
            return "left"
        try:
            work = await self._database.write(
                partial(reviews.claim, review_id=review_id, run=number, node=self.node)
            )
        except StoreError:
            return "left"
        if work is None:
            return "gone"
        return await self._take(work, stop=work.row.stop)

    async def end_unstarted(self, review_id: str) -> bool:
        """End a review at once that waits for its turn and shall not have it."""
        row = await self._database.read(partial(reviews.find, review_id=review_id))
        if row is None or row.state not in ("queued", "waiting") or row.stop is None:
            return False
        work = await self._database.write(
            partial(reviews.claim, review_id=review_id, run=row.runs, node=self.node)
        )
        if work is None or work.row.stop is None:
            return False
        return await self._take(work, stop=work.row.stop) == "finished"

    async def _take(self, work: Work, *, stop: Outcome | None) -> RunEnd:
        run = Run(work, self.kit)
        if stop is not None:
            run.signal.stop(stop)
        self._active[work.row.id] = run
        try:
            with self._hooks.run(work.row):
                end = await self._to_its_end(run, work.row)
                self._hooks.ended(work.row, end)
        finally:
            if self._active.get(work.row.id) is run:  # not one that took the review over from it
                del self._active[work.row.id]
            run.ended.set()
        return "left" if end == "broke" else end

    async def _to_its_end(self, run: Run, row: ReviewRow) -> ToldEnd:
        extra = {"review_id": row.id, "run": row.runs}
        try:
            end = await run.to_its_end()
        except FencedError:
            log.warning("the review was taken over by another node", extra=extra)
            return "gone"
        except StoreError:
            log.exception("the run broke off: the database is away", extra=extra)
            return "broke"
        except Exception:
            log.exception("the run broke off", extra=extra)
            return "broke"
        log.info("run ended: %s", end, extra=extra)
        return end
