"""Begin, update and end the check run of one review. A run has one writer.

During the review, only its newest state is sent, at intervals. At its end, a waiting update is
dropped. So a hundred reviews of one installation, which share one write per second, all finish.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from reviewbot.github.client.errors import (
    ForbiddenError,
    GitHubError,
    InvalidError,
    NotFoundError,
    UncertainWriteError,
)
from reviewbot.github.publish import check_run
from reviewbot.github.publish.post import create_once, retry_until_consistent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from reviewbot.core.events.records import Json
    from reviewbot.github.api.checks import CheckRun
    from reviewbot.github.api.gateway import Api

EVERY_S: Final = 10.0
"""Seconds from one update to the next: a token of Actions has a thousand requests an hour."""

log = logging.getLogger(__name__)


class CheckReporter:
    """Reporter of one check run; see the module.

    ``first`` is the body that makes the run (:func:`reviewbot.github.publish.check_run.created`).
    """

    def __init__(self, api: Api, repo: str, first: Json) -> None:
        self._checks, self._repo, self._first = api.checks, repo, first
        self._pulls = api.pulls
        self._run: CheckRun | None = None
        self._newest: Callable[[], Json] | None = None
        self._sending: asyncio.Task[None] | None = None
        self.refused: ForbiddenError | NotFoundError | None = None
        """Error that prevented the check run. A ``NotFoundError`` may vanish after some seconds."""
        self.is_ended = False
        """True once the run has ended. Duplicate runs may still be unfinished."""

    @property
    def run(self) -> CheckRun | None:
        """The run; None if it was not created."""
        return self._run

    async def begin(self, *, make: bool = True) -> None:
        """Create the run, unless an earlier attempt did. Store a refusal in :attr:`refused`.

        If ``make`` is False, find the run of an earlier attempt, but create none.

        Raises:
            GitHubError: the request failed for a temporary reason.
        """
        try:
            self._run = await retry_until_consistent(self._found, NotFoundError)
            if self._run is None and make:
                # A commit that was just pushed may not be known everywhere yet.
                create = partial(self._checks.create, self._repo, self._first)
                self._run = await create_once(
                    lambda: retry_until_consistent(create, NotFoundError, InvalidError), self._found
                )
        except (ForbiddenError, NotFoundError) as error:
            self.refused = error

    async def _found(self) -> CheckRun | None:
        first = self._first
        return await self._checks.find(
            self._repo, first["head_sha"], name=first["name"], external_id=first["external_id"]
        )

    def update(self, state: Callable[[], Json]) -> None:
        """Schedule an update. Once it may be sent, ``state`` returns its body."""
        self._newest = state
        if self._run is not None and (self._sending is None or self._sending.done()):
            self._sending = asyncio.create_task(self._send(self._run.id))

    async def _send(self, number: int) -> None:
        while self._newest is not None:
            await asyncio.sleep(EVERY_S)
            newest, self._newest = self._newest, None
            try:
                await self._checks.update(self._repo, number, newest())
            except GitHubError as error:  # only the final update matters; it is sent separately
                log.warning("a check run could not be updated: %s", error)

    async def end(self, bodies: Sequence[Json]) -> None:
        """End the run, and drop a waiting update.

        ``bodies`` are those of ``check_run.completed`` or ``ended``, in order.
        """
        await self.stop()
        if self._run is None:
            return
        annotated, body = 0, None
        for body in bodies:
            annotated += len(body["output"].get("annotations", ()))
            if annotated <= self._run.annotations:  # an earlier attempt has sent these
                await self._checks.update(self._repo, self._run.id, _unannotated(body))
            else:
                await self._end(self._run.id, body, annotated)

        if body is not None:
            self.is_ended = True
            first = self._first
            runs = await self._checks.at(
                self._repo, first["head_sha"], name=first["name"], app_id=self._run.app_id
            )
            await self._end_doubles(runs, self._run.id, _unannotated(body))
            await self._restate(runs, body["completed_at"])

    async def _end_doubles(self, runs: Iterable[CheckRun], own: int, body: Json) -> None:
        """End duplicate runs. They exist if a response was lost and GitHub's list was late."""
        for run in runs:
            is_double = run.external_id == self._first["external_id"] and run.id != own
            if is_double and run.conclusion is None:
                await self._checks.update(self._repo, run.id, body)

    async def _restate(self, runs: Iterable[CheckRun], at: str) -> None:
        """Repeat a failed run of the commit if a newer run hides it.

        Branch protection uses the newest run of a name at a commit. Another pull request may have
        the same head, and a base with laxer rules.
        """
        in_order = sorted(runs, key=lambda run: run.id)
        if not in_order or in_order[-1].conclusion in (None, "failure", "cancelled"):
            return  # None: it still runs, and checks this at its end
        newest = {check_run.pull_of(run.external_id): run for run in in_order}
        for number, run in newest.items():
            if run.conclusion == "failure" and await self._is_at(number, run.head_sha):
                body = check_run.restated(self._first, run.external_id, at)
                await self._checks.create(self._repo, body)
                return

    async def _is_at(self, number: int, head: str) -> bool:
        """Return whether a pull request is open at that commit."""
        if not number:
            return False
        try:
            pull = await self._pulls.get(self._repo, number)
        except NotFoundError:
            return False
        return pull.state == "open" and pull.head.sha == head

    async def _end(self, number: int, body: Json, annotated: int) -> None:
        """Send a body; its annotations are added to the run, so they are never sent twice."""
        try:
            await self._checks.update(self._repo, number, body)
        except UncertainWriteError:
            there = await self._checks.get(self._repo, number)
            if there.annotations < annotated:
                await self._checks.update(self._repo, number, body)

    async def stop(self) -> None:
        """Stop the updates."""
        self._newest = None
        if self._sending is not None:
            self._sending.cancel()
            with suppress(asyncio.CancelledError):
                await self._sending


def _unannotated(body: Json) -> Json:
    output = {key: value for key, value in body["output"].items() if key != "annotations"}
    return {**body, "output": output}
