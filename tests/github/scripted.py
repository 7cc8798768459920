"""A server that answers as a test says, and a gateway to it: for what no real one does at will."""

from __future__ import annotations

import asyncio
import functools
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reviewbot.config.settings import SecretText
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.client.auth import AppCredentials
from reviewbot.github.client.exchange import Patience
from tests.fake_github.people import private_key
from tests.fake_github.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from tests.fake_github.wire import Answer, Recorded

TOKEN = "ghs_16C7e42F292c6912E7710c838347Ae178B4a"
SHA = "0123456789abcdef0123456789abcdef01234567"


@functools.cache
def app_key() -> SecretText:
    return SecretText(private_key())


@dataclass
class Scripted:
    """The server. ``script`` makes the answer to each request; None breaks the connection.

    Answers go out while ``open`` is set; ``came`` is set when a request comes.
    """

    script: Callable[[Recorded], Answer | None]
    open: asyncio.Event = field(default_factory=asyncio.Event)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[Recorded] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def calls(self) -> list[str]:
        return [request.key for request in self.requests]

    async def respond(self, request: Recorded) -> Answer | None:
        self.requests.append(request)
        self.came.set()
        await self.open.wait()
        return self.script(request)

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[Scripted]:
        server = Server(self.respond, asyncio.get_running_loop().time)
        await server.start()
        self.port = server.port
        self.open.set()
        try:
            yield self
        finally:
            await server.close()


@asynccontextmanager
async def scripted(
    script: Callable[[Recorded], Answer | None], *, app: bool = False, **options: Any
) -> AsyncGenerator[tuple[Scripted, Gateway]]:
    """A server, and a gateway to it with :data:`TOKEN`, or as an App."""
    async with Scripted(script).serving() as server:
        credentials = AppCredentials("12", app_key()) if app else SecretText(TOKEN)
        prefix = options.pop("prefix", "")
        async with Gateway(credentials, base_url=server.url + prefix, **options) as gateway:
            yield server, gateway


def pull(number: int, **changes: Any) -> dict[str, Any]:
    """A pull request as GitHub sends it, as far as it is read."""
    repo = {"full_name": "o/r", "id": 1}
    return {
        "number": number,
        "state": "open",
        "title": "Title",
        "body": None,
        "user": None,
        "head": {"sha": SHA, "ref": "topic", "repo": repo},
        "base": {"sha": SHA, "ref": "main", "repo": repo},
        "changed_files": 1,
        "updated_at": "2026-11-28T12:00:00Z",
    } | changes


def comment(number: int, body: str = "") -> dict[str, Any]:
    """A comment below a pull request."""
    user = {"login": "mona", "id": 1, "type": "User"}
    return {"id": number, "user": user, "body": body}


IMPATIENT = Patience(silent_s=0.05)
