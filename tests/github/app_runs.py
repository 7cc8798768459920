"""The App at work in the process of a test: its inbox, its reviews and what it publishes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import httpx2
import sqlalchemy as sa
from starlette.applications import Starlette

from reviewbot.config.load import read_settings
from reviewbot.config.settings import SecretText
from reviewbot.github.app.bot import Bot
from reviewbot.github.app.credentials import AppConfig
from reviewbot.github.app.manifest import WEBHOOK_PATH as PATH
from reviewbot.github.client.rate_limit import Pace
from reviewbot.jobs.service import ReviewService, ServiceConfig
from reviewbot.server.faults import HANDLERS
from reviewbot.server.github.webhook import webhook_routes
from reviewbot.store import nodes, publications, reviews
from reviewbot.store.database import StoreError
from reviewbot.store.queue import Queue
from reviewbot.store.tables import DELIVERIES, PUBLICATIONS
from tests.support.store_keys import CIPHER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    import pytest

    from reviewbot.config.settings import Settings
    from reviewbot.jobs.run_dependencies import Hooks
    from reviewbot.jobs.runner import Runner
    from reviewbot.store.encryption import StoreCipher
    from reviewbot.store.keys import Limits
    from reviewbot.store.queue import Claimed
    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub
    from tests.fake_github.deliveries import Delivery

PATIENCE_S = 3600.0
"""Of the loop; a test whose time is real is ended before."""


UNPACED = Pace(gap_s=0)
"""Writes follow each other at once."""


class DirectQueue:
    """Runs what is queued at once, in this process."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._tasks: set[asyncio.Task[object]] = set()
        self.held = False

    async def enqueue(self, review_id: str, run: int, _tenant: str) -> None:
        if not self.held:
            task = asyncio.ensure_future(self._runner.run(review_id, run))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


@dataclass
class AppServer:
    """A server whose App is installed on the fake GitHub."""

    github: FakeGitHub
    service: ReviewService
    bot: Bot
    queue: DirectQueue
    look_every_s: float = 1.0

    async def deliver(self) -> None:
        """Hand over the deliveries of all that has happened."""
        waiting, self.github.postman.waiting = self.github.postman.waiting, []
        for delivery in waiting:
            if delivery.app is self.github.app:
                await self.take(delivery)

    async def take(self, delivery: Delivery) -> None:
        """Hand over one delivery, as GitHub does: signed, to the webhook."""
        app = Starlette(
            routes=webhook_routes(lambda: (self.bot.inbox, self.bot.config.webhook_secrets)),
            exception_handlers=HANDLERS,
        )
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://reviewbot") as client:
            answer = await client.post(PATH, content=delivery.body, headers=delivery.headers())
        assert answer.status_code == 202, answer.text

    async def settle(self) -> None:
        """Deliver what has happened, until nothing is left to do."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await self.deliver()
                if await self._is_quiet() and not self.github.postman.waiting:
                    return
                await asyncio.sleep(self.look_every_s)

    async def _is_quiet(self) -> bool:
        def busy(connection: sa.Connection) -> int:
            tables = (DELIVERIES, PUBLICATIONS)
            return sum(
                connection.scalar(
                    sa.select(sa.func.count()).where(table.c.state.in_(("waiting", "working")))
                )
                or 0
                for table in tables
            )

        return await self.service.database.read(busy) == 0


def lose_a_record(monkeypatch: pytest.MonkeyPatch) -> list[Claimed]:
    """Make the node fail once between posting and recording it. Return the claims it held."""
    complete = Queue.complete
    lost: list[Claimed] = []

    def forget(queue: Queue, connection: sa.Connection, claimed: Claimed, *how: Any) -> bool:
        if queue is publications.QUEUE and len(lost) < 2:  # with others, then alone
            lost.append(claimed)
            raise StoreError("the power went out")
        return complete(queue, connection, claimed, *how)

    monkeypatch.setattr(Queue, "complete", forget)
    return lost


_SHARED: list[tuple[sa.Dialect, Any]] = []


def _share_statements(engine: sa.Engine) -> None:
    """Have all SQLite engines of the process compile each statement once.

    To compile them takes a third of the time of a story. They belong to a dialect, so all engines
    share one.
    """
    if not _SHARED:
        _SHARED.append((engine.dialect, engine._compiled_cache))
    engine.dialect, engine._compiled_cache = _SHARED[0]


@asynccontextmanager
async def app_server(
    github: FakeGitHub,
    model: FakeAnthropic,
    folder: Path,
    *,
    pace: Pace | None = UNPACED,
    public_url: str | None = None,
    limits: Limits | None = None,
    hooks: Hooks | None = None,
    cipher: StoreCipher = CIPHER,
    clone_bytes: int = 0,
    verify: bool | None = None,
    **variables: str,
) -> AsyncIterator[AppServer]:
    """The App at work; its database is in ``folder``.

    Args:
        github: GitHub, where it is installed.
        model: what it asks.
        folder: of its state.
        pace: what each installation may do; None for what the App has by itself.
        public_url: where it can be reached.
        limits: what an installation may use.
        hooks: what is called after events.
        cipher: encryption of stored source.
        clone_bytes: maximum size of clones; by default there are none.
        verify: whether new findings are verified; None for the default.
        variables: more of the environment.
    """

    def load(options: Mapping[str, object]) -> Settings:
        environment = {
            "REVIEWBOT_STATE_DIR": str(folder),
            "ANTHROPIC_API_KEY": model.key,
            "ANTHROPIC_BASE_URL": model.base_url,
            **variables,
        }
        return read_settings({"verify": verify, **options}, cwd=folder, env=environment)

    app = github.app
    config = AppConfig(
        app_id=str(app.id),
        slug=app.slug,
        private_key=SecretText(app.private_key),
        webhook_secrets=(SecretText(app.webhook_secret or ""),),
        base_url=github.url,
        source="the test",
    )
    service = ReviewService(
        ServiceConfig(f"sqlite:///{folder / 'reviewbot.db'}", cipher), load, hooks=hooks
    )
    _share_statements(service.database.engine)
    queue = DirectQueue(service.runner)
    service._engine = queue  # type: ignore[assignment]
    await service.database.write(service._arrive)
    service.ready = True
    bot = Bot(
        *(config, service, load),
        public_url=public_url,
        pace=pace,
        limits=limits,
        clone_bytes=clone_bytes,
    )
    loop, now = asyncio.get_running_loop(), reviews.now_ms()
    then = loop.time()
    # What is tried again later comes by the clock of the database: that of a virtual loop, too.
    # Nobody says meanwhile that nodes are alive, and they are.
    by_the_loop = patch.object(nodes, "now_ms", lambda: now + round((loop.time() - then) * 1000))
    try:
        with by_the_loop, patch.object(nodes, "TTL_MS", 10**12):
            async with bot:
                yield AppServer(github, service, bot, queue)
    finally:
        await service.runner.leave(0)
        service.hub.close()
        service.runner.kit.parsers.close()
        await service.database.close()
