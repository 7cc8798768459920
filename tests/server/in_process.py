"""A service in the process of the test, without its queue: reviews run when the test says so."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from reviewbot.config.load import read_settings
from reviewbot.jobs.admission import ReviewRequest
from reviewbot.jobs.service import ReviewService, ServiceConfig
from reviewbot.store.eventlog import records_of
from tests.server.nodes import DEMO
from tests.support.store_keys import CIPHER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from reviewbot.config.settings import Settings
    from reviewbot.server.telemetry.instrumentation import Telemetry


@asynccontextmanager
async def service(
    folder: Path, observed: Telemetry, **settings: Any
) -> AsyncIterator[ReviewService]:
    """A service that tells ``observed``; the offline rules review unless ``settings`` say."""

    def load(options: Mapping[str, object]) -> Settings:
        environment = {"REVIEWBOT_STATE_DIR": str(folder), **settings.get("env", {})}
        flags = {"model": settings.get("model", "offline"), **options}
        for name in ("verify", "verify_model"):
            if name in settings:
                flags[name] = settings[name]
        return read_settings(flags, cwd=folder, env=environment)

    config = ServiceConfig(f"sqlite:///{folder / 'reviewbot.db'}", CIPHER)
    made = ReviewService(config, load, hooks=observed.hooks)
    observed.watch(made)
    made._engine = NoQueue()  # type: ignore[assignment]
    made.ready = True
    try:
        yield made
    finally:
        made.runner.kit.parsers.close()
        await made.database.close()


class NoQueue:
    async def enqueue(self, *_: object) -> None:
        """Nobody takes anything out of it."""


async def reviewed(one: ReviewService, diff: bytes = DEMO, **changes: Any) -> list[dict[str, Any]]:
    """Store a review and run it; its events."""
    row, _ = await one.create(ReviewRequest("local", diff, **changes))
    assert await one.runner.run(row.id, row.runs) == "finished"
    return await one.database.read(partial(records_of, review_id=row.id))
