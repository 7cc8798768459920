"""Deliveries of GitHub: real payloads, changed where a test says, signed, taken and worked off."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import hmac
import json
import lzma
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from reviewbot.github.app.inbox import Inbox
from reviewbot.github.webhook.payload import App
from reviewbot.store import deliveries, nodes
from reviewbot.store.database import open_database
from reviewbot.store.deliveries import QUEUE, NewDelivery
from reviewbot.store.tables import DELIVERIES
from tests.server import nodes as processes
from tests.support.store_keys import CIPHER

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from reviewbot.github.webhook.tasks import Task
    from reviewbot.store.database import Database
    from reviewbot.store.queue import State

SECRET: Final = "It's a Secret to Everybody"
US: Final = App(id="29310", slug="octocoders-linter")
SOON_S: Final = 20.0
"""For what takes milliseconds: longer is never."""
PAYLOADS: Final = processes.ROOT / "fixtures" / "github" / "webhooks" / "payloads.jsonl.xz"


@cache
def real() -> list[tuple[str, dict[str, Any]]]:
    """The recorded payloads, each with its event."""
    lines = map(json.loads, lzma.decompress(PAYLOADS.read_bytes()).splitlines())
    return [(one["event"], one["payload"]) for one in lines]


def pull_request(
    action: str = "opened", number: int = 7, *, installation: int = 1, **changes: object
) -> bytes:
    """What GitHub sends of a pull request of ``octo/repo``."""
    found = next(
        one for event, one in real() if event == "pull_request" and one["action"] == action
    )
    payload = copy.deepcopy(found) | {"installation": {"id": installation}, "number": number}
    payload["repository"]["full_name"] = "octo/repo"
    payload["pull_request"] |= {"number": number, **changes}
    return json.dumps(payload).encode()


def signed(body: bytes, delivery: str, event: str, secret: str = SECRET) -> dict[str, str]:
    """The headers of a delivery, as GitHub sends them."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "accept": "*/*",
        "content-type": "application/json",
        "user-agent": "GitHub-Hookshot/fa4e5e5",
        "x-github-delivery": delivery,
        "x-github-event": event,
        "x-github-hook-id": "400000001",
        "x-hub-signature-256": f"sha256={digest}",
    }


@dataclass
class Clock:
    """The database's clock, which a test moves on."""

    ahead_s: float = 0.0

    def __call__(self, connection: sa.Connection) -> int:
        return nodes.clock(connection) + round(self.ahead_s * 1000)


@dataclass
class Handler:
    """Notes what it is called with. ``answers`` says what then happens, by the delivery's id."""

    answers: Mapping[str, Callable[[], Awaitable[object]]] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)

    async def __call__(self, task: Task) -> None:
        self.begun.append(task.delivery)
        self.tasks.append(task)
        if task.delivery in self.answers:
            await self.answers[task.delivery]()
        self.ended.append(task.delivery)

    @property
    def at_work(self) -> list[str]:
        return [one for one in self.begun if one not in self.ended]


def raising(*errors: Exception | None) -> Callable[[], Awaitable[None]]:
    """Raises these, one a call, and then nothing more."""
    left = list(errors)

    async def answer() -> None:
        if left and (error := left.pop(0)) is not None:
            raise error

    return answer


async def hangs() -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[Database]:
    """A database of the test, closed at its end."""
    database = open_database(url, CIPHER)
    try:
        yield database
    finally:
        await database.close()


def inbox(
    database: Database,
    handle: Callable[[Task], Awaitable[None]] | None = None,
    *,
    node: str = "here",
    **options: Any,
) -> Inbox:
    """An inbox, of :data:`US` unless a test says, not at work."""
    more = {"app": US, "grace_s": 0.0, **options}
    return Inbox(database, node=node, handle=handle or Handler(), **more)


@asynccontextmanager
async def working(one: Inbox) -> AsyncGenerator[Inbox]:
    """An inbox at work, for the time of the ``async with``."""
    work = asyncio.create_task(one.work())
    try:
        yield one
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def state_of(database: Database, delivery: str) -> State | None:
    """How a delivery stands; None if it was not taken."""
    found = await database.read(lambda connection: deliveries.states(connection, [delivery]))
    return found.get(delivery)


async def until(condition: Callable[[], bool]) -> None:
    """Return once the work that goes on meanwhile has brought it about."""
    async with asyncio.timeout(SOON_S):
        await processes.until(condition)


async def until_state(database: Database, state: State, *ids: str) -> None:
    """Return once all of these deliveries are in that state."""
    async with asyncio.timeout(SOON_S):
        while True:
            found = await database.read(lambda connection: deliveries.states(connection, ids))
            if all(found.get(one) == state for one in ids):
                return
            await asyncio.sleep(0.01)


async def row_of(database: Database, delivery: str) -> Any:
    statement = sa.select(DELIVERIES).where(DELIVERIES.c.id == delivery)
    return await database.read(lambda connection: connection.execute(statement).one())


def new(delivery: str, subject: str | None = None, installation: int | None = 1) -> NewDelivery:
    return NewDelivery(delivery, "pull_request", installation, subject, b"packed")


async def put(database: Database, *them: NewDelivery, at: int = 1) -> None:
    for number, one in enumerate(them):
        assert await database.write(partial(deliveries.insert, new=one, at=at + number))


async def claim(database: Database, at: int = 10, **options: Any) -> list[str]:
    options = {"node": "here", "alive": (), "most": 100, "per_installation": 100, **options}
    found = await database.write(partial(QUEUE.claim, at=at, **options))
    return [one.id for one in found]
