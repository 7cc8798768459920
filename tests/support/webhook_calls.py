"""Calls of the webhook of a server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import sqlalchemy as sa
from starlette.applications import Starlette

from reviewbot.config.settings import SecretText
from reviewbot.server.faults import HANDLERS
from reviewbot.server.github.webhook import webhook_routes
from reviewbot.store.tables import DELIVERIES
from tests.server.webhooks import SECRET, inbox, opened, pull_request, signed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from starlette.types import ASGIApp

    from reviewbot.github.app.inbox import Inbox
    from reviewbot.store.database import Database

BODY = pull_request()
EVENT = "pull_request"
HEADERS = signed(BODY, "d1", EVENT)


def app_of(one: Inbox | None, secrets: Sequence[str] = (SECRET,)) -> Starlette:
    known = [SecretText(secret) for secret in secrets]
    routes = webhook_routes(lambda: None if one is None else (one, known))
    return Starlette(routes=routes, exception_handlers=HANDLERS)


def client_of(app: ASGIApp, host: str = "localhost") -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url=f"http://{host}")


@asynccontextmanager
async def called(
    url: str, secrets: Sequence[str] = (SECRET,)
) -> AsyncGenerator[tuple[httpx2.AsyncClient, Database]]:
    """A client of the call, whose inbox is not at work, and its database."""
    async with (
        opened(url) as store,
        client_of(app_of(inbox(store), secrets)) as client,
    ):
        yield client, store


async def stored(database: Database) -> list[str]:
    statement = sa.select(DELIVERIES.c.id).order_by(DELIVERIES.c.id)
    return await database.read(lambda connection: list(connection.scalars(statement)))


class Held:
    """The part of a database that an inbox writes to; it holds writes back until it may go on."""

    def __init__(self, database: Database) -> None:
        self.write_through, self.go_on, self.waiting = database.write, asyncio.Event(), 0
        database.write = self.write  # type: ignore[method-assign]

    async def write(self, change: Any, *, tenant: str = "") -> Any:
        self.waiting += 1
        await self.go_on.wait()
        self.waiting -= 1
        return await self.write_through(change, tenant=tenant)
