"""The runs of a node: claim, track and stop them, and interrupt them at shutdown."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from reviewbot.jobs.engine import run_id
from reviewbot.jobs.run import MOST_BREAKS, Run
from reviewbot.store import reviews, turns
from reviewbot.store.database import StoreError
from reviewbot.store.eventlog import FencedError

if TYPE_CHECKING:
    from reviewbot.core.events.events import Outcome
    from reviewbot.jobs.run_dependencies import RunDependencies, RunEnd, ToldEnd
    from reviewbot.store.reviews import ReviewRow

SUSPECTS_EVERY_MS: Final = 5_000
"""Milliseconds that an interrupted review waits while another interrupted review runs and has
finished no batch. That review may crash the node, and others must not be blamed."""

log = logging.getLogger(__name__)


class Runner:
    """Runner of the reviews of a node."""

    def __init__(self, node: str, kit: RunDependencies) -> None:
        self.node, self.kit = node, kit
        self._database, self._hooks = kit.database, kit.hooks
        self._active: dict[str, Run] = {}
        self._begun: dict[str, int] = {}  # the number of the run that is claimed or active
        self._suspect: str | None = None
        self.leaving = False

    @property
    def active(self) -> frozenset[str]:
        """Ids of the reviews that run here, or are about to."""
        return frozenset(self._begun)

    @property
    def runs(self) -> frozenset[str]:
        """Ids of the runs that are active here, or are about to be."""
        return frozenset(run_id(review_id, number) for review_id, number in self._begun.items())

    def stop(self, review_id: str, outcome: Outcome) -> bool:
        """Stop a review that runs here at once, with a final event; False if it does not run."""
        run = self._active.get(review_id)
        if run is not None:
            run.signal.stop(outcome)
        return run is not None

    async def leave(self, grace_s: float) -> None:
        """Start no more runs, wait up to ``grace_s`` for active runs, then interrupt the rest."""
        self.leaving = True
        if self._active and grace_s > 0:
            ends = [run.ended.wait() for run in self._active.values()]
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await asyncio.gather(*ends)
        left = list(self._active.values())
        for run in left:
            run.interrupt.set()
        await asyncio.gather(*(run.ended.wait() for run in left))

    async def run(self, review_id: str, number: int) -> RunEnd:
        """Execute the ``number``-th run of a review and return its end; never raise an error."""
        if self.leaving or review_id in self._begun:
            return "left"
        self._begun[review_id] = number
        try:
            return await self._claimed(review_id, number)
        except StoreError:
            return "left"
        except Exception:
            log.exception("the run could not start", extra={"review_id": review_id})
            return "left"
        finally:
            del self._begun[review_id]

    async def _claimed(self, review_id: str, number: int) -> RunEnd:
        row = await self._database.read(partial(reviews.find, review_id=review_id))
        suspect = row is not None and 0 < row.breaks < MOST_BREAKS
        if suspect and self._is_suspect_at_work():
            until = reviews.now_ms() + SUSPECTS_EVERY_MS
            await self._database.write(
                partial(turns.postpone, review_id=review_id, run=number, until=until)
            )
            return "waiting"
        if suspect:
            self._suspect = review_id
        try:
            row = await self._database.write(
                partial(turns.claim, review_id=review_id, run=number, node=self.node)
            )
            return "gone" if row is None else await self._take(row)
        finally:
            if self._suspect == review_id:
                self._suspect = None

    def _is_suspect_at_work(self) -> bool:
        """Return whether an interrupted review runs here and has finished no batch since."""
        run = self._active.get(self._suspect or "")
        return self._suspect is not None and (run is None or not run.got_on)

    async def end_unstarted(self, review_id: str) -> None:
        """End a queued or waiting review whose stop was requested."""
        row = await self._database.read(partial(reviews.find, review_id=review_id))
        if row is None or row.state not in ("queued", "waiting") or row.stop is None:
            return
        if review_id in self._begun:
            return
        self._begun[review_id] = row.runs
        try:
            claimed = await self._database.write(
                partial(turns.claim, review_id=review_id, run=row.runs, node=self.node)
            )
            if claimed is not None:
                await self._take(claimed)
        finally:
            del self._begun[review_id]

    async def _take(self, row: ReviewRow) -> RunEnd:
        run = Run(row, self.kit)
        if row.stop is not None:
            run.signal.stop(row.stop)
        self._active[row.id] = run
        try:
            with self._hooks.run(row):
                end = await self._to_its_end(run, row)
                self._hooks.ended(row, end)
        finally:
            del self._active[row.id]
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
            log.exception("the run was interrupted: the database is unavailable", extra=extra)
            return "broke"
        except Exception:
            log.exception("the run was interrupted", extra=extra)
            return "broke"
        log.info("run ended: %s", end, extra=extra)
        return end
